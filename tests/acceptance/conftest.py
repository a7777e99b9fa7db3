"""Fixtures of the acceptance tests: the world around the daemon, and daemons in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.acceptance.rows import rows
from tests.daemon import Daemon
from tests.fakes.llm import Llm
from tests.fakes.server import running
from tests.fakes.site import Site
from tests.fakes.wecom import WeCom

Start: TypeAlias = Callable[..., Daemon]

_WITH_FILES = """
    SELECT id FROM task
    WHERE status IN ('pending', 'processing', 'retrying') AND sequence IS NULL
"""


@pytest.fixture
def site() -> Iterator[Site]:
    """Run a video site in a thread of its own."""
    with running(Site()) as site:
        yield site


@pytest.fixture
def wecom() -> Iterator[WeCom]:
    """Run WeCom in a thread of its own, with a robot for every key and no limit of its own."""
    with running(WeCom(per_minute=None)) as wecom:
        yield wecom


@pytest.fixture
def llm() -> Iterator[Llm]:
    """Run an LLM endpoint in a thread of its own; name it before ``start``, so that it outlives the daemons."""
    with running(Llm()) as llm:
        yield llm


@pytest.fixture
def start(
    tmp_path: Path,
    site: Site,
    wecom: WeCom,  # noqa: ARG001 - made before the daemons, so that it outlives them
) -> Iterator[Start]:
    """Make ``start(**sections)``: it starts a daemon that may reach the site, each on a folder of its own.

    At the end every daemon that still runs is stopped, and none may have left anything behind.
    """
    started: list[Daemon] = []
    outside = tmp_path / "outside"
    # Libraries report to their makers and leave files for that; some do not where they see that they are tested.
    away = {"TMPDIR": str(outside), "HOME": str(outside), "CI": "", "ORT_DISABLE_TELEMETRY": ""}

    def start(**sections: dict[str, Any]) -> Daemon:
        sections["download"] = {"allow_hosts": [site.address]} | sections.get("download", {})
        outside.mkdir(exist_ok=True)
        daemon = Daemon(tmp_path / f"daemon-{len(started)}", environment=away, **sections)
        started.append(daemon)
        daemon.start()
        return daemon

    yield start
    codes = [daemon.stop() for daemon in started if daemon.running]
    assert [0] * len(codes) == codes
    assert [] == [str(path) for path in outside.rglob("*") if path.is_file()]
    for daemon in started:
        assert set() == daemon.processes()
        assert set() == _leftovers(daemon)
        assert [] == [line for line in daemon.log() if "exception" in line]


def _leftovers(daemon: Daemon) -> set[str]:
    """Tasks with files in the work folder that no unfinished task needs."""
    needed = {task_id for (task_id,) in rows(daemon, _WITH_FILES)}
    files = [path for path in daemon.data.glob("work/*/**/*") if path.is_file()]
    return {file.relative_to(daemon.data / "work").parts[0] for file in files} - needed
