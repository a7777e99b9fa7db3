"""Asking an LLM over a real connection: answers, retries, deadlines, other models."""

from __future__ import annotations

import asyncio
import time

import pytest

from pipeline.core.breaker import MOST_FAILURES
from pipeline.core.task import FREE
from pipeline.ports import Answer, TooLong, Unanswered
from tests.fakes.llm import FAULTS, MARK, Fault, Llm as Endpoint
from tests.integration.asking import LASTING, asking, kind, question

SOON_S = 5.0
"""Time enough for a second's work on a busy machine, and not enough for what must not happen instead."""
PASSING = {
    "429": "llm_rate_limited",
    "500": "llm_unavailable",
    "502": "llm_unavailable",
    "nothing": "llm_unavailable",
    "half": "llm_unavailable",
    "garbage": "llm_garbled",
    "list": "llm_garbled",
    "no choices": "llm_garbled",
    "null choices": "llm_garbled",
    "empty": "llm_garbled",
    "null": "llm_garbled",
    "unfinished": "llm_garbled",
}
REFUSING = {"filtered": "llm_refused", "content filter": "llm_refused"}


# ---------------------------------------------------------------------------------------------
# One question
# ---------------------------------------------------------------------------------------------


async def test_answer(endpoint: Endpoint) -> None:
    """An answer comes with the model that gave it and what it cost; the key goes with the question."""
    async with asking(endpoint, api_key="sk-of-the-tests") as llm:
        reply = await llm.ask(question())
    (asked,) = endpoint.asked
    assert isinstance(reply, Answer)
    assert (f"one {MARK}", "m") == (reply.text, reply.model)
    assert reply.usage.prompt_tokens > 0 < reply.usage.completion_tokens
    assert ("sk-of-the-tests", "orders", "one") == (asked.key, asked.system, asked.text)


async def test_no_key_is_sent_where_none_is_needed(endpoint: Endpoint) -> None:
    """Without a key in the settings there is no such header."""
    async with asking(endpoint) as llm:
        await llm.ask(question())
    assert [None] == [asked.key for asked in endpoint.asked]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("<think>\nHmm, </i> one…\n</think>\n\none", "one"),
        ("Let me see.\n</think>one", "one"),
        ("  one\n", "one"),
    ],
)
async def test_thoughts_are_no_answer(endpoint: Endpoint, said: str, expected: str) -> None:
    """What a model thinks aloud before its answer is left out."""
    endpoint.script(Fault(says=lambda _: said))
    async with asking(endpoint) as llm:
        reply = await llm.ask(question())
    assert isinstance(reply, Answer)
    assert expected == reply.text


@pytest.mark.parametrize("name", ["length", "context"])
async def test_too_long(endpoint: Endpoint, name: str) -> None:
    """An answer that was cut off, and a question that does not fit, are too long, which is no failure."""
    endpoint.fault_of = lambda _: FAULTS[name]
    async with asking(endpoint) as llm:
        replies = [await llm.ask(question()) for _ in range(MOST_FAILURES + 1)]
    assert {TooLong} == set(map(type, replies))
    assert MOST_FAILURES + 1 == len(endpoint.asked)


@pytest.mark.parametrize(("name", "expected"), (LASTING | PASSING | REFUSING).items())
async def test_failures_have_names(endpoint: Endpoint, name: str, expected: str) -> None:
    """Whatever an endpoint does, it becomes one of our errors; what is particular about it names the model."""
    endpoint.script(FAULTS[name])
    async with asking(endpoint, api_key="sk-of-the-tests") as llm:
        reply = await llm.ask(question())
    assert isinstance(reply, Unanswered)
    assert expected == reply.error.type
    assert reply.error.detail.startswith("m: ")


async def test_endpoint_that_is_not_there(endpoint: Endpoint) -> None:
    """A refused connection is named too."""
    await endpoint.stop()
    async with asking(endpoint) as llm:
        assert "llm_unavailable" == kind(await llm.ask(question()))


