"""What becomes of a task whose sound does not come out of its file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import load_settings
from pipeline.core.lifecycle import Failed, settle
from pipeline.core.products import Artifacts, MediaFile, MediaInfo
from pipeline.core.retry import RetryPolicy
from pipeline.core.task import Failure, Source, Stage, Status
from pipeline.core.uploads import source_of_upload
from pipeline.failures import DecodeTimeout, DownloadTruncated, MediaInvalid, StageFailed
from pipeline.ports import ChildTimeout
from stages._sound import LEAST_LIMIT_S, LIMIT_SHARE, STALL_S
from stages.decode import Decode
from stages.route import ROUTE
from tests.contract.examples import NOW, task

LENGTH_S = 1000.0
KNOWN_NAME = "media.bin"
KNOWN = Artifacts(file=MediaFile(KNOWN_NAME, 5), media=MediaInfo("generic", "7", "A talk", "", LENGTH_S, ""))


class Hangs:
    """The context of a stage whose child has to be ended."""

    work = Path("work")
    settings = load_settings(None, environ={})
    log = SimpleNamespace()

    def __init__(self, *, stalled: bool) -> None:
        self.stalled = stalled
        self.limits: dict[str, Any] = {}

    def run_child(self, *_: object, timeout_s: float, stall_s: float, may_finish: bool) -> dict[str, Any]:
        assert may_finish
        self.limits = {"timeout_s": timeout_s, "stall_s": stall_s}
        raise ChildTimeout(stalled=self.stalled)


class Cut:
    """The context of a stage whose child finds that a file was cut."""

    settings = load_settings(None, environ={})

    def __init__(self, work: Path, source: Source) -> None:
        self.work = work
        self.task = task("a", source=source)
        (work / KNOWN_NAME).write_bytes(b"a part")

    def run_child(self, *_: object, **__: object) -> dict[str, Any]:
        raise DownloadTruncated("6 of 9 bytes")


@pytest.mark.parametrize(
    ("source", "error", "left"),
    [
        (Source("https://example.com/a", "a"), DownloadTruncated, []),
        (source_of_upload("a.mp4", "0"), MediaInvalid, [KNOWN_NAME]),
    ],
)
def test_a_cut_file_is_fetched_again_if_it_can_be(
    tmp_path: Path, source: Source, error: type[StageFailed], left: list[str]
) -> None:
    """What was cut on its way is fetched again; a file that was sent so is not media, and nobody else is blamed."""
    with pytest.raises(error, match="6 of 9 bytes"):
        Decode().run(Cut(tmp_path, source), KNOWN)  # type: ignore[arg-type] # as much of a context as it uses
    assert left == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("stalled", [True, False])
def test_a_decoder_that_does_not_come_to_its_end_times_out(*, stalled: bool) -> None:
    """Ended by either of its limits, which grow with the recording, a decoder has its task end as ``timeout``."""
    context = Hangs(stalled=stalled)
    with pytest.raises(DecodeTimeout) as timeout:
        Decode().run(context, KNOWN)  # type: ignore[arg-type] # as much of a context as it uses
    assert {"timeout_s": LEAST_LIMIT_S + LIMIT_SHARE * LENGTH_S, "stall_s": STALL_S} == context.limits
    error = timeout.value
    failure = Failure.of(error, Decode.name, "demo")
    outcome = Failed("a", Decode.lane, failure, error.retries, error.times_out)
    ended = settle(task("a", status=Status.PROCESSING), outcome, ROUTE, RetryPolicy(3, 5.0), NOW, 0.0).task
    assert (Status.TIMEOUT, Stage.DECODE) == (ended.status, ended.stage)
    assert ended.failure is not None
    assert ("decode_timeout", Stage.DECODE) == (ended.failure.type, ended.failure.stage)
