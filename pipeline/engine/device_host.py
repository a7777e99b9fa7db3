"""One device's process: started on first use, again after its death, and ended when nobody needs it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from pipeline.bridge import StopSignal
from pipeline.config import Settings
from pipeline.core.device import Device
from pipeline.core.memory import Peak, compute_types
from pipeline.core.placement import Placement
from pipeline.core.task import Task
from pipeline.core.transcript import Segment, Word
from pipeline.engine.news import Died, News, Process, RanOut, Served
from pipeline.failures import (
    EngineDied,
    EngineFailed,
    GpuOutOfMemory,
    ModelCorrupt,
    ModelMissing,
    TranscribeTimeout,
    WorkerStalled,
)
from pipeline.ports import OnSegments, Recognition, Recognized
from pipeline.program import Program
from pipeline.roster import Roster

READY_TIMEOUT_S = 120.0
"""Importing the recognizer's libraries takes a second or two; a loaded machine may take a hundred."""
ENVIRONMENT = {
    # glibc would hand every large buffer back to the kernel and fetch it again: a third of all CPU time.
    "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0:"
    "glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=268435456",
    # Idle OpenMP threads sleep instead of spinning on a core that another task could use.
    "OMP_WAIT_POLICY": "PASSIVE",
    # ONNX Runtime, which finds the speech, would report to its maker over the network, and leave files to that end.
    "ORT_DISABLE_TELEMETRY": "1",
}
UNLOAD_WITHIN_S = 10.0
"""Giving a model's memory back takes milliseconds."""
_ERRORS = {"model_corrupt": ModelCorrupt, "out_of_memory": GpuOutOfMemory, "device_failed": EngineDied}

log = structlog.get_logger()


class Shelf(Protocol):
    """Where models lie."""

    def folder(self, name: str) -> Path | None: ...


