"""The recognizer without a daemon around it: a program that transcribes files as fast as one knows how, or as usual.

``python -m benchmarks.raw_loop tuned|stock|first MODEL FILE…`` prints seconds (wall and CPU) and how many windows
were heard; starting Python and loading the model do not count, decoding the files and computing features do.

``tuned``
    All files are cut into windows of equal length; windows of all files share batches; there are as many workers of one
    thread as cores. Whoever starts it sets the engine's own allocator.
``stock``
    What most servers do: one model, its threads on all cores, one file after the other.
``first``
    ``BatchedInferencePipeline`` with the first file until its first segment is there.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio

from pipeline.engine.asr_host import NICENESS
from pipeline.engine.memory_book import BATCH_ON_CPU
from pipeline.engine.recording import SAMPLE_RATE
from pipeline.engine.whisper import Whisper

CORES = os.cpu_count() or 1


def tuned(model: str, files: Sequence[str]) -> Callable[[], int]:
    """Prepare the best loop; the call runs it and returns how many windows it heard."""
    whisper = Whisper(model, "cpu", "auto")
    prompt = whisper.prompt("en")
    step = round(whisper.most_s * SAMPLE_RATE)

    def prepare(file: str) -> list[np.ndarray]:
        sound = decode_audio(file)
        return [whisper.features(sound[begin : begin + step]) for begin in range(0, len(sound), step)]

    def hear(batch: Sequence[np.ndarray]) -> int:
        return len(whisper.decode(whisper.encode(batch), [prompt] * len(batch), 0.0))

    def run() -> int:
        with ThreadPoolExecutor(CORES) as pool:
            windows = list(itertools.chain.from_iterable(pool.map(prepare, files)))
            batches = [windows[begin : begin + BATCH_ON_CPU] for begin in range(0, len(windows), BATCH_ON_CPU)]
            return sum(pool.map(hear, batches))

    hear([np.zeros_like(prepare(files[0])[0])])
    return run


def stock(model: str, files: Sequence[str]) -> Callable[[], int]:
    """Prepare the usual loop. What was said before is no part of the prompt, as in batches."""
    whisper = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=CORES)

    def hear(file: str) -> int:
        segments, _ = whisper.transcribe(file, language="en", condition_on_previous_text=False)
        return sum(1 for _ in segments)

    return lambda: sum(map(hear, files))


def first(model: str, files: Sequence[str]) -> Callable[[], int]:
    """Prepare faster-whisper's batches, of which only the first is waited for."""
    batched = BatchedInferencePipeline(
        WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=1, num_workers=CORES)
    )

    def run() -> int:
        segments, _ = batched.transcribe(files[0], language="en", batch_size=BATCH_ON_CPU)
        return len(next(iter(segments)).tokens)

    return run


def main(way: str, model: str, *files: str) -> None:
    """Run once and print what it took."""
    os.nice(NICENESS)
    run = {"tuned": tuned, "stock": stock, "first": first}[way](model, files)
    began, cpu_began = time.monotonic(), time.process_time()
    heard = run()
    print(json.dumps({"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu_began, "heard": heard}))


if __name__ == "__main__":
    main(*sys.argv[1:])
