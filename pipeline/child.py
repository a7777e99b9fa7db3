"""Supervised child processes, forked from the warm zygote.

Whatever may hang, leak or die runs in one. Each has its own process group, a lifeline (its stdin: closed
by our death, however we die), a deadline, and speaks JSON lines on stdout. A pool thread waits for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from pipeline.bridge import StopSignal
from pipeline.errors import Interrupted
from pipeline.failures import stage_failures
from pipeline.ports import ChildDied, ChildTimeout
from pipeline.program import clean_environment
from pipeline.roster import GONE_WITHIN_S, Roster

LAST_WORDS_BYTES = 4000
"""How much of a child's stderr is kept for the log."""
LAST_MOMENTS_S = 2.0
"""How long a child that has nothing more to say may take to be gone."""
WARM_WITHIN_S = 120.0
"""Importing what children need takes the zygote a second or two; a loaded machine may take a hundred."""
FORK_WITHIN_S = 10.0
"""A warm zygote answers in milliseconds; one that does not is hung."""
log = structlog.get_logger()


class Zygote:
    """The warm process that children are forked from; started on first use, and again should it die."""

    def __init__(self, preload: Sequence[str], roster: Roster, fork_within_s: float = FORK_WITHIN_S) -> None:
        """Say which modules it imports before it forks, and where it and its children are on record."""
        self._fork_within_s = fork_within_s
        self._preload = tuple(preload)
        self._roster = roster
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False

    def fork(self, program: str) -> Child:
        """Start a child that runs ``program.main``.

        Raises:
            Interrupted: the zygote was ended for good.
        """
        with self._lock:
            try:
                return self._fork(program)
            except OSError as error:
                log.warning("the zygote is gone or hung; starting another", why=str(error))
                self._end()
                return self._fork(program)

    def _fork(self, program: str) -> Child:
        if self._closed:
            raise Interrupted
        control = self._control or self._start()
        stdin_r, stdin_w = os.pipe()
        stdout_r, stdout_w = os.pipe()
        stderr_r, stderr_w = os.pipe()
        ending_r, ending_w = os.pipe()
        theirs, ours = (stdin_r, stdout_w, stderr_w, ending_w), (stdin_w, stdout_r, stderr_r, ending_r)
        try:
            socket.send_fds(control, [json.dumps({"program": program}).encode() + b"\n"], theirs)
            answer = control.recv(4096)
            if not answer:
                raise ConnectionResetError("the zygote closed its socket")
            control.settimeout(self._fork_within_s)
        except OSError:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        pid: int = json.loads(answer)["pid"]
        self._roster.enter(pid)
        return Child(pid, *ours, on_end=lambda: self._roster.leave(pid))

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.zygote", str(theirs.fileno()), *self._preload],
                stdin=subprocess.DEVNULL,
                env=clean_environment(),
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self._roster.enter(self._process.pid)
        ours.settimeout(WARM_WITHIN_S)
        self._control = ours
        return ours

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process else None

    def kill(self) -> None:
        """End the zygote for good and at once, whoever waits for it."""
        self._closed = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the zygote for good; its children are ended by those who wait for them."""
        self.kill()
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._roster.leave(self._process.pid)
        self._control = self._process = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a child may take: in all, and between two lines of progress (None: no such limit)."""

    timeout_s: float
    stall_s: float | None = None


class Child:
    """One forked child, from its request to its end."""

    def __init__(
        self, pid: int, stdin: int, stdout: int, stderr: int, ending: int, on_end: Callable[[], object]
    ) -> None:
        """Own these pipe ends; ``run`` closes them, and calls ``on_end`` once the child is gone."""
        self.pid = pid
        self._on_end = on_end
        self._stdin, self._stdout, self._stderr, self._ending = stdin, stdout, stderr, ending
        self._ended = False
        self._lock = threading.Lock()
        self._last_words = b""

    def kill(self) -> None:
        """End its whole process group at once, unless it has ended already."""
        with self._lock:
            if not self._ended:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def run(
        self,
        request: Mapping[str, object],
        on_line: Callable[[dict[str, Any]], None],
        limits: Limits,
        stop: StopSignal,
        on_start: Callable[[], object] = lambda: None,
    ) -> dict[str, Any]:
        """Hand over the request, follow the lines, return the result; ``on_start`` is called before anything is done.

        Raises:
            StageFailed: the failure the child named.
            ChildTimeout: it went over a limit and was killed.
            ChildDied: it ended without a result.
            Interrupted: the daemon is stopping; the child was killed.
        """
        forget = stop.on_raise(self.kill)
        try:
            on_start()
            _write_all(self._stdin, json.dumps(request).encode() + b"\n")
            last = self._follow(on_line, limits)
        except BaseException:
            self.kill()
            raise
        finally:
            status = self._end()
            forget()
        return self._verdict(last, status, stop)

    def _verdict(self, last: dict[str, Any], status: int | None, stop: StopSignal) -> dict[str, Any]:
        if "result" in last:
            result: dict[str, Any] = last["result"]
            return result
        if "failed" in last:
            named = last["failed"]
            raise stage_failures()[named["type"]](named["detail"], wish_s=named["wish_s"])
        stop.check()
        raise ChildDied(status, self._last_words.decode(errors="replace").strip())

    def _follow(self, on_line: Callable[[dict[str, Any]], None], limits: Limits) -> dict[str, Any]:
        """Read until stdout ends; return the last line that carried a result or a failure."""
        deadline = time.monotonic() + limits.timeout_s
        quiet_until = _later(limits.stall_s)
        last: dict[str, Any] = {}
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            selector.register(self._stderr, selectors.EVENT_READ)
            while True:
                ready = selector.select(max(0.0, min(deadline, quiet_until) - time.monotonic()))
                if time.monotonic() >= min(deadline, quiet_until):
                    raise ChildTimeout(stalled=quiet_until < deadline)
                for key, _ in ready:
                    piece = os.read(key.fd, 65536)
                    if key.fd == self._stderr:
                        self._hear(selector, piece)
                        continue
                    if not piece:
                        return last
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in map(json.loads, lines):
                        if "log" in line:
                            log.log(line["log"].pop("level", 20), **line["log"])
                        elif "result" in line or "failed" in line:
                            last = line
                        else:
                            quiet_until = _later(limits.stall_s)
                            on_line(line)

    def _hear(self, selector: selectors.BaseSelector, piece: bytes) -> None:
        if not piece:
            selector.unregister(self._stderr)
        self._last_words = (self._last_words + piece)[-LAST_WORDS_BYTES:]

    def _end(self) -> int | None:
        """Wait until the child is gone; its exit status, negative for a signal."""
        os.close(self._stdin)  # the end of the lifeline: whatever still runs in its group ends now
        with selectors.DefaultSelector() as selector:
            selector.register(self._ending, selectors.EVENT_READ)
            if not selector.select(LAST_MOMENTS_S):
                self.kill()
            # Its parent tells of its end. Should that be hung, nobody waits for it.
            status = os.read(self._ending, 64) if selector.select(GONE_WITHIN_S) else b""
        with self._lock:
            self._ended = True
        for fd in (self._stdout, self._stderr, self._ending):
            os.close(fd)
        self._on_end()
        return int(status) if status else None


def _later(stall_s: float | None) -> float:
    return float("inf") if stall_s is None else time.monotonic() + stall_s


def _write_all(fd: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # it died at once; reading its output tells how
        while data:
            data = data[os.write(fd, data) :]
