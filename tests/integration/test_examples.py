"""The recordings of ``examples/``, heard by the bundled model through the unmodified library."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from faster_whisper import BatchedInferencePipeline, WhisperModel

from examples.samples import FOLDER, Sample, samples
from examples.scoring import error_rate
from tests.fakes import media

MODEL = Path(__file__).parents[2] / "models" / "demo"
SHORT = [sample for sample in samples() if sample.media.stat().st_size < 160_000]


@pytest.fixture(scope="module")
def recognizer() -> BatchedInferencePipeline:
    """The bundled model."""
    return BatchedInferencePipeline(WhisperModel(str(MODEL), device="cpu", compute_type="int8"))


def heard(recognizer: BatchedInferencePipeline, body: bytes) -> tuple[str, str]:
    """Return the language and the text of a recording."""
    segments, about = recognizer.transcribe(io.BytesIO(body), language=None, without_timestamps=False)
    return about.language, " ".join(segment.text for segment in segments)


@pytest.mark.parametrize("sample", SHORT, ids=lambda sample: sample.name)
def test_a_derived_example_is_understood(recognizer: BatchedInferencePipeline, sample: Sample) -> None:
    """Language and words are right, up to 1 % of errors."""
    language, text = heard(recognizer, sample.media.read_bytes())
    assert sample.language == language
    assert error_rate(sample.reference, text, language) <= 0.01


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_composed_story_is_understood(recognizer: BatchedInferencePipeline, language: str) -> None:
    """Sentences cut out and put together anew are still the same words."""
    spoken = media.story(3, 2, language)
    found, text = heard(recognizer, media.speech(spoken))
    assert language == found
    assert error_rate(media.text_of(spoken), text, language) <= 0.01


@pytest.mark.parametrize("pcm", [media.silence(4.0), media.tone(4.0)], ids=["silence", "tone"])
def test_sound_without_words_gives_no_words(recognizer: BatchedInferencePipeline, pcm: media.Pcm) -> None:
    """Nothing is invented."""
    assert "" == heard(recognizer, media.wav(pcm))[1]


def test_examples_cover_what_the_demonstration_shows() -> None:
    """There are at least five, in both languages, as bare sound and as video, each with its text, under 2 MB."""
    found = samples()
    assert {"en", "zh"} == {sample.language for sample in found}
    assert {".wav", ".opus", ".mp3", ".mp4", ".webm"} == {sample.media.suffix for sample in found}
    assert all(sample.reference.strip() for sample in found)
    assert sum(file.stat().st_size for file in FOLDER.iterdir() if file.is_file()) < 2_000_000


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_timed_sentences_are_the_lines_of_the_text(file: Path) -> None:
    """Times and reference text tell the same sentences in the same order."""
    timed = json.loads(file.read_text(encoding="utf-8"))["segments"]
    assert file.with_suffix(".txt").read_text(encoding="utf-8").splitlines() == [spoken["text"] for spoken in timed]


def test_the_readme_names_every_example() -> None:
    """No recording is missing from the table, and none in it is gone."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert {sample.media.name for sample in samples()} == {
        line.split("`")[1] for line in readme.splitlines() if line.startswith("| `")
    }
