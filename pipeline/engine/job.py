"""One task's recording in the engine: prepared ahead of the device, heard in any order, told in its own.

Its thread prepares it chunk by chunk and offers the chunks to the device's batcher; the device's threads bring what
they heard; the connection's thread tells it. A task that wants it is heard without batches instead, one stretch after
the other, in its own thread.
"""

from __future__ import annotations

import itertools
import operator
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engine.batcher import Batcher, is_of_the_device, is_out_of_memory
from pipeline.engine.heard import TEMPERATURES, Aligned, Heard, Sentence, best_of
from pipeline.engine.recording import SAMPLE_RATE, Chunk, Recording
from pipeline.engine.whisper import Whisper
from pipeline.zygote import emit

AHEAD = 3
"""So many batches of one recording are prepared and not told yet, at most: a chunk's features take 1 to 1.5 MB."""
UNHEARD = "und"
"""The language of a recording in which no speech was found (ISO 639-2: undetermined)."""
LOOK_S = 0.02
"""How often one looks for sound that is being decoded, and"""
SIGN_OF_LIFE_S = 1.0
"""how often the daemon hears, when nothing else is told, that work goes on."""
FRAMES_PER_S = 100
"""Of features."""
LEAST_PART_S = 2.0
"""Nobody says in less time what is too long to be written at once; the parts of a chunk are no shorter."""

_numbers = itertools.count(1)


class Gone(Exception):
    """The daemon closed the connection."""


@dataclass(slots=True, eq=False)
class Slot:
    """A place in the order in which a recording is told."""

    done_s: float
    """How much of the source is done with it."""
    segments: Sequence[Sentence] | None = None
    """None until it was heard."""


@dataclass(slots=True, eq=False)
class Decoding:
    """A chunk that is to be heard, and how it was heard so far, at one temperature after the other."""

    owner: Job
    chunk: Chunk
    features: np.ndarray
    slot: Slot
    tries: list[Heard] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.chunk.seconds

    @property
    def key(self) -> tuple[object, ...]:
        return self.owner.whisper, len(self.owner.prompt), len(self.tries)

    def run(self, batch: Sequence[Decoding]) -> None:
        whisper = self.owner.whisper
        with whisper.gauge.batch(len(batch)):
            encoded = whisper.encode([piece.features for piece in batch])
            if any(piece.owner.needs_language for piece in batch):
                for piece, language in zip(batch, whisper.detect(encoded), strict=True):
                    piece.owner.take_language(language)
            heard = whisper.decode(encoded, [piece.owner.prompt for piece in batch], TEMPERATURES[len(self.tries)])
        for piece, one in zip(batch, heard, strict=True):
            piece.tries.append(one)
            piece.owner.take(piece)

    def leave_rest(self, time_s: float) -> Decoding:
        """Keep only what is before a moment of the chunk; the rest, told behind it, is to be heard by itself."""
        frame = round(time_s * FRAMES_PER_S)
        features = self.features
        self.chunk, rest = self.chunk.cut(time_s)
        self.features, self.slot.done_s = features[:, :frame], self.chunk.end_s
        return Decoding(self.owner, rest, features[:, frame:], Slot(rest.end_s))


@dataclass(slots=True, eq=False)
class Alignment:
    """A chunk whose text is known, and of which the words' times are wanted."""

    decoding: Decoding
    heard: Heard

    @property
    def owner(self) -> Job:
        return self.decoding.owner

    @property
    def seconds(self) -> float:
        return self.decoding.seconds

    @property
    def key(self) -> tuple[object, ...]:
        return self.owner.whisper, "align", self.owner.language

    def run(self, batch: Sequence[Alignment]) -> None:
        features, heard = [piece.decoding.features for piece in batch], [piece.heard for piece in batch]
        found = self.owner.whisper.align(features, heard, self.owner.language)
        for piece, words in zip(batch, found, strict=True):
            piece.owner.take_text(piece.decoding, piece.heard, words)


