"""Every error this product can name, as one tree.

::

    TranscribedError
    ├── ConfigInvalid              the configuration cannot be used (exit code 2)
    ├── DataFolderUnusable         the data folder cannot be used (exit code 3)
    ├── CommandFailed              a command could not do its work (exit code 1)
    ├── Refusal                    refusals.py: a request is answered with this, nothing is stored
    │   ├── InvalidJson InvalidBody UnknownField InvalidValue ModelUnavailable
    │   ├── Unauthorized NotFound MethodNotAllowed NotAcceptable
    │   ├── NotReady Expired LayerAbsent Conflict IdempotencyConflict
    │   ├── BodyTooLarge UnsupportedMediaType
    │   ├── QueueFull RateLimited ShuttingDown NoSpace DbBusy Internal
    │   └── UrlRefused
    │       └── UrlMalformed UrlScheme UrlPort UrlCredentials UrlTooLong
    │           UrlForbiddenAddress UrlForbiddenHost
    ├── StageFailed                failures.py: a stage could not make its product; the task fails with this
    │   ├── source  SourceForbidden SourceNotFound SourceRateLimited SourceUnreachable
    │   │           SourceTimeout SourceUnsupported LiveNotSupported PlaylistNotAllowed
    │   ├── file    DownloadTruncated DownloadTooLarge DownloadTimeout
    │   ├── media   MediaInvalid MediaNoAudio MediaTooLong DecodeFailed DecodeTimeout
    │   ├── model   ModelMissing ModelCorrupt EngineFailed EngineDied GpuOutOfMemory
    │   │           WorkerStalled WorkerCrashed TranscribeTimeout
    │   └── house   DiskFull InternalFailure
    ├── LlmFailed                  llm_failures.py: an LLM gave no answer; the text is made without it
    │   ├── LlmAuth LlmQuota LlmModel
    │   ├── LlmRateLimited LlmUnavailable LlmGarbled
    │   └── LlmRefused
    └── Interrupted                control flow: the daemon is stopping, the attempt does not count

The docstring of a class is its English message; ``message_zh`` is the Chinese one and ``cure`` says,
in both, what the user can do about it. ``type`` is the stable name that programs see.
"""

from __future__ import annotations

import inspect
from typing import ClassVar


class TranscribedError(Exception):
    """Something went wrong."""

    type: ClassVar[str] = "internal"
    message_zh: ClassVar[str] = "出现错误。"
    cure: ClassVar[tuple[str, str]] = ("", "")
    """What the user can do, in English and in Chinese."""

    def __init__(self, detail: str = "") -> None:
        """Keep what is particular about this one.

        Args:
            detail: what exactly was seen, for the log and, appended, for the reader; no secrets.
        """
        # Half a surrogate pair, which words of others may hold, can be neither stored nor sent.
        self.detail = detail.encode("utf-8", "replace").decode()
        super().__init__(self.detail)

    @property
    def message(self) -> str:
        """The English message: the class's sentence, then the particulars."""
        return _join(inspect.cleandoc(type(self).__doc__ or ""), self.detail)

    @property
    def localized(self) -> str:
        """The Chinese message: the class's sentence, then the particulars."""
        return _join(self.message_zh, self.detail)

    @classmethod
    def hint(cls, model: str = "NAME") -> str:
        """The cure in both languages, as the API shows it; ``model`` stands where the cure says NAME."""
        return " ".join(cls.cure).strip().replace("NAME", model)

    def __str__(self) -> str:
        """Read as the English message."""
        return self.message


def _join(sentence: str, detail: str) -> str:
    return f"{sentence} ({detail})" if detail else sentence


class ConfigInvalid(TranscribedError):
    """The configuration cannot be used."""

    type = "config_invalid"
    message_zh = "配置无法使用。"

    def __init__(self, problems: list[str]) -> None:
        """Hold every problem found, one line each, in the order of the file."""
        super().__init__("; ".join(problems))
        self.problems = problems


class DataFolderUnusable(TranscribedError):
    """The data folder cannot be used."""

    type = "data_folder_unusable"
    message_zh = "数据目录无法使用。"


class CommandFailed(TranscribedError):
    """The command could not do its work."""

    type = "command_failed"
    message_zh = "命令未能完成。"

    def __init__(self, english: str, chinese: str) -> None:
        """Say in both languages what happened and what to do."""
        super().__init__(english)
        self._chinese = chinese

    @property
    def message(self) -> str:
        """The English message, nothing before it: whoever typed the command reads it."""
        return self.detail

    @property
    def localized(self) -> str:
        """The Chinese message."""
        return self._chinese


class Interrupted(TranscribedError):
    """The daemon is stopping; the work will go on at the next start."""

    type = "interrupted"
    message_zh = "服务正在停止，下次启动后继续。"
