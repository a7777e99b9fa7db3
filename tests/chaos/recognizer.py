"""A recognizer without a model, run as a device's process: it says what a recording's own samples tell it to.

It speaks the protocol of ``pipeline.engine.asr_host``, resuming included.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pipeline.zygote import emit
from tests.chaos.recordings import LANGUAGE, LANGUAGE_OF_THE_REST, SEGMENT_S, Recording, told_by

Line = dict[str, Any]

SLOW_START = "the next engine takes for ever to start"
"""A file of this name in the daemon's folder for temporary files has the daemon asked to stop meanwhile."""


def answer(connection: socket.socket) -> None:
    """Serve one task until it is done or the daemon hangs up."""
    with connection, connection.makefile("rwb") as stream:
        request = json.loads(stream.readline())
        samples = Path(request["pcm_path"])
        recording = told_by(samples)

        def say(line: Line) -> None:
            stream.write(json.dumps(line).encode() + b"\n")
            stream.flush()

        first = math.ceil(request["resume_after_s"] / SEGMENT_S)
        language = request["language"] or (LANGUAGE if first == 0 else LANGUAGE_OF_THE_REST)
        for place in range(first, len(recording.says) + 1):
            if place == recording.at and (recording.again or not _struck_before(samples)):
                go_wrong(recording)
            if place < len(recording.says):
                time.sleep(recording.pace_s)
                start_s, end_s, text = recording.segment(place)
                say({"segments": [[start_s, end_s, text]], "done_s": end_s, "language": language})
        say({"done": True, "language": language, "batch": 4, "peaks": []})


def _struck_before(samples: Path) -> bool:
    """Tell whether this recording has had its fault; what tells it lies in the work folder, past all deaths."""
    mark = samples.with_suffix(".struck")
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return True
    return False


def go_wrong(recording: Recording) -> None:
    """Do what the script says goes wrong."""
    match recording.fault:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            threading.Event().wait()
        case "kill the daemon":
            os.kill(os.getppid(), signal.SIGKILL)
            threading.Event().wait()  # the lifeline ends this process too
        case "stop the daemon":
            os.kill(os.getppid(), signal.SIGTERM)


def _start_slowly(below: Path) -> None:
    for folder in below.parents:
        if (folder / SLOW_START).exists():
            (folder / SLOW_START).unlink()
            os.kill(os.getppid(), signal.SIGTERM)
            threading.Event().wait()  # the lifeline ends this process


def main(socket_path: str) -> None:
    """Listen, say so, answer everybody in a thread of its own."""
    _start_slowly(Path(socket_path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(socket_path)
        listener.listen(64)
        emit({"ready": True})
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer_quietly, args=(connection,), daemon=True).start()


def _answer_quietly(connection: socket.socket) -> None:
    try:
        answer(connection)
    except OSError:
        return  # the daemon has hung up: cancelled


if __name__ == "__main__":
    main(sys.argv[1])
