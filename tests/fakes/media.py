"""Recordings for tests, composed of the sentences in ``examples/``, in any container, without any system program.

Sound is ``Pcm`` until it is put into a container: 16-bit samples, 16,000 a second, one channel.
"""

from __future__ import annotations

import functools
import io
import json
import math
import random
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt

from examples.samples import FOLDER

Pcm: TypeAlias = npt.NDArray[np.int16]

RATE = 16_000
_TIMED = {"en": ("en-short.wav", "en-75s.opus"), "zh": ("zh-60s.opus",)}
_BITS_PER_S = 48_000
_PICTURE_SIZE = (160, 90)
_PICTURES_PER_S = 5


@dataclass(frozen=True, eq=False)
class Sentence:
    """One spoken sentence."""

    text: str
    pcm: Pcm


@functools.cache
def sentences(language: str) -> tuple[Sentence, ...]:
    """Cut the timed recordings of a language (``en`` or ``zh``) at the borders of their sentences; no text twice."""
    found: dict[str, Sentence] = {}
    for name in _TIMED[language]:
        media = FOLDER / name
        pcm = _decoded(media.read_bytes())
        timed = json.loads(media.with_suffix(".json").read_text(encoding="utf-8"))
        for spoken in timed["segments"]:
            cut = pcm[round(spoken["start"] * RATE) : round(spoken["end"] * RATE)]
            found.setdefault(spoken["text"], Sentence(spoken["text"], cut))
    return tuple(found.values())


def story(number: int, count: int = 3, language: str = "en") -> list[Sentence]:
    """Choose sentences for the recording of this number, always the same ones.

    The first sentence tells numbers that follow each other apart, the first two any two numbers below 250.

    Args:
        number: which recording, from 0.
        count: how many sentences; about 2.5 s each. None comes twice before all came once.
        language: ``en`` or ``zh``.
    """
    stock = list(sentences(language))
    rounds, first = divmod(number, len(stock))
    order = [stock.pop(first), stock.pop(rounds % len(stock))]
    random.Random(number).shuffle(stock)  # noqa: S311 - the same choice every time is wanted
    order += stock
    return (order * math.ceil(count / len(order)))[:count]


def text_of(spoken: list[Sentence]) -> str:
    """Return what is said, one sentence a line."""
    return "\n".join(sentence.text for sentence in spoken)


def compose(spoken: list[Sentence], gap_s: float = 0.6) -> Pcm:
    """Speak sentences one after the other, with a pause before each and after the last."""
    pause = silence(gap_s)
    return np.concatenate([pause, *(part for sentence in spoken for part in (sentence.pcm, pause))])


def speech(spoken: list[Sentence], gap_s: float = 0.6) -> bytes:
    """Speak sentences into a WAV file."""
    return wav(compose(spoken, gap_s))


def silence(seconds: float) -> Pcm:
    """Make digital silence."""
    return np.zeros(round(seconds * RATE), np.int16)


def tone(seconds: float, hertz: float = 440.0) -> Pcm:
    """Make a pure tone, a sound without words."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * 32767 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def wav(pcm: Pcm) -> bytes:
    """Put sound into a WAV file, unpacked."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(pcm.tobytes())
    return file.getvalue()


def mp3(pcm: Pcm) -> bytes:
    """Put sound into an MP3 file."""
    return _encoded("mp3", pcm, codec="libmp3lame")


def opus(pcm: Pcm) -> bytes:
    """Put sound into an Ogg file with Opus."""
    return _encoded("ogg", pcm, codec="libopus")


def flac(pcm: Pcm) -> bytes:
    """Put sound into a FLAC file."""
    return _encoded("flac", pcm, codec="flac")


def m4a(pcm: Pcm) -> bytes:
    """Put sound (AAC) into an MP4 file without a picture."""
    return _encoded("ipod", pcm, codec="aac")


def aac(pcm: Pcm) -> bytes:
    """Put sound into a bare stream of AAC."""
    return _encoded("adts", pcm, codec="aac")


def wma(pcm: Pcm) -> bytes:
    """Put sound into a Windows Media file."""
    return _encoded("asf", pcm, codec="wmav2")


