"""Where threads meet asyncio, and the only place where they do: submit, post, call, lane.

The loop never waits for a thread and never blocks on a queue. A thread reaches the loop by ``post``
(does not wait) or ``call`` (waits for an answer, never on the loop's own thread, never after close).
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, TimeoutError as FutureTimeout
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import structlog

from pipeline.errors import Interrupted

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger()


class StopSignal:
    """Asks work in threads to end: can be looked at, waited for, and calls back once when raised."""

    def __init__(self) -> None:
        """Begin lowered."""
        self._raised = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._next = 0

    def raise_now(self) -> None:
        """Raise the signal and run every callback; a second call does nothing."""
        with self._lock:
            if self._raised.is_set():
                return
            self._raised.set()
            callbacks, self._callbacks = list(self._callbacks.values()), {}
        for callback in callbacks:
            callback()

    @property
    def is_raised(self) -> bool:
        """Whether work should end."""
        return self._raised.is_set()

    def check(self) -> None:
        """Raise ``Interrupted`` if work should end."""
        if self._raised.is_set():
            raise Interrupted

    def on_raise(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Run ``callback`` when the signal is raised, at once if it is; returns what takes it back."""
        with self._lock:
            if not self._raised.is_set():
                key, self._next = self._next, self._next + 1
                self._callbacks[key] = callback
                return lambda: self._forget(key)
        callback()
        return lambda: None

    def _forget(self, key: int) -> None:
        with self._lock:
            self._callbacks.pop(key, None)


@contextmanager
def side_by_side(work: Callable[[], object], stop: StopSignal) -> Iterator[None]:
    """Run ``work`` in a thread of its own while the block runs in this one, and wait for it at the block's end.

    Whichever of the two raises first ends the other, by ``stop``; what it raised is raised here.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)
            stop.raise_now()

    beside = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=False)
    beside.start()
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - raised again below
        raised.append(error)
        stop.raise_now()
    beside.join()
    if raised:
        raise raised[0]


class Bridge:
    """The daemon's one meeting point of threads and its event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, give_up: Callable[[str, BaseException], None]) -> None:
        """Serve this loop; make it on the loop's own thread.

        Args:
            loop: the daemon's.
            give_up: called on it when work in a thread raised, with the thread's pool or lane. What that work had in
                hand stays there for ever, so nothing but a new start can help.
        """
        self._loop = loop
        self._give_up = give_up
        self._loop_thread = threading.get_ident()
        self._open = True
        self._pools: dict[ThreadPoolExecutor, str] = {}
        self._lanes: list[Lane[Any, Any]] = []

    def pool(self, name: str, size: int) -> ThreadPoolExecutor:
        """Make a pool of ``size`` threads; ``join`` waits for it."""
        made = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        self._pools[made] = name
        return made

    def submit(self, pool: ThreadPoolExecutor, work: Callable[[], R], on_done: Callable[[R], None]) -> None:
        """Run ``work`` in the pool with this context's variables; ``on_done`` gets its result on the loop.

        ``work`` answers with a value in every case; an exception that escapes it is a defect and is logged.
        """
        future = pool.submit(contextvars.copy_context().run, work)
        future.add_done_callback(lambda done: self._hop(self._pools[pool], done, on_done))

    def _hop(self, pool: str, done: Future[R], on_done: Callable[[R], None]) -> None:
        if done.cancelled():  # the daemon ends, and nobody has begun it
            return
        error = done.exception()
        if error is not None:
            self.defect(pool, error)
            return
        self.post(on_done, done.result())

    def defect(self, name: str, error: BaseException) -> None:
        """Tell the loop that work in the pool or lane of this name raised, which it must not."""
        self.post(self._give_up, name, error)

    def post(self, function: Callable[..., None], *args: object) -> None:
        """Run ``function(*args)`` on the loop soon; dropped if the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            log.warning("posted to a closed loop", function=getattr(function, "__qualname__", str(function)))

    def call(
        self, question: Coroutine[Any, Any, R], timeout_s: float | None = 60.0, stop: StopSignal | None = None
    ) -> R:
        """Run a coroutine on the loop and wait for its answer in this thread.

        Args:
            question: the coroutine; it is cancelled when nobody waits for it any more.
            timeout_s: how long to wait; None: the coroutine keeps its own time.
            stop: raised, it ends the wait.

        Raises:
            Interrupted: the bridge is closed, or ``stop`` was raised.
            RuntimeError: called on the loop's own thread, where waiting would be for ever.
            TimeoutError: no answer in ``timeout_s``.
        """
        if threading.get_ident() == self._loop_thread:
            question.close()
            raise RuntimeError("bridge.call on the loop's own thread")
        if not self._open:
            question.close()
            raise Interrupted
        future = asyncio.run_coroutine_threadsafe(question, self._loop)
        forget = stop.on_raise(future.cancel) if stop else lambda: None
        try:
            return future.result(timeout_s)
        except FutureTimeout:
            future.cancel()
            raise
        except CancelledError:
            raise Interrupted from None
        finally:
            forget()

    def lane(self, name: str, size: int, work: Callable[[T], R], on_done: Callable[[R], None]) -> Lane[T, R]:
        """Open a lane: one thread that takes items from a queue of at most ``size``, one at a time."""
        made = Lane(self, name, size, work, on_done)
        self._lanes.append(made)
        return made

    async def join(self) -> None:
        """Wait for every pool and lane to end; calls still work meanwhile, so that products are stored."""
        for lane in self._lanes:
            await asyncio.to_thread(lane.join)
        for pool in self._pools:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    def close(self) -> None:
        """Refuse further calls."""
        self._open = False


class Lane(Generic[T, R]):
    """One thread and one bounded queue: what is offered is worked off in order, one item at a time."""

    def __init__(
        self, bridge: Bridge, name: str, size: int, work: Callable[[T], R], on_done: Callable[[R], None]
    ) -> None:
        """Start the thread; it ends with ``stop``."""
        self._bridge = bridge
        self._work = work
        self._on_done = on_done
        self._items: queue.Queue[T | None] = queue.Queue(size)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=False)
        self._thread.start()

    def offer(self, item: T) -> bool:
        """Put an item at the end; False if the lane is full or stopping. Never blocks."""
        if self._stopping.is_set():
            return False
        try:
            self._items.put_nowait(item)
        except queue.Full:
            return False
        return True

    @property
    def has_room(self) -> bool:
        """Whether an item offered now would be taken."""
        return not self._stopping.is_set() and not self._items.full()

    def stop(self) -> None:
        """Drop what waits (it is stored) and end the thread after the item in hand."""
        self._stopping.set()
        while True:
            try:
                self._items.put_nowait(None)
            except queue.Full:
                self._drop_one()
            else:
                return

    def _drop_one(self) -> None:
        try:
            self._items.get_nowait()
        except queue.Empty:
            return

    def join(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    def _run(self) -> None:
        while True:
            item = self._items.get()
            if item is None or self._stopping.is_set():
                return
            try:
                result = contextvars.copy_context().run(self._work, item)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the daemon stops with it
                self._bridge.defect(self._thread.name, error)
                continue
            self._bridge.post(self._on_done, result)
