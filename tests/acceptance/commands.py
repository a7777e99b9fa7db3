"""``run_daemon.py`` as a command: one that ends by itself, and one that a person watches in a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.daemon import ROOT, Daemon
from tests.fakes.server import Record

FINE, FAILED, USAGE, DATA_FOLDER = 0, 1, 2, 3
"""What the commands end with."""
TIMEOUT_S = 60.0
_PROGRAM = [sys.executable, str(ROOT / "run_daemon.py")]


def run_daemon(
    *arguments: str | Path, environ: Mapping[str, str] = os.environ, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, in this folder; what it prints is text."""
    command = [*_PROGRAM, *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environ
    )


def at(daemon: Daemon, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a daemon's configuration, as its owner would."""
    return run_daemon(command, "--config", daemon.config, *arguments)


def findings(config: Path) -> tuple[int, Mapping[str, Mapping[str, str]]]:
    """Have ``doctor`` look, and return its exit code and what it found, by name."""
    done = run_daemon("doctor", "--json", "--config", config)
    said = json.loads(done.stdout)
    assert said["fine"] == (done.returncode == FINE)
    return done.returncode, {finding["name"]: finding for finding in said["findings"]}


class Terminal:
    """A command in a terminal of its own; use as a context manager, which interrupts it if it still runs."""

    def __init__(self, *arguments: str | Path) -> None:
        """Name the command's arguments; it starts with the block."""
        self._command = [*_PROGRAM, *map(str, arguments)]
        self._process: subprocess.Popen[bytes] | None = None
        self._shown: Record[str] = Record()

    def __enter__(self) -> Self:
        """Start it."""
        ours, its = pty.openpty()
        environ = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=its, stdout=its, stderr=its, env=environ)
        os.close(its)
        self._reader = threading.Thread(target=self._read, args=(ours,))
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        if self._process.poll() is None:
            self.interrupt()

    def _read(self, ours: int) -> None:
        with open(ours, "rb", buffering=0) as screen:
            try:
                while piece := screen.read(4096):
                    self._shown.add(piece.decode(errors="replace"))
            except OSError:  # Linux says so when the last program has left the terminal
                pass

    @property
    def shown(self) -> str:
        """Everything it has written so far."""
        return "".join(self._shown.items())

    def wait_for(self, text: str) -> None:
        """Wait until it has shown this."""
        self._shown.wait(lambda pieces: text in "".join(pieces), TIMEOUT_S)

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        """Wait until it has ended; returns the exit code. One that does not end is killed."""
        try:
            code = self._process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        self._reader.join(TIMEOUT_S)
        return code
