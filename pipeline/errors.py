"""Every error this product can name, as one tree.

::

    TranscribedError
    ├── ConfigInvalid              the configuration cannot be used (exit code 2)
    ├── DataFolderUnusable         the data folder cannot be used (exit code 3)
    ├── CommandFailed              a command could not do its work (exit code 1)
    ├── Refusal                    a request is answered with this, nothing is stored
    │   ├── InvalidJson InvalidBody UnknownField InvalidValue ModelUnavailable
    │   ├── Unauthorized NotFound MethodNotAllowed NotAcceptable
    │   ├── NotReady Expired LayerAbsent Conflict IdempotencyConflict
    │   ├── BodyTooLarge UnsupportedMediaType
    │   ├── QueueFull RateLimited ShuttingDown NoSpace DbBusy Internal
    │   └── UrlRefused
    │       └── UrlMalformed UrlScheme UrlPort UrlCredentials UrlTooLong
    │           UrlForbiddenAddress UrlForbiddenHost
    ├── StageFailed                a stage could not make its product; the task fails with this
    │   ├── source  SourceForbidden SourceNotFound SourceRateLimited SourceUnreachable
    │   │           SourceTimeout SourceUnsupported LiveNotSupported PlaylistNotAllowed
    │   ├── file    DownloadTruncated DownloadTooLarge DownloadTimeout
    │   ├── media   MediaInvalid MediaNoAudio MediaTooLong DecodeFailed DecodeTimeout
    │   ├── model   ModelMissing ModelCorrupt EngineFailed EngineDied WorkerStalled
    │   │           WorkerCrashed TranscribeTimeout
    │   └── house   DiskFull InternalFailure
    ├── LlmFailed                  an LLM gave no answer; the text is made without it, the task goes on
    │   ├── LlmAuth LlmQuota LlmModel
    │   ├── LlmRateLimited LlmUnavailable LlmGarbled
    │   └── LlmRefused
    └── Interrupted                control flow: the daemon is stopping, the attempt does not count

The docstring of a class is its English message; ``message_zh`` is the Chinese one and ``cure`` says,
in both, what the user can do about it. ``type`` is the stable name that programs see.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar


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
        super().__init__(detail)
        self.detail = detail

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


# ---------------------------------------------------------------------------------------------
# Refusals: what a request can be answered with. Nothing is stored.
# ---------------------------------------------------------------------------------------------


class Refusal(TranscribedError):
    """The request was refused."""

    message_zh = "请求被拒绝。"
    status: ClassVar[int] = 400

    def __init__(
        self,
        detail: str = "",
        *,
        param: str | None = None,
        retry_after: int | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Say what was refused.

        Args:
            detail: what exactly is wrong with it.
            param: dotted name of the field or query parameter at fault.
            retry_after: seconds after which the same request may succeed.
            more: further machine-readable facts for ``error.detail``.
        """
        super().__init__(detail)
        self.param = param
        self.retry_after = retry_after
        self.more = more or {}


class InvalidJson(Refusal):
    """The body is not valid JSON in UTF-8."""

    type, status = "invalid_json", 400
    message_zh = "请求体不是有效的 UTF-8 JSON。"


class InvalidBody(Refusal):
    """The request cannot be read as this route needs it."""

    type, status = "invalid_body", 400
    message_zh = "请求的形式不符合该接口的要求。"


class Unauthorized(Refusal):
    """A valid bearer token is needed: send the header 'Authorization: Bearer <token>'."""

    type, status = "unauthorized", 401
    message_zh = "需要有效的令牌：请带上请求头 Authorization: Bearer <token>。"


class NotFound(Refusal):
    """There is nothing here under this name."""

    type, status = "not_found", 404
    message_zh = "没有找到。"


class MethodNotAllowed(Refusal):
    """This route does not take this method."""

    type, status = "method_not_allowed", 405
    message_zh = "该接口不支持这个方法。"


class NotAcceptable(Refusal):
    """The expectation in the request's headers cannot be met."""

    type, status = "not_acceptable", 417
    message_zh = "无法满足请求头中的要求。"


class Conflict(Refusal):
    """The task is in a state that does not allow this."""

    type, status = "conflict", 409
    message_zh = "任务当前的状态不允许此操作。"


class IdempotencyConflict(Refusal):
    """This Idempotency-Key came with another body before; make a new key for each new request."""

    type, status = "idempotency_conflict", 409
    message_zh = "这个 Idempotency-Key 已用于内容不同的请求；请为每个新请求换用新的键。"


