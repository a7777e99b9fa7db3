"""Where threads meet the loop: callbacks, calls, lanes, and an end without a deadlock."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator

import pytest

from pipeline.bridge import Bridge, StopSignal, side_by_side
from pipeline.errors import Interrupted

WITHIN_S = 5.0
COLOR: contextvars.ContextVar[str] = contextvars.ContextVar("color", default="none")


class Defects:
    """Takes what the bridge gives up for."""

    def __init__(self) -> None:
        self._names: asyncio.Queue[str] = asyncio.Queue()

    def take(self, name: str, error: BaseException) -> None:
        self._names.put_nowait(f"{name}: {type(error).__name__}")

    async def next(self) -> str:
        return await asyncio.wait_for(self._names.get(), WITHIN_S)


@pytest.fixture
async def defects() -> Defects:
    return Defects()


@pytest.fixture
async def bridge(defects: Defects) -> AsyncIterator[Bridge]:
    made = Bridge(asyncio.get_running_loop(), defects.take)
    yield made
    await made.join()
    made.close()


async def test_every_result_reaches_its_own_callback_on_the_loop(bridge: Bridge) -> None:
    """Every result reaches its own callback, on the loop's thread, whatever finishes first."""
    pool, loop_thread = bridge.pool("p", 4), threading.get_ident()
    results: dict[int, tuple[int, int]] = {}
    done = asyncio.Event()

    def keep(number: int, result: int) -> None:
        results[number] = (result, threading.get_ident())
        if len(results) == 50:
            done.set()

    for number in range(50):
        bridge.submit(pool, lambda number=number: number * 2, lambda result, number=number: keep(number, result))
    async with asyncio.timeout(WITHIN_S):
        await done.wait()
    assert {number: (number * 2, loop_thread) for number in range(50)} == results


async def test_context_variables_follow_the_work_into_the_thread(bridge: Bridge) -> None:
    """Context variables follow the work into the thread."""
    pool = bridge.pool("p", 1)
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    COLOR.set("green")
    bridge.submit(pool, COLOR.get, answer.set_result)
    assert "green" == await asyncio.wait_for(answer, WITHIN_S)


async def test_a_thread_gets_the_answer_of_a_coroutine(bridge: Bridge) -> None:
    """A thread gets the answer of a coroutine that runs on the loop."""

    async def question() -> int:
        return threading.get_ident()

    assert threading.get_ident() == await asyncio.to_thread(lambda: bridge.call(question()))


async def test_a_call_ends_with_the_stop_signal(bridge: Bridge) -> None:
    """Whoever waits for a long answer stops waiting when asked to, and the coroutine is cancelled."""
    stop, started, cancelled = StopSignal(), asyncio.Event(), asyncio.Event()

    async def question() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    calling = asyncio.create_task(asyncio.to_thread(lambda: bridge.call(question(), timeout_s=None, stop=stop)))
    async with asyncio.timeout(WITHIN_S):
        await started.wait()
        stop.raise_now()
        await cancelled.wait()
        with pytest.raises(Interrupted):
            await calling


async def test_a_call_without_need_to_stop_is_answered(bridge: Bridge) -> None:
    """A stop signal that is raised after the answer changes nothing."""
    stop = StopSignal()
    assert 7 == await asyncio.to_thread(lambda: bridge.call(asyncio.sleep(0, 7), stop=stop))
    stop.raise_now()


async def test_a_call_on_the_loops_own_thread_is_refused(bridge: Bridge) -> None:
    """A call on the loop's own thread is refused instead of waiting for ever."""
    with pytest.raises(RuntimeError, match="own thread"):
        bridge.call(asyncio.sleep(0))


async def test_calls_after_close_are_interrupted(bridge: Bridge) -> None:
    """Calls after close are interrupted."""
    bridge.close()
    with pytest.raises(Interrupted):
        await asyncio.to_thread(lambda: bridge.call(asyncio.sleep(0)))


async def test_joining_waits_for_a_thread_that_still_calls_the_loop(bridge: Bridge) -> None:
    """Joining waits for a thread that still calls the loop, and answers it: no deadlock, nothing lost."""
    started, go = asyncio.Event(), threading.Event()
    answers: list[str] = []

    async def store(what: str) -> str:
        return what

    def work() -> None:
        bridge.post(started.set)
        go.wait(WITHIN_S)
        answers.append(bridge.call(store("kept")))

    bridge.submit(bridge.pool("p", 1), work, lambda _: None)
    await started.wait()
    joining = asyncio.create_task(bridge.join())
    go.set()
    await asyncio.wait_for(joining, WITHIN_S)
    assert ["kept"] == answers


