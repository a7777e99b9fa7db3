"""The decode child: the samples it makes of media files, and the name each fault gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.failures import (
    DownloadTruncated,
    MediaInvalid,
    MediaNoAudio,
    MediaTooLong,
    StageFailed,
)
from tests.fakes import media
from tests.integration.children import Children

TONE = media.tone(8.0)
PICTURE = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")

CONTAINERS = [
    media.wav, media.mp3, media.opus, media.flac, media.m4a, media.aac, media.wma,
    media.mp4_with_sound, media.webm, media.mkv, media.mov, media.avi, media.mpegts,
]  # fmt: skip


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_becomes_the_same_samples(children: Children, container: Callable[[media.Pcm], bytes]) -> None:
    """Sound comes out as 16 kHz mono samples, as long as it was and with its pitch."""
    found, samples = children.decode(container(TONE))
    assert found["duration_s"] == len(samples) / media.RATE
    assert 8.0 == pytest.approx(found["duration_s"], abs=0.15)
    assert 440 == pytest.approx(np.argmax(np.abs(np.fft.rfft(samples))) * media.RATE / len(samples), abs=1)


def test_decoding_reports_how_far_it_is(children: Children) -> None:
    """A line comes every thirty seconds of sound, with the length that the file declares."""
    children.decode(media.flac(media.silence(95)))
    assert [30, 60, 90] == [line["done_s"] // 1 for line in children.lines]
    assert {95.0} == {line["total_s"] for line in children.lines}


def test_a_long_recording_is_only_tried(children: Children) -> None:
    """What is longer than wanted leaves no samples, but the length that its file declares."""
    found, _ = children.decode(media.flac(media.silence(95)), most_s=60.0)
    assert {"duration_s": 95.0, "whole": False} == found
    assert ["media.bin"] == [file.name for file in children.folder.iterdir()]


def test_a_wav_that_does_not_know_its_length_is_whole(children: Children) -> None:
    """Programs that write into a pipe leave the greatest number in place of the sizes."""
    unknown = b"\xff\xff\xff\xff"
    body = media.wav(TONE)
    found, _ = children.decode(body[:4] + unknown + body[8:40] + unknown + body[44:])
    assert 8.0 == found["duration_s"]


def test_broken_packets_are_passed_over(children: Children) -> None:
    """A scratch in the middle costs the sound of the scratch."""
    body = bytearray(media.mp3(TONE))
    body[20_000:22_000] = bytes(2000)
    found, _ = children.decode(bytes(body))
    assert 8.0 == pytest.approx(found["duration_s"], abs=0.5)


DECODE_FAULTS = [
    (media.not_media(), MediaInvalid, ""),
    (b"", MediaInvalid, "empty"),
    (b"<!DOCTYPE html><html><body>sign in</body></html>", MediaInvalid, "web page"),
    (b"#EXTM3U\n#EXTINF:1,\nother.ts\n", MediaInvalid, ""),
    (b"ffconcat version 1.0\nfile other.wav\n", MediaInvalid, ""),
    (PICTURE, MediaInvalid, ""),
    (media.wav(TONE[:0]), MediaInvalid, "no sound that can be decoded"),
    (media.mp4_without_sound(), MediaNoAudio, ""),
    (media.mp4_with_sound(TONE)[:32] + bytes(9000), MediaInvalid, ""),
    (media.truncated(media.mp4_with_sound(TONE)), DownloadTruncated, "bytes"),
    (media.truncated(media.m4a(TONE)), DownloadTruncated, "bytes"),
    (media.truncated(media.mov(TONE)), DownloadTruncated, "bytes"),
    (media.truncated(media.wav(TONE)), DownloadTruncated, "bytes"),
    (media.truncated(media.mp3(TONE)), DownloadTruncated, "of 8 s"),
    (media.truncated(media.flac(TONE)), DownloadTruncated, "of 8 s"),
    (media.truncated(media.webm(TONE)), DownloadTruncated, "of 8 s"),
    (media.flac(media.silence(40)), MediaTooLong, "40 s"),
    (media.mpegts(media.silence(40)), MediaTooLong, "s"),
]


@pytest.mark.parametrize(("body", "error", "detail"), DECODE_FAULTS)
def test_each_fault_of_a_file_has_its_name(
    children: Children, body: bytes, error: type[StageFailed], detail: str
) -> None:
    """What is wrong with a file is told apart, with what was seen."""
    with pytest.raises(error) as caught:
        children.decode(body, max_duration_s=30.0)
    assert detail in caught.value.detail
