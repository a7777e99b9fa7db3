"""The WeCom channel against a robot that keeps the documented rules."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from pipeline.core.messages import Kind, Message
from pipeline.ports import (
    InDoubt,
    Refused,
    RobotGone,
    Sent,
    TryLater,
)
from stages.channels.wecom import WecomRobot
from tests.fakes.wecom import Fault, WeCom
from tests.fakes.wecom_rules import BAD_MEDIA_ID, BUSY, TOO_OFTEN

KEY = "secret-key-of-the-team"
TEXT = Message(2, 3, Kind.TEXT, "text", '(2/3)\n一句话。\n 👩‍👩‍👧 "quoted" \\ \t end \n')
FILE = Message(3, 3, Kind.FILE, "text", '(3/3) 星期五 100% "a" \\ 会议.txt', "一句话。\n" * 5000)
HEAD = Message(1, 3, Kind.HEAD, "markdown", "(1/3) [标题](https://example.com/%28a%29)")


@pytest.fixture
async def wecom() -> AsyncIterator[WeCom]:
    """A server with one robot."""
    async with WeCom(KEY) as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The session that channels share."""
    async with aiohttp.ClientSession() as shared:
        yield shared


@pytest.fixture
def channel(wecom: WeCom, session: aiohttp.ClientSession) -> WecomRobot:
    """A channel that soon loses patience."""
    return WecomRobot(session, wecom.webhook(KEY), timeout_s=0.3)


@pytest.mark.parametrize("message", [TEXT, HEAD], ids=["text", "markdown"])
async def test_message_arrives_exactly(wecom: WeCom, channel: WecomRobot, message: Message) -> None:
    """The robot gets the frozen text under its kind, in UTF-8 without escapes, and no list of people to mention."""
    assert Sent() == await channel.send(message)
    (arrival,) = wecom.arrivals
    assert {"msgtype": message.format, message.format: {"content": message.text}} == arrival.body
    assert json.dumps(message.text, ensure_ascii=False).encode() in arrival.raw


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(errcode=BUSY), TryLater),
        (Fault(errcode=TOO_OFTEN), TryLater),
        (Fault(errcode=40058), Refused),
        (Fault(errcode=93008), RobotGone),
        (Fault(status=502), InDoubt),
        (Fault(status=200), InDoubt),
        (Fault(status=302), TryLater),
        (Fault(drop_before_answer=True), InDoubt),
        (Fault(delay_s=5), InDoubt),
    ],
)
async def test_faults_become_receipts(wecom: WeCom, channel: WecomRobot, fault: Fault, kind: type) -> None:
    """Refusals are told from doubt, the reason never holds the key, and the next message goes out as if nothing was."""
    wecom.robot(KEY).script(fault)
    receipt = await channel.send(TEXT)
    assert isinstance(receipt, kind)
    assert KEY not in repr(receipt)
    assert Sent() == await channel.send(TEXT)


async def test_removed_robot_is_gone(wecom: WeCom, channel: WecomRobot) -> None:
    """A key that does not exist any more is a robot that is gone."""
    wecom.keys.clear()
    wecom.keys.add("another")
    assert isinstance(await channel.send(TEXT), RobotGone)


async def test_twenty_first_message_is_put_off(wecom: WeCom, channel: WecomRobot) -> None:
    """The twenty-first message within a minute is to be tried a minute later."""
    receipts = [await channel.send(TEXT) for _ in range(21)]
    assert [Sent()] * 20 == receipts[:20]
    assert isinstance(receipts[20], TryLater)
    assert 21 == len(wecom.arrivals)


