"""The fake endpoint: what it answers, how it fails, and what it remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fakes.llm import FAULTS, MARK, Fault, Llm

FENCE = "0123456789abcdef"


@pytest.fixture
async def llm() -> AsyncIterator[Llm]:
    """An endpoint without faults."""
    async with Llm() as started:
        yield started


def part(name: str, text: str) -> str:
    """Data between marks, as the stages send it."""
    return f"[{name} {FENCE}]\n{text}\n[/{name} {FENCE}]"


async def ask(llm: Llm, *parts: str, key: str | None = None) -> aiohttp.ClientResponse:
    """Ask the model ``m``; the answer's body is read."""
    messages = [{"role": "system", "content": "orders"}, {"role": "user", "content": "\n".join(parts)}]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        body = {"model": "m", "messages": messages}
        async with session.post(f"{llm.base_url}/chat/completions", json=body, headers=headers) as answer:
            await answer.read()
            return answer


async def choice(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """The one choice of an answer."""
    (only,) = (await answer.json())["choices"]
    return only


async def test_proofreading_marks_every_paragraph(llm: Llm) -> None:
    """A transcript comes back paragraph by paragraph, each with a mark."""
    answer = await ask(llm, part("title", "A talk"), part("transcript", "one\n\ntwo"))
    assert {
        "index": 0,
        "message": {"role": "assistant", "content": f"one {MARK}\n\ntwo {MARK}"},
        "finish_reason": "stop",
    } == await choice(answer)


async def test_summary_is_made_of_sentences(llm: Llm) -> None:
    """Any other text comes back as the beginnings of every second line."""
    answer = await ask(llm, part("text", "One. Two.\nThree.\n• Four. Five."))
    assert "• One.\n• Four." == (await choice(answer))["message"]["content"]


async def test_record_holds_what_was_asked(llm: Llm) -> None:
    """Every question is kept with its key, its orders and its parts."""
    await ask(llm, part("title", "A talk"), part("transcript", "one"), key="secret")
    await ask(llm, part("text", "one."))
    first, second = llm.asked
    assert ("m", "orders", "A talk", "one", "secret") == (first.model, first.system, first.title, first.text, first.key)
    assert (False, True, None) == (first.is_summary, second.is_summary, second.key)
    assert first.answered


async def test_script_goes_before_the_rule(llm: Llm) -> None:
    """Scripted faults come first, one for each question; then the rule chooses."""
    llm.script(FAULTS["500"], None)
    llm.fault_of = lambda asked: FAULTS["401"] if asked.text == "one" else None
    statuses = [(await ask(llm, part("transcript", text))).status for text in ("one", "one", "one", "two")]
    assert [500, 200, 401, 200] == statuses


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("401", 401, "Incorrect API key"),
        ("429", 429, "rate_limit_exceeded"),
        ("502", 502, "<html>"),
        ("garbage", 200, "<html>"),
        ("no choices", 200, "chat.completion"),
        ("length", 200, '"finish_reason": "length"'),
        ("echo", 200, "orders"),
    ],
)
async def test_faults(llm: Llm, name: str, status: int, words: str) -> None:
    """Each fault is what its name says."""
    llm.script(FAULTS[name])
    answer = await ask(llm, part("transcript", "one"))
    assert status == answer.status
    assert words in await answer.text()


async def test_rate_limit_says_when_to_come_back(llm: Llm) -> None:
    """A refusal for the rate has the header that everybody looks at."""
    llm.script(FAULTS["429"])
    assert "1" == (await ask(llm, part("transcript", "one"))).headers["Retry-After"]


@pytest.mark.parametrize("name", ["nothing", "half"])
async def test_connection_breaks(llm: Llm, name: str) -> None:
    """Nothing, or half an answer, and the connection is gone."""
    llm.script(FAULTS[name])
    with pytest.raises(aiohttp.ClientError):
        await ask(llm, part("transcript", "one"))


async def test_drip_never_ends(llm: Llm) -> None:
    """Bytes keep coming, but no answer."""
    llm.script(FAULTS["drip"])
    body = {"model": "m", "messages": [{"content": ""}, {"content": ""}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{llm.base_url}/chat/completions", json=body) as answer,
    ):
        assert b"   " == await answer.content.readexactly(3)


async def test_gate_holds_a_question(llm: Llm) -> None:
    """A held question is on record, and answered when the gate opens."""
    gate = llm.gate("slow")
    llm.script(Fault(hold=gate))
    gate.open()
    assert 200 == (await ask(llm, part("transcript", "one"))).status


async def test_any_other_address_is_a_page(llm: Llm) -> None:
    """Only one path is an endpoint."""
    async with aiohttp.ClientSession() as session, session.post(f"{llm.url}/chat/completions", json={}) as answer:
        assert 404 == answer.status