async def test_this_machine_needs_no_proxy(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is not asked for the way to an endpoint on this machine."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with asking(endpoint) as llm:
        assert isinstance(await llm.ask(question()), Answer)


async def test_proxy_that_cannot_be_used(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library cannot even begin, that is a failure like any other."""
    monkeypatch.setenv("ALL_PROXY", "nonsense://127.0.0.1:9")
    async with asking(endpoint, base_url="https://llm.test/v1") as llm:
        assert "llm_unavailable" == kind(await llm.ask(question()))


async def test_cost_of_useless_answers_is_counted(endpoint: Endpoint) -> None:
    """An answer that is not used was paid for all the same, and so were those before it."""
    endpoint.script(FAULTS["unfinished"], FAULTS["unfinished"])
    async with asking(endpoint) as llm:
        once = await llm.ask(question())
    async with asking(endpoint, max_retries=1) as llm:
        twice = await llm.ask(question())
    assert once.usage != FREE
    assert isinstance(twice, Answer)
    assert twice.usage.prompt_tokens == 2 * once.usage.prompt_tokens


@pytest.mark.parametrize(
    "usage", ["3", '{"prompt_tokens": 1e30, "completion_tokens": -1}', '{"prompt_tokens": "many"}', "null"]
)
async def test_nonsense_about_the_cost_spoils_no_answer(endpoint: Endpoint, usage: str) -> None:
    """An answer is taken although nobody can know what it cost; what drives a terminal is taken out of it."""
    choice = r'{"message": {"content": "one\u0000 \u001b[31mtwo"}, "finish_reason": "stop"}'
    endpoint.script(Fault(body=f'{{"choices": [{choice}], "usage": {usage}}}'))
    async with asking(endpoint) as llm:
        assert Answer("one [31mtwo", "m", FREE) == await llm.ask(question())


# ---------------------------------------------------------------------------------------------
# Again, and for how long
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["500", "nothing", "garbage", "unfinished"])
async def test_passing_failure_is_asked_again(endpoint: Endpoint, name: str) -> None:
    """After a failure that may pass the same question is asked again."""
    endpoint.script(FAULTS[name])
    async with asking(endpoint, max_retries=1) as llm:
        assert isinstance(await llm.ask(question()), Answer)
    assert 2 == len(endpoint.asked)


@pytest.mark.parametrize("name", [*LASTING, *REFUSING])
async def test_lasting_failure_is_not(endpoint: Endpoint, name: str) -> None:
    """A failure that stays, and a refusal, are taken for the last word."""
    endpoint.fault_of = lambda _: FAULTS[name]
    async with asking(endpoint, max_retries=5) as llm:
        assert isinstance(await llm.ask(question()), Unanswered)
    assert 1 == len(endpoint.asked)


async def test_retries_have_an_end(endpoint: Endpoint) -> None:
    """A question is asked llm.max_retries times more, then it has failed."""
    endpoint.fault_of = lambda _: FAULTS["500"]
    async with asking(endpoint, max_retries=2) as llm:
        assert "llm_unavailable" == kind(await llm.ask(question()))
    assert 3 == len(endpoint.asked)


async def test_wish_to_wait_is_honored_by_all(endpoint: Endpoint) -> None:
    """Where one question is told to come back in a second, no other is asked before."""
    endpoint.script(FAULTS["429"])
    async with asking(endpoint, max_retries=1) as llm:
        first = asyncio.create_task(llm.ask(question("one")))
        await endpoint.until(lambda asked: len(asked) == 1 and asked[0].answered)
        replies = await asyncio.gather(first, llm.ask(question("two")))
    assert [Answer, Answer] == list(map(type, replies))
    limited, *later = endpoint.asked
    assert all(asked.at - limited.at >= 1.0 for asked in later)


async def test_wish_to_wait_is_honored_after_the_last_try(endpoint: Endpoint) -> None:
    """A question that is not asked again has told the next one all the same that it has to wait."""
    endpoint.script(FAULTS["429"])
    async with asking(endpoint) as llm:
        replies = [await llm.ask(question()) for _ in range(2)]
    assert [Unanswered, Answer] == list(map(type, replies))
    first, second = endpoint.asked
    assert second.at - first.at >= 1.0


async def test_wish_to_wait_longer_than_there_is_time(endpoint: Endpoint) -> None:
    """An endpoint that wants to be left alone for an hour is not waited for, not even by the next question."""
    endpoint.script(FAULTS["429 for long"])
    began = time.monotonic()
    async with asking(endpoint, max_retries=5) as llm:
        assert ["llm_rate_limited"] * 2 == [kind(await llm.ask(question())) for _ in range(2)]
    assert time.monotonic() - began < SOON_S
    assert 1 == len(endpoint.asked)


async def test_silent_endpoint_is_asked_again(endpoint: Endpoint) -> None:
    """After half of llm.timeout_s without a byte the question is asked again, within the same time."""
    endpoint.script(Fault(hold=endpoint.gate("never")))
    async with asking(endpoint, max_retries=1, timeout_s=4) as llm:
        assert isinstance(await llm.ask(question()), Answer)
    silent, again = endpoint.asked
    assert again.at - silent.at > 1.5  # on a busy machine the endpoint sees the first of them late


@pytest.mark.parametrize("fault", [FAULTS["drip"], FAULTS["500"]])
async def test_all_of_it_has_one_deadline(endpoint: Endpoint, fault: Fault) -> None:
    """A server that drips, and one that fails again and again, have the time of one answer between them."""
    endpoint.fault_of = lambda _: fault
    began = time.monotonic()
    async with asking(endpoint, max_retries=20, timeout_s=1, fallback_models=["other"]) as llm:
        assert "llm_unavailable" == kind(await llm.ask(question()))
    assert time.monotonic() - began < SOON_S


# ---------------------------------------------------------------------------------------------
# Models
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "purpose", "expected"),
    [
        ({}, "proofread", "m"),
        ({"proofread_model": "p"}, "proofread", "p"),
        ({"proofread_model": "p"}, "summary", "m"),
        ({"summary_model": "s"}, "summary", "s"),
    ],
)
async def test_models_by_purpose(endpoint: Endpoint, settings: dict[str, str], purpose: str, expected: str) -> None:
    """Each purpose may have a model of its own."""
    async with asking(endpoint, **settings) as llm:
        await llm.ask(question("One.", purpose))
    assert [expected] == [asked.model for asked in endpoint.asked]


async def test_next_model_is_asked(endpoint: Endpoint) -> None:
    """Where a model fails, those behind it are asked in their order, and the one that answers is named."""
    failing = {"m": FAULTS["500"], "second": FAULTS["404"]}
    endpoint.fault_of = lambda asked: failing.get(asked.model)
    async with asking(endpoint, fallback_models=["second", "m", "third"]) as llm:
        reply = await llm.ask(question())
    assert isinstance(reply, Answer)
    assert "third" == reply.model
    assert ["m", "second", "third"] == [asked.model for asked in endpoint.asked]


async def test_first_models_failure_is_told(endpoint: Endpoint) -> None:
    """Where all fail, the failure of the chosen one is the one to tell of."""
    endpoint.fault_of = lambda asked: FAULTS["401"] if asked.model == "m" else FAULTS["500"]
    async with asking(endpoint, fallback_models=["other"]) as llm:
        assert "llm_auth" == kind(await llm.ask(question()))