class NotReady(Refusal):
    """This text is not ready yet: ask again later, or use ?wait= on the task."""

    type, status = "not_ready", 409
    message_zh = "文本还没有准备好：请稍后再取，或在任务接口上使用 ?wait=。"


class Expired(Refusal):
    """The text of this task is older than storage.result_days and was removed."""

    type, status = "expired", 410
    message_zh = "该任务的文本已超过 storage.result_days 规定的天数，已被删除。"


class LayerAbsent(Refusal):
    """This task has no such layer: it is disabled, was skipped or failed."""

    type, status = "layer_absent", 404
    message_zh = "该任务没有这一层文本：未启用、已跳过或失败。"


class BodyTooLarge(Refusal):
    """The body is larger than api.max_body_mb allows, or a file in it larger than api.max_upload_mb."""

    type, status = "body_too_large", 413
    message_zh = "请求体超过 api.max_body_mb 的限制，或其中的文件超过 api.max_upload_mb 的限制。"


class UnsupportedMediaType(Refusal):
    """Send the body as application/json in UTF-8, or a file as multipart/form-data, without a content encoding."""

    type, status = "unsupported_media_type", 415
    message_zh = "请以 application/json（UTF-8）发送请求体，或以 multipart/form-data 上传文件；不要压缩。"


class UnknownField(Refusal):
    """This field is not known here."""

    type, status = "unknown_field", 422
    message_zh = "未知的字段。"


class InvalidValue(Refusal):
    """This value cannot be used here."""

    type, status = "invalid_value", 422
    message_zh = "这个值不能用在这里。"


class ModelUnavailable(Refusal):
    """This model is not named in the configuration; see transcribe.model and transcribe.models."""

    type, status = "model_unavailable", 422
    message_zh = "配置中没有这个模型，请见 transcribe.model 与 transcribe.models。"


class QueueFull(Refusal):
    """The queue is full; try again after the time in Retry-After."""

    type, status = "queue_full", 429
    message_zh = "队列已满，请在 Retry-After 指定的时间之后再试。"


class RateLimited(Refusal):
    """Too many requests with a wrong token came from this address; try again after the time in Retry-After."""

    type, status = "rate_limited", 429
    message_zh = "来自该地址的错误令牌过多，请在 Retry-After 指定的时间之后再试。"


class ShuttingDown(Refusal):
    """The daemon is stopping and takes no new work; try again shortly."""

    type, status = "shutting_down", 503
    message_zh = "服务正在停止，暂不接受新任务，请稍后再试。"


class NoSpace(Refusal):
    """The disk is full, so nothing new can be stored; free some space and try again."""

    type, status = "disk_full", 503
    message_zh = "磁盘已满，无法保存新的任务；请清理空间后再试。"


class DbBusy(Refusal):
    """The store is busy; try again shortly."""

    type, status = "db_busy", 503
    message_zh = "数据库繁忙，请稍后再试。"


class Internal(Refusal):
    """An error on our side; the log names it under this request_id."""

    type, status = "internal", 500
    message_zh = "服务内部错误；日志中可按 request_id 查到。"


class UrlRefused(Refusal):
    """This address cannot be used."""

    type, status = "url_malformed", 422
    message_zh = "这个地址不能使用。"


class UrlMalformed(UrlRefused):
    """This is not a well-formed web address."""

    type = "url_malformed"
    message_zh = "这不是一个格式正确的网址。"


class UrlScheme(UrlRefused):
    """Only addresses that begin with http:// or https:// are taken."""

    type = "url_scheme"
    message_zh = "只接受以 http:// 或 https:// 开头的地址。"


class UrlPort(UrlRefused):
    """This port is not among download.allow_ports."""

    type = "url_port"
    message_zh = "这个端口不在 download.allow_ports 之中。"


class UrlCredentials(UrlRefused):
    """An address with a user name or password in it is not taken."""

    type = "url_credentials"
    message_zh = "不接受带有用户名或密码的地址。"


class UrlTooLong(UrlRefused):
    """The address is longer than 2048 characters."""

    type = "url_too_long"
    message_zh = "地址超过 2048 个字符。"


class UrlForbiddenAddress(UrlRefused):
    """This address is private, local or reserved; download.allow_hosts can allow it."""

    type = "url_forbidden_address"
    message_zh = "这是内网、本机或保留地址；可在 download.allow_hosts 中放行。"


class UrlForbiddenHost(UrlRefused):
    """This host name is local or for special use; download.allow_hosts can allow it."""

    type = "url_forbidden_host"
    message_zh = "这是本地或特殊用途的主机名；可在 download.allow_hosts 中放行。"


