"""Tasks are cancelled at every stage, and at the very end; a worker that hangs is ended."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.acceptance.logbook import said
from tests.chaos.conftest import Note
from tests.chaos.figures import share
from tests.chaos.ledger import close_books
from tests.chaos.recordings import Recording
from tests.chaos.world import World, key_of, world
from tests.daemon import Client
from tests.fakes.llm import Fault as LlmFault
from tests.fakes.site import Reply
from tests.fakes.wecom import Fault

pytestmark = pytest.mark.timeout(3600)

GONE_S = 5.0
LOOK_S = 0.02
STALL_S = 2.0
NOTICED_S = 10.0
BACK_S = 5.0
LAST = re.compile(r"\((\d+)/\1\)")
"""The label of a run's last message."""

Arrange = Callable[[World], tuple[str, Recording, Awaitable[object]]]
"""Puts a tape on the site that is held somewhere; returns its address, the tape, and what waits until it is there."""


def _at_the_site(made: World, place: int) -> tuple[str, Recording, Awaitable[object]]:
    """Held in its first request, for the page, or in its second, for the media, of which a part has come."""
    tape = made.tape()
    free, slow = Reply(body=tape.wav()), Reply(body=tape.wav(), stall_after=50_000)
    before = len(made.site.requests)
    there = made.site.until(lambda visits: len(visits) > before + place and visits[-1].bytes_sent > 0, 60.0)
    return made.serve(tape, *[free] * place, slow), tape, there


def _at_the_recognizer(made: World) -> tuple[str, Recording, Awaitable[object]]:
    tape = made.tape(fault="hang", at=4)
    placed = sum("cause=placed lane=asr" in " ".join(sorted(line.split())) for line in made.daemon.console.items())
    return made.serve(tape), tape, said(made.daemon, "cause=placed", times=1 + placed)


def _at_the_llm(made: World) -> tuple[str, Recording, Awaitable[object]]:
    tape = made.tape()
    once = [LlmFault(hold=made.llm.gate("held"))]
    made.llm.fault_of = lambda _: once.pop() if once else None
    before = len(made.llm.asked)
    return made.serve(tape), tape, made.llm.until(lambda asked: len(asked) > before, 60.0)


def _at_the_robot(made: World) -> tuple[str, Recording, Awaitable[object]]:
    tape = made.tape()
    made.wecom.robot(key_of("red")).script(None, Fault(delay_s=1.0))
    before = len(made.wecom.arrivals)
    return made.serve(tape), tape, made.wecom.until(lambda arrivals: len(arrivals) > before + 1, 60.0)


STAGES: dict[str, Arrange] = {
    "captions": lambda made: _at_the_site(made, 0),
    "download": lambda made: _at_the_site(made, 1),
    "transcribe": _at_the_recognizer,
    "proofread": _at_the_llm,
    "deliver": _at_the_robot,
}


async def test_a_cancel_at_any_stage_ends_the_work(tmp_path: Path, note: Note, *, whole: bool) -> None:
    """Cancelled at any stage, a task is cancelled for good, and its child is gone within 5 s with all its files."""
    rounds = 20 if whole else 1
    with world(tmp_path) as made:
        made.daemon.start()
        await _warm_up(made)
        gone_s = [await _cancel_at(stage, made) for stage in [*STAGES] * rounds]
        balance = await close_books(made)
    note("F17", f"cancel at {len(STAGES)} stages x {rounds}", "one final state, 0 leftovers", balance)
    note("F17", "child gone after a cancel", "5 s", f"longest {max(gone_s):.2f} s")
    balance.check()
    assert len(STAGES) * rounds == balance.tasks["cancelled"]
    assert max(gone_s) <= GONE_S


async def _warm_up(made: World) -> None:
    """Have the processes started that stay."""
    tape = made.tape()
    async with Client(made.daemon) as client:
        await client.finished(await made.submit(client, made.serve(tape), tape))


