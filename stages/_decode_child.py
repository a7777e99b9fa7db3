"""The decode child: the only code that reads foreign media. Forked from the zygote; see ``pipeline.zygote``.

It reads one server-named local file with a white list of containers and without any network, never decodes
video, and writes plain samples.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.core.products import GROWING
from pipeline.failures import (
    DecodeFailed,
    DownloadTruncated,
    MediaInvalid,
    MediaNoAudio,
    MediaTooLong,
)
from stages._work import BYTES_PER_SAMPLE, SAMPLE_RATE, make_durable

CONTAINERS = "aac,ac3,aiff,amr,asf,avi,caf,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,wav,w64"
"""libav's names of the containers that are opened; playlists and scripts that name other files are not among them."""
REPORT_EVERY_S = 30.0
"""Seconds of sound between two progress lines."""
SHORT_BY = 0.05
"""A file whose sound ends earlier than this share of its declared length (and 2 s) was cut."""
UNKNOWN_SIZE = 0x7FFF0000
"""From here on a RIFF header's size is what programs write that do not know it yet."""
LONG_BOX, SMALLEST_BOX = 1, 8
"""Sizes in an MP4: one that stands for a size of 64 bits behind the name, and that of a box that holds nothing."""
MOST_BOXES = 100
"""So many are looked at before the index, which usually is among the first five."""
BROKEN_PACKETS = 200
"""So many packets in a row that cannot be decoded end the attempt."""

Emit = Callable[[dict[str, Any]], None]


def main(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Decode ``media_path`` into ``audio_path``; returns ``{"duration_s": float, "whole": bool}``.

    With ``most_s``, only a recording that is no longer is kept; otherwise ``duration_s`` is what its file tells.

    Raises:
        StageFailed: the failure, by its name.
    """
    import av  # noqa: PLC0415 - heavy; already loaded in the zygote

    av.logging.set_level(av.logging.PANIC)
    media = Path(request["media_path"])
    limit_s = float(request["max_duration_s"])
    room = int((limit_s + 60) * SAMPLE_RATE) * BYTES_PER_SAMPLE
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        _check_whole(media)
        with av.open(str(media), options=_walls(), metadata_errors="replace") as container:
            return _decode(av, container, request, limit_s, emit)
    except (av.error.InvalidDataError, av.error.ArgumentError):  # the second: not among the containers
        raise MediaInvalid(_looks_like(media)) from None
    except av.error.FFmpegError as error:
        raise DecodeFailed(type(error).__name__) from error


def _walls() -> dict[str, str]:
    return {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}


def _check_whole(path: Path) -> None:
    """Find by the sizes in a file that it was cut, where libav forgets them or calls it invalid."""
    with path.open("rb") as file:
        top = file.read(8)
        there = path.stat().st_size
        if top[:4] == b"RIFF":  # WAV or AVI
            size = int.from_bytes(top[4:], "little")
            if there < size * (1 - SHORT_BY) and size < UNKNOWN_SIZE:
                raise DownloadTruncated(f"{there} of {size} bytes")
        elif top[4:] == b"ftyp":
            _check_boxes(file, there)


def _check_boxes(file: BinaryIO, there: int) -> None:
    """Find that an MP4 was cut before its index, which may lie behind the media."""
    begin = 0
    for _ in range(MOST_BOXES):
        file.seek(begin)
        size, name = int.from_bytes(file.read(4)), file.read(4)
        if size == LONG_BOX:
            size = int.from_bytes(file.read(8))
        if name == b"moov" or size < SMALLEST_BOX:  # the index is there, or the file is at its end or broken
            return
        begin += size
        if begin > there:
            raise DownloadTruncated(f"{there} of {begin} bytes")


def _decode(
    av: Any,  # noqa: ANN401 - a module
    container: Any,  # noqa: ANN401 - PyAV's container
    request: dict[str, Any],
    limit_s: float,
    emit: Emit,
) -> dict[str, Any]:
    if not container.streams.audio:
        raise MediaNoAudio
    stream = container.streams.audio[0]
    declared_s = _declared(av, container, stream)
    if declared_s and declared_s > limit_s:
        raise MediaTooLong(f"{declared_s:.0f} s")
    samples = 0
    reported_s = 0.0
    audio, most_s = Path(request["audio_path"]), request["most_s"]
    draft = audio.with_name(audio.name + GROWING)
    with draft.open("wb") as out:
        for plain in _plain_frames(av, container, stream):
            out.write(bytes(plain.planes[0])[: plain.samples * BYTES_PER_SAMPLE])
            samples += plain.samples
            done_s = samples / SAMPLE_RATE
            if done_s > limit_s:
                raise MediaTooLong(f"more than {limit_s:.0f} s")
            if most_s and done_s > most_s:
                draft.unlink()
                return {"duration_s": max(done_s, declared_s or 0.0), "whole": False}
            if done_s - reported_s >= REPORT_EVERY_S:
                reported_s = done_s
                emit({"done_s": done_s, "total_s": declared_s})
    done_s = samples / SAMPLE_RATE
    if not samples:
        raise MediaInvalid("it holds no sound that can be decoded")
    if declared_s and done_s < declared_s * (1 - SHORT_BY) - 2.0:
        raise DownloadTruncated(f"{done_s:.0f} s of {declared_s:.0f} s")
    draft.replace(audio)
    make_durable(audio)
    return {"duration_s": done_s, "whole": True}


def _declared(av: Any, container: Any, stream: Any) -> float | None:  # noqa: ANN401 - PyAV's
    """The length the file says it has, in seconds."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _plain_frames(av: Any, container: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401 - PyAV's
    """Every frame as 16 kHz mono s16; broken packets are passed over, a row of them is an error."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    broken = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            broken += 1
            if broken > BROKEN_PACKETS:
                raise
            continue
        broken = 0
        for frame in frames:
            yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _looks_like(path: Path) -> str:
    """A word on what it is instead, for the most frequent mistake."""
    with path.open("rb") as file:
        head = file.read(512).lstrip().lower()
    if not head:
        return "the file is empty"
    return "it is a web page" if head.startswith((b"<!doctype", b"<html")) else ""
