"""The program that owns the models of one device; it is given a socket's path, the device, and the size of a batch.

One Unix-socket connection a task. The daemon writes one request line::

    {"pcm_path", "model_path", "compute_types", "language", "hotwords", "prompt", "priority", "resume_after_s",
     "sequential", "word_times"}

where the sound may still be growing (see ``recording.Recording``), and reads lines until ``done`` or ``error``::

    {"segments": [[start, end, text, words], …], "done_s": 12.5, "language": "en"}
    {"done": true, "language": "en", "batch": 4, "peaks": [[3, 410], [4, 422]]}
    {"error": "model_corrupt", "detail": "…"}                or "out_of_memory", or "device_failed", or "failed"

The first of these tells new segments, how much of the source is done, and the language, which stays the same: the
request's, or that of the first words that are heard; without segments it is a sign of life, also of a model that is
being loaded. The model runs with the first of ``compute_types`` that the device supports. ``batch`` is the size of a
batch as it is now, smaller than at first if memory ran out; ``peaks`` are what the process was newly seen to take, in
MiB, while it had decoded no more than so many chunks together. ``words`` are ``[[start, end, word, probability], …]``
if ``word_times`` are wanted, otherwise none. Closing the connection cancels. Stdin is the lifeline (see
``pipeline.lifeline``); stdout carries ``{"ready": true}`` and log lines.

The request ``{"unload": model_path}`` is answered with ``{"done": true}`` once that model has left memory.

A task's recording is prepared in a thread of its own, ahead of the device and only so far; its chunks meet those of
all other tasks in the device's batcher; what was heard is told in the order of the recording.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.core.device import Device
from pipeline.engine.batcher import Batcher, Tally
from pipeline.engine.cublas import load_cublas
from pipeline.engine.devices import MachineProbe
from pipeline.engine.job import UNHEARD, Gone, Job, told
from pipeline.engine.loading import Loading
from pipeline.engine.whisper import Whisper, supported
from pipeline.host import cores
from pipeline.zygote import emit

NICENESS = 10
"""The recognizer takes what the HTTP side leaves: a submit is answered quickly under full load."""


class Models:
    """The loaded models of this device, each loaded once, on first use."""

    def __init__(self, device: str) -> None:
        """Load onto ``cpu`` or ``cuda:N``."""
        self._device = device
        # The only card that this process sees is its own.
        self._probe = MachineProbe([Device(device, device, 1, uuid=os.environ.get("CUDA_VISIBLE_DEVICES", ""))])
        self._loadings: dict[tuple[str, str], Loading[Whisper]] = {}
        self._ever: set[tuple[str, str]] = set()
        """What was loaded so far, whether it still is or not."""
        self._lock = threading.Lock()

    def get(self, path: str, compute_types: Sequence[str], go_on: Callable[[], object]) -> Whisper:
        """Load a model with the first compute type that the device supports, or take the one that is loaded.

        Nobody waits for the loading of another; ``go_on`` is called while one's own makes headway.
        """
        compute_type = supported(compute_types, self._device)
        key = path, compute_type
        with self._lock:
            self._ever.add(key)
            if key not in self._loadings or self._loadings[key].has_failed:
                self._loadings[key] = Loading(lambda: self._load(path, compute_type))
            loading = self._loadings[key]
        return loading.wait(go_on)

    def _load(self, path: str, compute_type: str) -> Whisper:
        whisper = Whisper(path, self._device, compute_type, taken_mb=self._taken_mb)
        emit({"event": "model loaded", "path": path, "compute_type": compute_type})
        return whisper

    def _taken_mb(self) -> int | None:
        """The most that this process has taken; None once it cannot be said of which model that is."""
        return self._probe.most_mb(self._device, os.getpid()) if len(self._ever) == 1 else None

    def unload(self, path: str) -> None:
        """Let a model that nobody uses leave memory."""
        with self._lock:
            leaving = [self._loadings.pop(key) for key in [*self._loadings] if key[0] == path]
        for loading in leaving:
            if not loading.has_failed:
                loading.wait(lambda: None).unload()


def serve(listener: socket.socket, models: Models, batcher: Batcher) -> None:
    """Answer every connection in a thread of its own, for ever."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection, models, batcher), daemon=True).start()


def _answer(connection: socket.socket, models: Models, batcher: Batcher) -> None:
    with connection, contextlib.suppress(Gone):
        with connection.makefile("rb") as lines:
            asked = lines.readline()
        if not asked:
            return  # the daemon was told to stop before it could ask
        request = json.loads(asked)
        if "unload" in request:
            models.unload(request["unload"])
            _say(connection, {"done": True})
            return
        alive = {"segments": [], "done_s": request["resume_after_s"], "language": request["language"] or UNHEARD}
        try:
            whisper = models.get(request["model_path"], request["compute_types"], lambda: _say(connection, alive))
        except Gone:
            raise
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parsers raise
            _say(connection, told(error, "model_corrupt"))
            return
        try:
            job = Job(whisper, batcher, request)
        except Exception as error:  # noqa: BLE001 - a recording that cannot be begun must not end the others
            _say(connection, {"error": "failed", "detail": str(error)})
            return
        threading.Thread(target=job.prepare, daemon=True).start()
        threading.Thread(target=_close_with, args=(job, connection), daemon=True).start()
        try:
            for line in job.lines():
                _say(connection, line)
        finally:
            job.close()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # ends the thread that listens to it


def _close_with(job: Job, connection: socket.socket) -> None:
    """End a job when the daemon hangs up."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    job.close()


def _say(connection: socket.socket, line: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(line).encode() + b"\n")
    except OSError:
        raise Gone from None


def _say_what_was_done(tally: Tally) -> None:
    emit({"level": 20, "event": "engine rests", **{name: round(value, 3) for name, value in asdict(tally).items()}})


def main(socket_path: str, device: str, batch_size: int) -> None:
    """Listen, say so, serve until the daemon is gone."""
    os.nice(NICENESS)
    if device != "cpu":
        load_cublas()
    workers = cores() if device == "cpu" else 1
    models, batcher = Models(device), Batcher(batch_size, workers, on_rest=_say_what_was_done)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(socket_path)
        listener.listen(64)
        emit({"ready": True})
        serve(listener, models, batcher)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