# ---------------------------------------------------------------------------------------------
# Failures of a stage: the task ends (or is tried again) with one of these.
# ---------------------------------------------------------------------------------------------


ENDLESS = 1_000_000
"""Times that something is tried again which passes, and is not the task's fault."""


class StageFailed(TranscribedError):
    """The stage could not make its product."""

    message_zh = "这一步没有完成。"
    retries: ClassVar[int] = 0
    """How often this may be tried again by itself; ``scheduler.max_retries`` is the ceiling."""
    times_out: ClassVar[bool] = False
    """Whether a task that ends with this has the status ``timeout`` instead of ``failed``."""
    crashed: ClassVar[bool] = False
    """Whether what worked on the task died, perhaps of the task."""
    spoils: ClassVar[tuple[str, ...]] = ()
    """Products, by their field of ``Artifacts``, that the next attempt has to make anew."""

    def __init__(self, detail: str = "", *, wish_s: float | None = None) -> None:
        """Keep what is particular about this one, and for how many seconds the other side wants to be left alone."""
        super().__init__(detail)
        self.wish_s = wish_s


class SourceForbidden(StageFailed):
    """The site refuses access to this video."""

    type = "source_forbidden"
    message_zh = "网站拒绝访问这个视频。"
    cure = (
        "If the site wants you to sign in, give its cookies to the daemon (download.cookies_dir); or it is closed to "
        "this region.",
        "若网站要求登录，请提供其 cookies（download.cookies_dir）；也可能不对本地区开放。",
    )
    retries = 1


class SourceNotFound(StageFailed):
    """There is no video at this address."""

    type = "source_not_found"
    message_zh = "这个地址没有视频。"
    cure = (
        "Check the address; the video may have been removed.",
        "请检查地址，视频可能已被删除。",
    )


class SourceRateLimited(StageFailed):
    """The site asks to come back later."""

    type = "source_rate_limited"
    message_zh = "网站要求稍后再访问。"
    cure = ("Wait a while, then submit it again.", "请过一段时间再提交。")
    retries = 5


class SourceUnreachable(StageFailed):
    """The site cannot be reached or answers with an error of its own."""

    type = "source_unreachable"
    message_zh = "无法访问该网站，或网站自身出错。"
    cure = (
        "Check that the site works in a browser on this machine, then submit it again.",
        "请在本机浏览器中确认网站可用，然后重新提交。",
    )
    retries = 5


class SourceTimeout(StageFailed):
    """The site took too long to say what it has."""

    type = "source_timeout"
    message_zh = "网站用时过长，仍未说明该地址有什么内容。"
    cure = (
        "Check that the page opens in a browser on this machine, then submit it again.",
        "请在本机浏览器中确认页面可以打开，然后重新提交。",
    )
    retries = 1
    times_out = True


class SourceUnsupported(StageFailed):
    """No video was found at this address."""

    type = "source_unsupported"
    message_zh = "在这个地址没有找到视频。"
    cure = (
        "Give the address of a page with one video, or of a media file; a newer yt-dlp may know more sites.",
        "请给出单个视频页面或媒体文件的地址；新版 yt-dlp 可能支持更多网站。",
    )
    retries = 1


class LiveNotSupported(StageFailed):
    """This is a live stream, which has no end to wait for."""

    type = "live_not_supported"
    message_zh = "这是直播，没有结束点，无法转写。"
    cure = ("Submit the recording once the stream is over.", "请在直播结束后提交回放。")


class PlaylistNotAllowed(StageFailed):
    """This address holds several videos."""

    type = "playlist_not_allowed"
    message_zh = "这个地址包含多个视频。"
    cure = ("Submit the address of each video by itself.", "请逐个提交每个视频的地址。")


class DownloadTruncated(StageFailed):
    """The download ended before the file was complete."""

    type = "download_truncated"
    message_zh = "文件没有下载完整就中断了。"
    cure = ("Submit it again; if it stays so, the file on the site is damaged.",
            "请重新提交；若仍然如此，网站上的文件已损坏。")  # fmt: skip
    retries = 2
    spoils = ("file",)


class DownloadTooLarge(StageFailed):
    """The file is larger than download.max_mb allows."""

    type = "download_too_large"
    message_zh = "文件超过 download.max_mb 的限制。"
    cure = ("Raise download.max_mb, or submit a smaller version.", "请调大 download.max_mb，或提交较小的版本。")


