"""Everything around the daemon goes wrong all the time, and still everything comes to its end."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.chaos.ledger import arrived, close_books
from tests.chaos.world import World, key_of, world
from tests.daemon import Client
from tests.fakes.llm import FAULTS as LLM_FAULTS, Fault as LlmFault
from tests.fakes.wecom import Fault
from tests.fakes.wecom_rules import BAD_WEBHOOK, BUSY, OK, TOO_OFTEN

pytestmark = pytest.mark.timeout(3600)

SPEED = 60.0
"""In a storm a minute of waiting takes a second."""
LLM_SHARE = 0.3
LLM_STORM = ("429", "500", "nothing", "drip", "empty", "refusal", "garbage", "half", "length")
ROBOTS = ("red", "blue", "green")
ROBOT_STORM = {
    Fault(errcode=TOO_OFTEN): 0.20,
    Fault(status=502): 0.05,
    Fault(drop_before_answer=True): 0.05,
    Fault(errcode=BUSY): 0.02,
}
LABELED = {"done", "partial", "failed", "skipped_short"}
WHILE_DEAD = 6
"""Tasks that are delivered to the live robots while one is dead."""


async def test_a_storm_of_llm_faults_delays_and_labels_but_loses_nothing(
    tmp_path: Path, seed: int, chance: random.Random, note: Note, *, whole: bool
) -> None:
    """With three in ten questions failing in nine ways, every task completes, and each layer says what it is."""
    count = 200 if whole else 12
    # The endpoint's own time is real, so its limit is long on the fast clock; an answer is there at once or never.
    with world(tmp_path, speed=SPEED, llm={"timeout_s": 3 * SPEED}) as made:
        made.llm.fault_of = lambda _: _llm_fault(chance)
        made.daemon.start()
        ids = await _submit(made, count, segments=6)
        states = await made.finish()
        balance = await close_books(made)
    layers = Counter(states[task_id]["layers"][layer] for task_id in ids for layer in ("proofread", "summary"))
    note("F5", f"{LLM_SHARE:.0%} LLM faults (seed {seed})", "100 % final, 0 lost, fallbacks labeled", balance)
    note("F5", "text layers", "each labeled", dict(layers))
    balance.check()
    assert {"completed": count} == balance.tasks
    assert LABELED >= layers.keys()


def _llm_fault(chance: random.Random) -> LlmFault | None:
    return LLM_FAULTS[chance.choice(LLM_STORM)] if chance.random() < LLM_SHARE else None


async def test_a_storm_of_robot_faults_loses_and_reorders_nothing(
    tmp_path: Path, seed: int, chance: random.Random, note: Note, *, whole: bool
) -> None:
    """With a third of all messages refused or unanswered at three robots, each group sees every run whole, in order.

    What is repeated is what was not answered.
    """
    count = 170 if whole else 10
    with world(tmp_path, robots=ROBOTS, speed=SPEED, with_llm=False) as made:
        made.wecom.fault_of = lambda _: _robot_fault(chance)
        made.daemon.start()
        await _submit(made, count, segments=6)
        balance = await close_books(made)
    dropped = sum(arrival.errcode == OK and not arrival.answered for arrival in made.wecom.arrivals)
    note("F6", f"storm at {len(ROBOTS)} robots (seed {seed})", "0 lost, 0 out of order, 0 interleaved", balance)
    note("F6", "repeats", f"<= unanswered: {dropped}", balance.repeats)
    balance.check()
    assert balance.repeats <= dropped
    assert 0 == sum(made.wecom.robot(key_of(robot)).overlaps for robot in ROBOTS)


def _robot_fault(chance: random.Random) -> Fault | None:
    (fault,) = chance.choices([*ROBOT_STORM, None], [*ROBOT_STORM.values(), 1 - sum(ROBOT_STORM.values())])
    return fault


async def test_a_dead_robot_delays_no_other_and_gets_everything_later(tmp_path: Path, note: Note) -> None:
    """While one robot is gone the others are served as ever; repaired and resumed, it gets all, in order."""
    with world(tmp_path, robots=("red", "dead"), with_llm=False) as made:
        made.daemon.start()
        await _time_to_deliver(made)  # the processes that stay are started
        with_both = await _time_to_deliver(made)
        gone = Fault(errcode=BAD_WEBHOOK)
        made.wecom.fault_of = lambda arrival: gone if arrival.key == key_of("dead") else None
        without = await _time_to_deliver(made)
        shown = len(arrived(made, "dead"))
        made.wecom.fault_of = lambda _: None
        async with Client(made.daemon) as client:
            status, _ = await client.post("/api/robots/dead/resume", {})
            assert 200 == status
        balance = await close_books(made)
    kept = len(arrived(made, "dead")) - shown
    note(
        "F8",
        "live robot beside a dead one",
        "no delay",
        f"{without:.2f} s for {WHILE_DEAD} tasks, before {with_both:.2f} s",
    )
    note("F8", "messages of the dead robot", "all kept, delivered after repair", f"{kept} delivered; {balance}")
    balance.check()
    assert kept == balance.deliveries["dead"].planned - shown > 0


async def _time_to_deliver(made: World) -> float:
    """Have some tasks delivered to the live robot; returns how long it took, in seconds."""
    began = time.monotonic()
    ids = await _submit(made, WHILE_DEAD, segments=4)
    async with Client(made.daemon) as client:
        await asyncio.gather(*(client.finished(task_id) for task_id in ids))
    return time.monotonic() - began


async def _submit(made: World, count: int, segments: int) -> list[str]:
    async with Client(made.daemon) as client:
        ids = []
        for _ in range(count):
            tape = made.tape(segments)
            ids.append(await made.submit(client, made.serve(tape), tape))
    return ids