def told(error: Exception, usually: str) -> dict[str, Any]:
    """An error as the daemon is told of it."""
    kind = "out_of_memory" if is_out_of_memory(error) else "device_failed" if is_of_the_device(error) else usually
    return {"error": kind, "detail": f"{type(error).__name__}: {error}"[:300]}


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
        self._recording = Recording(Path(request["pcm_path"]), request["resume_after_s"], self._await_sound)
        self._before = whisper.before(said_before=request["prompt"], hotwords=request["hotwords"])
        self._language: str | None = whisper.language or request["language"]
        self._sequential: bool = request["sequential"]
        self._slots: deque[Slot] = deque()
        self._reached_s: float = request["resume_after_s"]
        self._news = threading.Condition()
        self._pulse = 1  # the first sign of life: its model is loaded, which may have taken a while
        self._pulse_at = time.monotonic()
        self._prepared = self._closed = False
        self._error: Exception | None = None
        if not self._sequential:
            batcher.join(self)

    @property
    def language(self) -> str:
        """The language that is spoken, or that of no speech."""
        return self._language or UNHEARD

    @property
    def needs_language(self) -> bool:
        """Whether the language is still to be told, by the first chunk."""
        return self._language is None

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens that stand before every chunk's text; as many while the language is not known."""
        return self.whisper.prompt(self._language or "en", self._before)

    @property
    def left(self) -> float:
        """How many more chunks its sound is enough for, as if all of it were speech."""
        return 0.0 if self._prepared else max(0.0, self._recording.length_s - self._reached_s) / self.whisper.most_s

    # -- preparing, in a thread of its own ----------------------------------------------------

    def prepare(self) -> None:
        """Find the speech, compute its features, offer it chunk by chunk."""
        try:
            with self._recording:
                if self._sequential:
                    self._hear_in_turn()
                else:
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
        for found in self._recording.chunks(self.whisper.most_s):
            if isinstance(found, float):
                self._append(Slot(found, []))
                continue
            slot, features = Slot(found.end_s), self.whisper.features(self._recording.samples(found))
            self.go_on()
            self._append(slot)
            self._batcher.offer(Decoding(self, found, features, slot))
            if self.needs_language:
                self._wait(lambda: not self.needs_language)  # the first chunk tells it for all

    def _hear_in_turn(self) -> None:
        """Hear one stretch after the other, each knowing what was said before it; nothing else shares the work."""
        said_before: str | None = self._request["prompt"]
        for stretch in self._recording.stretches():
            self._language, heard = self.whisper.transcribe(
                self._recording.samples(Chunk((stretch,))),
                self._language,
                said_before=said_before,
                hotwords=self._request["hotwords"],
                word_times=self._request["word_times"],
            )
            texts = []
            in_source = partial(operator.add, stretch.start / SAMPLE_RATE)
            for sentence in heard:
                told = sentence.moved(in_source)
                self._append(Slot(told.end, [told]))
                texts.append(sentence.text)
            said_before = "".join(texts) or said_before
            self._append(Slot(stretch.end / SAMPLE_RATE, []))

    def _append(self, slot: Slot) -> None:
        """Wait until the device has caught up, then take a place in the order."""
        most = AHEAD * self._batcher.size * self._batcher.workers
        self._wait(lambda: len(self._slots) < most)
        with self._news:
            self._slots.append(slot)
            self._reached_s = slot.done_s
            self._news.notify_all()

    def _await_sound(self) -> None:
        """Wait a moment for sound that is being decoded; how long it may take is the daemon's business."""
        self._wait(lambda: False, LOOK_S)
        self.go_on()

    def _wait(self, until: Callable[[], bool], timeout_s: float | None = None) -> None:
        self.preparing = False
        with self._news:
            self._news.wait_for(lambda: until() or self._closed, timeout_s)
            if self._closed:
                raise Gone
        self.preparing = True

    # -- heard, in the threads of the device --------------------------------------------------

    def take_language(self, language: str) -> None:
        """Take the language that the recording is in, if it is not known."""
        if self.needs_language:
            self._language = language
            self._notify()

    def take(self, piece: Decoding) -> None:
        """Take what was heard of a chunk; what is doubtful goes back to the device."""
        if piece.tries[-1].is_doubtful and len(piece.tries) < len(TEMPERATURES):
            self._batcher.offer(piece, again=True)
            self.go_on()
            return
        heard = self._whole(piece, best_of(piece.tries))
        if self._request["word_times"] and heard.text and not heard.is_silence:
            self._batcher.offer(Alignment(piece, heard), again=True)
            self.go_on()
        else:
            self.take_text(piece, heard)

    def _whole(self, piece: Decoding, heard: Heard) -> Heard:
        """Of a text that was too long to be written at once, keep the whole sentences and have the rest heard."""
        if heard.is_whole or heard.repeats or heard.is_silence:
            return heard
        kept, end_s = self.whisper.whole_sentences(heard)
        if not LEAST_PART_S <= end_s <= piece.seconds - LEAST_PART_S:
            return heard
        with self._news:
            rest = piece.leave_rest(end_s)
            self._slots.insert(self._slots.index(piece.slot) + 1, rest.slot)
        self._batcher.offer(rest, again=True)
        return kept

    def take_text(self, piece: Decoding, heard: Heard, words: Sequence[Aligned] = ()) -> None:
        """Take the text of a chunk, with its words where they are wanted."""
        sentences = () if heard.is_silence else self.whisper.sentences(heard, piece.seconds, words)
        piece.slot.segments = [
            sentence.moved(piece.chunk.source_time, lambda time_s: piece.chunk.source_time(time_s, is_end=True))
            for sentence in sentences
        ]
        self._notify()

    def go_on(self) -> None:
        """Let the daemon know now and then that work goes on: on this recording, or on others while it waits."""
        now = time.monotonic()
        if now - self._pulse_at >= SIGN_OF_LIFE_S:
            self._pulse_at = now
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
                yield told(self._error, "failed")
                return
            if not slots and self._is_done():
                yield {
                    "done": True,
                    "language": self.language,
                    "batch": self._batcher.size,
                    "peaks": self.whisper.gauge.news(),
                }
                return
            done_s = slots[-1].done_s if slots else done_s
            segments = [sentence.line() for slot in slots for sentence in slot.segments or ()]
            yield {"segments": segments, "done_s": round(done_s, 3), "language": self.language}

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
