"""Recordings composed for tests: what is in them, and that their sentences are still understood."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.fakes import media

if TYPE_CHECKING:
    from collections.abc import Callable

TONE = media.tone(2.0)


@pytest.mark.parametrize(
    ("container", "name", "codecs"),
    [
        (media.wav, "wav", {"pcm_s16le"}),
        (media.mp3, "mp3", {"mp3float"}),
        (media.opus, "ogg", {"opus"}),
        (media.flac, "flac", {"flac"}),
        (media.mp4_with_sound, "mp4", {"h264", "aac"}),
        (media.webm, "webm", {"vp8", "opus"}),
        (media.m4a, "m4a", {"aac"}),
        (media.aac, "aac", {"aac"}),
        (media.wma, "asf", {"wmav2"}),
        (media.mkv, "matroska", {"h264", "aac"}),
        (media.mov, "mov", {"mpeg4", "pcm_s16le"}),
        (media.avi, "avi", {"mpeg4", "mp3float"}),
        (media.mpegts, "mpegts", {"aac"}),
    ],
)
def test_each_container_holds_the_sound(container: Callable[[media.Pcm], bytes], name: str, codecs: set[str]) -> None:
    """Format, codecs and length are as announced, and the tone is in it."""
    body = container(TONE)
    with av.open(io.BytesIO(body)) as opened:
        assert name in opened.format.name.split(",")
        assert codecs == {stream.codec.name for stream in opened.streams}
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in opened.decode(audio=0)]).astype(float)
        rate = opened.streams.audio[0].rate
    assert 2.0 == pytest.approx(len(sound) / rate, abs=0.15)
    assert 440 == pytest.approx(np.argmax(np.abs(np.fft.rfft(sound))) * rate / len(sound), abs=2)


@pytest.mark.parametrize(("kind", "suffix"), [("mpegts", ".ts"), ("fmp4", ".m4s")])
def test_a_segmented_stream_names_its_segments(kind: str, suffix: str) -> None:
    """All segments stand in the playlist, which has an end unless the stream is live."""
    files = media.hls(media.tone(5.0), kind=kind, segment_s=2)
    lines = files["stream.m3u8"].decode().splitlines()
    assert sorted(name for name in files if name.endswith(suffix)) == [name for name in lines if name.endswith(suffix)]
    assert ("#EXTM3U", "#EXT-X-ENDLIST") == (lines[0], lines[-1])
    assert b"#EXT-X-ENDLIST" not in media.hls(media.tone(5.0), kind=kind, live=True)["stream.m3u8"]


def test_a_video_without_sound_has_a_picture_only() -> None:
    """There is no audio stream to decode."""
    with av.open(io.BytesIO(media.mp4_without_sound(2.0))) as opened:
        assert (1, 0) == (len(opened.streams.video), len(opened.streams.audio))
        assert 10 == sum(1 for _ in opened.decode(video=0))


def test_what_is_not_media_cannot_be_opened() -> None:
    """No container format is recognized in it."""
    with pytest.raises(av.error.InvalidDataError):
        av.open(io.BytesIO(media.not_media()))


def test_a_truncated_video_cannot_be_opened() -> None:
    """Half an MP4 lacks the index at its end; half an MP3 is simply shorter."""
    with pytest.raises(av.error.InvalidDataError):
        av.open(io.BytesIO(media.truncated(media.mp4_with_sound(TONE))))
    with av.open(io.BytesIO(media.truncated(media.mp3(TONE)))) as opened:
        assert 1.0 == pytest.approx(sum(frame.samples for frame in opened.decode(audio=0)) / media.RATE, abs=0.2)


def test_silence_is_silent() -> None:
    """Every sample is zero."""
    assert (48_000, 0) == (len(media.silence(3.0)), np.abs(media.silence(3.0)).max())


@pytest.mark.parametrize(("language", "at_least"), [("en", 24), ("zh", 16)])
def test_sentences_are_cut_with_their_text(language: str, at_least: int) -> None:
    """Each has its own text and between one and five seconds of sound."""
    stock = media.sentences(language)
    assert at_least <= len({sentence.text for sentence in stock}) == len(stock)
    assert all(media.RATE <= len(sentence.pcm) <= 5 * media.RATE for sentence in stock)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_number_tells_its_own_story(language: str) -> None:
    """250 stories differ in their first two sentences, neighbors in the first, and each is always the same."""
    stories = [media.text_of(media.story(number, 2, language)) for number in range(250)]
    assert 250 == len(set(stories))
    assert len(media.sentences(language)) == len(
        {media.story(number, 1, language)[0].text for number in range(len(media.sentences(language)))}
    )
    assert stories[7] == media.text_of(media.story(7, 2, language))


def test_a_long_story_repeats_only_when_all_was_said() -> None:
    """Twice the stock is every sentence twice."""
    stock = media.sentences("zh")
    told = media.story(1, 2 * len(stock), "zh")
    assert {sentence.text for sentence in stock} == {sentence.text for sentence in told[: len(stock)]}
    assert 2 * len(stock) == len(told)


def test_speech_is_as_long_as_its_sentences_and_pauses() -> None:
    """A pause stands before each sentence and after the last."""
    spoken = media.story(1, 3)
    expected = sum(len(sentence.pcm) for sentence in spoken) + 4 * 8000
    with av.open(io.BytesIO(media.speech(spoken, gap_s=0.5))) as opened:
        assert expected == sum(frame.samples for frame in opened.decode(audio=0))
