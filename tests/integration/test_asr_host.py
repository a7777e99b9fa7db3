"""The program that owns a device's models, spoken to as the daemon does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.device_host import ENVIRONMENT
from pipeline.engine.models import BUNDLED
from tests.docs.pages import ROOT
from tests.fakes import media

WITHIN_S = 60.0
SENTENCES = 3


class Host:
    """A running program."""

    def __init__(self, path: Path, sound: Path) -> None:
        self._path = path
        self._sound = sound

    def ask(self, **request: object) -> dict[str, Any]:
        """Ask for something; returns the last line of the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(WITHIN_S)
            connection.connect(str(self._path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            lines: list[dict[str, Any]] = [json.loads(line) for line in connection.makefile("rb")]
            return lines[-1]

    def hear(self, model: Path) -> dict[str, Any]:
        """Have the sound recognized."""
        unused = dict.fromkeys(("hotwords", "prompt"))
        flags = dict.fromkeys(("sequential", "word_times"), False)
        return self.ask(
            pcm_path=str(self._sound),
            model_path=str(model),
            compute_types=["int8"],
            language="en",
            priority=2,
            resume_after_s=0.0,
            **unused,
            **flags,
        )


def test_a_model_is_measured_leaves_memory_and_comes_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What its batches take is told once, and no more when another model was there; one that left is loaded anew."""
    path = tmp_path_factory.mktemp("s") / "s"
    sound = tmp_path / "sound"
    sound.write_bytes(media.compose(media.story(3, SENTENCES)).astype("<i2").tobytes())
    other = shutil.copytree(BUNDLED["demo"], tmp_path / "other")
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.lifeline", "pipeline.engine.asr_host", str(path), "cpu", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        assert {"ready": True} == json.loads(process.stdout.readline())
        host, demo = Host(path, sound), BUNDLED["demo"]
        done = host.hear(demo)
        assert (True, 2) == (done["done"], done["batch"])
        ((items, mb),) = done["peaks"]
        assert 1 == items
        assert mb > 50
        assert {"done": True} == host.ask(unload=str(demo))
        assert host.hear(demo)["done"]
        assert [] == host.hear(other)["peaks"]
        assert {"done": True} == host.ask(unload=str(other))
        assert host.hear(demo)["done"]
        process.kill()
        said = [json.loads(line) for line in process.stdout]
    assert [str(demo), str(demo), str(other)] == [line["path"] for line in said if line["event"] == "model loaded"]
