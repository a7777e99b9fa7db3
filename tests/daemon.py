"""The daemon as a child process, and a client that talks to it over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.fakes.server import Record

ROOT = Path(__file__).resolve().parent.parent
RUN_DAEMON = (str(ROOT / "run_daemon.py"),)
TOKEN = "test-token-of-the-suite"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0

Json = dict[str, Any]


class Daemon:
    """One daemon on one data folder; it may be started, killed and started again."""

    def __init__(
        self,
        folder: Path,
        *,
        program: Sequence[str] = RUN_DAEMON,
        environment: Mapping[str, str] | None = None,
        **sections: Json,
    ) -> None:
        """Write a configuration into ``folder``: port 0, the demo model, and what ``sections`` say.

        Args:
            folder: for the configuration and the data.
            program: what Python runs, without ``--config``.
            environment: set beside what the tests themselves run with.
            sections: of the configuration.
        """
        self._program = tuple(program)
        self._environment = dict(environment or {})
        self.folder = folder
        self.data = folder / "data"
        config: Json = {
            "api": {"port": 0, "auth_token": TOKEN},
            "storage": {"dir": str(self.data)},
            "transcribe": {"model": "demo"},
            "scheduler": {"retry_delay_s": 0.2, "batch_schedule_interval_s": 0.5},
            "log": {"level": "debug", "file": str(self.data / "logs" / "daemon.jsonl")},
        }
        for section, values in sections.items():
            config.setdefault(section, {}).update(values)
        self.token = config["api"]["auth_token"]
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "config.json"
        self.config.write_text(json.dumps(config), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self.console: Record[str] = Record()

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it; a daemon that does not stop is a failure of its own."""
        if self.running:
            self.stop()

    def start(self) -> None:
        """Start the process and wait for its announcement."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process and wait for nothing."""
        self.console = Record()
        self._process = subprocess.Popen(
            [sys.executable, *self._program, "--config", str(self.config)],
            env=os.environ | self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.folder,  # a daemon may be started from anywhere
            start_new_session=True,  # so that `processes` finds its children even after its own death
        )
        threading.Thread(target=self._listen, args=(self._process, self.console), daemon=True).start()

    def wait_ready(self) -> None:
        """Wait for the announcement of a process that was launched."""
        lines = self.console.wait(lambda lines: any(_is_news(line) for line in lines), START_TIMEOUT_S)
        if "the process has ended" in lines:
            raise AssertionError("the daemon did not start:\n" + "\n".join(lines))
        if not self.token:  # none configured: it has made one
            self.token = (self.data / "token").read_text(encoding="utf-8").strip()

    @staticmethod
    def _listen(process: subprocess.Popen[bytes], console: Record[str]) -> None:
        with process, process.stderr as stderr:
            for raw in stderr:
                console.add(raw.decode(errors="replace").rstrip())
        console.add("the process has ended")

    @property
    def url(self) -> str:
        """Where it answers."""
        return json.loads((self.data / "daemon.json").read_text())["url"]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def processes(self) -> set[int]:
        """Process ids of everything the latest start has brought up and that still runs, itself included."""
        states = (_stat(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        return {pid for pid, state, session in states if session == self.pid and state not in "ZX"}

    def cpu_s(self) -> float:
        """CPU seconds that the latest start has used in all its processes, those that have ended included."""
        return sum(map(_cpu_ticks, self.processes())) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory of the daemon process itself, in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def kill(self) -> None:
        """End it as a power failure would."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def stop(self) -> int:
        """Ask it to stop; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; returns its exit code. It is not given longer than a stop may take."""
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def ended(self, timeout_s: float) -> int:
        """Wait until it has come to its end by itself; returns its exit code."""
        return self._process.wait(timeout_s)

    def log(self) -> list[Json]:
        """Every line of the log file so far."""
        file = self.data / "logs" / "daemon.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _stat(entry: Path) -> tuple[int, str, int]:
    """Read id, state and session of a process; one that is gone by now has no session."""
    try:
        state, _parent, _group, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return int(entry.name), "X", 0
    return int(entry.name), state, int(session)


def _cpu_ticks(pid: int) -> int:
    """Read what a process and those of its children that have ended have used; nothing if it is gone by now."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))


def _is_news(line: str) -> bool:
    return " ready" in line or line == "the process has ended"


class Client:
    """Talks to one daemon; use as an asynchronous context manager."""

    def __init__(self, daemon: Daemon) -> None:
        """Remember where it answers."""
        self._daemon = daemon
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        headers = {"Authorization": f"Bearer {self._daemon.token}"}
        self._session = aiohttp.ClientSession(self._daemon.url, headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """For what the methods below do not show, such as headers."""
        return self._session

    async def post(self, path: str, body: Json) -> tuple[int, Json]:
        """Send a JSON body; returns status and parsed answer."""
        async with self._session.post(path, json=body) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, **query: object) -> tuple[int, Json]:
        """Ask for a JSON answer; returns status and parsed answer."""
        async with self._session.get(path, params={name: str(value) for name, value in query.items()}) as answer:
            return answer.status, await answer.json()

    async def text(self, path: str, **query: object) -> str:
        """Ask for a bare body."""
        async with self._session.get(path, params={name: str(value) for name, value in query.items()}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def submit(self, url: str, **fields: object) -> str:
        """Submit one address that must be accepted as new; returns the task's id."""
        status, answer = await self.post("/api/transcribe", {"url": url, **fields})
        assert status == 202, answer
        return answer["data"]["task_id"]

    async def state(self, task_id: str) -> Json:
        """The task as it is now."""
        status, answer = await self.get(f"/api/task/{task_id}")
        assert status == 200, answer
        return answer["data"]

    async def finished(self, task_id: str, timeout_s: float = 120.0) -> Json:
        """Wait until the task has come to its end; returns its state."""
        async with asyncio.timeout(timeout_s):
            while True:
                status, answer = await self.get(f"/api/task/{task_id}", wait=30)
                assert status == 200, answer
                if answer["data"]["status"] in {"completed", "failed", "cancelled", "timeout"}:
                    return answer["data"]

    async def result(self, task_id: str, **query: object) -> Json:
        """The task's text with its segments."""
        status, answer = await self.get(f"/api/task/{task_id}/result", **query)
        assert status == 200, answer
        return answer["data"]

    async def messages(self, task_id: str) -> list[Json]:
        """The task's messages in the order in which they go out."""
        status, answer = await self.get(f"/api/task/{task_id}/messages")
        assert status == 200, answer
        return answer["data"]["messages"]