class DownloadTimeout(StageFailed):
    """The download took too long or stood still."""

    type = "download_timeout"
    message_zh = "下载超时或停滞。"
    cure = (
        "Try again later; slow sites need a larger download.timeout_s or download.stall_s.",
        "请稍后再试；较慢的网站需要调大 download.timeout_s 或 download.stall_s。",
    )
    times_out = True


class MediaInvalid(StageFailed):
    """The file is not audio or video that can be read."""

    type = "media_invalid"
    message_zh = "文件不是可读取的音频或视频。"
    cure = ("Check that the file plays in a media player.", "请确认文件可以在播放器中播放。")


class MediaNoAudio(StageFailed):
    """The video has no sound."""

    type = "media_no_audio"
    message_zh = "视频没有声音。"
    cure = ("Submit a version with an audio track.", "请提交带音轨的版本。")


class MediaTooLong(StageFailed):
    """The video is longer than download.max_duration_s allows."""

    type = "media_too_long"
    message_zh = "视频时长超过 download.max_duration_s 的限制。"
    cure = ("Raise download.max_duration_s, or submit it in parts.", "请调大 download.max_duration_s，或分段提交。")


class DecodeFailed(StageFailed):
    """The sound could not be decoded."""

    type = "decode_failed"
    message_zh = "音频解码失败。"
    cure = ("Check that the file plays in a media player.", "请确认文件可以在播放器中播放。")
    retries = 1


class DecodeTimeout(StageFailed):
    """Decoding the sound took too long or stood still."""

    type = "decode_timeout"
    message_zh = "音频解码超时或停滞。"
    cure = (
        "Check that the file plays to its end in a media player, and that this machine is not overloaded.",
        "请确认文件可以在播放器中完整播放，且本机没有过载。",
    )
    times_out = True


class ModelMissing(StageFailed):
    """The speech model is not on this machine and could not be fetched."""

    type = "model_missing"
    message_zh = "本机没有语音模型，也无法下载。"
    cure = (
        "Run 'python run_daemon.py models fetch NAME' where the hub, or a mirror (HF_ENDPOINT), answers; then retry.",
        "请在能访问模型站点或其镜像时运行 python run_daemon.py models fetch NAME，然后重试。",
    )


class ModelCorrupt(StageFailed):
    """The files of the speech model cannot be loaded."""

    type = "model_corrupt"
    message_zh = "语音模型的文件无法加载。"
    cure = (
        "Delete the model's folder and run 'python run_daemon.py models fetch NAME'.",
        "请删除模型目录，再运行 python run_daemon.py models fetch NAME。",
    )


class EngineFailed(StageFailed):
    """The recognizer could not do its work."""

    type = "gpu_error"
    message_zh = "识别引擎未能完成工作。"
    cure = (
        "Try again; if it stays so, see the log for the engine's last words.",
        "请重试；若仍然如此，请查看日志中引擎最后的输出。",
    )
    retries = 2


class EngineDied(EngineFailed):
    """The recognizer's process died in the middle of its work."""

    message_zh = "识别引擎的进程在工作中途崩溃。"
    crashed = True


class WorkerStalled(StageFailed):
    """The recognizer made no progress for longer than transcribe.stall_s."""

    type = "worker_stalled"
    message_zh = "识别引擎超过 transcribe.stall_s 没有进展。"
    cure = ("Try again; a slow machine needs a larger transcribe.stall_s or a smaller model.",
            "请重试；较慢的机器需要调大 transcribe.stall_s 或换用较小的模型。")  # fmt: skip
    retries = 2
    times_out = True


class WorkerCrashed(StageFailed):
    """What works on this recording dies of it again and again."""

    type = "worker_crashed"
    message_zh = "处理这个文件的进程屡次崩溃。"
    cure = (
        "Try another version or format of the recording; the log has the last words of what died.",
        "请换用该音视频的其他版本或格式；崩溃进程最后的输出见日志。",
    )


class TranscribeTimeout(StageFailed):
    """The transcription took longer than transcribe.max_factor allows for this length."""

    type = "transcribe_timeout"
    message_zh = "转写用时超过 transcribe.max_factor 对该时长的限制。"
    cure = ("Raise transcribe.max_factor, or use a smaller model.", "请调大 transcribe.max_factor，或换用较小的模型。")
    times_out = True


class DiskFull(StageFailed):
    """The disk is full."""

    type = "disk_full"
    message_zh = "磁盘已满。"
    cure = ("Free some space; the task then goes on by itself.", "请清理磁盘空间，任务随后会自动继续。")
    retries = ENDLESS


