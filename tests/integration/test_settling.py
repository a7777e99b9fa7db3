"""What workers bring back is settled whole, whatever else happens at that very moment, and at no cost afterwards."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pipeline.core.lifecycle import Failed, Interrupted, Succeeded
from pipeline.core.task import Failure, Stage, Status
from pipeline.failures import SourceNotFound
from pipeline.store.sqlite import SqliteStore
from tests.chaos.crew import TURNS, Hand, Life
from tests.contract.examples import ROUTE

WISH_S = 0.05
"""For so long a host wants to be left alone."""
WATCHED_S = 1.0
IDLE_S = 0.15
"""More than an idle daemon computes in that time."""


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Life]:
    life = Life(folder, {}, 1)
    await life.begin()
    try:
        yield life
    finally:
        await life.end()


async def in_hand(life: Life, *urls: str) -> list[Hand]:
    """Submit these; returns what workers have in hand then."""
    for url in urls:
        await life.submit(url)
    await life.calm()
    return life.in_hand


async def test_a_task_cancelled_as_its_worker_comes_back_is_let_go(tmp_path: Path) -> None:
    """Whoever cancels a task while the outcome of its work is being stored can start it again at once."""
    async with living(tmp_path) as life:
        [hand] = await in_hand(life, "https://site.example.com/a")
        cancelling = asyncio.create_task(life.control.cancel(hand.task.id))
        life.bring_back(hand, Succeeded(hand.task.id, hand.lane))
        assert await cancelling
        await life.calm()
        await life.control.retry(hand.task.id)


@pytest.mark.parametrize("turns", range(1, 5))
async def test_a_stop_loses_nothing_that_a_worker_has_brought(tmp_path: Path, turns: int) -> None:
    """What a worker brings as the daemon stops is stored, so many turns of the loop later, and nobody is blamed."""
    async with living(tmp_path) as life:
        [hand] = await in_hand(life, "https://site.example.com/a")
        await life.store.begin(hand.task.id)
        await life.dispatcher.stop()
        life.bring_back(hand, Interrupted(hand.task.id, hand.lane))
        for _ in range(turns):
            await asyncio.sleep(0)
        await life.dispatcher.settle_rest()
    after = SqliteStore(tmp_path / "transcribed.db", ROUTE, "boot 2")
    await after.open()
    try:
        assert [] == await after.orphans()
    finally:
        await after.close()


async def test_the_files_of_a_task_go_before_it_has_failed(tmp_path: Path) -> None:
    """Who hears that a task has failed and wants it done again has its folder for the new attempt alone."""
    threads = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(threads)
    async with living(tmp_path) as life:
        [hand] = await in_hand(life, "https://site.example.com/a")
        for _ in ("media", "file"):
            await life.work(hand, "")
        assert has_folder(life, hand)
        let_go = threading.Event()
        threads.submit(let_go.wait)
        life.fail(hand, retries=0, times_out=False)
        seen = [await seen_by_others(life, hand) for _ in range(TURNS)]
        let_go.set()
        await life.calm()
        assert (Status.FAILED, False) == await seen_by_others(life, hand)
        assert (Status.FAILED, True) not in seen


async def seen_by_others(life: Life, hand: Hand) -> tuple[Status, bool]:
    """What the store says of a task, and whether its folder is there."""
    task = await life.store.get(hand.task.id)
    assert task
    return task.status, has_folder(life, hand)


def has_folder(life: Life, hand: Hand) -> bool:
    return (life.folder / "work" / hand.task.id).exists()


async def test_a_failure_told_in_broken_words_ends_its_own_task_only(tmp_path: Path) -> None:
    """Half a surrogate pair in what a site says of its failure is replaced, and others go on."""
    async with living(tmp_path) as life:
        [hand] = await in_hand(life, "https://site.example.com/a")
        failure = Failure.of(SourceNotFound("gone \ud83d"), Stage.CAPTIONS, "demo")
        life.bring_back(hand, Failed(hand.task.id, hand.lane, failure, 0, times_out=False))
        await life.calm()
        task = await life.store.get(hand.task.id)
        assert task
        assert task.failure
        assert (Status.FAILED, True) == (task.status, task.failure.message.endswith("(gone ?)"))
        assert 1 == len(await in_hand(life, "https://site.example.com/b"))


async def test_a_host_that_may_be_asked_again_keeps_nobody_busy(tmp_path: Path) -> None:
    """While every slot is taken, the end of the time for which a host was left alone sets nothing spinning."""
    async with living(tmp_path) as life:
        first, _ = await in_hand(life, *(f"https://{host}.example.com/a" for host in "abc"))
        failure = Failure("source_rate_limited", Stage.DOWNLOAD, "Later.", "稍后。", "", retryable=True)
        life.bring_back(first, Failed(first.task.id, first.lane, failure, 5, times_out=False, wish_s=WISH_S))
        await life.calm()
        assert ["b", "c"] == sorted(hand.task.source.host[0] for hand in life.in_hand)
        before = time.thread_time()
        await asyncio.sleep(WATCHED_S)
        assert time.thread_time() - before < IDLE_S
