"""The ledger: what was promised against what came of it, from outside, once a run is over."""

from __future__ import annotations

import fcntl
import json
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from tests.acceptance.rows import rows
from tests.chaos.recordings import LANGUAGE
from tests.chaos.world import LLM_KEY, World, key_of
from tests.daemon import Client, Json

ARRIVE_S = 60.0
DEATHS = 3
"""A task that so many deaths of the daemon met alone is taken to be their cause."""
RUNS = (
    "SELECT run.id, run.task_id, run.robot, message.text FROM run JOIN message ON run_id = run.id ORDER BY message.id"
)

Runs = dict[tuple[int, str], list[str]]
"""Texts of a robot's runs, by the run's number and its task, in the order of composing."""


@dataclass
class Delivery:
    """How what arrived at one robot differs from what was planned for it."""

    planned: int
    lost: int
    strange: int
    """Arrivals that nobody planned, or that repeat something else than the arrival before them."""
    disorder: int
    """Times that a message came before one that was planned earlier."""
    interleaves: int
    """Times that a run was left before it was whole."""
    repeats: list[int]
    """Places of the arrivals that only repeat the one before them."""


@dataclass
class Balance:
    """All books of one run."""

    tasks: Counter[str]
    """How many ended as what."""
    deliveries: dict[str, Delivery]
    kills: int
    most_repeats_per_kill: int
    faults: list[str] = field(default_factory=list)
    """Whatever else does not balance."""

    def total(self, what: str) -> int:
        """Sum up a column of all robots."""
        return sum(getattr(delivery, what) for delivery in self.deliveries.values())

    @property
    def repeats(self) -> int:
        return sum(len(delivery.repeats) for delivery in self.deliveries.values())

    def check(self) -> None:
        """Nothing lost, nothing out of order, nothing interleaved, no repeat but an adjacent one, nothing left."""
        assert [] == self.faults
        for robot, delivery in self.deliveries.items():
            counts = (delivery.lost, delivery.strange, delivery.disorder, delivery.interleaves)
            assert (0, 0, 0, 0) == counts, (robot, delivery)

    def __str__(self) -> str:
        """Tell how it stands, for the table."""
        ended = ", ".join(f"{count} {status}" for status, count in sorted(self.tasks.items()))
        return (
            f"{self.tasks.total()} tasks ({ended}), {self.total('planned')} messages: lost {self.total('lost')}, "
            f"disorder {self.total('disorder')}, interleaves {self.total('interleaves')}, "
            f"repeats {self.repeats}, not adjacent {self.total('strange')}"
        )


async def close_books(world: World) -> Balance:
    """Wait until everything is done and delivered, stop the daemon, and count."""
    states = await world.finish()
    async with Client(world.daemon) as client:
        planned = _planned(world)
        await _all_arrived(world, planned)
        faults = await _texts(world, client, states)
        faults += await _messages(world, client, planned)
        faults += await _rows(world, client)
    faults += _stopped(world)
    deliveries = {robot: compare([*planned[robot].values()], arrived(world, robot)) for robot in world.robots}
    return Balance(
        tasks=Counter(state["status"] for state in states.values()),
        deliveries=deliveries,
        kills=len(world.kills),
        most_repeats_per_kill=max((_most_a_kill(world, robot, deliveries[robot]) for robot in world.robots), default=0),
        faults=faults,
    )


def compare(runs: Sequence[Sequence[str]], arrivals: Sequence[str]) -> Delivery:
    """Hold what arrived at a robot against its runs, in the order in which they were composed."""
    repeats = [place for place, (one, two) in enumerate(pairwise(arrivals), start=1) if one == two]
    once = [text for text, _ in groupby(arrivals)]
    places: defaultdict[str, deque[tuple[int, int]]] = defaultdict(deque)
    for number, run in enumerate(runs):
        for message, text in enumerate(run):
            places[text].append((number, message))
    seen = [places[text].popleft() for text in once if places[text]]
    visits = [number for number, _ in groupby(place[0] for place in seen)]
    return Delivery(
        planned=sum(map(len, runs)),
        lost=sum(map(len, places.values())),
        strange=len(once) - len(seen),
        disorder=sum(later < earlier for earlier, later in pairwise(seen)),
        interleaves=len(visits) - len(set(visits)),
        repeats=repeats,
    )


def arrived(world: World, robot: str) -> list[str]:
    """What the group of a robot has seen."""
    return world.wecom.robot(key_of(robot)).contents


def _planned(world: World) -> dict[str, Runs]:
    """The runs of every robot, in the order of composing."""
    planned: dict[str, Runs] = {robot: {} for robot in world.robots}
    for run, task_id, robot, text in rows(world.daemon, RUNS):
        planned[robot].setdefault((run, task_id), []).append(text)
    return planned


