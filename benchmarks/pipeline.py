"""How much of the recognizer's own speed is left when the whole daemon is around it.

The bare loop is stated here in full: faster-whisper's ``BatchedInferencePipeline`` over the same files with the same
model, one thread for each of the model's workers, every file decoded and transcribed and nothing else. The daemon
does the same files from the first submit to the last message. The two alternate, so that a machine whose speed
drifts is fair to both.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from tests.daemon import Client, Daemon
from tests.fakes import media
from tests.fakes.server import running
from tests.fakes.site import Reply, Site

CLIPS = 4
CLIP_S = 600
ROUNDS = 3
BATCH = 4
CORES = os.cpu_count() or 1

_BARE = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from faster_whisper import BatchedInferencePipeline, WhisperModel

cores, batch, model, *files = sys.argv[1:]
whisper = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=1, num_workers=int(cores))

def transcribe(file):
    segments, _ = BatchedInferencePipeline(whisper).transcribe(file, batch_size=int(batch), without_timestamps=False)
    return sum(len(segment.text) for segment in segments)

began = time.monotonic()
with ThreadPoolExecutor(int(cores)) as pool:
    heard = sum(pool.map(transcribe, files))
print(time.monotonic() - began, heard)
"""


def measure() -> list[Figure]:
    """Alternate bare loop and daemon over the same long clips."""
    with tempfile.TemporaryDirectory() as folder, running(Site()) as site:
        clips = _clips(Path(folder))
        ratios, speeds = [], []
        for number in range(ROUNDS):
            bare_s = asyncio.run(_bare(clips))
            daemon_s = asyncio.run(_daemon(site, clips, Path(folder) / f"round-{number}"))
            ratios.append(bare_s / daemon_s)
            speeds.append(CLIPS * CLIP_S / daemon_s)
    return [
        Figure(f"pipeline efficiency: bare loop / daemon, {CLIPS} × {CLIP_S} s", "", tuple(ratios)),
        Figure("the same, daemon: seconds of speech per second", "×", tuple(speeds)),
    ]


def _clips(folder: Path) -> list[Path]:
    """Compose long recordings, each of its own sentences in its own order."""
    clips = []
    for number in range(CLIPS):
        sentences = media.sentences("en")
        pieces, length = [], 0
        rng = np.random.default_rng(number)
        while length < CLIP_S * 16_000:
            pcm = media.compose([sentences[place] for place in rng.permutation(len(sentences))])
            pieces.append(pcm)
            length += len(pcm)
        clips.append(folder / f"clip-{number}.wav")
        clips[-1].write_bytes(media.wav(np.concatenate(pieces)[: CLIP_S * 16_000]))
    return clips


async def _bare(clips: list[Path]) -> float:
    """Seconds of the bare loop, without the start of Python and the loading of the model."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _BARE,
        str(CORES),
        str(BATCH),
        "models/demo",
        *map(str, clips),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    seconds, heard = said.split()
    assert int(heard) > 0
    return float(seconds)


async def _daemon(site: Site, clips: list[Path], folder: Path) -> float:
    """Seconds from the first submit to the last completion, with the model loaded by a video before."""
    urls = [site.serve(f"/{folder.name}/{clip.name}", Reply(file=clip)) for clip in clips]
    warm = site.serve(f"/{folder.name}/warm.wav", Reply(body=media.speech(media.story(0))))
    daemon = Daemon(
        folder,
        download={"allow_hosts": [site.address]},
        concurrent={"max_workers": CLIPS},
        scheduler={"max_tasks_per_gpu": CORES},
        log={"level": "info"},
    )
    with daemon:
        async with Client(daemon) as client:
            await client.finished(await client.submit(warm))
            began = time.monotonic()
            ids = [await client.submit(url) for url in urls]
            states = [await client.finished(task_id, 600) for task_id in ids]
            took_s = time.monotonic() - began
    assert all(state["status"] == "completed" for state in states), states
    return took_s
