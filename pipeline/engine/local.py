"""The engine on this machine: one pool for FETCH, and for each device a pool and the process that owns its models."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from pipeline.bridge import Bridge, StopSignal
from pipeline.child import Program
from pipeline.config import Settings
from pipeline.core.lifecycle import Outcome
from pipeline.core.placement import Device
from pipeline.core.task import Lane, Task
from pipeline.core.transcript import Segment, Word
from pipeline.executor import Executor, WorkUnit
from pipeline.failures import (
    EngineDied,
    EngineFailed,
    ModelCorrupt,
    ModelMissing,
    TranscribeTimeout,
    WorkerStalled,
)
from pipeline.ports import Recognition, Recognized
from pipeline.roster import Roster

ASR_HOST = "pipeline.engine.asr_host"
READY_TIMEOUT_S = 120.0
"""Importing the recognizer's libraries takes a second or two; a loaded machine may take a hundred."""
LEAST_LIMIT_S = 600.0
"""A transcription may always take so long, however short the recording."""
BATCH_ON_CPU, BATCH_ON_GPU = 4, 16
"""Windows decoded together. On a CPU four already give all that batching gives; more only cost memory."""
ENVIRONMENT = {
    # glibc would hand every large buffer back to the kernel and fetch it again: a third of all CPU time.
    "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0:"
    "glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=268435456",
    # Idle OpenMP threads sleep instead of spinning on a core that another task could use.
    "OMP_WAIT_POLICY": "PASSIVE",
    # ONNX Runtime, which finds the speech, would report to its maker over the network, and leave files to that end.
    "ORT_DISABLE_TELEMETRY": "1",
}

log = structlog.get_logger()


class Shelf(Protocol):
    """Where models lie."""

    def folder(self, name: str) -> Path | None: ...


class LocalEngine:
    """Runs work units on this machine's threads and devices."""

    def __init__(
        self,
        bridge: Bridge,
        executor: Executor,
        shelf: Shelf,
        settings: Settings,
        devices: Sequence[Device],
        roster: Roster,
        recognizer: str,
    ) -> None:
        """Make a pool for FETCH and one for each device, whose process runs ``recognizer`` when first needed."""
        self._bridge = bridge
        self._executor = executor
        self._roster = roster
        self._fetch = bridge.pool("fetch", settings.concurrent.max_workers)
        sockets = roster.socket_folder()
        self._devices = {device.id: bridge.pool(device.id, device.slots) for device in devices}
        self._hosts = {
            device.id: DeviceHost(device.id, sockets / f"{place}.sock", shelf, settings, roster, recognizer)
            for place, device in enumerate(devices)
        }

    def fetch(self, task: Task, on_outcome: Callable[[Outcome], None]) -> None:
        """Run the FETCH stages of a task on the fetch pool."""
        unit = WorkUnit(task, Lane.FETCH)
        self._bridge.submit(self._fetch, lambda: self._executor.run(unit), on_outcome)

    def recognize(self, task: Task, device: str, on_outcome: Callable[[Outcome], None]) -> None:
        """Run the ASR stages of a task on a device's pool."""
        unit = WorkUnit(task, Lane.ASR, self._hosts[device])
        self._bridge.submit(self._devices[device], lambda: self._executor.run(unit), on_outcome)

    def close(self) -> None:
        """End every device's process."""
        for host in self._hosts.values():
            host.close()
        self._roster.remove_sockets()


