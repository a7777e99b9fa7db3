"""What the concurrency check makes of what it saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from examples.timeline import WIDTH, Look, Phase, broken_runs, drawn, mixed, most_at_once, order, phase, sent

W, D, T, E = Phase.WAITS, Phase.DOWNLOADS, Phase.TRANSCRIBES, Phase.ENDED
BEGAN = datetime(2026, 11, 22, tzinfo=UTC)


def state(status: str, stage: str, waiting_for: str | None = None) -> dict[str, Any]:
    final = status in {"completed", "failed"}
    return {"status": status, "stage": stage, "waiting_for": waiting_for, "finished_at": "…" if final else None}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (state("pending", "queued"), W),
        (state("processing", "captions"), D),
        (state("processing", "decode"), D),
        (state("processing", "transcribe", "device"), W),
        (state("processing", "transcribe"), T),
        (state("processing", "proofread", "llm"), W),
        (state("processing", "summarize"), Phase.TEXT),
        (state("retrying", "download"), W),
        (state("completed", "done"), E),
        (state("failed", "download"), E),
    ],
)
def test_phase_of_a_state(shown: dict[str, Any], expected: Phase) -> None:
    """Only what is under way counts as work; a task between its lanes waits."""
    assert expected == phase(shown)


def test_overlap_is_counted_at_one_moment() -> None:
    """Two videos one after the other are one at a time, whatever the whole timeline holds."""
    one_by_one = [Look(0, (D, W)), Look(1, (T, W)), Look(2, (E, D)), Look(3, (E, T))]
    assert (1, 1, False) == (most_at_once(one_by_one, D), most_at_once(one_by_one, T), mixed(one_by_one))
    together = [Look(0, (D, D)), Look(1, (T, D)), Look(2, (T, T))]
    assert (2, 2, True) == (most_at_once(together, D), most_at_once(together, T), mixed(together))


def test_timeline_shows_every_phase_at_its_place() -> None:
    """Each video has a line as wide as the time, and the counts stand below it."""
    looks = [Look(0, (D, W)), Look(5, (T, D)), Look(9.9, (T, T)), Look(10, (E, E))]
    lines = drawn(["a", "一个很长很长的标题"], looks)
    head, first, second, downloads, transcriptions, legend = lines
    assert head.endswith("10.0 s")
    half = WIDTH // 2
    assert "▒" * half + "█" * half == first[-WIDTH:]
    assert max(map(len, lines)) < 80
    assert "·" * half + "▒" * (half - 1) + "█" == second[-WIDTH:]
    assert "1" * half + "1" * (half - 1) == downloads.split("  ")[-1]
    assert "1" * (half - 1) + "2" == transcriptions.split("  ")[-1].strip()
    assert "transcribes" in legend


def messages(*times_s: float, robot: str | None = None) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "of": len(times_s),
            "robot": robot,
            "kind": "text",
            "sent_at": (BEGAN + timedelta(seconds=at_s)).isoformat(),
        }
        for number, at_s in enumerate(times_s, 1)
    ]


def test_whole_runs_are_not_broken() -> None:
    """Runs may follow each other within the same millisecond, and run side by side at different robots."""
    delivered = [
        *sent("a", messages(1, 2, 3)),
        *sent("b", messages(3, 3, 4)),
        *sent("c", messages(1.5, 2.5, robot="x")),
    ]
    assert [] == broken_runs(delivered)
    assert ["  inbox:", "      1.0 s  a                    (1/3) (2/3) (3/3)"] == order(delivered, BEGAN)[:2]


def test_broken_runs_are_named() -> None:
    """A message of another video between, a notice too, and a wrong order are each named with the video."""
    between = broken_runs([*sent("a", messages(1, 4)), *sent("b", messages(2, 3))])
    assert ["inbox: a message of b came between those of a"] == between
    notice = messages(2)
    notice[0] |= {"number": None, "kind": "notice"}
    assert ["inbox: a message of b came between those of a"] == broken_runs(
        [*sent("a", messages(1, 3)), *sent("b", notice)]
    )
    assert ["inbox: the messages of a did not come in their order"] == broken_runs(sent("a", messages(2, 1)))


def test_what_was_not_sent_does_not_count() -> None:
    """Planned messages are no delivery."""
    assert [] == sent("a", [{"sent_at": None}])
