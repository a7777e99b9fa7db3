"""``make demo``: the main job end to end, on real speech, with no key, no GPU and no network.

A small local web site serves the recordings of this folder; the daemon runs as a child process on a free port
with a temporary data folder; all videos are submitted at once. What is printed is what the daemon answered, and
the exit code is 0 only if every expectation held.
"""

from __future__ import annotations

import asyncio
import sys
import textwrap
import time
from dataclasses import dataclass, field

from examples.samples import Sample
from examples.scoring import error_rate
from examples.timeline import broken_runs, sent
from examples.world import Recording, world
from pipeline.cli._bars import Board
from pipeline.cli._follow import FINAL, bar
from pipeline.cli._output import show_any_character
from tests.daemon import Client, Daemon, Json

WORST_ERROR_RATE = 0.05
"""Share of the reference that may be misheard; the bundled model stays below 0.02 on these recordings."""
LOOK_EVERY_S = 0.25
COLUMNS, INDENT = 120, 10
"""Of the texts that are printed."""


@dataclass
class Video:
    """One submitted recording and what the daemon says of it."""

    recording: Recording
    task_id: str = ""
    state: Json = field(default_factory=dict)

    @property
    def sample(self) -> Sample:
        """The recording with its text."""
        return self.recording.sample


def main() -> int:
    """Run the demo; 0 if everything held."""
    show_any_character()
    with world() as here:
        videos = [Video(recording) for recording in here.recordings]
        print(f"The local video site is at {here.site_url}. Starting the daemon …")
        with here.daemon as daemon:
            print(f"The daemon answers at {daemon.url}. Submitting {len(videos)} videos at once:\n")
            problems = asyncio.run(_show(daemon, videos))
    if problems:
        print("\nNot everything held:", *problems, sep="\n  - ")
        return 1
    print(_NEXT)
    return 0


async def _show(daemon: Daemon, videos: list[Video]) -> list[str]:
    async with Client(daemon) as client:
        began = time.monotonic()
        ids = await asyncio.gather(*(client.submit(video.recording.url) for video in videos))
        for video, task_id in zip(videos, ids, strict=True):
            video.task_id = task_id
        side_by_side = await _follow(client, videos)
        took_s = time.monotonic() - began
        problems = [problem for video in videos for problem in await _tell_text(client, video)]
        problems += await _tell_messages(client, videos)
        spoken_s = sum(video.state["media"]["duration"] for video in videos)
        print(f"\n{len(videos)} videos, {spoken_s:.0f} s of speech, done in {took_s:.1f} s; ", end="")
        print(f"at most {side_by_side} were in hand at the same time.")
    if side_by_side < 2:  # noqa: PLR2004 - side by side means two
        problems.append("no two videos were worked on at the same time")
    return problems


async def _follow(client: Client, videos: list[Video]) -> int:
    """Show every video's stage and percent until all are done; returns the most seen in hand at once."""
    board = Board(sys.stdout)
    most = 0
    while True:
        states = await asyncio.gather(*(client.state(video.task_id) for video in videos))
        for video, state in zip(videos, states, strict=True):
            video.state = state
        most = max(most, sum(state["status"] == "processing" for state in states))
        board.draw([bar(video.state, video.recording.name) for video in videos])
        if all(state["status"] in FINAL for state in states):
            return most
        await asyncio.sleep(LOOK_EVERY_S)


async def _tell_text(client: Client, video: Video) -> list[str]:
    """Show the text beside its reference; returns what was not as expected."""
    name, status = video.recording.name, video.state["status"]
    if status != "completed":
        return [f"{name}: {status}, {video.state['error']}"]
    result = await client.result(video.task_id, layer="raw")
    rate = error_rate(video.sample.reference, result["text"], video.sample.language)
    kind = "characters" if video.sample.language == "zh" else "words"
    print(f"\n── {name} · {result['language']} · {100 * rate:.1f} % of {kind} differ from the reference")
    print(_paragraph("said:", video.sample.reference, video.sample.language))
    print(_paragraph("heard:", result["text"], video.sample.language))
    problems = []
    if result["language"] != video.sample.language:
        problems.append(f"{name}: heard as {result['language']}, it is {video.sample.language}")
    if rate > WORST_ERROR_RATE:
        problems.append(f"{name}: {100 * rate:.1f} % differ, at most {100 * WORST_ERROR_RATE:.0f} % may")
    if video.state["progress"]["percent"] != 100:  # noqa: PLR2004 - completed is 100
        problems.append(f"{name}: completed at {video.state['progress']['percent']} %")
    return problems


def _paragraph(name: str, text: str, language: str) -> str:
    """Set a text in lines beside its name; a Chinese character is two columns wide."""
    width = COLUMNS // 2 if language == "zh" else COLUMNS
    return textwrap.fill(text, width, initial_indent=f"   {name}".ljust(INDENT), subsequent_indent=" " * INDENT)


async def _tell_messages(client: Client, videos: list[Video]) -> list[str]:
    """Show every message in the order in which they were delivered, and check that no video's run is broken."""
    completed = [video for video in videos if video.state["status"] == "completed"]
    runs = [(video.recording.name, await client.messages(video.task_id)) for video in completed]
    unsent = [(name, message) for name, run in runs for message in run if message["state"] != "sent"]
    if unsent:
        return [f"{name}: message {message['number']} is {message['state']}" for name, message in unsent]
    # Times are in milliseconds; within one, the run that began earlier comes to its end.
    delivered = [(message["sent_at"], run[0]["sent_at"], name, message) for name, run in runs for message in run]
    print("\n══ Messages, in the order in which they were delivered (the inbox: no WeChat robot is configured)")
    for *_, name, message in sorted(delivered, key=lambda item: item[:2]):
        print(f"\n── {name} · {message['kind']} · {message['bytes']} bytes · {message['state']}")
        print("\n".join(f"   {line}" for line in message["text"].splitlines()))
    problems = broken_runs([message for name, run in runs for message in sent(name, run)])
    for name, run in runs:
        numbers = [message["number"] for message in run]
        if numbers != list(range(1, run[0]["of"] + 1)):
            problems.append(f"{name}: its messages came as {numbers}")
    return problems


_NEXT = """
Everything held. What to do next:
  make run                      starts the daemon with config.json at http://127.0.0.1:8000
  cat data/token                is the bearer token it makes at its first start
  curl -H "Authorization: Bearer $(cat data/token)" -H "Content-Type: application/json" \\
       -d '{"url": "https://example.com/video.mp4"}' http://127.0.0.1:8000/api/transcribe
                                submits a video; README.md shows the rest
  "wechat": {"webhook": "…"}    in config.json sends the messages to your WeChat (WeCom) group
"""


if __name__ == "__main__":
    sys.exit(main())
