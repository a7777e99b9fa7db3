"""Loops that wait for news stop when they are told to, also if news comes at that very moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.crew import Life

WITHIN_S = 5.0


@pytest.mark.parametrize("turns", range(5))
async def test_a_hint_at_the_moment_of_the_stop_does_not_keep_the_dispatcher_going(tmp_path: Path, turns: int) -> None:
    """The dispatcher stops though a hint came so many turns of the loop before."""
    life = Life(tmp_path, {}, 1)
    await life.begin()
    try:
        await life.calm()
        life.dispatcher.hint("a task")
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping = asyncio.create_task(life.dispatcher.stop())
        ended, _ = await asyncio.wait({stopping}, timeout=WITHIN_S)
        assert {stopping} == ended
    finally:
        await life.end()
