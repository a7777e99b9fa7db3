"""A model that does not answer is left alone, and found again."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.core.breaker import MOST_FAILURES, PAUSE_S
from pipeline.ports import Answer
from tests.fakes.llm import FAULTS, Fault, Llm as Endpoint
from tests.integration.asking import LASTING, Clock, asking, kind, question


async def test_failing_model_is_left_alone(endpoint: Endpoint) -> None:
    """After five failures in a row nobody is asked; a success in between begins the count again."""
    faults = [FAULTS["500"]] * (MOST_FAILURES - 1)
    endpoint.script(*faults, None, *faults, FAULTS["500"])
    async with asking(endpoint) as llm:
        for _ in range(2 * MOST_FAILURES):
            await llm.ask(question())
        assert {"m": "llm_unavailable"} == {model: why.type for model, why in llm.silent.items()}
        assert "llm_unavailable" == kind(await llm.ask(question()))
    assert 2 * MOST_FAILURES == len(endpoint.asked)


@pytest.mark.parametrize("name", LASTING)
async def test_lasting_failure_counts_at_once(endpoint: Endpoint, name: str) -> None:
    """A wrong key, an empty account or an unknown model is not tried five times."""
    endpoint.script(FAULTS[name])
    async with asking(endpoint) as llm:
        assert [LASTING[name]] * 2 == [kind(await llm.ask(question())) for _ in range(2)]
    assert 1 == len(endpoint.asked)


async def test_refusals_do_not_count(endpoint: Endpoint) -> None:
    """A model that refuses a question answers others."""
    endpoint.script(*[FAULTS["filtered"]] * (MOST_FAILURES + 1))
    async with asking(endpoint) as llm:
        for _ in range(MOST_FAILURES + 1):
            await llm.ask(question())
        assert isinstance(await llm.ask(question()), Answer)


async def test_one_probe_decides_for_all(endpoint: Endpoint) -> None:
    """After the pause one question goes out while the others wait; its answer lets them through."""
    clock, gate = Clock(), endpoint.gate("probe")
    endpoint.script(FAULTS["401"], Fault(hold=gate))
    async with asking(endpoint, clock) as llm:
        await llm.ask(question())
        clock.now = PAUSE_S
        waiting = [asyncio.create_task(llm.ask(question(str(number)))) for number in range(4)]
        await endpoint.until(lambda _: gate.held == 1)
        assert 2 == len(endpoint.asked)
        gate.open()
        assert {Answer} == set(map(type, await asyncio.gather(*waiting)))
        assert {} == llm.silent
    assert 5 == len(endpoint.asked)


async def test_failed_probe_answers_for_all(endpoint: Endpoint) -> None:
    """A probe that fails sends those that waited for it away, and the pause begins again."""
    clock = Clock()
    endpoint.fault_of = lambda _: FAULTS["401"]
    async with asking(endpoint, clock) as llm:
        await llm.ask(question())
        clock.now = PAUSE_S
        replies = await asyncio.gather(*(llm.ask(question(str(number))) for number in range(4)))
        clock.now = 2 * PAUSE_S - 1
        replies.append(await llm.ask(question()))
    assert ["llm_auth"] * 5 == list(map(kind, replies))
    assert 2 == len(endpoint.asked)


async def test_other_models_are_not_touched(endpoint: Endpoint) -> None:
    """While one model is left alone, the next one answers at once."""
    endpoint.fault_of = lambda asked: FAULTS["404"] if asked.model == "m" else None
    async with asking(endpoint, fallback_models=["other"]) as llm:
        replies = [await llm.ask(question()) for _ in range(3)]
    assert {Answer} == set(map(type, replies))
    assert ["m", "other", "other", "other"] == [asked.model for asked in endpoint.asked]
