"""Somebody sets the machine's clock, by a day or by an hour, while the daemon runs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.acceptance.logbook import said
from tests.chaos.conftest import Note
from tests.chaos.ledger import close_books
from tests.chaos.world import World, world
from tests.daemon import Client, Json
from tests.fakes.site import Reply

DAY_S, HOUR_S = 86_400.0, 3600.0
DELAY_S = 0.5
"""Until the second attempt, up to half as much more; then twice as long."""
LATE_S = 30.0
"""A wait that is longer by so much was not only slow."""


async def test_a_clock_that_is_set_moves_no_timer(tmp_path: Path, note: Note, *, whole: bool) -> None:
    """Set by a day or an hour, forward or back, at every step, the clock makes nothing early, late or out of order."""
    settings = (-DAY_S, DAY_S, HOUR_S, -HOUR_S) if whole else (-DAY_S,)
    with world(tmp_path, with_llm=False, scheduler={"retry_delay_s": DELAY_S}) as made:
        made.daemon.start()
        first, body = await _once(made)
        waits_s = []
        for set_by_s in settings:
            waits_s += await _while_retrying(made, set_by_s)
            assert first == await _again(made, body)
        made.clock.set_by(DAY_S)
        assert first == await _again(made, body)
        balance = await close_books(made)
    early_s, late_s = min(waits_s), max(waits_s)
    times = 2 * len(settings)
    note("F29", f"clock set by a day or an hour, {times} times while a task waits", "nothing lost", balance)
    off = f"{early_s:+.2f} to {late_s:+.2f} s"
    note("F29", "next attempts, against the shortest wait they may have", "0 early, 0 late", off)
    balance.check()
    assert 0 == balance.repeats
    assert early_s >= 0
    assert late_s < LATE_S


async def _once(made: World) -> tuple[Json, Json]:
    """Submit a tape under a key and wait until it is done; returns the answer and what was asked."""
    tape = made.tape()
    body = {"url": made.serve(tape)}
    answer = await _again(made, body)
    made.accepted[answer["task_id"]] = tape
    async with Client(made.daemon) as client:
        await client.finished(answer["task_id"])
    return answer, body


async def _again(made: World, body: Json) -> Json:
    """Send the same request under the same key."""
    async with (
        Client(made.daemon) as client,
        client.session.post("/api/transcribe", json=body, headers={"Idempotency-Key": "the same"}) as answer,
    ):
        assert 202 == answer.status
        return (await answer.json())["data"]


async def _while_retrying(made: World, set_by_s: float) -> list[float]:
    """Set the clock while a task waits for its next attempt, and again while another does.

    Returns:
        How much longer than the shortest time it may be each wait was.
    """
    tape = made.tape()
    down = Reply(status=503)
    url = made.serve(tape, down, down, Reply(body=tape.wav()))
    postponed = sum("cause=postponed" in line for line in made.daemon.console.items())
    async with Client(made.daemon) as client:
        task_id = await made.submit(client, url, tape)
        for attempt in (1, 2):
            await said(made.daemon, "cause=postponed", times=postponed + attempt)
            made.clock.set_by(set_by_s if attempt == 1 else -set_by_s)
        await client.finished(task_id)
    came_at = [visit.arrived_at for visit in made.site.requests_of(url.removeprefix(f"http://{made.site.address}"))]
    return [later - before - DELAY_S * 2**number for number, (before, later) in enumerate(pairwise(came_at[:3]))]
