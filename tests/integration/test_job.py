"""Recordings in an engine without a daemon: the bundled model and real batches."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from examples.scoring import error_rate
from pipeline.engine.batcher import Batcher, Tally
from pipeline.engine.job import Job
from pipeline.engine.memory_book import BATCH_ON_CPU
from pipeline.engine.whisper import MOST_TOKENS, Whisper
from tests.daemon import ROOT
from tests.fakes import media
from tests.fakes.server import Record

WITHIN_S = 60.0
GAP_S = 0.6
WORST = 0.05
"""Of what is said, the bundled model hears hardly a word wrong."""
MOST_TYPED = 1000
"""Characters of hotwords, and of a prompt, that a request may have."""
FEW_TOKENS = 20
"""One of the sentences here takes fewer, a chunk of them more."""
REQUEST = {
    "language": "en",
    "hotwords": None,
    "prompt": None,
    "priority": 2,
    "resume_after_s": 0.0,
    "sequential": False,
    "word_times": False,
}


class Engine:
    """The bundled model on a device of one worker, and what it has done whenever it came to rest."""

    def __init__(self, most_tokens: int = MOST_TOKENS) -> None:
        self._whisper = Whisper(str(ROOT / "models" / "demo"), "cpu", "int8", most_tokens)
        self.tallies: Record[Tally] = Record()
        self._batcher = Batcher(BATCH_ON_CPU, workers=1, on_rest=self.tallies.add)

    def hear(self, sound: Path, **request: object) -> list[dict[str, Any]]:
        """What the daemon is told of a recording."""
        job = Job(self._whisper, self._batcher, REQUEST | {"pcm_path": str(sound), **request})
        preparing = threading.Thread(target=job.prepare)
        preparing.start()
        lines = list(job.lines())
        job.close()
        preparing.join(WITHIN_S)
        return lines


def record(folder: Path, spoken: list[media.Sentence], language: str = "en") -> Path:
    file = folder / f"{language}-{len(spoken)}.s16le"
    file.write_bytes(media.compose(spoken, GAP_S).tobytes())
    return file


def text_of(lines: list[dict[str, Any]]) -> str:
    return " ".join(text for line in lines[:-1] for _, _, text, _ in line["segments"])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def test_to_tell_the_language_nothing_is_heard_twice(engine: Engine, tmp_path: Path) -> None:
    """The first chunk tells it while it is heard: the device does as much as if the language had been named."""
    sound = record(tmp_path, media.story(5, 6))
    before = len(engine.tallies.items())
    heard = [engine.hear(sound, language=language) for language in ("en", None)]
    assert ["en", "en"] == [lines[-1]["language"] for lines in heard]
    named, told = engine.tallies.wait(lambda tallies: len(tallies) == before + 2, WITHIN_S)[before:]
    assert named.pieces == told.pieces > 1


def test_recordings_that_are_heard_together_have_each_its_own_language(engine: Engine, tmp_path: Path) -> None:
    """Nobody named one, and both are heard as well as alone."""
    spoken = {language: media.story(5, 5, language) for language in ("en", "zh")}
    sounds = [record(tmp_path, sentences, language) for language, sentences in spoken.items()]
    with ThreadPoolExecutor() as pool:
        heard = list(pool.map(lambda sound: engine.hear(sound, language=None), sounds))
    for (language, sentences), lines in zip(spoken.items(), heard, strict=True):
        assert language == lines[-1]["language"]
        assert error_rate(media.text_of(sentences), text_of(lines), language) <= WORST


@pytest.mark.parametrize("word_times", [False, True])
def test_a_text_that_is_too_long_to_be_written_at_once_is_heard_in_parts(tmp_path: Path, *, word_times: bool) -> None:
    """Nothing of it is lost or doubled, and its times follow each other."""
    spoken = media.story(5, 7)
    lines = Engine(FEW_TOKENS).hear(record(tmp_path, spoken), word_times=word_times)
    assert error_rate(media.text_of(spoken), text_of(lines), "en") <= WORST
    edges = [edge for line in lines[:-1] for start, end, _, _ in line["segments"] for edge in (start, end)]
    assert sorted(edges) == edges
    done_s = [line["done_s"] for line in lines[:-1]]
    assert sorted(done_s) == done_s


@pytest.mark.parametrize("sequential", [False, True])
def test_hotwords_and_a_prompt_of_any_length_leave_room_for_the_text(
    engine: Engine, tmp_path: Path, *, sequential: bool
) -> None:
    """Both may be longer than what the model can read before a text."""
    spoken = media.story(5, 4)
    typed = (media.text_of(spoken) * MOST_TYPED)[:MOST_TYPED]
    lines = engine.hear(record(tmp_path, spoken), hotwords=typed, prompt=typed, sequential=sequential)
    assert lines[-1].get("done"), lines[-1]
