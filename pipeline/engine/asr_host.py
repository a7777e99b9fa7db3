"""The program that owns the models of one device; it is given a socket's path, the device, and the size of a batch.

One Unix-socket connection a task. The daemon writes one request line::

    {"pcm_path", "model_path", "compute_types", "language", "hotwords", "prompt", "priority", "resume_after_s"}

and reads lines until ``done`` or ``error``::

    {"segments": [[start, end, text], …], "done_s": 12.5}      new segments, and how much of the source is done
    {"done": true, "language": "en", "compute_type": "int8", "batch": 4, "together": 3}
    {"error": "model_corrupt", "detail": "…"}                  or "out_of_memory", or "failed"

The model runs with the first of ``compute_types`` that the device supports. ``batch`` is the size of a batch as it is
now, smaller than at first if memory ran out; ``together`` are the most chunks the model has decoded at once.

Closing the connection cancels. Stdin is the lifeline (see ``pipeline.lifeline``); stdout carries ``{"ready":
true}`` and log lines.

A task's recording is prepared in a thread of its own, ahead of the device and only so far; its chunks meet those of
all other tasks in the device's batcher; what was heard is told in the order of the recording.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engine.batcher import Batcher, is_out_of_memory
from pipeline.engine.cublas import load_cublas
from pipeline.engine.recording import Chunk, Recording
from pipeline.engine.whisper import TEMPERATURES, Heard, Whisper, best_of, supported
from pipeline.zygote import emit

AHEAD = 3
"""So many batches of one recording are prepared and not told yet, at most: a chunk's features take 1 to 1.5 MB."""
UNHEARD = "und"
"""The language of a recording in which no speech was found (ISO 639-2: undetermined)."""
NICENESS = 10
"""The recognizer takes what the HTTP side leaves: a submit is answered quickly under full load."""

_numbers = itertools.count(1)


class Gone(Exception):
    """The daemon closed the connection."""


class Models:
    """The loaded models of this device, each loaded once, on first use."""

    def __init__(self, device: str) -> None:
        """Load onto ``cpu`` or ``cuda:N``."""
        self._device = device
        self._loaded: dict[tuple[str, str], Whisper] = {}
        self._lock = threading.Lock()

    def get(self, path: str, compute_types: Sequence[str]) -> Whisper:
        """Load a model, or take the one that is loaded, with the first compute type that the device supports."""
        with self._lock:
            compute_type = supported(compute_types, self._device)
            if (path, compute_type) not in self._loaded:
                self._loaded[path, compute_type] = Whisper(path, self._device, compute_type)
            return self._loaded[path, compute_type]


@dataclass(slots=True)
class Slot:
    """A place in the order in which a recording is told."""

    done_s: float
    """How much of the source is done with it."""
    segments: list[tuple[float, float, str]] | None = None
    """None until it was heard."""


@dataclass(slots=True, eq=False)
class Detection:
    """The beginning of a recording, of which the language is to be told."""

    owner: Job
    features: np.ndarray
    seconds: float = 0.0

    @property
    def key(self) -> tuple[object, ...]:
        return self.owner.whisper, "detect"

    def run(self, batch: Sequence[Detection]) -> None:
        found = self.owner.whisper.detect([piece.features for piece in batch])
        for piece, language in zip(batch, found, strict=True):
            piece.owner.take_language(language)


@dataclass(slots=True, eq=False)
class Decoding:
    """A chunk that is to be heard, and how it was heard so far, at one temperature after the other."""

    owner: Job
    chunk: Chunk
    features: np.ndarray
    prompt: tuple[int, ...]
    slot: Slot
    tries: list[Heard] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.chunk.seconds

    @property
    def key(self) -> tuple[object, ...]:
        return self.owner.whisper, len(self.prompt), len(self.tries)

    def run(self, batch: Sequence[Decoding]) -> None:
        features, prompts = [piece.features for piece in batch], [piece.prompt for piece in batch]
        heard = self.owner.whisper.decode(features, prompts, TEMPERATURES[len(self.tries)])
        for piece, one in zip(batch, heard, strict=True):
            piece.tries.append(one)
            piece.owner.take(piece)


