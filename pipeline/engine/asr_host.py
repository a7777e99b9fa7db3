"""The program that owns the models of one device; it is given a socket's path and the device.

One Unix-socket connection a task. The daemon writes one request line::

    {"pcm_path", "model_path", "compute_type", "batch_size", "language", "hotwords", "prompt", "resume_after_s"}

and reads lines until ``done`` or ``error``::

    {"segments": [[start, end, text], …], "done_s": 12.5}      new segments, and how much of the source is done
    {"done": true, "language": "en"}
    {"error": "model_corrupt", "detail": "…"}

Closing the connection cancels. Stdin is the lifeline (see ``pipeline.lifeline``); stdout carries ``{"ready":
true}`` and log lines. Sound is read from the file one window at a time, so memory does not grow with its length.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.vad import VadOptions, get_speech_timestamps

from pipeline.zygote import emit

SAMPLE_RATE = 16_000
BYTES_PER_SAMPLE = 2
WINDOW_S = 600
"""Seconds of sound in memory at a time: bounds memory at about 0.3 GB however long the recording is."""
BORDER_S = 60
"""A window that does not end the recording ends in the longest pause of its last so many seconds."""
PAUSE_MS = 100
"""Milliseconds of silence in which a window may end; within a word there are fewer."""
UNHEARD = "und"
"""The language of a recording in which no speech was found (ISO 639-2: undetermined)."""
NICENESS = 10
"""The recognizer takes what the HTTP side leaves: a submit is answered quickly under full load."""


class Cancelled(Exception):
    """The daemon closed the connection."""


class Models:
    """The loaded models of this device, each loaded once, on first use."""

    def __init__(self, device: str) -> None:
        """Load onto ``cpu`` or ``cuda:N``."""
        self._device, _, index = device.partition(":")
        self._index = int(index or 0)
        self._loaded: dict[tuple[str, str], WhisperModel] = {}
        self._lock = threading.Lock()

    def get(self, path: str, compute_type: str) -> WhisperModel:
        """Load a model, or take the one that is loaded."""
        with self._lock:
            if (path, compute_type) not in self._loaded:
                self._loaded[path, compute_type] = self._load(path, compute_type)
            return self._loaded[path, compute_type]

    def _load(self, path: str, compute_type: str) -> WhisperModel:
        on_cpu = self._device == "cpu"
        return WhisperModel(
            path,
            device=self._device,
            device_index=self._index,
            compute_type=("int8" if on_cpu else "auto") if compute_type == "auto" else compute_type,
            # One-thread workers: two threads inside one worker are slower than two workers for small matrices.
            cpu_threads=1 if on_cpu else 0,
            num_workers=(os.cpu_count() or 1) if on_cpu else 1,
            local_files_only=True,
        )


def serve(listener: socket.socket, models: Models) -> None:
    """Answer every connection in a thread of its own, for ever."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection, models), daemon=True).start()


def _answer(connection: socket.socket, models: Models) -> None:
    with connection, contextlib.suppress(Cancelled, OSError):
        try:
            with connection.makefile("rb") as lines:
                request = json.loads(lines.readline())
            _transcribe(connection, models, request)
        except (Cancelled, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon must hear of it
            emit({"level": 40, "event": "recognition failed", "traceback": traceback.format_exc()})
            _say(connection, {"error": "failed", "detail": f"{type(error).__name__}: {error}"[:300]})


def _transcribe(connection: socket.socket, models: Models, request: dict[str, Any]) -> None:
    try:
        model = models.get(request["model_path"], request["compute_type"])
    except Exception as error:  # noqa: BLE001 - the library raises whatever its parsers raise
        _say(connection, {"error": "model_corrupt", "detail": f"{type(error).__name__}: {error}"[:300]})
        return
    recording = Recording(Path(request["pcm_path"]), request["resume_after_s"])
    language = request["language"]
    for window, start_s in recording.windows():
        segments, info = BatchedInferencePipeline(model).transcribe(
            window,
            language=language,
            batch_size=request["batch_size"],
            without_timestamps=False,
            hotwords=request["hotwords"],
            initial_prompt=request["prompt"],
        )
        for segment in segments:
            line = [round(start_s + segment.start, 3), round(start_s + segment.end, 3), segment.text]
            _say(connection, {"segments": [line], "done_s": line[1]})
            language = info.language  # heard in speech; the next windows keep to it
        _say(connection, {"segments": [], "done_s": start_s + len(window) / SAMPLE_RATE})
    _say(connection, {"done": True, "language": language or UNHEARD})


def _say(connection: socket.socket, line: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(line).encode() + b"\n")
    except OSError:
        raise Cancelled from None


class Recording:
    """16 kHz mono s16le sound in a file, read as windows that end in pauses."""

    def __init__(self, path: Path, start_s: float) -> None:
        """Begin at ``start_s`` seconds."""
        self._path = path
        self._at = round(start_s * SAMPLE_RATE)
        self._end = path.stat().st_size // BYTES_PER_SAMPLE

    @property
    def ended(self) -> bool:
        """Whether every window has been given out."""
        return self._at >= self._end

    def windows(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield (float32 samples, start in seconds) until the recording ends."""
        while not self.ended:
            start = self._at
            window = self._read(start, WINDOW_S * SAMPLE_RATE)
            self._at += len(window)
            if not self.ended:
                cut = quietest_cut(window)
                window, self._at = window[:cut], start + cut
            yield window, start / SAMPLE_RATE

    def _read(self, start: int, count: int) -> np.ndarray:
        raw = np.fromfile(self._path, dtype="<i2", count=count, offset=start * BYTES_PER_SAMPLE)
        return raw.astype(np.float32) / 32768.0


def quietest_cut(window: np.ndarray) -> int:
    """Where to end a window so that no speech is cut: the middle of the longest pause near its end."""
    tail = len(window) - BORDER_S * SAMPLE_RATE
    speech = get_speech_timestamps(window[tail:], VadOptions(min_silence_duration_ms=PAUSE_MS, speech_pad_ms=0))
    edges = [0, *(edge for span in speech for edge in (span["start"], span["end"])), BORDER_S * SAMPLE_RATE]
    pauses = list(zip(edges[0::2], edges[1::2], strict=True))
    start, end = max(pauses, key=lambda pause: pause[1] - pause[0])
    return int(tail + (start + end) // 2)


def main(socket_path: str, device: str) -> None:
    """Listen, say so, serve until the daemon is gone."""
    os.nice(NICENESS)
    models = Models(device)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(socket_path)
        listener.listen(64)
        emit({"ready": True})
        serve(listener, models)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
