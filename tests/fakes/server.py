"""What the fakes are made of: a loopback server, a record that can be waited for, and gates."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
Server = TypeVar("Server", bound="LoopbackServer")

PATIENCE_S = 60.0
"""How long a test waits for what a busy machine may be slow to do; nothing is ever that late on an idle one."""
_START_OR_STOP_S = 10.0
# Requests still held when a server stops are given this long, then they are cancelled.
_STOP_GRACE_S = 0.05


class Record(Generic[T]):
    """What arrived, in order; any thread may read it and wait until it is as it should be."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._items: list[T] = []
        self._changed = threading.Condition()

    def add(self, item: T) -> None:
        """Append one item and wake those who wait."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def touch(self) -> None:
        """Wake those who wait, because something they may look at has changed."""
        with self._changed:
            self._changed.notify_all()

    def items(self) -> list[T]:
        """Return all items so far, in the order of arrival."""
        with self._changed:
            return list(self._items)

    def wait(self, enough: Callable[[list[T]], bool], timeout_s: float = PATIENCE_S) -> list[T]:
        """Block until the record satisfies a condition, and return it as it then is.

        Args:
            enough: tells from all items, in order of arrival, whether the wait is over.
            timeout_s: seconds after which the wait has failed.

        Raises:
            TimeoutError: naming what had arrived by then.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: enough(self._items), timeout_s):
                raise TimeoutError(f"not within {timeout_s} s; arrived so far: {self._items}")
            return list(self._items)

    async def until(self, enough: Callable[[list[T]], bool], timeout_s: float = PATIENCE_S) -> list[T]:
        """Wait as ``wait`` does, without blocking the event loop."""
        return await asyncio.to_thread(self.wait, enough, timeout_s)


class Gate:
    """Holds requests until a test opens it; once open, it stays open."""

    def __init__(self, on_held: Callable[[], None]) -> None:
        """Begin closed; ``on_held`` is called whenever one more request waits here."""
        self._on_held = on_held
        self._lock = threading.Lock()
        self._is_open = False
        self._held: list[Future[None]] = []

    @property
    def held(self) -> int:
        """How many requests wait here now."""
        with self._lock:
            return sum(not future.done() for future in self._held)

    def open(self) -> None:
        """Let go all that wait here and all that come later; any thread may call this."""
        with self._lock:
            self._is_open = True
            held, self._held = self._held, []
        for future in held:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    async def passed(self) -> None:
        """Wait until the gate is open."""
        with self._lock:
            if self._is_open:
                return
            future: Future[None] = Future()
            self._held.append(future)
        self._on_held()
        await asyncio.wrap_future(future)


class LoopbackServer:
    """A real HTTP server on 127.0.0.1, started and stopped as an asynchronous context manager.

    Stopping cancels every request it still holds, so no delay, stall or closed gate outlives it.
    Started again, it has the same address as before.
    """

    def __init__(self, record: Record[Any], *, port: int = 0, tell: Callable[[str], None] | None = None) -> None:
        """Prepare a server.

        Args:
            record: what arrives; who waits for it to be as it should be may look at the gates, too.
            port: 0 takes a free one at the first start.
            tell: called with a line for each thing that happens, for those who watch by hand.
        """
        self.port = port
        self.tell = tell or (lambda _: None)
        self._record = record
        self._runner: web.ServerRunner | None = None
        self._gates: dict[str, Gate] = {}

    async def start(self) -> None:
        """Listen and answer."""
        server = web.Server(self.answer, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=_STOP_GRACE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    @property
    def address(self) -> str:
        """Host and port, as ``download.allow_hosts`` takes them."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address to which paths are appended."""
        return f"http://{self.address}"

    def gate(self, name: str) -> Gate:
        """Return the gate of this name, closed when first asked for."""
        return self._gates.setdefault(name, Gate(self._record.touch))

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        raise NotImplementedError


def close_connection(request: web.BaseRequest) -> None:
    """Close the connection of a request, once what was written has left."""
    if request.transport is not None:
        request.transport.close()


async def written(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Write a whole answer now; the server will find it done."""
    await response.prepare(request)
    await response.write_eof()


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Run a server in a thread and event loop of its own, for tests that are not asynchronous."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=type(server).__name__)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(_START_OR_STOP_S)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(_START_OR_STOP_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_OR_STOP_S)
        loop.close()


def run_by_hand(server: LoopbackServer) -> None:
    """Serve in the foreground until interrupted."""

    async def serve() -> None:
        async with server:
            server.tell(f"listening on {server.url} (Ctrl-C stops it)")
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
