"""A recognizer without a model: speaks the protocol of ``pipeline.engine.asr_host`` by a script.

The script is the first line of the request's "sound" file, as JSON: ``{"say": [lines…], "then": "done" | "hang" |
"die" | "repeat" | "fail"}``; to fail says which device it runs on, and which card CUDA would see.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from pipeline.zygote import emit

USED = {"batch": 4, "peaks": [[2, 300]]}
"""What a recognizer says at the end of what it used."""


def answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rwb") as stream:
        request = json.loads(stream.readline())
        if "unload" in request:
            stream.write(b'{"done": true}\n')
            return
        script = json.loads(Path(request["pcm_path"]).read_text(encoding="utf-8"))
        lines = [*script["say"]]
        if script["then"] == "done":
            lines.append({"done": True, "language": request["language"] or "en", **USED})
        if script["then"] == "fail":
            seen = f"{sys.argv[2]} is {os.environ.get('CUDA_VISIBLE_DEVICES')}"
            lines.append({"error": "device_failed", "detail": f"CUDA failed with error unknown error; {seen}"})
        for line in lines:
            stream.write(json.dumps(line).encode() + b"\n")
        stream.flush()
        if script["then"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while script["then"] == "repeat":
            stream.write(json.dumps(script["say"][-1]).encode() + b"\n")
            stream.flush()
        stream.read()  # until the daemon hangs up


def main(socket_path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(socket_path)
        listener.listen()
        emit({"ready": True})
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
