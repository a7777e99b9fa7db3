"""The fake group robot: its rules, its faults, and what it remembers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.fakes.server import running
from tests.fakes.wecom import Fault, WeCom
from tests.fakes.wecom_rules import (
    BAD_KIND,
    BAD_MEDIA_ID,
    BAD_MEDIA_SIZE,
    BAD_MEDIA_TYPE,
    BAD_PARAMETER,
    BAD_WEBHOOK,
    BUSY,
    EMPTY_CONTENT,
    EMPTY_MEDIA,
    NOT_JSON,
    OK,
    TOO_OFTEN,
    mentions,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def text(content: str, **more: object) -> dict[str, Any]:
    """A message of kind text."""
    return {"msgtype": "text", "text": {"content": content, **more}}


def markdown(content: str, kind: str = "markdown") -> dict[str, Any]:
    """A message of kind markdown or markdown_v2."""
    return {"msgtype": kind, kind: {"content": content}}


@pytest.fixture
async def wecom() -> AsyncIterator[WeCom]:
    """Two robots with the usual rate."""
    async with WeCom("team", "other") as started:
        yield started


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that gives up after 5 s."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


async def send(client: aiohttp.ClientSession, url: str, body: object) -> int:
    """Post a message and return the errcode, which always comes with HTTP 200."""
    async with client.post(url, json=body) as answer:
        assert 200 == answer.status
        return int((await answer.json())["errcode"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (text("汉" * 682 + "ab"), OK),
        (text("汉" * 682 + "abc"), BAD_PARAMETER),
        (markdown("汉" * 1365 + "a"), OK),
        (markdown("汉" * 1365 + "ab"), BAD_PARAMETER),
        (markdown("a" * 4096, "markdown_v2"), OK),
        (markdown("a" * 4097, "markdown_v2"), BAD_PARAMETER),
        (text(""), EMPTY_CONTENT),
        ({"msgtype": "text"}, EMPTY_CONTENT),
        ({"msgtype": "text", "text": {"content": 5}}, EMPTY_CONTENT),
        (text("half \ud83d pair"), BAD_PARAMETER),
        ({"msgtype": "poem", "poem": {"content": "a"}}, BAD_KIND),
        ({"msgtype": ["text"]}, BAD_KIND),
        (["text"], NOT_JSON),
        (None, NOT_JSON),
    ],
)
def test_a_message_is_judged_by_the_documents(body: object, code: int) -> None:
    """Limits are bytes of UTF-8, and each fault has its code."""
    assert code == verdict(body)


async def test_an_accepted_message_is_remembered_as_it_came(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """Raw bytes, parsed body, decision and order are kept per robot."""
    raw = json.dumps(text("(1/2) 你好"), ensure_ascii=False).encode()
    async with client.post(wecom.webhook("team"), data=raw) as answer:
        assert {"errcode": 0, "errmsg": "ok"} == await answer.json()
    await send(client, wecom.webhook("other"), text("elsewhere"))
    assert OK == await send(client, wecom.webhook("team"), text("(2/2) bye"))
    robot = wecom.robot("team")
    assert raw == robot.bodies[0]
    assert ["(1/2) 你好", "(2/2) bye"] == robot.contents
    assert [True, True] == [arrival.answered for arrival in robot.accepted]
    assert ["team", "other", "team"] == [arrival.key for arrival in wecom.arrivals]


async def test_a_refused_message_is_remembered_but_not_shown(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """What is too long, or no JSON, is no part of what the group sees."""
    assert BAD_PARAMETER == await send(client, wecom.webhook("team"), text("a" * 2049))
    async with client.post(wecom.webhook("team"), data=b"\xff{") as answer:
        assert NOT_JSON == (await answer.json())["errcode"]
    assert [BAD_PARAMETER, NOT_JSON] == [arrival.errcode for arrival in wecom.robot("team").arrivals]
    assert [] == wecom.robot("team").accepted


async def test_a_key_can_stop_to_exist_and_come_back(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """Unknown and removed keys are 93000."""
    assert BAD_WEBHOOK == await send(client, wecom.webhook("unknown"), text("a"))
    wecom.keys.discard("team")
    assert BAD_WEBHOOK == await send(client, wecom.webhook("team"), text("a"))
    wecom.keys.add("team")
    assert OK == await send(client, wecom.webhook("team"), text("a"))


async def test_any_other_path_is_not_found(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """Only the send route exists."""
    async with client.post(f"{wecom.url}/cgi-bin/other", json=text("a")) as answer:
        assert 404 == answer.status


async def test_a_robot_takes_20_messages_in_any_60_seconds(client: aiohttp.ClientSession) -> None:
    """The 21st is refused until the first is 60 s old; refusals do not count, and robots are apart."""
    now = 0.0
    async with WeCom("team", "other", clock=lambda: now) as wecom:
        for _ in range(20):
            assert OK == await send(client, wecom.webhook("team"), text("a"))
            now += 1.0
        assert TOO_OFTEN == await send(client, wecom.webhook("team"), text("a"))
        assert OK == await send(client, wecom.webhook("other"), text("a"))
        now = 59.9
        assert TOO_OFTEN == await send(client, wecom.webhook("team"), text("a"))
        now = 60.0
        assert OK == await send(client, wecom.webhook("team"), text("a"))
        assert TOO_OFTEN == await send(client, wecom.webhook("team"), text("a"))


async def test_the_rate_can_be_switched_off(client: aiohttp.ClientSession) -> None:
    """Without a rate, any number is taken."""
    async with WeCom("team", per_minute=None) as wecom:
        assert [OK] * 30 == [await send(client, wecom.webhook("team"), text("a")) for _ in range(30)]


async def test_scripted_codes_come_in_turn(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """Each fault is for one arrival, None lets one pass."""
    wecom.robot("team").script(Fault(errcode=TOO_OFTEN), None, Fault(errcode=BUSY))
    codes = [await send(client, wecom.webhook("team"), text(str(number))) for number in range(4)]
    assert [TOO_OFTEN, OK, BUSY, OK] == codes
    assert ["1", "3"] == wecom.robot("team").contents


@pytest.mark.parametrize("status", [502, 200])
async def test_a_scripted_status_comes_without_json(wecom: WeCom, client: aiohttp.ClientSession, status: int) -> None:
    """The answer is HTML and the message is not shown."""
    wecom.robot("team").script(Fault(status=status))
    async with client.post(wecom.webhook("team"), json=text("a")) as answer:
        assert (status, "text/html") == (answer.status, answer.content_type)
    assert [] == wecom.robot("team").accepted


async def test_a_dropped_connection_hides_that_the_message_was_shown(
    wecom: WeCom, client: aiohttp.ClientSession
) -> None:
    """The group sees it, the sender gets no answer."""
    wecom.robot("team").script(Fault(drop_before_answer=True))
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(client, wecom.webhook("team"), text("a"))
    assert ["a"] == wecom.robot("team").contents
    assert not wecom.robot("team").accepted[0].answered


async def test_a_delay_comes_before_the_answer(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """The sender waits."""
    wecom.robot("team").script(Fault(delay_s=0.1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send(client, wecom.webhook("team"), text("a")), 0.05)
    assert ["a"] == wecom.robot("team").contents


async def test_a_held_message_is_decided_but_not_answered(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """It is on record while the sender still waits, and answered when the gate opens."""
    gate = wecom.gate("hold")
    wecom.robot("team").script(Fault(hold=gate))
    sending = asyncio.create_task(send(client, wecom.webhook("team"), text("a")))
    (arrival,) = await wecom.until(lambda arrivals: len(arrivals) == 1)
    assert (OK, False, False) == (arrival.errcode, arrival.answered, sending.done())
    gate.open()
    assert OK == await sending
    assert arrival.answered


async def test_two_requests_in_flight_at_one_robot_are_an_overlap(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """Another robot, or one after the other, is none."""
    gate = wecom.gate("hold")
    wecom.robot("team").script(Fault(hold=gate))
    first = asyncio.create_task(send(client, wecom.webhook("team"), text("a")))
    await wecom.until(lambda arrivals: len(arrivals) == 1)
    await send(client, wecom.webhook("other"), text("b"))
    assert (0, 0) == (wecom.robot("team").overlaps, wecom.robot("other").overlaps)
    await send(client, wecom.webhook("team"), text("c"))
    gate.open()
    await first
    await send(client, wecom.webhook("team"), text("d"))
    assert [False, True, False] == [arrival.overlapped for arrival in wecom.robot("team").arrivals]


async def test_a_sender_that_is_gone_is_not_in_flight(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """A held request ends with its connection, as when the sender is killed."""
    robot = wecom.robot("team")
    robot.script(Fault(hold=wecom.gate("hold")))
    sending = asyncio.create_task(send(client, wecom.webhook("team"), text("a")))
    await wecom.until(lambda arrivals: len(arrivals) == 1)
    sending.cancel()
    await wecom.until(lambda _: robot.in_flight == 0)
    assert OK == await send(client, wecom.webhook("team"), text("a"))
    assert 0 == robot.overlaps


async def test_without_names_every_key_is_taken(client: aiohttp.ClientSession) -> None:
    """By hand, any webhook works, and each arrival is told."""
    told: list[str] = []
    async with WeCom(tell=told.append) as wecom:
        assert OK == await send(client, wecom.webhook("whatever"), text("hello"))
    assert "hello" in told[0]


def test_it_runs_in_a_thread_for_tests_that_are_not_asynchronous() -> None:
    """A message sent by the running loop of a test arrives at the robot in its thread."""

    async def deliver(url: str) -> int:
        async with aiohttp.ClientSession() as session:
            return await send(session, url, text("a"))

    with running(WeCom("team")) as wecom:
        assert OK == asyncio.run(deliver(wecom.webhook("team")))
        assert ["a"] == [arrival.content for arrival in wecom.wait(lambda arrivals: len(arrivals) == 1)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (text("a", mentioned_list=["ann", "@all"]), ["ann", "@all"]),
        (text("a", mentioned_mobile_list=["13800001111"]), ["13800001111"]),
        (markdown("hello <@ann> and <@bob>"), ["<@ann>", "<@bob>"]),
        (markdown("@all大家 @ALL. @所有人看", "markdown_v2"), ["@all", "@ALL", "@所有人"]),
        (text("@\u200ball @\u200b所有人 ＠all <\u200b@ann> @alliance me@example.com"), []),
        (text("a", mentioned_list=[]), []),
        (None, []),
    ],
)
def test_mentions_are_what_would_notify_somebody(body: object, found: list[str]) -> None:
    """Lists and marks are found; what is broken by an invisible character or is full-width is not a mention."""
    assert found == mentions(body)


# -- files --------------------------------------------------------------------------------------


async def upload(
    client: aiohttp.ClientSession, wecom: WeCom, content: bytes = b"a file", key: str = "team", kind: str = "file"
) -> dict[str, Any]:
    """Give a robot a file as the documents say, and return the answer."""
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("media", content, filename="会议.txt")
    async with client.post(f"{wecom.url}/cgi-bin/webhook/upload_media?key={key}&type={kind}", data=form) as answer:
        assert 200 == answer.status
        said: dict[str, Any] = await answer.json()
        return said


def show(media_id: str) -> dict[str, Any]:
    """A message of kind file."""
    return {"msgtype": "file", "file": {"media_id": media_id}}


async def test_an_uploaded_file_is_shown_by_its_id(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """The file is remembered with its name and bytes; only its own robot can show it."""
    said = await upload(client, wecom)
    assert (OK, "file") == (said["errcode"], said["type"])
    assert OK == await send(client, wecom.webhook("team"), show(said["media_id"]))
    assert BAD_MEDIA_ID == await send(client, wecom.webhook("other"), show(said["media_id"]))
    (file,) = wecom.robot("team").uploads
    assert ("会议.txt", b"a file") == (file.name, file.content)
    assert ["会议.txt"] == wecom.robot("team").contents


async def test_a_file_is_gone_after_three_days(client: aiohttp.ClientSession) -> None:
    """The id is not known any more."""
    now = 0.0
    async with WeCom("team", clock=lambda: now) as wecom:
        media_id = (await upload(client, wecom))["media_id"]
        now = 3 * 86_400.0
        assert BAD_MEDIA_ID == await send(client, wecom.webhook("team"), show(media_id))


async def test_files_that_are_not_taken(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """A file has more than 5 bytes, the kind is named, the robot exists."""
    assert BAD_MEDIA_SIZE == (await upload(client, wecom, b"12345"))["errcode"]
    assert BAD_MEDIA_TYPE == (await upload(client, wecom, kind="image"))["errcode"]
    assert BAD_WEBHOOK == (await upload(client, wecom, key="unknown"))["errcode"]
    assert ["", "", ""] == [one.media_id for key in ("team", "unknown") for one in wecom.robot(key).uploads]


async def test_a_name_must_stand_as_it_is(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """A form without the file, or with its name written in another way, has no file."""
    url = f"{wecom.url}/cgi-bin/webhook/upload_media?key=team&type=file"
    for head in ('name="other"; filename="a.txt"', "name=\"media\"; filename*=utf-8''a.txt"):
        body = f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\nsome text\r\n--b--\r\n"
        sent = {"Content-Type": "multipart/form-data; boundary=b"}
        async with client.post(url, data=body.encode(), headers=sent) as answer:
            assert EMPTY_MEDIA == (await answer.json())["errcode"]


async def test_scripted_faults_of_uploads_come_in_turn(wecom: WeCom, client: aiohttp.ClientSession) -> None:
    """Uploads have a script of their own."""
    wecom.robot("team").script_uploads(Fault(errcode=BUSY), None, Fault(drop_before_answer=True))
    assert [BUSY, OK] == [(await upload(client, wecom))["errcode"] for _ in range(2)]
    with pytest.raises(aiohttp.ClientConnectionError):
        await upload(client, wecom)
