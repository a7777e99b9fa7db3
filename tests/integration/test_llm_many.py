"""Many questions of one video, side by side, across a restart and a stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.bridge import StopSignal
from pipeline.core.task import FREE, Usage
from pipeline.errors import Interrupted
from pipeline.ports import Answer, TooLong
from tests.contract.conftest import SqliteStores
from tests.contract.examples import OWNER, add
from tests.fakes.llm import FAULTS, MARK, Fault, Llm as Endpoint
from tests.integration.asking import asking, kind, question

WITHIN_S = 10.0


async def test_questions_side_by_side(endpoint: Endpoint, tmp_path: Path) -> None:
    """So many questions are out at a time, and the replies stand in the order of the questions."""
    gates = [endpoint.gate(str(number)) for number in range(6)]
    endpoint.fault_of = lambda asked: Fault(hold=gates[int(asked.text)])
    stores = SqliteStores(tmp_path)
    store = await stores.boot("1")
    await add(store, "a")
    came: list[int] = []
    async with asking(endpoint, parallel_chunks=3) as llm:
        questions = [question(str(number)) for number in range(6)]
        replies = asyncio.create_task(llm.ask_all("a", questions, store, lambda: came.append(1), StopSignal()))
        await endpoint.until(lambda _: [gate.held for gate in gates] == [1, 1, 1, 0, 0, 0])
        for number in (2, 1, 0, 5, 4, 3):
            gates[number].open()
        answers = await asyncio.wait_for(replies, WITHIN_S)
    view = await store.view("a", OWNER)
    await stores.end()
    assert [f"{number} {MARK}" for number in range(6)] == [reply.text for reply in answers if isinstance(reply, Answer)]
    assert 6 == len(came)
    assert view is not None
    paid = [reply.usage for reply in answers]
    assert Usage(sum(one.prompt_tokens for one in paid), sum(one.completion_tokens for one in paid)) == view.usage


async def test_the_time_for_a_video_comes_to_its_end(endpoint: Endpoint, tmp_path: Path) -> None:
    """When all questions of a video together take too long, what was answered stays and nothing more is asked."""
    endpoint.fault_of = lambda asked: Fault(drips=True) if asked.text == "two" else None
    stores = SqliteStores(tmp_path)
    store = await stores.boot("1")
    await add(store, "a")
    async with asking(endpoint, parallel_chunks=1, max_retries=9) as llm:
        questions = [question(text) for text in ("one", "two", "three")]
        asking_all = llm.ask_all("a", questions, store, lambda: None, StopSignal(), limit_s=2.0)
        first, *others = await asyncio.wait_for(asking_all, WITHIN_S)
    await stores.end()
    assert isinstance(first, Answer)
    assert ["llm_unavailable"] * 2 == [kind(reply) for reply in others]
    assert {"one", "two"} == {asked.text for asked in endpoint.asked}


async def test_replies_outlive_a_restart(endpoint: Endpoint, tmp_path: Path) -> None:
    """What was answered before is not asked again, nor paid for; what nobody answered is, and so is another model."""
    endpoint.fault_of = lambda asked: {"two": FAULTS["500"], "three": FAULTS["length"]}.get(asked.text)
    questions = [question(text) for text in ("one", "two", "three")]
    stores = SqliteStores(tmp_path)
    store = await stores.boot("1")
    await add(store, "a")
    async with asking(endpoint) as llm:
        await llm.ask_all("a", questions, store, lambda: None, StopSignal())
    endpoint.fault_of = lambda _: None
    store = await stores.boot("2")
    async with asking(endpoint) as llm:
        again = await llm.ask_all("a", questions, store, lambda: None, StopSignal())
        paid = [reply.usage for reply in again]
    assert [Answer, Answer, TooLong] == list(map(type, again))
    assert [FREE, FREE] == [paid[0], paid[2]]
    assert ["two"] == [asked.text for asked in endpoint.asked[3:]]
    async with asking(endpoint, model="other") as llm:
        await llm.ask_all("a", questions, store, lambda: None, StopSignal())
    await stores.end()
    assert 4 + 3 == len(endpoint.asked)


async def test_cancelled_questions_leave_nothing_behind(endpoint: Endpoint, tmp_path: Path) -> None:
    """When the asker goes away, its questions end at once, those that wait for their turn too."""
    endpoint.fault_of = lambda _: Fault(hold=endpoint.gate("never"))
    stores = SqliteStores(tmp_path)
    store = await stores.boot("1")
    await add(store, "a")
    async with asking(endpoint, parallel_chunks=2) as llm:
        questions = [question(str(number)) for number in range(4)]
        replies = asyncio.create_task(llm.ask_all("a", questions, store, lambda: None, StopSignal()))
        await endpoint.until(lambda _: endpoint.gate("never").held == 2)
        replies.cancel()
        with pytest.raises(asyncio.CancelledError):
            await replies
        await endpoint.until(lambda _: endpoint.gate("never").held == 0)
    await stores.end()
    assert 2 == len(endpoint.asked)


async def test_a_stop_waits_for_what_is_paid_for(endpoint: Endpoint, tmp_path: Path) -> None:
    """After a stop nothing more is asked, what was asked is answered and stored, and only the rest is asked later."""
    gate, stop = endpoint.gate("answer"), StopSignal()
    endpoint.fault_of = lambda _: Fault(hold=gate)
    questions = [question(str(number)) for number in range(4)]
    stores = SqliteStores(tmp_path)
    store = await stores.boot("1")
    await add(store, "a")
    async with asking(endpoint, parallel_chunks=2) as llm:
        replies = asyncio.create_task(llm.ask_all("a", questions, store, lambda: None, stop))
        await endpoint.until(lambda _: gate.held == 2)
        stop.raise_now()
        gate.open()
        with pytest.raises(Interrupted):
            await asyncio.wait_for(replies, WITHIN_S)
    store = await stores.boot("2")
    async with asking(endpoint) as llm:
        again = await llm.ask_all("a", questions, store, lambda: None, StopSignal())
    await stores.end()
    assert [Answer] * 4 == list(map(type, again))
    assert ["0", "1", "2", "3"] == sorted(asked.text for asked in endpoint.asked)
