"""WeCom's group robot: one POST for one message, and what its answer means."""

from __future__ import annotations

import json

import aiohttp

from pipeline.core.messages import Message
from pipeline.ports import InDoubt, Receipt, Refused, RobotGone, Sent, TryLater

SEND_TIMEOUT_S = 15.0

_REDIRECT, _SERVER_ERROR = 300, 500

_BUSY_WAIT_S = 5.0
"""After "system busy", or when the robot could not be reached."""
_RATE_WAIT_S = 60.0
"""Rates are counted in any sixty seconds."""

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
    40008: "the kind of message is not taken 不支持的消息类型",
    40058: "a parameter is not taken, such as a text too long 参数不被接受，例如内容过长",
    44004: "the message is empty 消息内容为空",
    45002: "the message is too long 消息内容过长",
}
_OTHER_REFUSAL = "see the list of WeCom's error codes 请查阅企业微信的全局错误码"


class WecomRobot:
    """One group robot. Its key is in the address, so the address never stands in a text or a log line."""

    def __init__(self, session: aiohttp.ClientSession, url: str, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Speak for one robot.

        Args:
            session: for the requests; whoever opened it closes it.
            url: the robot's webhook address, key included.
            timeout_s: seconds to connect, and again as many for the answer.
        """
        self._session = session
        self._url = url
        # The second half of the total is left for the answer, so running out of it means that writing began.
        self._timeout = aiohttp.ClientTimeout(total=2 * timeout_s, connect=timeout_s, sock_read=timeout_s)

    async def send(self, message: Message) -> Receipt:
        """Send one message exactly as it is frozen, and say what became of it."""
        try:
            status, body = await self._post(message)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return TryLater(_BUSY_WAIT_S, f"no connection to WeCom 无法连接企业微信 ({type(error).__name__})")
        except (aiohttp.ClientError, OSError) as error:
            return InDoubt(f"WeCom did not answer 企业微信没有应答 ({type(error).__name__})")
        return read_answer(status, body)

    async def close(self) -> None:
        """Leave the session to whoever opened it."""

    async def _post(self, message: Message) -> tuple[int, bytes]:
        body = {"msgtype": message.format, message.format: {"content": message.text}}
        async with self._session.post(
            self._url,
            data=json.dumps(body, ensure_ascii=False).encode(),
            # A connection kept from the last message may be closed by the other side just as this one is
            # written, which would leave it in doubt for nothing.
            headers={"Content-Type": "application/json; charset=utf-8", "Connection": "close"},
            allow_redirects=False,
            timeout=self._timeout,
        ) as response:
            return response.status, await response.read()


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


def _errcode(body: bytes) -> int | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    code = answer.get("errcode") if isinstance(answer, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _explained(code: int, meaning: str) -> str:
    return f"errcode {code}: {meaning}"
