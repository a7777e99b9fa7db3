"""Runs the two programs that touch the world, as children of a zygote."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bridge import StopSignal
from pipeline.child import Limits, Zygote
from tests.fakes import media

LIMIT_BYTES = 300_000


class Children:
    """Runs the two programs on one work folder, and keeps the lines they said."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        self._zygote = zygote
        self.folder = folder
        self.lines: list[dict[str, Any]] = []

    def _run(self, program: str, request: dict[str, Any], kill_at: float = math.inf) -> dict[str, Any]:
        stop = StopSignal()

        def hear(line: dict[str, Any]) -> None:
            self.lines.append(line)
            if line.get("bytes_done", 0) >= kill_at:
                stop.raise_now()

        return self._zygote.fork(program).run(request, hear, Limits(timeout_s=30.0), stop)

    def fetch(
        self, mode: str, url: str, *, max_bytes: int = LIMIT_BYTES, kill_at: float = math.inf, **more: object
    ) -> dict[str, Any]:
        request = {
            "mode": mode,
            "url": url,
            "info_path": str(self.folder / "info.json"),
            "folder": str(self.folder),
            "stem": "media",
            "max_bytes": max_bytes,
            "socket_timeout_s": 0.5,
            "proxy": "",
            "cookies_dir": None,
            "js_runtimes": ["deno", "node"],
            **more,
        }
        return self._run("stages._fetch_child", request, kill_at)

    def fetch_both(self, url: str) -> dict[str, Any]:
        self.fetch("resolve", url)
        return self.fetch("download", url)

    def decode(
        self, body: bytes, *, max_duration_s: float = 3600.0, most_s: float | None = None
    ) -> tuple[dict[str, Any], media.Pcm]:
        """Decode a file; returns what the child says, and the samples it wrote."""
        file, audio = self.folder / "media.bin", self.folder / "audio.s16le"
        file.write_bytes(body)
        limits = {"max_duration_s": max_duration_s, "most_s": most_s}
        found = self._run("stages._decode_child", {"media_path": str(file), "audio_path": str(audio), **limits})
        assert audio.exists() == found["whole"]
        return found, np.fromfile(audio, dtype="<i2") if found["whole"] else media.silence(0)
