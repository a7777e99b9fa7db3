"""The text is as good as the recognizer's own: nothing is lost between the library and the reader."""

from __future__ import annotations

import asyncio
import io
import itertools
import statistics
from dataclasses import dataclass

import pytest
from faster_whisper import BatchedInferencePipeline, WhisperModel

from examples.samples import samples
from examples.scoring import error_rate
from pipeline.engine.memory_book import BATCH_ON_CPU
from pipeline.engine.recording import FIRST_WINDOW_S
from tests.acceptance.conftest import Start
from tests.daemon import ROOT, Client, Json
from tests.fakes import media
from tests.fakes.site import Reply, Site

MODEL = ROOT / "models" / "demo"
WORST_ALONE = 0.05
AT_MOST_WORSE = 0.02
WORST_IN_TURN = 0.3
"""Two of eight sentences, wholly other than the library heard them."""
GAP_S = 0.6
AT_THE_BORDER = 0.005
"""One word of the sentences near it; a sentence that is cut in two costs two at least."""
AROUND_S = 10.0
"""How much before and behind the place where a window may end is looked at."""
LONGER_THAN_A_WINDOW = 34
"""Sentences that, one after the other, are longer than the engine's first window, and than what is decoded before."""
LEAST_WORD_S, MOST_WORD_S = 0.1, 0.6
"""How long a word is, or a Chinese character; between these is the one in the middle."""


@dataclass(frozen=True)
class Recording:
    """A recording and what is said in it."""

    name: str
    body: bytes
    language: str
    said: str


def _examples() -> list[Recording]:
    return [
        Recording(sample.media.name, sample.media.read_bytes(), sample.language, sample.reference)
        for sample in samples()
    ]


def _composed(name: str, spoken: list[media.Sentence], language: str) -> Recording:
    return Recording(name, media.speech(spoken, GAP_S), language, media.text_of(spoken))


@pytest.fixture(scope="module")
def library() -> BatchedInferencePipeline:
    """Load the bundled model as anyone would."""
    return BatchedInferencePipeline(WhisperModel(str(MODEL), device="cpu", compute_type="int8"))


def test_the_bundled_model_loads_in_the_library_as_it_is(library: BatchedInferencePipeline) -> None:
    """``faster_whisper.WhisperModel`` takes the folder, and hears a recording without batches, too."""
    [recording] = [one for one in _examples() if one.name == "en-short.wav"]
    segments, info = library.model.transcribe(io.BytesIO(recording.body))
    heard = "".join(segment.text for segment in segments)
    assert recording.language == info.language
    assert error_rate(recording.said, heard, recording.language) <= WORST_ALONE


def _rate_of(library: BatchedInferencePipeline, recording: Recording) -> float:
    """Measure the bare library."""
    segments, _ = library.transcribe(io.BytesIO(recording.body), batch_size=BATCH_ON_CPU, without_timestamps=False)
    return error_rate(recording.said, "".join(segment.text for segment in segments), recording.language)


async def test_the_daemon_hears_as_well_as_the_bare_library(
    site: Site, start: Start, library: BatchedInferencePipeline
) -> None:
    """On every example, and across the border of two windows, at most two words in a hundred more are wrong.

    A task may be heard sequentially, as the library's own model does it, and may have the times of its words.
    """
    long, alone = media.story(5, LONGER_THAN_A_WINDOW), _composed("alone.wav", media.story(7, 8), "en")
    recordings = [_composed("over-a-window.wav", long, "en"), *_examples()]
    urls = [site.serve(f"/{recording.name}", Reply(body=recording.body)) for recording in (*recordings, alone)]
    async with Client(start()) as client:
        ids = [await client.submit(url, options={"word_times": True}) for url in urls]
        ids.append(await client.submit(urls[-1], options={"sequential": True, "word_times": True}))
        ids.append(await client.submit(urls[-1], options={"sequential": True}))
        states = await asyncio.gather(*map(client.finished, ids))
        raw = [await client.result(task_id, layer="raw") for task_id in ids]
    languages = [recording.language for recording in (*recordings, alone, alone, alone)]
    assert languages == [state["language"] for state in states]
    for recording, state, result in zip(recordings, states, raw, strict=False):
        rate = error_rate(recording.said, result["text"], recording.language)
        assert rate <= _rate_of(library, recording) + AT_MOST_WORSE, recording.name
        _check_times(result["segments"], state["media"]["duration"])
    _check_border(long, raw[0]["segments"], FIRST_WINDOW_S)

    *with_words, without = raw
    for result in with_words:
        _check_words(result["segments"])
    assert not any("words" in segment for segment in without["segments"])
    in_turn, _ = library.model.transcribe(io.BytesIO(alone.body), vad_filter=True)
    # Word for word it need not be the same: what is doubtful is drawn by lot, there as here.
    heard_in_turn = "".join(segment.text for segment in in_turn)
    assert error_rate(heard_in_turn, without["text"], "en") <= WORST_IN_TURN


def _check_words(segments: list[Json]) -> None:
    """Check that the words are those of the text, follow each other, and lie within their segments."""
    for segment in segments:
        words = segment["words"]
        assert segment["text"] == "".join(word["word"] for word in words)
        edges = [edge for word in words for edge in (word["start"], word["end"])]
        assert sorted(edges) == edges
        assert segment["start"] <= edges[0]
        assert edges[-1] <= segment["end"]
        assert all(0 <= word["probability"] <= 1 for word in words)
    spoken_s = [word["end"] - word["start"] for segment in segments for word in segment["words"]]
    assert LEAST_WORD_S < statistics.median(spoken_s) < MOST_WORD_S


def _check_times(segments: list[Json], duration_s: float) -> None:
    """Check that segments are numbered, follow each other, and lie within the recording."""
    assert list(range(len(segments))) == [segment["id"] for segment in segments]
    edges = [edge for segment in segments for edge in (segment["start"], segment["end"])]
    assert sorted(edges) == edges
    assert edges[0] >= 0
    assert edges[-1] <= duration_s


def _check_border(spoken: list[media.Sentence], segments: list[Json], border_s: float) -> None:
    """Check that nothing is lost, doubled or cut in two where a window may end."""
    begins = [
        GAP_S + begin
        for begin in itertools.accumulate((len(one.pcm) / media.RATE + GAP_S for one in spoken), initial=0.0)
    ]
    near = [place for place, begin in enumerate(begins) if abs(begin - border_s) < AROUND_S]
    first_s, last_s = begins[near[0]] - GAP_S / 2, begins[near[-1] + 1] - GAP_S / 2
    heard = [segment["text"] for segment in segments if first_s < (segment["start"] + segment["end"]) / 2 < last_s]
    said = media.text_of([spoken[place] for place in near])
    assert begins[-1] > border_s + AROUND_S
    assert error_rate(said, " ".join(heard), "en") <= AT_THE_BORDER