async def _cancel_at(stage: str, made: World) -> float:
    """Cancel a task at this stage; returns after how long nothing works on it any more, in seconds."""
    usual = made.daemon.processes()
    url, tape, there = STAGES[stage](made)
    async with Client(made.daemon) as client:
        task_id = await made.submit(client, url, tape)
        await there
        status, answer = await client.post(f"/api/task/{task_id}/cancel", {})
        assert 202 == status, (stage, answer)
        asked_at = time.monotonic()
        assert "cancelled" == (await client.state(task_id))["status"], stage
    work = made.daemon.data / "work" / task_id
    async with asyncio.timeout(GONE_S * 2):
        while made.daemon.processes() - usual or work.exists():  # noqa: ASYNC110 - the system tells of neither
            await asyncio.sleep(LOOK_S)
    return time.monotonic() - asked_at


async def test_a_cancel_that_races_with_the_last_message_has_one_winner(
    tmp_path: Path, note: Note, *, whole: bool
) -> None:
    """Cancelled while its last message is answered, a task is either cancelled or completed, as the answer said."""
    count = 500 if whole else 8
    with world(tmp_path, with_llm=False) as made:
        made.daemon.start()
        async with Client(made.daemon) as client:
            answers = [await _race(made, client) for _ in range(count)]
        balance = await close_books(made)
    won = Counter({202: "cancelled", 409: "completed"}[status] for status in answers)
    note("F17", f"{count} cancels that race with completion", "one final state", dict(won))
    balance.check()
    assert won == balance.tasks


async def _race(made: World, client: Client) -> int:
    """Cancel a task at the moment at which its last message has come; returns what the cancel was answered."""
    tape = made.tape(4)
    before = len(made.wecom.arrivals)
    task_id = await made.submit(client, made.serve(tape), tape)
    # What closes the run before this one, if that was cancelled, may come in between; it has no label.
    await made.wecom.until(lambda arrivals: any(LAST.match(each.content) for each in arrivals[before:]), 60.0)
    status, _ = await client.post(f"/api/task/{task_id}/cancel", {})
    return status


async def test_a_worker_that_hangs_is_ended_and_its_slot_used_again(tmp_path: Path, note: Note) -> None:
    """A recognizer that says nothing for ``stall_s`` is ended, its slot is used again, and the API notices nothing."""
    with world(tmp_path, with_llm=False, transcribe={"stall_s": STALL_S}, scheduler={"retry_delay_s": 0.2}) as made:
        made.daemon.start()
        await _warm_up(made)
        tapes = [made.tape(fault="hang", at=3), made.tape()]
        async with Client(made.daemon) as client:
            usual = await _answered_while_two_are_heard(made, client)
            for tape in tapes:
                await made.submit(client, made.serve(tape), tape)
            await said(made.daemon, "cause=placed", times=4)
            began = time.monotonic()
            hung = []
            while not any("engine's process is ended" in line for line in made.daemon.console.items()):
                hung.append(await _answered(client))
            noticed_s = time.monotonic() - began - STALL_S
            await said(made.daemon, "engine started", times=2)
            back_s = time.monotonic() - began - STALL_S - noticed_s
        balance = await close_books(made)
    note("F18", f"hung worker noticed after stall_s = {STALL_S:g} s", "+ 10 s", f"+ {noticed_s:.2f} s")
    note("F18", "slot back after that", "5 s", f"{back_s:.2f} s")
    latency = f"{share(hung, 99) * 1000:.1f} ms, before {share(usual, 99) * 1000:.1f} ms"
    note("F18", "p99 of a request meanwhile", "unchanged", latency)
    balance.check()
    assert {"completed": 5} == balance.tasks
    assert noticed_s <= NOTICED_S
    assert back_s <= BACK_S


async def _answered_while_two_are_heard(made: World, client: Client) -> list[float]:
    """Ask while the daemon has the same work as later, but nobody hangs; returns how long each answer took."""
    ids = [await made.submit(client, made.serve(tape), tape) for tape in (made.tape(pace_s=0.1), made.tape())]
    await said(made.daemon, "cause=placed", times=3)
    done = asyncio.gather(*map(client.finished, ids))
    usual = []
    while not done.done():
        usual.append(await _answered(client))
    await done
    return usual


async def _answered(client: Client) -> float:
    began = time.monotonic()
    await client.get("/api/tasks")
    return time.monotonic() - began