class DeviceHost:
    """One device's process, started on first use and again after its death; called from the pool's threads."""

    def __init__(
        self,
        device: str,
        socket_path: Path,
        shelf: Shelf,
        settings: Settings,
        roster: Roster,
        program: str,
        least_limit_s: float = LEAST_LIMIT_S,
    ) -> None:
        """Name the device, where its process will listen, and the program that speaks the recognizer's protocol."""
        self._program_name = program
        self._least_limit_s = least_limit_s
        self._device = device
        self._socket_path = socket_path
        self._shelf = shelf
        self._settings = settings
        self._roster = roster
        self._lock = threading.Lock()
        self._program: Program | None = None

    def recognize(
        self,
        task: Task,
        request: Recognition,
        on_segments: Callable[[Sequence[Segment], float], None],
        stop: StopSignal,
        on_start: Callable[[], object] = lambda: None,
    ) -> Recognized:
        """Transcribe one recording; see ``executor.Recognizer``.

        Raises:
            ModelMissing: the weights are not here.
            ModelCorrupt: the weights cannot be loaded.
            EngineFailed: the process gave up.
            EngineDied: it died.
            WorkerStalled: no progress for ``transcribe.stall_s``; the process was ended.
            TranscribeTimeout: longer than ``transcribe.max_factor`` allows.
            Interrupted: the daemon is stopping.
        """
        line = self._line(task, request)
        program, connection = self._connect(stop)
        forget = stop.on_raise(lambda: _hang_up(connection))
        try:
            with connection:
                on_start()
                connection.sendall(json.dumps(line).encode() + b"\n")
                return self._follow(connection, task, request, on_segments)
        except WorkerStalled:
            self._discard(program)  # a thread inside the engine cannot be stopped, its process can
            raise
        except OSError as error:
            stop.check()
            self._discard(program)
            raise EngineDied(str(error)) from error
        finally:
            forget()

    def _line(self, task: Task, request: Recognition) -> dict[str, Any]:
        folder = self._shelf.folder(task.options.model)
        if folder is None:
            raise ModelMissing(task.options.model)
        wanted = self._settings.transcribe
        return {
            "pcm_path": str(request.audio),
            "model_path": str(folder),
            "compute_type": wanted.compute_type,
            "language": request.language,
            "hotwords": request.hotwords,
            "prompt": request.prompt,
            "priority": int(task.priority),
            "resume_after_s": request.resume_after_s,
            "sequential": request.sequential,
            "word_times": request.word_times,
        }

    def _follow(
        self,
        connection: socket.socket,
        task: Task,
        request: Recognition,
        on_segments: Callable[[Sequence[Segment], float], None],
    ) -> Recognized:
        factor = self._settings.transcribe.max_factor
        for lines in self._read(connection, lambda: max(self._least_limit_s, factor * request.length_s())):
            for line in lines:
                if "error" in line:
                    raise (ModelCorrupt if line["error"] == "model_corrupt" else EngineFailed)(line["detail"])
            news = [line for line in lines if "segments" in line]
            if news:
                segments = [_segment(*parts) for line in news for parts in line["segments"]]
                on_segments(segments, news[-1]["done_s"])
            if "done" in lines[-1]:
                return Recognized(lines[-1]["language"], task.options.model, self._device)
        raise ConnectionResetError("closed before the end")

    def _read(self, connection: socket.socket, limit_s: Callable[[], float]) -> Iterator[list[dict[str, Any]]]:
        """Yield whatever lines have come, together, until the other side closes."""
        stall_s, began = self._settings.transcribe.stall_s, time.monotonic()
        rest = b""
        while (left_s := began + limit_s() - time.monotonic()) > 0:
            connection.settimeout(min(stall_s, left_s))
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                if left_s > stall_s:
                    raise WorkerStalled(f"{stall_s:g} s") from None
                continue
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            if lines:
                yield [json.loads(line) for line in lines]
        raise TranscribeTimeout(f"{limit_s():.0f} s")

    def _connect(self, stop: StopSignal) -> tuple[Program, socket.socket]:
        with self._lock:
            stop.check()
            if self._program is None or not self._program.alive:
                self._program = self._start(stop)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self._socket_path))
            except OSError as error:
                connection.close()
                raise EngineFailed(str(error)) from error
            return self._program, connection

    def _start(self, stop: StopSignal) -> Program:
        self._end()
        self._socket_path.unlink(missing_ok=True)
        began = time.monotonic()
        wanted, usual = self._settings.transcribe.batch_size, BATCH_ON_CPU if self._device == "cpu" else BATCH_ON_GPU
        batch_size = usual if wanted == "auto" else wanted
        arguments = [self._program_name, str(self._socket_path), self._device, str(batch_size)]
        program = Program(f"asr-{self._device}", arguments, ENVIRONMENT | _threads(), self._roster)
        forget = stop.on_raise(program.kill)
        is_ready = program.wait_ready(READY_TIMEOUT_S)
        forget()
        if not is_ready:
            program.close()
            stop.check()
            raise EngineFailed("its process did not start")
        log.info("engine started", device=self._device, pid=program.pid, took_s=round(time.monotonic() - began, 2))
        return program

    def _discard(self, program: Program) -> None:
        """End a process that is dead or stuck; what else it had in hand fails and is tried again with the next."""
        with self._lock:
            if self._program is program:
                log.error("the engine's process is ended; the next task starts another", device=self._device)
                self._end()

    def close(self) -> None:
        """End the process and wait until it is gone."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None


def _segment(start: float, end: float, text: str, words: Sequence[Sequence[Any]] = ()) -> Segment:
    """A segment as the recognizer tells it, not numbered yet."""
    return Segment(0, start, end, text, tuple(Word(*word) for word in words))


def _threads() -> dict[str, str]:
    """Keep the numeric libraries from starting a thread for every core beside the engine's own workers."""
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
