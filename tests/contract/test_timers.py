"""What the store counts from, while somebody sets the clock: nothing is due early or late because of it."""

from __future__ import annotations

import pytest

from pipeline.core.admission import KEY_LIFE_S, NewTask, RequestKey
from pipeline.core.lifecycle import Failed, settle
from pipeline.core.retry import LONGEST_WISH_S, RetryPolicy
from pipeline.core.task import Failure, Lane, Stage, Status
from pipeline.store.sqlite import SqliteStore
from tests.contract.conftest import SqliteStores
from tests.contract.examples import OWNER, ROOM, ROUTE, add, claimed, task
from tests.contract.machine import Machine

DELAY_S = 100.0
DAY_S = 86_400.0
KEY = RequestKey(OWNER, "key", "body")
FAILURE = Failure("source_unreachable", Stage.DOWNLOAD, "Failed.", "失败。", "", retryable=True)


@pytest.fixture
def machine(stores: SqliteStores) -> Machine:
    """The machine that all boots of a test run on."""
    return stores.machine


async def postpone(store: SqliteStore, machine: Machine) -> None:
    """Add a task, and have its first attempt fail now."""
    await add(store, "a")
    failed = Failed("a", Lane.FETCH, FAILURE, retries=3, times_out=False)
    settled = settle(await claimed(store, "a"), failed, ROUTE, RetryPolicy(3, DELAY_S), machine.wall(), 0.0)
    assert await store.save(settled, expected=Status.PROCESSING)


@pytest.mark.parametrize("set_by_s", [DAY_S, -DAY_S, 3600.0, -3600.0])
@pytest.mark.parametrize("restarts", [False, True])
async def test_a_retry_is_neither_early_nor_late(
    stores: SqliteStores, machine: Machine, set_by_s: float, *, restarts: bool
) -> None:
    """A task waits for its delay, whether the clock is set forward or back, and whether or not the daemon restarts."""
    store = await stores.boot("boot 1")
    await postpone(store, machine)
    machine.off_by_s += set_by_s
    if restarts:
        store = await stores.boot("boot 2")
    machine.uptime_s += DELAY_S - 1
    assert [] == await store.waiting(Lane.FETCH)
    assert await store.claim(Lane.FETCH, machine.wall(), "a") is None
    assert machine.wall() + 1 == pytest.approx(await store.next_due())
    assert await store.next_due() == (await store.get("a")).not_before
    machine.uptime_s += 2
    assert ["a"] == [each.id for each in await store.waiting(Lane.FETCH)]


@pytest.mark.parametrize("set_by_s", [DAY_S, -DAY_S])
async def test_a_key_lives_a_day(store: SqliteStore, machine: Machine, set_by_s: float) -> None:
    """A request is remembered for 24 hours, whatever the clock says meanwhile."""
    await store.add_all([NewTask(task("a", created_at=machine.wall()), "a")], room=ROOM, force=False, key=KEY)
    machine.off_by_s += set_by_s
    machine.uptime_s += KEY_LIFE_S - 1
    assert await store.recall(KEY) is not None
    machine.uptime_s += 2
    assert await store.recall(KEY) is None


async def test_a_machine_that_starts_in_the_past_delays_nobody_for_days(stores: SqliteStores, machine: Machine) -> None:
    """After a start with a clock that is wrong by years, a task waits no longer than the longest time it may."""
    await postpone(await stores.boot("boot 1"), machine)
    machine.start_again(-1000 * DAY_S)
    store = await stores.boot("boot 2")
    machine.uptime_s += LONGEST_WISH_S + 1
    assert ["a"] == [each.id for each in await store.waiting(Lane.FETCH)]