class DeviceHost:
    """One device's process; called from the threads of the device's pool."""

    least_limit_s = 600.0
    """A transcription may always take so long, however short the recording."""

    def __init__(
        self,
        device: Device,
        socket_path: Path,
        shelf: Shelf,
        settings: Settings,
        roster: Roster,
        program: str,
        tell: Callable[[News], None],
    ) -> None:
        """Name the device, where its process will listen, and the program that speaks the recognizer's protocol.

        Args:
            device: which.
            socket_path: where its process listens.
            shelf: where models lie.
            settings: the section ``transcribe`` counts.
            roster: where its process is on record.
            program: the module it runs.
            tell: called, from whatever thread, with what the scheduler has to know.
        """
        self._program_name = program
        self._device = device.id
        # A process sees its own card and no other: its number would change if another card fell off.
        self._seen_as = "cuda:0" if device.uuid else device.id
        self._environment = {"CUDA_VISIBLE_DEVICES": device.uuid} if device.uuid else {}
        self._socket_path = socket_path
        self._shelf = shelf
        self._settings = settings
        self._roster = roster
        self._tell = tell
        self._lock = threading.Lock()
        self._program: Program | None = None
        self._models: frozenset[str] = frozenset()
        self._batch = 0
        self._in_hand: Counter[str] = Counter()
        """Tasks of each model."""
        self._is_worn = False

    @property
    def process(self) -> Process | None:
        """How it stands with the process at this moment; None if there is none."""
        program = self._program
        return Process(program.pid, self._models, self._is_worn) if program is not None and program.alive else None

    def recognize(
        self,
        place: Placement,
        task: Task,
        request: Recognition,
        on_segments: OnSegments,
        stop: StopSignal,
        on_start: Callable[[], object] = lambda: None,
    ) -> Recognized:
        """Transcribe one recording; see ``executor.Recognizer``. ``place`` says what the task was promised here.

        Raises:
            ModelMissing: the weights are not here.
            ModelCorrupt: the weights cannot be loaded.
            GpuOutOfMemory: the device has not enough memory, however small the batch.
            EngineFailed: the process gave up.
            EngineDied: it died.
            WorkerStalled: no progress for ``transcribe.stall_s``; the process was ended.
            TranscribeTimeout: longer than ``transcribe.max_factor`` allows.
            Interrupted: the daemon is stopping.
        """
        line = self._line(place, task, request)
        program, connection = self._connect(place, stop)
        forget = stop.on_raise(lambda: _hang_up(connection))
        try:
            with connection:
                on_start()
                connection.sendall(json.dumps(line).encode() + b"\n")
                return self._follow(connection, place, request, on_segments)
        except (WorkerStalled, EngineDied) as error:  # hung, or its device failed it
            self._discard(program, error)  # a thread inside the engine cannot be stopped, its process can
            raise
        except GpuOutOfMemory:
            self._wear_out(program)
            self._tell(RanOut(self._device, place.model, place.compute_types))
            raise
        except OSError as error:
            stop.check()
            self._discard(program, error)
            raise EngineDied(str(error)) from error
        finally:
            forget()
            self._let_go(program, place.model)

    def _line(self, place: Placement, task: Task, request: Recognition) -> dict[str, Any]:
        folder = self._shelf.folder(task.options.model)
        if folder is None:
            raise ModelMissing(task.options.model)
        return {
            "pcm_path": str(request.audio),
            "model_path": str(folder),
            "compute_types": list(place.compute_types),
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
        place: Placement,
        request: Recognition,
        on_segments: OnSegments,
    ) -> Recognized:
        factor = self._settings.transcribe.max_factor
        for lines in self._read(connection, lambda: max(self.least_limit_s, factor * request.length_s())):
            for line in lines:
                if "error" in line:
                    raise _ERRORS.get(line["error"], EngineFailed)(line["detail"])
            news = [line for line in lines if "segments" in line]
            if news:
                segments = [_segment(*parts) for line in news for parts in line["segments"]]
                on_segments(segments, news[-1]["done_s"], news[-1]["language"])
            if "done" in lines[-1]:
                return self._done(lines[-1], place)
        raise ConnectionResetError("closed before the end")

    def _done(self, line: dict[str, Any], place: Placement) -> Recognized:
        peaks = tuple(Peak(*measured) for measured in line["peaks"])
        self._tell(Served(self._device, place.model, place.compute_types[0], peaks))
        usual = compute_types(self._settings.transcribe.compute_type, self._device)
        is_short = line["batch"] < place.batch or place.compute_types != usual
        return Recognized(line["language"], place.model, self._device, is_short)

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

    def _connect(self, place: Placement, stop: StopSignal) -> tuple[Program, socket.socket]:
        with self._lock:
            stop.check()
            if self._program is not None and not self._program.alive:
                self._died("it was gone")
            self._make_room(place)
            if self._program is None:
                self._program, self._batch = self._start(place.batch, stop), place.batch
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self._socket_path))
            except OSError as error:
                connection.close()
                raise EngineFailed(str(error)) from error
            self._models |= {place.model}
            self._in_hand[place.model] += 1
            return self._program, connection

    def _make_room(self, place: Placement) -> None:
        """Have models leave that a task's may not be beside; a process that has nothing to do ends, freeing more."""
        if self._program is None:
            return
        fits = self._models <= place.beside and self._batch == place.batch
        if not self._in_hand.total() and not fits:
            log.info("engine ended: another model needs its memory", device=self._device, model=place.model)
            self._end()
        for model in self._models - place.beside:
            if not self._in_hand[model]:
                self._unload(model, needed_by=place.model)

    def _unload(self, model: str, **why: object) -> None:
        """Have the process give back the memory of one of its models."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(UNLOAD_WITHIN_S)
                connection.connect(str(self._socket_path))
                connection.sendall(json.dumps({"unload": str(self._shelf.folder(model))}).encode() + b"\n")
                connection.recv(64)
        except OSError as error:
            log.warning("a model could not be unloaded", device=self._device, model=model, error=str(error))
        else:
            log.info("model unloaded", device=self._device, model=model, **why)
        self._models -= {model}

    def _start(self, batch: int, stop: StopSignal) -> Program:
        self._socket_path.unlink(missing_ok=True)
        began = time.monotonic()
        arguments = [self._program_name, str(self._socket_path), self._seen_as, str(batch)]
        environment = ENVIRONMENT | self._environment | _threads()
        program = Program(f"asr-{self._device}", arguments, environment, self._roster)
        forget = stop.on_raise(program.kill)
        is_ready = program.wait_ready(READY_TIMEOUT_S)
        forget()
        if not is_ready:
            program.close()
            stop.check()
            self._tell(Died(self._device))
            raise EngineFailed("its process did not start")
        took_s = round(time.monotonic() - began, 2)
        log.info("engine started", device=self._device, pid=program.pid, batch=batch, took_s=took_s)
        return program

    def _discard(self, program: Program, error: Exception) -> None:
        """End a process that is dead or stuck; what else it had in hand fails and is tried again with the next."""
        with self._lock:
            if self._program is program:
                self._died(f"{type(error).__name__}: {error}")

    def _died(self, why: str) -> None:
        log.error("the engine's process is ended; the next task starts another", device=self._device, why=why)
        self._end()
        self._tell(Died(self._device))

    def _wear_out(self, program: Program) -> None:
        """Let a process take no further task: what it has loaded leaves no room for anything smaller."""
        with self._lock:
            if self._program is program:
                self._is_worn = True

    def _let_go(self, program: Program, model: str) -> None:
        with self._lock:
            if self._program is program:
                self._in_hand[model] -= 1
                if self._is_worn and not self._in_hand.total():
                    self._end()

    def unload_if_idle(self, model: str) -> None:
        """Give a model's memory back if it has nothing to do; with the last one ends the process, and all is free."""
        idle_s = self._settings.transcribe.idle_unload_s
        with self._lock:
            if self._program is None or model not in self._models or self._in_hand[model]:
                return
            if self._models == {model}:
                self._end()
                log.info("engine ended: nothing to do", device=self._device, idle_s=idle_s)
            else:
                self._unload(model, idle_s=idle_s)

    def close(self) -> None:
        """End the process and wait until it is gone."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None
        self._models, self._batch, self._in_hand, self._is_worn = frozenset(), 0, Counter(), False


def hosts_of(
    devices: Sequence[Device],
    shelf: Shelf,
    settings: Settings,
    roster: Roster,
    program: str,
    tell: Callable[[News], None],
) -> dict[str, DeviceHost]:
    """Make a host for each device, by its id; their processes run ``program`` when first needed."""
    sockets = roster.socket_folder()
    return {
        device.id: DeviceHost(device, sockets / f"{place}.sock", shelf, settings, roster, program, tell)
        for place, device in enumerate(devices)
    }


def _segment(start: float, end: float, text: str, words: Sequence[Sequence[Any]] = ()) -> Segment:
    """A segment as the recognizer tells it, not numbered yet."""
    return Segment(0, start, end, text, tuple(Word(*word) for word in words))


def _threads() -> dict[str, str]:
    """Keep the numeric libraries from starting a thread for every core beside the engine's own workers."""
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