async def _messages(world: World, client: Client, planned: dict[str, Runs]) -> list[str]:
    """The API shows of every task exactly the messages that its runs hold, and each has come to rest."""
    faults = []
    for task_id in world.accepted:
        shown = await client.messages(task_id)
        for robot, runs in planned.items():
            texts = [message["text"] for message in shown if message["robot"] == robot]
            own = [text for (_, owner), run in runs.items() if owner == task_id for text in run]
            faults += [f"{task_id} shows other messages for {robot} than were planned"] * (texts != own)
    return faults


async def _texts(world: World, client: Client, states: dict[str, Json]) -> list[str]:
    """Every completed task has the words of its own recording, in one language; every bad source has failed."""
    faults = []
    for task_id, tape in world.accepted.items():
        status = states[task_id]["status"]
        if tape is not None and status not in {"completed", "cancelled"} and not _is_blamed(world, states[task_id]):
            faults.append(f"{task_id} is {status}: {states[task_id]['error']}")
        if tape is None:
            faults += [f"{task_id} is {status}, and its source is bad"] * (status == "completed")
        elif status == "completed":
            result = await client.result(task_id, layer="raw")
            heard = [segment["text"] for segment in result["segments"]]
            faults += [] if tape.is_heard_in(heard) else [f"{task_id} has other words than its own: {heard}"]
            faults += [] if result["language"] == LANGUAGE else [f"{task_id} is in {result['language']}"]
    return faults


def _is_blamed(world: World, state: Json) -> bool:
    """Whether a task has failed, and says so, because three deaths in a row met nobody else: chance may bring that."""
    return len(world.kills) >= DEATHS and (state["error"] or {}).get("type") == "worker_crashed"


async def _all_arrived(world: World, planned: dict[str, Runs]) -> None:
    """Wait until notices of failures, which no task waits for, have come as well; if not, they are lost."""
    counts = {robot: sum(map(len, runs.values())) for robot, runs in planned.items()}
    try:
        await world.wecom.until(
            lambda _: all(len(set(arrived(world, robot))) >= count for robot, count in counts.items()), ARRIVE_S
        )
    except TimeoutError:
        return


async def _rows(world: World, client: Client) -> list[str]:
    """The daemon knows exactly the tasks that were accepted, each once, each at its end."""
    known: dict[str, str] = {}
    query: Json = {"limit": 200}
    while True:
        _, page = await client.get("/api/tasks", **query)
        known |= {task["task_id"]: task["url"] for task in page["data"]["tasks"]}
        if page["data"]["next_cursor"] is None:
            break
        query["cursor"] = page["data"]["next_cursor"]
    missing = world.accepted.keys() - known.keys()
    strange = [task for task, url in known.items() if task not in world.accepted and url not in world.asked_twice]
    return [f"{task} was accepted and is not there" for task in missing] + [
        f"{task} is there and nobody asked for it" for task in strange
    ]


def _stopped(world: World) -> list[str]:
    """Stop the daemon: it ends well, and leaves no process, file or lock, and no secret in its log."""
    faults = [] if (code := world.daemon.stop()) == 0 else [f"the daemon ended with {code}"]
    faults += [f"process {process} is left" for process in world.daemon.processes()]
    left = [*world.temporary.rglob("*"), *(path for path in world.daemon.data.glob("work/**/*") if path.is_file())]
    faults += [f"{path} is left" for path in left]
    with (world.daemon.data / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    ((sound,),) = rows(world.daemon, "PRAGMA integrity_check")
    faults += [] if sound == "ok" else [f"the database: {sound}"]
    return faults + _log(world)


def _log(world: World) -> list[str]:
    text = (world.daemon.data / "logs" / "daemon.jsonl").read_text(encoding="utf-8", errors="replace")
    secrets = [world.daemon.token, LLM_KEY, *map(key_of, world.robots)]
    faults = [f"the log holds {secret}" for secret in secrets if secret in text]
    done: Counter[tuple[str, str]] = Counter()
    for line in text.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue  # the last words of a daemon that was killed while it wrote them
        if "exception" in said:
            faults.append(f"an exception: {said}")
        if said["event"] == "stage done":
            done[said["task"], said["stage"]] += 1
    return faults + [
        f"{task}: stage {stage} was done {times} times" for (task, stage), times in done.items() if times > 1
    ]


def _most_a_kill(world: World, robot: str, delivery: Delivery) -> int:
    """The most repeats between one kill and the next."""
    marks = [*(kill.taken[robot] for kill in world.kills), len(arrived(world, robot))]
    return max((sum(start <= place < end for place in delivery.repeats) for start, end in pairwise(marks)), default=0)