class InternalFailure(StageFailed):
    """An error on our side."""

    type = "internal"
    message_zh = "服务内部错误。"
    cure = ("The log names it under this task's id; please report it.", "日志中可按任务编号查到，请反馈给我们。")
    retries = 1


# ---------------------------------------------------------------------------------------------
# Failures of an LLM: a text stage goes on without it and warns with one of these.
# ---------------------------------------------------------------------------------------------


class LlmFailed(TranscribedError):
    """The LLM gave no answer."""

    message_zh = "大语言模型没有给出回答。"
    passes: ClassVar[bool] = False
    """Whether the same question may well be answered a little later."""
    lasts: ClassVar[bool] = False
    """Whether no question will be answered until somebody changes something."""

    def __init__(self, detail: str = "", *, retry_after_s: float | None = None) -> None:
        """Keep what is particular about this one, and when the endpoint asks to come back."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    @classmethod
    def advice(cls) -> tuple[str, str]:
        """What happened and what to do, in English and in Chinese; the particulars are for the log."""
        english, chinese = cls.cure
        return f"{inspect.cleandoc(cls.__doc__ or '')} {english}".strip(), f"{cls.message_zh}{chinese}"


class LlmAuth(LlmFailed):
    """The LLM endpoint refuses the key."""

    type = "llm_auth"
    message_zh = "大语言模型接口拒绝了密钥。"
    cure = (
        "Set llm.api_key to a valid key for llm.base_url, then restart the daemon.",
        "请将 llm.api_key 设为对 llm.base_url 有效的密钥，然后重启服务。",
    )
    lasts = True


class LlmQuota(LlmFailed):
    """The account at the LLM endpoint has nothing left to spend."""

    type = "llm_quota"
    message_zh = "大语言模型账户余额或额度已用完。"
    cure = ("Top up the account or raise its limit.", "请为账户充值，或提高其额度。")
    lasts = True


class LlmModel(LlmFailed):
    """The LLM endpoint knows no such model, or there is no endpoint at this address."""

    type = "llm_model"
    message_zh = "大语言模型接口没有这个模型，或该地址没有接口。"
    cure = (
        "Check llm.model and the other models against the endpoint's list, and that llm.base_url ends as its "
        "documents say, usually in /v1; then restart the daemon.",
        "请核对 llm.model 等模型名称是否在接口的模型列表中，并确认 llm.base_url 的结尾与其文档一致（通常为 /v1），"
        "然后重启服务。",
    )
    lasts = True


class LlmRateLimited(LlmFailed):
    """The LLM endpoint is asked too often."""

    type = "llm_rate_limited"
    message_zh = "对大语言模型接口的请求过于频繁。"
    cure = (
        "Lower llm.parallel_chunks, or raise the account's rate limit.",
        "请调小 llm.parallel_chunks，或提高账户的速率限制。",
    )
    passes = True


class LlmUnavailable(LlmFailed):
    """The LLM endpoint cannot be reached, fails, or takes longer than llm.timeout_s."""

    type = "llm_unavailable"
    message_zh = "无法访问大语言模型接口，或其出错，或超过 llm.timeout_s 仍未回答。"
    cure = (
        "Check that llm.base_url can be reached from this machine; a slow model needs a larger llm.timeout_s or a "
        "smaller llm.chunk_chars.",
        "请确认本机可以访问 llm.base_url；较慢的模型需要调大 llm.timeout_s 或调小 llm.chunk_chars。",
    )
    passes = True


class LlmGarbled(LlmFailed):
    """What the LLM endpoint sends is no answer."""

    type = "llm_garbled"
    message_zh = "大语言模型接口返回的内容不是有效的回答。"
    cure = (
        "Check that llm.base_url is the OpenAI-compatible address of the endpoint, not its web page.",
        "请确认 llm.base_url 是 OpenAI 兼容接口的地址，而不是网页地址。",
    )
    passes = True


class LlmRefused(LlmFailed):
    """The LLM endpoint refuses to answer this question."""

    type = "llm_refused"
    message_zh = "大语言模型接口拒绝回答这个问题。"
    cure = (
        "The endpoint may filter what such videos speak of; the log has its words. Another endpoint may answer.",
        "该接口可能过滤此类内容，其原话见日志；可换用其他接口。",
    )


def stage_failures() -> dict[str, type[StageFailed]]:
    """Every failure a task can end with, by its ``type``."""
    return {cls.type: cls for cls in StageFailed.__subclasses__()}
