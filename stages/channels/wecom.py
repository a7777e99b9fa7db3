"""WeCom's group robot: one POST for one message, two for a file, and what their answers mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from pipeline.core.messages import Message
from pipeline.ports import (
    InDoubt,
    Receipt,
    Refused,
    RobotGone,
    Sent,
    TryLater,
)

SEND_TIMEOUT_S = 15.0

_REDIRECT, _SERVER_ERROR = 300, 500

_BUSY_WAIT_S = 5.0
"""After "system busy", or when the robot could not be reached."""
_RATE_WAIT_S = 60.0
"""Rates are counted in any sixty seconds."""

_UPLOAD_WAIT_S = 1.0
"""Before a file is uploaded again because WeCom does not know it any more."""
_MOST_UPLOADS = 2
_MEDIA_GONE = 40007

_LATER = {
    -1: (_BUSY_WAIT_S, "WeCom is busy 企业微信繁忙"),
    45009: (_RATE_WAIT_S, "more messages than WeCom takes in a minute 超过企业微信每分钟的条数"),
    45033: (_RATE_WAIT_S, "more messages at once than WeCom takes 超过企业微信的并发限制"),
}
_GONE = {
    93000: "the webhook address is wrong or the robot was removed 机器人地址错误，或机器人已被移除",
    93004: "the robot was disabled 机器人已被停用",
    93008: "the robot is not in the group 机器人不在群中",
}
_REFUSED = {
    _MEDIA_GONE: "the file is not known 文件标识无效",
    40008: "the kind of message is not taken 不支持的消息类型",
    40058: "a parameter is not taken, such as a text too long 参数不被接受，例如内容过长",
    44004: "the message is empty 消息内容为空",
    45002: "the message is too long 消息内容过长",
    301019: "the file is not what was uploaded 文件校验不一致",
}
_OTHER_REFUSAL = "see the list of WeCom's error codes 请查阅企业微信的全局错误码"


@dataclass(slots=True)
class _Upload:
    """A file that is to be sent: the id under which WeCom holds it, if it does, and how often it was uploaded."""

    message: Message
    media_id: str | None = None
    times: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a request came to, and what the answer says as JSON; nothing if it is none."""

    receipt: Receipt
    said: Mapping[str, Any] = field(default_factory=dict)


class WecomRobot:
    """One group robot. Its key is in the address, so the address never stands in a text or a log line."""

    def __init__(self, session: aiohttp.ClientSession, url: str, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Speak for one robot.

        Args:
            session: for the requests; whoever opened it closes it.
            url: the robot's webhook address, key included; files go to ``upload_media`` beside it.
            timeout_s: seconds to connect, and again as many for the answer.
        """
        self._session = session
        self._url = url
        self.address = hashlib.sha256(url.encode()).hexdigest()
        # The second half of the total is left for the answer, so running out of it means that writing began.
        self._timeout = aiohttp.ClientTimeout(total=2 * timeout_s, connect=timeout_s, sock_read=timeout_s)
        self._upload: _Upload | None = None
        """The file that is on its way; one that was put off after its upload is not uploaded again."""

    async def send(self, message: Message) -> Receipt:
        """Send one message exactly as it is frozen, and say what became of it."""
        if message.content is not None:
            return await self._send_file(message, message.content)
        return (await self._show(message.format, {"content": message.text})).receipt

    async def close(self) -> None:
        """Leave the session to whoever opened it."""

    async def _show(self, kind: str, what: Mapping[str, str]) -> _Answer:
        """Have the robot show something to its group."""
        data = json.dumps({"msgtype": kind, kind: what}, ensure_ascii=False).encode()
        return await self._post(self._url, data, {"Content-Type": "application/json; charset=utf-8"})

    async def _send_file(self, message: Message, content: str) -> Receipt:
        """Upload a file and show it; if WeCom does not know it any more, the next try uploads it once again."""
        if self._upload is None or self._upload.message != message:
            self._upload = _Upload(message)
        upload = self._upload
        if upload.media_id is None:
            answer = await self._upload_file(message.text, content)
            if not isinstance(answer.receipt, Sent):
                return answer.receipt
            upload.media_id = answer.said["media_id"]
            upload.times += 1
        shown = await self._show("file", {"media_id": upload.media_id})
        match shown.receipt:
            case Sent():
                self._upload = None  # its id does not live long, and the same file may be sent again one day
                return Sent()
            case Refused(why) if shown.said["errcode"] == _MEDIA_GONE and upload.times < _MOST_UPLOADS:
                upload.media_id = None
                return TryLater(_UPLOAD_WAIT_S, why)
            case _:
                return shown.receipt

    async def _upload_file(self, name: str, content: str) -> _Answer:
        """Give WeCom a file. Nothing of it is shown yet, so where it is in doubt it is just not there."""
        form = aiohttp.FormData(quote_fields=False)  # WeCom answers a filename* with 44001 (sbzhu/weworkapi_python#1)
        # A slash would make a path of the name: its look-alike is shown in its place.
        file_name = name.replace("/", "／")
        form.add_field("media", content.encode(), filename=file_name, content_type="application/octet-stream")
        answer = await self._post(_upload_address(self._url), form, {})
        match answer.receipt:
            case InDoubt(why):
                return _Answer(TryLater(_BUSY_WAIT_S, why))
            case Sent() if not isinstance(answer.said.get("media_id"), str):
                return _Answer(TryLater(_BUSY_WAIT_S, "an upload without a media_id 上传后没有返回 media_id"))
            case _:
                return answer

    async def _post(self, url: str, data: bytes | aiohttp.FormData, headers: Mapping[str, str]) -> _Answer:
        # A connection kept from the last message may be closed by the other side just as this one is written,
        # which would leave it in doubt for nothing.
        headers = {**headers, "Connection": "close"}
        try:
            async with self._session.post(
                url, data=data, headers=headers, allow_redirects=False, timeout=self._timeout
            ) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            why = f"no connection to WeCom 无法连接企业微信 ({type(error).__name__})"
            return _Answer(TryLater(_BUSY_WAIT_S, why))
        except (aiohttp.ClientError, OSError) as error:
            return _Answer(InDoubt(f"WeCom did not answer 企业微信没有应答 ({type(error).__name__})"))
        return _Answer(read_answer(status, body), _json_object(body))


def _upload_address(webhook: str) -> str:
    parts = urlsplit(webhook)
    path = f"{parts.path.rpartition('/')[0]}/upload_media"
    return urlunsplit(parts._replace(path=path, query=f"{parts.query}&type=file"))


def read_answer(status: int, body: bytes) -> Receipt:
    """Tell what became of a message from the robot's answer: the errcode decides, never the words.

    Args:
        status: of HTTP.
        body: as it came; WeCom answers with JSON.
    """
    code = _errcode(body)
    if status >= _SERVER_ERROR or (code is None and status < _REDIRECT):
        return InDoubt(f"an answer without meaning 应答无法识别 (HTTP {status})")
    if code is None:
        return TryLater(_RATE_WAIT_S, f"WeCom's address does not take messages 地址不接收消息 (HTTP {status})")
    if code == 0:
        return Sent()
    if code in _LATER:
        wait_s, meaning = _LATER[code]
        return TryLater(wait_s, _explained(code, meaning))
    if code in _GONE:
        return RobotGone(_explained(code, _GONE[code]))
    return Refused(_explained(code, _REFUSED.get(code, _OTHER_REFUSAL)))


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _errcode(body: bytes) -> int | None:
    code = _json_object(body).get("errcode")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _explained(code: int, meaning: str) -> str:
    return f"errcode {code}: {meaning}"
