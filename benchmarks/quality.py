"""How well an hour is heard, beside faster-whisper's own batches: many pauses, noise, and thirty borders of windows.

The same recording, model and number type; the library is a program of its own (``python -m benchmarks.quality MODEL
FILE`` prints its segments), so that its memory is not counted here.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from benchmarks.figures import ROOT, AtMost, Figure
from benchmarks.sides import DEMO, PATIENCE_S, warm_daemon
from examples.scoring import error_rate
from pipeline.engine.memory_book import BATCH_ON_CPU
from tests.fakes import media

LENGTH_S = 3600
LONGEST_PAUSE_S = 3.0
NOISE = 60.0
"""Standard deviation of the noise under the speech; 16-bit samples go to 32,767."""

Piece = tuple[float, float, str]
"""Start, end, text."""


def measure() -> list[Figure]:
    """Let both sides hear the same hour, once."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hour.wav"
        said = _record(file, np.random.default_rng(11))
        bare = _heard_by_library(file)
        daemon = asyncio.run(_heard_by_daemon(file))
    rates = [100 * error_rate(said, " ".join(text for _, _, text in heard), "en") for heard in (daemon, bare)]
    apart = _apart_s(daemon, bare)
    return [
        Figure("words that the daemon hears wrong", "%", (rates[0],)),
        Figure("words that the library hears wrong", "%", (rates[1],)),
        Figure("the difference", "points", (rates[0] - rates[1],), AtMost(0.5)),
        Figure("segments whose text is the same", "%", (100 * len(apart) / 2 / len(bare),)),
        Figure("their starts and ends are apart, in the middle", "s", (median(apart),), AtMost(0.1)),
    ]


def _record(file: Path, rng: np.random.Generator) -> str:
    """Write the hour into a WAV file; returns what is said."""
    stock, said, length = media.sentences("en"), [], 0
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, media.RATE, 0, "NONE", ""))
        while length < LENGTH_S * media.RATE:
            sentence = stock[rng.integers(len(stock))]
            pause = media.silence(0.1 + LONGEST_PAUSE_S * rng.random() ** 3)  # mostly short ones
            sound = np.concatenate([sentence.pcm, pause])
            sound = np.clip(sound + rng.normal(0, NOISE, len(sound)), -32768, 32767).astype(np.int16)
            out.writeframes(sound.tobytes())
            said.append(sentence.text)
            length += len(sound)
    return "\n".join(said)


async def _heard_by_daemon(file: Path) -> list[Piece]:
    async with warm_daemon(DEMO) as warm:
        task_id = await warm.submit(file)
        state = await warm.client.finished(task_id, PATIENCE_S)
        assert state["status"] == "completed", state
        result: dict[str, Any] = await warm.client.result(task_id, layer="raw")
        return [(one["start"], one["end"], one["text"]) for one in result["segments"]]


def _heard_by_library(file: Path) -> list[Piece]:
    command = [sys.executable, "-m", "benchmarks.quality", str(DEMO), str(file)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [tuple(piece) for piece in json.loads(said)]


def _apart_s(one: list[Piece], other: list[Piece]) -> list[float]:
    """How far starts and ends are apart where both sides have a segment of the same text."""
    my_texts, their_texts = ([text.strip() for _, _, text in heard] for heard in (one, other))
    blocks = difflib.SequenceMatcher(None, my_texts, their_texts, autojunk=False).get_matching_blocks()
    pairs = [(one[block.a + step], other[block.b + step]) for block in blocks for step in range(block.size)]
    return [apart for mine, theirs in pairs for apart in (abs(mine[0] - theirs[0]), abs(mine[1] - theirs[1]))]


def main(model: str, file: str) -> None:
    """Print what the library hears in a file."""
    library = BatchedInferencePipeline(WhisperModel(model, device="cpu", compute_type="int8"))
    segments, _ = library.transcribe(file, batch_size=BATCH_ON_CPU, without_timestamps=False)
    print(json.dumps([(segment.start, segment.end, segment.text) for segment in segments]))


if __name__ == "__main__":
    main(*sys.argv[1:])
