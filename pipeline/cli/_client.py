"""Talk to a running daemon: where it answers, with which token, and what its refusals mean."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pipeline.cli._upload import Upload
from pipeline.errors import CommandFailed

if TYPE_CHECKING:  # as in `commands`
    from pipeline.cli.commands import LoadSettings
    from pipeline.config import Settings

TIMEOUT_S = 90.0
"""Longer than the daemon ever lets a request wait."""

Json = dict[str, Any]


class Refused(CommandFailed):
    """The daemon answered, and said no."""

    def __init__(self, status: int, english: str, chinese: str) -> None:
        """Keep the HTTP status beside the words."""
        super().__init__(english, chinese)
        self.status = status


def add_daemon_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that say which daemon is meant."""
    parser.add_argument(
        "--url", help="where the daemon answers (default: $TRANSCRIBED_URL, else the daemon on this machine)"
    )
    parser.add_argument(
        "--token", help="token for it (default: $TRANSCRIBED_TOKEN, else that of the daemon on this machine)"
    )


def connect(arguments: argparse.Namespace, load: LoadSettings) -> Client:
    """Find the daemon: by options, by environment, or by the data folder of the configuration.

    Raises:
        CommandFailed: there is none, or no token for it.
    """
    url = arguments.url or os.environ.get("TRANSCRIBED_URL")
    token = arguments.token or os.environ.get("TRANSCRIBED_TOKEN")
    if url and not token:  # our own token is not for any address that somebody names
        raise CommandFailed(
            "A token is needed for this address: give --token, or set TRANSCRIBED_TOKEN.",
            "访问该地址需要令牌：请使用 --token，或设置 TRANSCRIBED_TOKEN。",
        )
    if url and token:
        return Client(url, token)
    settings = load()
    return Client(url or _local_url(settings), token or _local_token(settings))


def _local_url(settings: Settings) -> str:
    announcement = settings.storage.dir.absolute() / "daemon.json"
    said = _read(announcement)
    if said is None:
        raise _nobody_there(f"{announcement} is not there", f"没有 {announcement}")
    return str(json.loads(said)["url"])


def _local_token(settings: Settings) -> str:
    if settings.api.tokens:
        return settings.api.tokens[0].get_secret_value()
    token = _read(settings.storage.dir / "token")
    if token is None:
        raise CommandFailed(
            "The configuration names no token that can be read here, and those of 'token new' are kept as digests "
            "only: give --token, or set TRANSCRIBED_TOKEN.",
            "配置中没有此处可读取的令牌，而 token new 生成的令牌只保存摘要：请使用 --token，或设置 TRANSCRIBED_TOKEN。",
        )
    return token.strip()


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandFailed(
            f"{file}: {error.strerror}. The data folder belongs to another user: become that user "
            "(sudo -u USER …), or give --url and --token.",
            f"{file}：无法读取。数据目录属于其他用户：请切换到该用户（sudo -u USER …），或使用 --url 和 --token。",
        ) from None


def _nobody_there(english: str, chinese: str) -> CommandFailed:
    return CommandFailed(
        f"No daemon answers ({english}). Start it with 'python run_daemon.py' or 'make run'; "
        "if it runs elsewhere, give --url and --token.",
        f"服务没有应答（{chinese}）。请用 python run_daemon.py 或 make run 启动；"
        "如果服务在别处，请使用 --url 和 --token。",
    )


def _broken_off(url: str, reason: object) -> CommandFailed:
    return CommandFailed(
        f"{url} took no more of the file ({reason}): it may be larger than api.max_upload_mb, or the daemon stopped.",
        f"{url} 没有收完文件（{reason}）：文件可能超过 api.max_upload_mb，或服务已停止。",
    )


class Client:
    """One daemon and a token for it. Every method may raise `Refused` or, if nobody answers, `CommandFailed`."""

    def __init__(self, url: str, token: str) -> None:
        """Name the daemon; nothing is sent yet."""
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        # What is on this machine is not reached through a proxy, whatever the environment says of others.
        here = self.url.startswith(("http://127.", "http://localhost:", "http://[::1]:"))
        self._opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))

    def submit(self, fields: Json) -> Json:
        """Submit one video; returns the answer's data."""
        return self._json("POST", "/api/transcribe", fields)

    def upload(self, file: Path, fields: Json) -> Json:
        """Submit a video that lies on this machine; returns the answer's data."""
        self.tasks(1)  # a token that is refused is told before gigabytes are sent
        return self._json("POST", "/api/transcribe", Upload(file, fields))

    def tasks(self, limit: int) -> list[Json]:
        """The latest tasks, newest first, all as they were at one moment."""
        found: list[Json] = self._json("GET", "/api/tasks", query={"limit": limit})["tasks"]
        return found

    def state(self, task_id: str, **query: int) -> Json:
        """The task as it is now."""
        return self._json("GET", _task(task_id), query=query)

    def messages(self, task_id: str) -> list[Json]:
        """What was sent or will be sent of a task, in order."""
        found: list[Json] = self._json("GET", _task(task_id, "messages"))["messages"]
        return found

    def text(self, task_id: str) -> str:
        """The best text there is of a task."""
        return self._ask("GET", _task(task_id, "result"), query={"format": "txt"}).decode()

    def act(self, task_id: str, action: str, fields: Json | None = None) -> Json:
        """Cancel a task, retry it, and the like; returns the answer's data."""
        return self._json("POST", _task(task_id, action), fields or {})

    def _json(self, method: str, path: str, body: Json | Upload | None = None, query: Json | None = None) -> Json:
        answer = self._ask(method, path, body, query)
        try:
            data: Json = json.loads(answer)["data"]
        except (ValueError, KeyError, TypeError):
            raise self._stranger() from None
        return data

    def _ask(self, method: str, path: str, body: Json | Upload | None = None, query: Json | None = None) -> bytes:
        address = self.url + path + (f"?{urlencode(query)}" if query else "")
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        more = body.headers if isinstance(body, Upload) else {"Content-Type": "application/json"} if content else {}
        try:
            request = urllib.request.Request(address, content, self._headers | more, method=method)  # noqa: S310 - as the user says
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise self._refused(refusal.code, refusal.read()) from None
        except (OSError, HTTPException, ValueError) as error:  # nobody there, half an answer, no address at all
            reason = getattr(error, "reason", error)
            if isinstance(body, Upload) and isinstance(reason, ConnectionError):
                raise _broken_off(self.url, reason) from None
            raise _nobody_there(f"{self.url}: {reason}", f"{self.url}：{reason}") from None

    def _refused(self, status: int, body: bytes) -> CommandFailed:
        try:
            said = json.loads(body)
            english, chinese = said["message"], said["error"]["detail"]["message_zh"]
        except (ValueError, KeyError, TypeError):
            return self._stranger()
        if status == HTTPStatus.UNAUTHORIZED:
            english += " Its token stands in data/token, or make one with 'python run_daemon.py token new NAME'."
            chinese += "令牌在 data/token 中，也可以用 python run_daemon.py token new NAME 生成。"
        return Refused(status, english, chinese)

    def _stranger(self) -> CommandFailed:
        return CommandFailed(
            f"{self.url} answers, but not as a transcribed daemon: check the address.",
            f"{self.url} 有应答，但不是 transcribed 服务：请检查地址。",
        )


def _task(task_id: str, *rest: str) -> str:
    return "/".join(["/api/task", quote(task_id, safe=""), *rest])
