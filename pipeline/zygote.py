"""The program that children are forked from: warm with the libraries they need, single-threaded, idle.

Importing yt-dlp costs 0.3 CPU-seconds; a fork of this process costs a few milliseconds. The daemon sends
one line and four file descriptors over a Unix socket: stdin, stdout and stderr of the child, and a pipe on
which this process, the child's parent, writes how the child ended. When the daemon dies the socket closes
and this program ends; the children end by their own lifeline.

The child's side: request as the first line of stdin, JSON lines on stdout, and stdin is the lifeline: at its
end the child ends its whole process group, grandchildren included.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from pipeline.failures import DISK_IS_FULL, DiskFull, StageFailed
from pipeline.lifeline import hold_lifeline

FDS_PER_CHILD = 4
CHILD_NICENESS = 5
"""Children yield to the HTTP side and to the outbox."""

Emit = Callable[[dict[str, Any]], None]


@contextlib.contextmanager
def _ending_with(control: socket.socket) -> Iterator[None]:
    """End this process should the daemon go meanwhile; afterwards it has one thread again, as a fork needs it."""
    done_r, done_w = os.pipe()
    watcher = threading.Thread(target=_end_with, args=(control.fileno(), done_r), name="lifeline")
    watcher.start()
    yield
    os.close(done_w)
    watcher.join()
    os.close(done_r)


def _end_with(control: int, done: int) -> None:
    poll = select.poll()
    poll.register(control, 0)  # nothing but its end
    poll.register(done, 0)
    if control in dict(poll.poll()):
        os._exit(0)


def preload(names: Sequence[str]) -> None:
    """Import what children will need, and let it do what every one of them would do again."""
    for name in names:
        module = importlib.import_module(name)
        if hasattr(module, "warm"):
            module.warm()
    # A collection in a child would touch, and so copy, every page that it shares with this process.
    gc.collect()
    gc.freeze()


def serve(control: socket.socket) -> None:
    """Fork a child for every line on ``control`` until it closes."""
    minders: dict[int, int] = {}
    wake_r, wake_w = os.pipe()
    os.set_blocking(wake_w, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake_r, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    if not _fork_one(control, minders, (wake_r, wake_w)):
                        return
                else:
                    os.read(wake_r, 4096)
            _reap(minders)


def _fork_one(control: socket.socket, minders: dict[int, int], wakers: tuple[int, int]) -> bool:
    line, fds, _, _ = socket.recv_fds(control, 4096, FDS_PER_CHILD)
    if not line:
        return False
    stdin, stdout, stderr, ending = fds
    pid = os.fork()
    if pid == 0:
        control.close()
        for fd in (ending, *minders.values(), *wakers):
            os.close(fd)
        _become_child(json.loads(line)["program"], stdin, stdout, stderr)
    # The child does the same: whichever of the two comes first, there is a group to kill once the daemon knows of it.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    for fd in (stdin, stdout, stderr):
        os.close(fd)
    minders[pid] = ending
    control.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    return True


def _reap(minders: dict[int, int]) -> None:
    while minders:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        ending = minders.pop(pid)
        with contextlib.suppress(OSError):
            os.write(ending, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(ending)


def _become_child(program: str, stdin: int, stdout: int, stderr: int) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        os.nice(CHILD_NICENESS)
        for target, fd in enumerate((stdin, stdout, stderr)):
            os.dup2(fd, target)
        os.closerange(3, max(stdin, stdout, stderr) + 1)
        status = _run(program)
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(status)


def _run(program: str) -> int:
    with open(0, "rb", buffering=0, closefd=False) as request_file:
        request = json.loads(_first_line(request_file.fileno()))
    hold_lifeline()
    try:
        emit({"result": importlib.import_module(program).main(request, emit)})
    except StageFailed as failure:
        _emit_failure(failure)
    except OSError as error:
        if error.errno not in DISK_IS_FULL:
            raise
        _emit_failure(DiskFull())
    return 0


def _emit_failure(failure: StageFailed) -> None:
    emit({"failed": {"type": failure.type, "detail": failure.detail, "wish_s": failure.wish_s}})


def _first_line(fd: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(fd, 65536)
        if not piece:
            os._exit(0)
        line += piece
    return line


_writing = threading.Lock()


def emit(line: dict[str, Any]) -> None:
    """Write one JSON line to the daemon."""
    data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
    with _writing:
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    with _ending_with(control):
        preload(sys.argv[2:])
    serve(control)
