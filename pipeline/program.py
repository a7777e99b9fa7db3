"""Programs of ours that run for long, each a process group with a lifeline and a clean environment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from pipeline.roster import Roster

SCRUBBED = ("PROXY", "TOKEN", "SECRET", "API_KEY", "PASSWORD", "WEBHOOK")
"""Environment variables with these in their names are not handed to children."""

HERE = Path(__file__).resolve().parent.parent
"""The folder of our packages."""

GIVES_BACK_WITHIN_S = 15.0
"""How long a program that was killed may take to be gone: one with a large model has much memory to give back."""

log = structlog.get_logger()


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what children have no business with, and with ``extra``.

    Children find our packages here, not in the folder that the daemon was started from, whatever lies in it.
    """
    kept = {name: value for name, value in os.environ.items() if not any(word in name.upper() for word in SCRUBBED)}
    path = os.pathsep.join([str(HERE), *filter(None, [kept.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **(extra or {})}


class Program:
    """One of them, from its start to its end."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], roster: Roster) -> None:
        """Start it, and put it on record."""
        self.name = name
        self._roster = roster
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.lifeline", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment(environment),
            process_group=0,
        )
        roster.enter(self._process.pid)
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._relay, name=f"{name}-output", daemon=True)
        self._reader.start()

    def _relay(self) -> None:
        """Turn what the program says into log lines until it ends; ``{"ready": true}`` is its greeting."""
        assert self._process.stdout is not None  # noqa: S101 - asked for as a pipe above
        for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip()
            try:
                said = json.loads(line)
            except ValueError:
                log.warning("engine output", program=self.name, line=line)
                continue
            if said.get("ready"):
                self._ready.set()
            else:
                log.log(said.pop("level", 20), program=self.name, **said)
        self._ready.set()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait for its greeting; False if it ended or took too long."""
        return self._ready.wait(timeout_s) and self.alive

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id, also that of its group."""
        return self._process.pid

    def kill(self) -> None:
        """End its whole process group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it and wait until it is gone; but one that a hung driver holds on to is left to the next start."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GIVES_BACK_WITHIN_S)
        if self.alive:
            log.error("a process cannot be ended", program=self.name, pid=self._process.pid)
            return
        self._roster.leave(self._process.pid)
        self._reader.join()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
