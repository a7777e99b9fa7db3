"""Supervised children: their results, their deaths, their limits, and that nothing of them is left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from pipeline.bridge import StopSignal
from pipeline.child import Limits, Zygote
from pipeline.errors import Interrupted
from pipeline.failures import MediaNoAudio
from pipeline.ports import ChildDied, ChildTimeout
from pipeline.roster import Roster

PROGRAM = "tests.integration.child_programs"
ROOT = Path(__file__).resolve().parents[2]
GONE_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    made = Zygote((PROGRAM,), Roster(tmp_path_factory.mktemp("processes")))
    yield made
    made.close()


class Lines:
    """What a child said, and an event for its first line with a given name."""

    def __init__(self, awaited: str = "pid") -> None:
        self.lines: list[dict[str, Any]] = []
        self.came = threading.Event()
        self._awaited = awaited

    def __call__(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        if self._awaited in line:
            self.came.set()

    def value(self, name: str) -> Any:
        return next(line[name] for line in self.lines if name in line)


def run(zygote: Zygote, do: str, lines: Lines | None = None, *, stop: StopSignal | None = None, **more: Any) -> Any:
    limits = Limits(more.pop("timeout_s", 20.0), more.pop("stall_s", None))
    request = {"do": do, **more}
    return zygote.fork(PROGRAM).run(request, lines or Lines(), limits, stop or StopSignal())


def wait_until_gone(pid: int) -> None:
    """Wait by the kernel's own word that a process has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], GONE_WITHIN_S)[0], f"process {pid} is still there"
    finally:
        os.close(fd)


def test_children_start_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the daemon was started, children find their programs, and nothing that lies there is taken for one."""
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    made = Zygote((PROGRAM,), Roster(tmp_path / "processes"))
    try:
        assert 3 == run(made, "count", to=3)["counted"]
    finally:
        made.close()


def test_a_child_returns_its_result_after_its_lines(zygote: Zygote) -> None:
    """A child returns its result after its lines, in order, whatever the alphabet."""
    lines = Lines()
    result = run(zygote, "count", lines, to=2000)
    assert (2000, "汉字") == (result["counted"], result["text"])
    assert list(range(2000)) == [line["number"] for line in lines.lines if "number" in line]


def test_a_childs_log_lines_come_out_in_the_callers_context(zygote: Zygote) -> None:
    """A child's log lines come out in the caller's context, with its task."""
    with structlog.testing.capture_logs() as logs:
        run(zygote, "count", to=3)
    assert {"event": "counted", "to": 3, "log_level": "warning"} in logs


def test_a_failure_keeps_its_name_across_the_process(zygote: Zygote) -> None:
    """A failure keeps its name across the process."""
    with pytest.raises(MediaNoAudio, match="on purpose"):
        run(zygote, "fail")


def test_a_defect_in_a_child_leaves_its_last_words(zygote: Zygote) -> None:
    """A defect in a child leaves its last words."""
    with pytest.raises(ChildDied) as death:
        run(zygote, "crash")
    assert 1 == death.value.status
    assert "RuntimeError: a defect" in death.value.last_words


def test_a_child_killed_by_a_signal_says_which(zygote: Zygote) -> None:
    """A child killed by a signal says which."""
    with pytest.raises(ChildDied) as death:
        run(zygote, "die")
    assert -signal.SIGSEGV == death.value.status


@pytest.mark.parametrize(
    ("do", "limits", "stalled"),
    [("hang", {"timeout_s": 0.4}, False), ("hang", {"stall_s": 0.4}, True), ("chatter", {"stall_s": 0.4}, True)],
)
def test_a_child_over_its_limit_is_ended(zygote: Zygote, do: str, limits: dict[str, float], *, stalled: bool) -> None:
    """A child over its limit is ended; log lines are no progress."""
    lines = Lines()
    with pytest.raises(ChildTimeout) as timeout:
        run(zygote, do, lines, **limits)
    assert stalled == timeout.value.stalled
    wait_until_gone(lines.value("pid"))


def test_a_stop_ends_a_child_that_is_just_starting(zygote: Zygote) -> None:
    """A child is ended however early that is, also before it had a group of its own."""
    stop = StopSignal()
    stop.raise_now()
    for _ in range(20):
        with pytest.raises(Interrupted):
            run(zygote, "hang", stop=stop, timeout_s=5.0)


def test_a_stop_ends_a_child_and_its_grandchildren_at_once(zygote: Zygote) -> None:
    """A stop ends a child and its grandchildren at once."""
    stop, lines = StopSignal(), Lines("grandchild")

    def raise_when_it_runs() -> None:
        assert lines.came.wait(GONE_WITHIN_S)
        stop.raise_now()

    raiser = threading.Thread(target=raise_when_it_runs)
    raiser.start()
    with pytest.raises(Interrupted):
        run(zygote, "hang", lines, stop=stop)
    raiser.join()
    wait_until_gone(lines.value("pid"))
    wait_until_gone(lines.value("grandchild"))


def test_secrets_of_our_environment_do_not_reach_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets and proxies of our environment do not reach children."""
    monkeypatch.setenv("SOME_API_KEY", "x")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")
    zygote = Zygote((PROGRAM,), Roster(tmp_path / "processes"))
    try:
        environment = run(zygote, "count", to=0)["environment"]
    finally:
        zygote.close()
    assert not {"SOME_API_KEY", "https_proxy"} & set(environment)


