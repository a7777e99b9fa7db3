"""Transcribe: from samples to segments, with the device's engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from pipeline.core.products import GROWING, Artifacts, Audio, TranscriptInfo
from pipeline.core.task import Lane, LayerState, Stage, TaskWarning
from pipeline.core.transcript import Segment
from pipeline.failures import InternalFailure
from pipeline.ports import Made, Recognition, StageContext
from stages._sound import decode

NO_SPEECH = TaskWarning(
    "no_speech",
    "No speech was found in this recording.",
    "没有在这段录音中发现语音。",
)


SHORT = TaskWarning(
    "gpu_memory_short",
    "The device was short of memory: the recording was recognized in smaller batches or with smaller numbers.",
    "设备内存不足：本录音以较小的批次或较低的计算精度识别。",
)


class Transcribe:
    """Stream the recording through the recognizer; every stored segment is a place to go on from."""

    name = Stage.TRANSCRIBE
    lane = Lane.ASR
    makes = "transcript"
    weight = 52.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        """Make ``transcript``; segments already stored are not recognized again."""
        audio = artifacts.audio
        if audio is None:
            raise InternalFailure("there is no audio")
        stored = ctx.segments()
        length = _Length(audio.duration_s)
        meter = _Meter(ctx, length, stored)
        with nullcontext() if audio.whole else _decoding(ctx, artifacts, audio, length):
            heard = ctx.recognize(
                Recognition(
                    audio=ctx.work / audio.name,
                    length_s=lambda: length.seconds,
                    language=ctx.task.options.language or ctx.task.heard_language,
                    hotwords=ctx.task.options.hotwords,
                    prompt=ctx.task.options.prompt,
                    resume_after_s=stored[-1].end if stored else 0.0,
                    sequential=ctx.task.options.sequential,
                    word_times=ctx.task.options.word_times,
                ),
                meter.take,
            )
        info = TranscriptInfo(
            language=heard.language,
            source="asr",
            model=heard.model,
            device=heard.device,
            duration_s=length.seconds,
            segment_count=meter.count,
        )
        warnings = (*(() if meter.count else (NO_SPEECH,)), *((SHORT,) if heard.is_short else ()))
        return Made(info, layer=("transcript", LayerState.DONE), warnings=warnings)


@dataclass(slots=True)
class _Length:
    """How long the recording is; of one that is still being decoded, what is known so far."""

    seconds: float

    def reach(self, line: Mapping[str, float]) -> None:
        """Take how far the decoder has come; what the file tells may be too little."""
        self.seconds = max(self.seconds, line["done_s"])


def _decoding(ctx: StageContext, artifacts: Artifacts, audio: Audio, length: _Length) -> AbstractContextManager[None]:
    """Decode the recording while it is heard; whatever is left of an earlier attempt is not."""
    sound = ctx.work / audio.name
    sound.unlink(missing_ok=True)
    sound.with_name(audio.name + GROWING).write_bytes(b"")

    def work(beside: StageContext) -> None:
        length.seconds = decode(beside, artifacts, length.reach).duration_s

    return ctx.beside(Stage.DECODE, work)


class _Meter:
    """Numbers and stores segments as they come, and says how far and how fast it goes."""

    def __init__(self, ctx: StageContext, length: _Length, stored: Sequence[Segment]) -> None:
        self._ctx = ctx
        self._length = length
        self._began = time.monotonic()
        self._from_s = stored[-1].end if stored else 0.0
        self.count = len(stored)

    def take(self, segments: Sequence[Segment], done_s: float, language: str) -> None:
        """Take what the recognizer has finished: new segments, how much of the source is done, and the language."""
        numbered = [
            Segment(self.count + place, segment.start, segment.end, segment.text, segment.words)
            for place, segment in enumerate(segments)
        ]
        if numbered:
            self._ctx.checkpoint(numbered, language)
            self.count += len(numbered)
        took_s, length_s = time.monotonic() - self._began, max(self._length.seconds, done_s)
        speed = (done_s - self._from_s) / took_s if took_s > 0 else None
        self._ctx.report(
            done_s / length_s if length_s else 1.0,
            source_done_s=done_s,
            source_total_s=length_s,
            speed=speed,
            eta_s=(length_s - done_s) / speed if speed else None,
        )
