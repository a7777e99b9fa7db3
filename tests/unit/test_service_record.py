"""When a device has a rest: after three deaths in a row, for longer each time, until it has done something."""

from __future__ import annotations

from pipeline.core.service_record import DEATHS_WITHIN_S, FIRST_REST_S, LONGEST_REST_S, ServiceRecord


def after(*deaths: float, record: ServiceRecord | None = None) -> ServiceRecord:
    record = record or ServiceRecord()
    for at in deaths:
        record = record.died(at)
    return record


def test_three_deaths_in_ten_minutes_are_too_many() -> None:
    """The device rests for half a minute; two deaths are none too many, nor is a third that comes late."""
    assert not after(0.0, 1.0).rests_at(1.0)
    assert not after(0.0, 1.0, DEATHS_WITHIN_S + 0.5).rests_at(DEATHS_WITHIN_S + 0.5)
    record = after(0.0, 1.0, 2.0)
    assert (True, False) == (record.rests_at(2.0 + FIRST_REST_S - 0.1), record.rests_at(2.0 + FIRST_REST_S))


def test_every_rest_is_longer_until_there_is_success() -> None:
    """It doubles up to ten minutes; work that is done whole makes everything forgotten."""
    record, rests = ServiceRecord(), list[float]()
    for start in range(0, 60_000, 10_000):
        record = after(start, start, start, record=record)
        assert record.out_until is not None
        rests.append(record.out_until - start)
    assert [30.0, 60.0, 120.0, 240.0, 480.0, LONGEST_REST_S] == rests
    assert FIRST_REST_S == after(0.0, 0.0, 0.0, record=record.succeeded()).out_until
    assert not after(0.0, 1.0, record=after(0.0, 1.0).succeeded()).rests_at(1.0)