def test_a_dead_zygote_is_replaced(zygote: Zygote) -> None:
    """A dead zygote is replaced without anybody noticing."""
    run(zygote, "count", to=1)
    os.kill(zygote.pid, signal.SIGKILL)
    assert 1 == run(zygote, "count", to=1)["counted"]


def test_a_hung_zygote_is_replaced(tmp_path: Path) -> None:
    """A zygote that does not answer is ended, and its work goes on with another."""
    zygote = Zygote((PROGRAM,), Roster(tmp_path / "processes"), fork_within_s=0.3)
    try:
        assert 1 == run(zygote, "count", to=1)["counted"]
        hung = zygote.pid
        os.kill(hung, signal.SIGSTOP)
        assert 1 == run(zygote, "count", to=1)["counted"]
        wait_until_gone(hung)
    finally:
        zygote.close()


def test_a_child_of_a_hung_zygote_is_not_waited_for(tmp_path: Path) -> None:
    """A child whose parent cannot tell of its end is ended, and its limit holds."""
    zygote, lines = Zygote((PROGRAM,), Roster(tmp_path / "processes")), Lines()

    def stop_the_zygote(line: dict[str, Any]) -> None:
        lines(line)
        os.kill(zygote.pid, signal.SIGSTOP)

    began = time.monotonic()
    try:
        with pytest.raises(ChildTimeout):
            zygote.fork(PROGRAM).run({"do": "hang"}, stop_the_zygote, Limits(0.5), StopSignal())
        assert time.monotonic() - began < 10.0
        wait_until_gone(lines.value("pid"))
    finally:
        zygote.close()


def test_a_zygote_that_is_ended_for_good_forks_no_more(tmp_path: Path) -> None:
    """Whoever waits for a zygote that is ended is interrupted."""
    zygote = Zygote((PROGRAM,), Roster(tmp_path / "processes"))
    zygote.kill()
    with pytest.raises(Interrupted):
        zygote.fork(PROGRAM)
    zygote.close()


def test_children_end_with_their_daemon(tmp_path: Path) -> None:
    """Children and grandchildren end with their daemon, even when that is killed with -9."""
    script = (
        "import json, sys\n"
        "from pipeline.bridge import StopSignal\n"
        "from pathlib import Path\n"
        "from pipeline.child import Limits, Zygote\n"
        "from pipeline.roster import Roster\n"
        f"child = Zygote((), Roster(Path({str(tmp_path)!r}))).fork({PROGRAM!r})\n"
        "say = lambda line: print(json.dumps(line), flush=True)\n"
        "child.run({'do': 'hang'}, say, Limits(60), StopSignal())\n"
    )
    daemon = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with daemon, daemon.stdout as said:
        lines = [said.readline() for _ in range(2)]
        daemon.kill()
    pids = [value for line in lines for value in json.loads(line).values()]
    for pid in pids:
        wait_until_gone(pid)
    assert 2 == len(pids)


def test_a_zygote_ends_with_its_daemon_even_while_it_is_still_starting(tmp_path: Path) -> None:
    """A zygote ends with its daemon even while it is still importing what children need."""
    script = (
        "import threading\n"
        "from pathlib import Path\n"
        "from pipeline.child import Zygote\n"
        "from pipeline.roster import Roster\n"
        f"zygote = Zygote(('tests.integration.never_imported',), Roster(Path({str(tmp_path)!r})))\n"
        f"threading.Thread(target=zygote.fork, args=({PROGRAM!r},)).start()\n"
        "while zygote.pid is None: pass\n"
        "print(zygote.pid, flush=True)\n"
    )
    daemon = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with daemon, daemon.stdout as said:
        pid = int(said.readline())
        daemon.kill()
    wait_until_gone(pid)


def test_a_program_ends_with_its_daemon_even_while_it_is_still_starting(tmp_path: Path) -> None:
    """A program ends with its daemon even while it is still importing what it needs."""
    script = (
        "from pathlib import Path\n"
        "from pipeline.program import Program\n"
        "from pipeline.roster import Roster\n"
        f"roster = Roster(Path({str(tmp_path)!r}))\n"
        "program = Program('slow', ['tests.integration.never_imported'], {}, roster)\n"
        "print(program.pid, flush=True)\n"
        "program.wait_ready(60)\n"
    )
    daemon = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with daemon, daemon.stdout as said:
        pid = int(said.readline())
        daemon.kill()
    wait_until_gone(pid)