async def test_a_lane_works_off_one_item_at_a_time_in_order(bridge: Bridge) -> None:
    """A lane works off one item at a time, in order, on one thread."""
    running, seen, done = [], [], asyncio.Event()

    def work(item: int) -> tuple[int, int]:
        running.append(item)
        assert 1 == len(running)
        running.pop()
        return item, threading.get_ident()

    def keep(result: tuple[int, int]) -> None:
        seen.append(result)
        if len(seen) == 20:
            done.set()

    lane = bridge.lane("l", 20, work, keep)
    assert [True] * 20 == [lane.offer(item) for item in range(20)]
    await asyncio.wait_for(done.wait(), WITHIN_S)
    assert list(range(20)) == [item for item, _ in seen]
    assert 1 == len({thread for _, thread in seen})
    lane.stop()


async def test_a_full_lane_refuses_and_stops_without_blocking(bridge: Bridge) -> None:
    """A full lane refuses what it cannot hold, and stops without blocking while its thread is busy."""
    held, began = threading.Event(), asyncio.Event()

    def work(_item: str) -> None:
        bridge.post(began.set)
        held.wait(WITHIN_S)

    lane = bridge.lane("l", 2, work, lambda _: None)
    lane.offer("in hand")
    await asyncio.wait_for(began.wait(), WITHIN_S)
    assert [True, True, False] == [lane.offer(item) for item in ("a", "b", "c")]
    assert not lane.has_room
    lane.stop()
    assert not lane.offer("late")
    held.set()
    await asyncio.to_thread(lane.join)


async def test_a_defect_in_a_lane_is_told_and_does_not_end_its_thread(bridge: Bridge, defects: Defects) -> None:
    """Work that raises in a lane is a reason to give up; the thread goes on until it is told to end."""
    seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    lane = bridge.lane("l", 2, lambda item: 10 // item, seen.set_result)
    lane.offer(0)
    lane.offer(5)
    assert 2 == await asyncio.wait_for(seen, WITHIN_S)
    assert "l: ZeroDivisionError" == await defects.next()
    lane.stop()


async def test_a_defect_in_a_pool_is_told(bridge: Bridge, defects: Defects) -> None:
    """Work that raises in a pool is a reason to give up: nobody would ever settle what it had in hand."""
    bridge.submit(bridge.pool("p", 1), lambda: 1 // 0, lambda _: None)
    assert "p: ZeroDivisionError" == await defects.next()


async def test_work_that_nobody_has_begun_is_dropped_quietly(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    """Work that waits for a thread when its pool ends is not begun, and leaves no word in the log."""
    pool, begun, let_go = bridge.pool("p", 1), threading.Event(), threading.Event()
    done: list[object] = []
    bridge.submit(pool, lambda: (begun.set(), let_go.wait()), done.append)
    bridge.submit(pool, lambda: done.append("begun"), done.append)
    await asyncio.to_thread(begun.wait, WITHIN_S)
    pool.shutdown(wait=False, cancel_futures=True)
    let_go.set()
    await bridge.join()
    await asyncio.sleep(0)
    complaints = [record for record in caplog.records if record.name == "concurrent.futures"]
    assert ([(None, True)], []) == (done, complaints)


def test_a_raised_signal_calls_back_once_also_those_who_come_late() -> None:
    """A raised signal calls back once, also those who come late, and not those who took it back."""
    signal, calls = StopSignal(), []
    signal.on_raise(lambda: calls.append("early"))
    signal.on_raise(lambda: calls.append("forgotten"))()
    signal.check()
    signal.raise_now()
    signal.raise_now()
    signal.on_raise(lambda: calls.append("late"))
    assert ["early", "late"] == calls
    with pytest.raises(Interrupted):
        signal.check()


def test_work_beside_a_block_has_its_context_and_is_done_at_its_end() -> None:
    """The block does not end before what runs beside it."""
    COLOR.set("blue")
    inside, found = threading.Event(), list[str]()

    def work() -> None:
        assert inside.wait(WITHIN_S)
        found.append(COLOR.get())

    with side_by_side(work, StopSignal()):
        inside.set()
    assert ["blue"] == found


class Broken(Exception):
    """Something went wrong."""


def test_work_that_fails_ends_the_block_beside_it() -> None:
    """The block is stopped, and its end raises what the work raised."""
    stop, stopped = StopSignal(), threading.Event()
    stop.on_raise(stopped.set)

    def work() -> None:
        raise Broken

    def block() -> None:
        assert stopped.wait(WITHIN_S)
        stop.check()

    with pytest.raises(Broken), side_by_side(work, stop):
        block()


def test_a_block_that_fails_ends_the_work_beside_it() -> None:
    """The work is stopped and waited for, and what the block raised comes out."""
    stop, stopped, ended = StopSignal(), threading.Event(), list[bool]()
    stop.on_raise(stopped.set)

    def work() -> None:
        ended.append(stopped.wait(WITHIN_S))
        stop.check()

    with pytest.raises(Broken), side_by_side(work, stop):
        raise Broken
    assert [True] == ended
