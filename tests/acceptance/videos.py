"""Videos with real speech, and whether a task has the words of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from examples.scoring import error_rate
from tests.daemon import Client
from tests.fakes import media
from tests.fakes.server import Gate
from tests.fakes.site import Reply, Site

Stage: TypeAlias = Literal["captions", "download"]

WORST_ERROR_RATE = 0.1
CLEARLY = 0.1


@dataclass(frozen=True)
class Video:
    """One recording on the site."""

    path: str
    url: str
    said: str
    hold: Stage | None
    """The stage in which it is held: ``captions`` (the first request for it) or ``download`` (the second)."""
    gate: Gate
    """What holds it, until the test opens it."""

    @property
    def name(self) -> str:
        """What it is called where nobody says otherwise."""
        return self.path.strip("/").partition(".")[0]


def serve_story(site: Site, number: int, sentences: int = 3, *, hold: Stage | None = None) -> Video:
    """Serve the story of this number.

    Args:
        site: where.
        number: tells it apart from other stories.
        sentences: about 3 s each.
        hold: the stage in which its gate holds it.
    """
    spoken = media.story(number, sentences)
    path = f"/story-{number}.wav"
    gate = site.gate(path)
    free = Reply(body=media.speech(spoken))
    held = replace(free, gate=gate)
    replies = {None: [free], "captions": [held], "download": [free, held]}[hold]
    return Video(path, site.serve(path, *replies), media.text_of(spoken), hold, gate)


async def check_texts(client: Client, ids: Sequence[str], videos: Sequence[Video]) -> None:
    """Check that every task has the words of its own video, and of no other one."""
    for task_id, video in zip(ids, videos, strict=True):
        result = await client.result(task_id, layer="raw")
        assert task_id == result["task_id"]
        own = error_rate(video.said, result["text"], "en")
        others = [error_rate(other.said, result["text"], "en") for other in videos if other is not video]
        assert own <= WORST_ERROR_RATE, (video, result["text"])
        assert own + CLEARLY < min(others, default=1.0), (video, result["text"])


def serve_stream(site: Site, folder: str, pcm: media.Pcm, **how: Any) -> str:
    """Serve a segmented stream; returns its address."""
    for name, body in media.hls(pcm, **how).items():
        site.serve(f"{folder}/{name}", Reply(body=body))
    return f"{site.url}{folder}/stream.m3u8"