def mpegts(pcm: Pcm) -> bytes:
    """Put sound (AAC) into an MPEG transport stream, the kind of file that segmented streams are made of."""
    return _encoded("mpegts", pcm, codec="aac")


def mp4_with_sound(pcm: Pcm) -> bytes:
    """Put sound (AAC) and a small picture (H.264) into an MP4 file."""
    return _encoded("mp4", pcm, codec="aac", picture_codec="libx264")


def mp4_without_sound(seconds: float = 3.0) -> bytes:
    """Make an MP4 file with a picture only."""
    return _encoded("mp4", silence(seconds), codec=None, picture_codec="libx264")


def webm(pcm: Pcm) -> bytes:
    """Put sound (Opus) and a small picture (VP8) into a WebM file."""
    return _encoded("webm", pcm, codec="libopus", picture_codec="libvpx")


def mkv(pcm: Pcm) -> bytes:
    """Put sound (AAC) and a small picture (H.264) into a Matroska file."""
    return _encoded("matroska", pcm, codec="aac", picture_codec="libx264")


def mov(pcm: Pcm) -> bytes:
    """Put sound (unpacked) and a small picture (MPEG-4) into a QuickTime file."""
    return _encoded("mov", pcm, codec="pcm_s16le", picture_codec="mpeg4")


def avi(pcm: Pcm) -> bytes:
    """Put sound (MP3) and a small picture (MPEG-4) into an AVI file."""
    return _encoded("avi", pcm, codec="libmp3lame", picture_codec="mpeg4")


def hls(pcm: Pcm, *, kind: str = "mpegts", segment_s: int = 3, live: bool = False) -> dict[str, bytes]:
    """Cut sound (AAC) into the files of a segmented stream, which all lie in one folder.

    Args:
        pcm: the sound.
        kind: of the segments, ``mpegts`` or ``fmp4``.
        segment_s: length of a segment.
        live: leave out the mark that says where the stream ends.

    Returns:
        Bodies by name; the playlist is ``stream.m3u8``.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = {"hls_time": str(segment_s), "hls_list_size": "0", "hls_segment_type": kind}
        with av.open(f"{folder}/stream.m3u8", "w", format="hls", options=options) as out:
            _put_in(out, pcm, codec="aac")
        files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    if live:
        files["stream.m3u8"] = files["stream.m3u8"].replace(b"#EXT-X-ENDLIST\n", b"")
    return files


def truncated(body: bytes, share: float = 0.5) -> bytes:
    """Cut a file off in the middle."""
    return body[: int(len(body) * share)]


def not_media() -> bytes:
    """Make a file that is neither sound nor picture, whatever its name says."""
    return b"This is not a video, and it never was one.\n" * 200


def _decoded(body: bytes) -> Pcm:
    """Read the sound of a file."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(io.BytesIO(body)) as media:
        frames = [frame for packed in media.decode(audio=0) for frame in resampler.resample(packed)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def _encoded(container: str, pcm: Pcm, *, codec: str | None, picture_codec: str | None = None) -> bytes:
    """Put sound, a picture of the same length, or both into a container."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        _put_in(out, pcm, codec=codec, picture_codec=picture_codec)
    return file.getvalue()


def _put_in(
    out: av.container.OutputContainer, pcm: Pcm, *, codec: str | None, picture_codec: str | None = None
) -> None:
    """Put sound, a picture of the same length, or both into a container that is open."""
    picture = out.add_stream(picture_codec, rate=_PICTURES_PER_S) if picture_codec else None
    sound = out.add_stream(codec, rate=RATE, layout="mono") if codec else None
    if picture:
        picture.width, picture.height = _PICTURE_SIZE
        picture.pix_fmt = "yuv420p"
        for frame in _pictures(len(pcm) / RATE):
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
    if sound:
        sound.bit_rate = _BITS_PER_S
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
        frame.rate = RATE
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))


def _pictures(seconds: float) -> list[av.VideoFrame]:
    """Draw one gray picture for each moment, a little lighter each time."""
    width, height = _PICTURE_SIZE
    return [
        av.VideoFrame.from_ndarray(np.full((height, width, 3), 40 + number % 120, np.uint8), format="rgb24")
        for number in range(math.ceil(seconds * _PICTURES_PER_S))
    ]