class Job:
    """One task's recording: prepared ahead of the device, heard in any order, told in its own."""

    def __init__(self, whisper: Whisper, batcher: Batcher, request: dict[str, Any]) -> None:
        """Take part in the device's batches until ``close``."""
        self.number = next(_numbers)
        self.priority: int = request["priority"]
        self.preparing = True
        self.whisper = whisper
        self._batcher = batcher
        self._request = request
        self._recording = Recording(Path(request["pcm_path"]), request["resume_after_s"])
        self._language: str | None = whisper.language or request["language"]
        self._slots: deque[Slot] = deque()
        self._news = threading.Condition()
        self._pulse = 0
        self._prepared = self._closed = False
        self._error: Exception | None = None
        batcher.join(self)

    # -- preparing, in a thread of its own ----------------------------------------------------

    def prepare(self) -> None:
        """Find the speech, compute its features, offer it chunk by chunk."""
        try:
            self._prepare()
        except Gone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon must hear of it
            self.fail(error)
        finally:
            self.preparing = False
            self._prepared = True
            self._notify()

    def _prepare(self) -> None:
        first: list[tuple[Chunk, np.ndarray]] = []
        for found in self._recording.chunks(self.whisper.most_s):
            if isinstance(found, float):
                self._append(Slot(found, []))
                continue
            features = self.whisper.features(self._recording.samples(found))
            first.append((found, features))
            if self._language is None and _frames(first) < self.whisper.detection_frames:
                continue
            self._offer_all(first)
            first.clear()
        self._offer_all(first)

    def _offer_all(self, chunks: Sequence[tuple[Chunk, np.ndarray]]) -> None:
        if chunks and self._language is None:
            self._detect(np.concatenate([features for _, features in chunks], axis=1))
        for chunk, features in chunks:
            slot = Slot(chunk.end_s)
            self._append(slot)
            self._batcher.offer(Decoding(self, chunk, features, self._prompt(), slot))

    def _detect(self, features: np.ndarray) -> None:
        self._batcher.offer(Detection(self, features[:, : self.whisper.detection_frames]))
        self._wait(lambda: self._language is not None)

    def take_language(self, language: str) -> None:
        """Take the language that the recording is in."""
        self._language = language
        self._notify()

    def _prompt(self) -> tuple[int, ...]:
        assert self._language is not None  # noqa: S101 - told before the first chunk is offered
        return self.whisper.prompt(
            self._language, said_before=self._request["prompt"], hotwords=self._request["hotwords"]
        )

    def _append(self, slot: Slot) -> None:
        """Wait until the device has caught up, then take a place in the order."""
        most = AHEAD * self._batcher.size * self._batcher.workers
        self._wait(lambda: len(self._slots) < most)
        with self._news:
            self._slots.append(slot)
            self._news.notify_all()

    def _wait(self, until: Callable[[], bool]) -> None:
        self.preparing = False
        with self._news:
            self._news.wait_for(lambda: until() or self._closed)
            if self._closed:
                raise Gone
        self.preparing = True

    # -- heard, in the threads of the device --------------------------------------------------

    def take(self, piece: Decoding) -> None:
        """Take what was heard of a chunk; what is doubtful goes back to the device."""
        if piece.tries[-1].is_doubtful and len(piece.tries) < len(TEMPERATURES):
            self._batcher.offer(piece, again=True)
            return
        heard = best_of(piece.tries)
        sentences = () if heard.is_silence else self.whisper.sentences(heard, piece.seconds)
        piece.slot.segments = [
            (piece.chunk.source_time(start), piece.chunk.source_time(end, is_end=True), text)
            for start, end, text in sentences
        ]
        self._notify()

    def wait_on(self) -> None:
        """Let the daemon know that the device goes on, with others for the moment."""
        self._pulse += 1
        self._notify()

    def fail(self, error: Exception) -> None:
        """End with an error."""
        emit({"level": 40, "event": "recognition failed", "traceback": "".join(traceback.format_exception(error))})
        self._error = error
        self._notify()

    def _notify(self) -> None:
        with self._news:
            self._news.notify_all()

    # -- telling, in the connection's thread --------------------------------------------------

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the daemon is to be told, in the order of the recording, until the end or ``close``."""
        done_s, pulse = self._request["resume_after_s"], 0
        while (news := self._next_news(pulse)) is not None:
            slots, pulse = news
            if self._error is not None:
                yield _told(self._error, "failed")
                return
            if not slots and self._is_done():
                yield {
                    "done": True,
                    "language": self._language or UNHEARD,
                    "compute_type": self.whisper.compute_type,
                    "batch": self._batcher.size,
                    "together": self.whisper.most_together,
                }
                return
            done_s = slots[-1].done_s if slots else done_s
            heard = [sentence for slot in slots for sentence in slot.segments or ()]
            segments = [[round(start, 3), round(end, 3), text] for start, end, text in heard]
            yield {"segments": segments, "done_s": round(done_s, 3)}

    def _next_news(self, pulse: int) -> tuple[list[Slot], int] | None:
        """Wait for slots that can be told, for an end, or for a sign of life; None once closed."""
        with self._news:
            self._news.wait_for(
                lambda: self._closed or self._error or self._is_done() or self._first_heard() or self._pulse != pulse
            )
            if self._closed:
                return None
            slots = []
            while self._first_heard():
                slots.append(self._slots.popleft())
            self._news.notify_all()
            return slots, self._pulse

    def _first_heard(self) -> bool:
        return bool(self._slots) and self._slots[0].segments is not None

    def _is_done(self) -> bool:
        return self._prepared and not self._slots

    def close(self) -> None:
        """Take no part any more: nothing of the recording is decoded from now on."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._batcher.leave(self)


def _frames(chunks: Sequence[tuple[Chunk, np.ndarray]]) -> int:
    return sum(features.shape[1] for _, features in chunks)


def serve(listener: socket.socket, models: Models, batcher: Batcher) -> None:
    """Answer every connection in a thread of its own, for ever."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection, models, batcher), daemon=True).start()


def _answer(connection: socket.socket, models: Models, batcher: Batcher) -> None:
    with connection, contextlib.suppress(Gone):
        with connection.makefile("rb") as lines:
            request = json.loads(lines.readline())
        try:
            whisper = models.get(request["model_path"], request["compute_types"])
        except Exception as error:  # noqa: BLE001 - the library raises whatever its parsers raise
            _say(connection, _told(error, "model_corrupt"))
            return
        try:
            job = Job(whisper, batcher, request)
        except OSError as error:
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


def _told(error: Exception, usually: str) -> dict[str, Any]:
    """An error as the daemon is told of it."""
    kind = "out_of_memory" if is_out_of_memory(error) else usually
    return {"error": kind, "detail": f"{type(error).__name__}: {error}"[:300]}


def _say(connection: socket.socket, line: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(line).encode() + b"\n")
    except OSError:
        raise Gone from None


def main(socket_path: str, device: str, batch_size: int) -> None:
    """Listen, say so, serve until the daemon is gone."""
    os.nice(NICENESS)
    if device != "cpu":
        load_cublas()
    workers = (os.cpu_count() or 1) if device == "cpu" else 1
    models, batcher = Models(device), Batcher(batch_size, workers)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(socket_path)
        listener.listen(64)
        emit({"ready": True})
        serve(listener, models, batcher)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