async def test_nobody_listening_is_not_sent(session: aiohttp.ClientSession) -> None:
    """A refused connection is no doubt: nothing was written."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    receipt = await WecomRobot(session, f"http://127.0.0.1:{port}/send?key={KEY}").send(TEXT)
    assert isinstance(receipt, TryLater)
    assert KEY not in repr(receipt)


async def test_unknown_name_is_not_sent(session: aiohttp.ClientSession) -> None:
    """A host name without an address is no doubt: nothing was written."""
    receipt = await WecomRobot(session, f"http://robot.invalid/send?key={KEY}").send(TEXT)
    assert isinstance(receipt, TryLater)
    assert KEY not in repr(receipt)


async def test_failed_handshake_is_not_sent(wecom: WeCom, session: aiohttp.ClientSession) -> None:
    """A server that does not speak TLS is no doubt: nothing was written."""
    receipt = await WecomRobot(session, wecom.webhook(KEY).replace("http:", "https:")).send(TEXT)
    assert isinstance(receipt, TryLater)
    assert [] == wecom.arrivals


async def test_every_message_has_a_connection_of_its_own(session: aiohttp.ClientSession) -> None:
    """A server that drops the connections it keeps leaves no message in doubt, because it is asked to keep none."""

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b'"}}')
        close = b"Connection: close\r\n" if b"connection: close" in head.lower() else b""
        writer.write(b'HTTP/1.1 200 OK\r\n%sContent-Length: 14\r\n\r\n{"errcode": 0}' % close)
        await reader.read(1)
        writer.transport.abort()

    async with await asyncio.start_server(answer_once, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        channel = WecomRobot(session, f"http://{host}:{port}/send?key={KEY}", timeout_s=1)
        assert [Sent(), Sent()] == [await channel.send(TEXT), await channel.send(TEXT)]


async def test_closing_leaves_the_session_open(channel: WecomRobot, session: aiohttp.ClientSession) -> None:
    """The session belongs to whoever opened it, because other robots use it too."""
    await channel.close()
    assert not session.closed
    assert Sent() == await channel.send(TEXT)


# -- files --------------------------------------------------------------------------------------


async def test_file_arrives_exactly(wecom: WeCom, channel: WecomRobot) -> None:
    """A file is uploaded under its name, with a slash that makes no path of it, and shown by the id it got."""
    assert Sent() == await channel.send(FILE)
    (upload,), (arrival,) = wecom.robot(KEY).uploads, wecom.arrivals
    assert FILE.content is not None
    assert FILE.content.encode() == upload.content
    assert FILE.text.replace("/", "／").replace("\\", "\\\\") == upload.name
    assert {"msgtype": "file", "file": {"media_id": upload.media_id}} == arrival.body
    assert upload is arrival.file


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(errcode=BUSY), TryLater),
        (Fault(errcode=TOO_OFTEN), TryLater),
        (Fault(errcode=40006), Refused),
        (Fault(errcode=301019), Refused),
        (Fault(errcode=93000), RobotGone),
        (Fault(status=502), TryLater),
        (Fault(status=200), TryLater),
        (Fault(drop_before_answer=True), TryLater),
        (Fault(delay_s=5), TryLater),
    ],
)
async def test_faults_of_an_upload_leave_no_doubt(wecom: WeCom, channel: WecomRobot, fault: Fault, kind: type) -> None:
    """An upload shows nothing, so one without an answer is simply made again."""
    wecom.robot(KEY).script_uploads(fault)
    receipt = await channel.send(FILE)
    assert isinstance(receipt, kind)
    assert KEY not in repr(receipt)
    assert [] == wecom.arrivals
    assert Sent() == await channel.send(FILE)


async def test_file_that_was_put_off_is_not_uploaded_again(wecom: WeCom, channel: WecomRobot) -> None:
    """A file that was uploaded but could not be shown is shown by the same id at the next try, byte for byte."""
    wecom.robot(KEY).script(Fault(errcode=BUSY), Fault(drop_before_answer=True))
    assert [TryLater, InDoubt, Sent] == [type(await channel.send(FILE)) for _ in range(3)]
    robot = wecom.robot(KEY)
    assert (1, 1) == (len(robot.uploads), len(set(robot.bodies)))


async def test_file_that_is_not_known_is_uploaded_once_more(wecom: WeCom, channel: WecomRobot) -> None:
    """An id that WeCom does not know costs one more upload; if it does not know that either, the file is refused."""
    robot = wecom.robot(KEY)
    robot.script(Fault(errcode=BAD_MEDIA_ID))
    assert [TryLater, Sent] == [type(await channel.send(FILE)) for _ in range(2)]
    assert 2 == len(robot.uploads)
    robot.script(Fault(errcode=BAD_MEDIA_ID), Fault(errcode=BAD_MEDIA_ID))
    other = replace(FILE, text="(3/3) other.txt")
    assert [TryLater, Refused] == [type(await channel.send(other)) for _ in range(2)]
    assert 4 == len(robot.uploads)


async def test_file_that_is_sent_again_is_uploaded_anew(wecom: WeCom, channel: WecomRobot) -> None:
    """A file that was sent and is to be sent again, some day, does not count on an id that lives for three days."""
    robot = wecom.robot(KEY)
    for sent in range(3):
        assert Sent() == await channel.send(FILE)
        assert sent + 1 == len(robot.uploads)


async def test_upload_without_an_id_is_made_again(session: aiohttp.ClientSession) -> None:
    """An upload that is accepted without an id cannot be shown; it may go better the next time."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(FILE.text[-4:].encode())
        writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{"errcode": 0}')
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        receipt = await WecomRobot(session, f"http://{host}:{port}/send?key={KEY}", timeout_s=1).send(FILE)
    assert isinstance(receipt, TryLater)
