"""Texts by an LLM: what it is asked and when, and that nothing gets lost whatever it does."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from stages._words import words
from tests.acceptance.conftest import Start
from tests.acceptance.logbook import said
from tests.acceptance.rows import rows
from tests.acceptance.videos import serve_story
from tests.daemon import Client, Json
from tests.fakes.llm import FAULTS, MARK, Asked, Fault, Llm
from tests.fakes.site import Site

KEY = "sk-key-of-the-acceptance-tests"
SENTENCES = 7
"""Of a video whose text fills two chunks, so that one may go wrong while the other does not."""
STOP_S = 5.0

UNAVAILABLE, GARBLED = ["llm_unavailable"], ["llm_garbled"]
TOLD: dict[str, list[str]] = {
    "429": ["llm_rate_limited"],
    "500": UNAVAILABLE,
    "502": UNAVAILABLE,
    "nothing": UNAVAILABLE,
    "half": UNAVAILABLE,
    "garbage": GARBLED,
    "no choices": GARBLED,
    "empty": GARBLED,
    "unfinished": GARBLED,
    "filtered": ["llm_refused"],
    "refusal": [],
    "echo": [],
    "length": [],
}
"""Faults of the endpoint, and the warnings that name them; what only the answer's text shows has none of its own."""


def settings(llm: Llm, **more: object) -> Json:
    """The ``llm`` section for this endpoint, with small chunks, and summaries of short texts too."""
    return {"base_url": llm.base_url, "model": "m", "api_key": KEY, "chunk_chars": 200, "min_summary_chars": 1} | more


@dataclass(frozen=True)
class Told:
    """What a task says of itself, and what was delivered."""

    state: Json
    raw: str
    text: str
    messages: list[Json]

    @property
    def layers(self) -> tuple[str, str]:
        """The states of the two text layers."""
        return self.state["layers"]["proofread"], self.state["layers"]["summary"]

    @property
    def warnings(self) -> list[str]:
        """Their types."""
        return [warning["type"] for warning in self.state["warnings"]]

    @property
    def makers(self) -> str:
        """The line of the head that says who made the text and the summary."""
        return self.messages[0]["text"].splitlines()[4]


async def told(client: Client, task_id: str) -> Told:
    """Wait for a task, and read everything about it."""
    state = await client.finished(task_id)
    texts = [await client.text(f"/api/task/{task_id}/result", format="txt", **more) for more in ({"layer": "raw"}, {})]
    return Told(state, *texts, await client.messages(task_id))


def check_delivered(found: Told) -> None:
    """Check that the messages hold the delivered text, and that this has every word that was heard."""
    assert "completed" == found.state["status"]
    parts = [one["text"].split("\n", 1)[1] for one in found.messages if one["kind"] == "text"]
    assert found.text == "".join(parts)
    assert words(found.raw) == words(found.text)


async def submit(client: Client, site: Site, number: int, title: str, sentences: int = SENTENCES) -> str:
    """Submit the story of this number under a title."""
    return await client.submit(serve_story(site, number, sentences).url, metadata={"title": title, "author": "A"})


ONE_BY_ONE = {"max_retries": 0, "parallel_chunks": 1}


def all_but_the_first() -> Callable[[Asked], Fault | None]:
    """Make a rule by which each video's title names its fault, and only its first question is answered well."""
    answered: set[str] = set()

    def fault_of(asked: Asked) -> Fault | None:
        if asked.title in answered:
            return FAULTS[asked.title]
        answered.add(asked.title)
        return None

    return fault_of


async def test_texts_are_the_models(site: Site, llm: Llm, start: Start) -> None:
    """Text and summary come from the model, the head names it, times stay, and every token is counted."""
    daemon = start(llm=settings(llm))
    async with Client(daemon) as client:
        found = await told(client, await submit(client, site, 0, "A talk"))
        segments = (await client.result(found.state["task_id"]))["segments"]
        heard = (await client.result(found.state["task_id"], layer="raw"))["segments"]
        status, _ = await client.get("/readyz")
    check_delivered(found)
    assert ("done", "done") == found.layers
    assert [] == found.warnings
    assert "校对：m · 摘要：m" == found.makers
    assert all(paragraph.endswith(MARK) for paragraph in found.text.split("\n\n"))
    assert {KEY} == {asked.key for asked in llm.asked}
    assert {"title": "A talk", "author": "A"}.items() <= llm.asked[0].parts.items()
    spent = {kind: sum(asked.usage[kind] for asked in llm.asked) for kind in ("prompt_tokens", "completion_tokens")}
    assert spent == found.state["usage"]
    assert [heard[0]["start"], heard[-1]["end"]] == [segments[0]["start"], segments[-1]["end"]]
    assert {one["start"] for one in segments} <= {one["start"] for one in heard}
    assert 200 == status
    assert KEY not in (daemon.data / "logs" / "daemon.jsonl").read_text(encoding="utf-8")


async def test_no_fault_loses_anything(site: Site, llm: Llm, start: Start) -> None:
    """Whatever goes wrong with a part of the answers, tasks complete with every word, and say what is whose."""
    llm.fault_of = all_but_the_first()
    daemon = start(llm=settings(llm, **ONE_BY_ONE), concurrent={"max_workers": 4, "queue_size": len(TOLD)})
    async with Client(daemon) as client:
        ids = [await submit(client, site, number, name) for number, name in enumerate(TOLD)]
        results = [await told(client, task_id) for task_id in ids]
    for (name, warnings), found in zip(TOLD.items(), results, strict=True):
        check_delivered(found)
        assert (name, ("partial", "failed")) == (name, found.layers)
        assert [*warnings, "proofread_fallback", "summary_fallback"] == found.warnings
        assert "校对：m（部分） · 摘要：离线规则" == found.makers
        assert MARK in found.text
        assert "You proofread" not in str(found.messages)


async def test_an_obedient_model_harms_nobody(site: Site, llm: Llm, start: Start) -> None:
    """A model that does what a speaker wants loses and adds nothing, mentions nobody and leads nowhere."""
    faults = {"dropping": False, "obeys": False, "obeys alone": True}
    llm.fault_of = lambda asked: FAULTS[asked.title] if faults[asked.title] is asked.is_summary else None
    daemon = start(llm=settings(llm))
    async with Client(daemon) as client:
        ids = [await submit(client, site, number, name) for number, name in enumerate(faults)]
        results = [await told(client, task_id) for task_id in ids]
    for found in results:
        check_delivered(found)
        bodies = [one["text"] for one in found.messages]
        assert not any(
            "@" in body or "http://evil" in body or "www.evil" in body or "](" in body for body in bodies[1:]
        )
    assert [("failed", "done"), ("failed", "done"), ("done", "done")] == [found.layers for found in results]


async def test_what_lasts_is_told_to_the_operator(site: Site, llm: Llm, start: Start) -> None:
    """A refused key and an unknown model are tried once; log, readiness and warnings say what to do about them."""
    llm.fault_of = lambda asked: FAULTS[{"p": "401", "s": "404"}[asked.model]]
    daemon = start(llm=settings(llm, proofread_model="p", summary_model="s", parallel_chunks=1))
    async with Client(daemon) as client:
        ids = [await submit(client, site, number, str(number)) for number in range(2)]
        results = [await told(client, task_id) for task_id in ids]
        status, answer = await client.get("/readyz")
    for found in results:
        check_delivered(found)
        assert ("failed", "failed") == found.layers
        assert ["llm_auth", "proofread_fallback", "llm_model", "summary_fallback"] == found.warnings
        assert "llm.api_key" in found.state["warnings"][0]["message_zh"]
        assert found.makers.startswith("未使用大语言模型")
        assert {"prompt_tokens": 0, "completion_tokens": 0} == found.state["usage"]
    assert ["p", "s"] == [asked.model for asked in llm.asked]
    missing = answer["data"]["missing"]
    assert (503, ["llm:p", "llm:s"]) == (status, [lack["what"] for lack in missing])
    assert "llm.api_key" in missing[0]["message"]
    lines = [line for line in daemon.log() if "left alone" in line["event"]]
    assert [("error", "llm_auth"), ("error", "llm_model")] == [(line["level"], line["error"]) for line in lines]
    assert "llm.api_key" in lines[0]["hint"]


async def test_videos_are_taken_one_by_one(site: Site, llm: Llm, start: Start) -> None:
    """Videos come in the order of their transcripts and never mix; a cancelled one lets the next go on at once."""
    gate = llm.gate("first")
    llm.script(Fault(hold=gate))
    daemon = start(llm=settings(llm, parallel_chunks=1), concurrent={"max_workers": 4})
    async with Client(daemon) as client:
        ids = [await submit(client, site, number, str(number), 1 + 2 * (number % 3)) for number in range(4)]
        (held, *_) = await llm.until(lambda _: gate.held == 1, 60)
        assert 202 == (await client.post(f"/api/task/{ids[int(held.title)]}/cancel", {}))[0]
        await llm.until(lambda _: gate.held == 0)
        states = await asyncio.gather(*map(client.finished, ids))
    assert ["cancelled", *["completed"] * 3] == sorted(state["status"] for state in states)
    runs = [title for title, _ in itertools.groupby(asked.title for asked in llm.asked)]
    by_sequence = [str(ids.index(row[0])) for row in rows(daemon, "SELECT id FROM task ORDER BY sequence")]
    assert by_sequence == runs


async def test_a_stop_in_the_middle_of_a_question(site: Site, llm: Llm, start: Start) -> None:
    """A daemon that is stopped while it waits for an answer stores it and ends; no question is asked twice."""
    gate = llm.gate("third")
    llm.script(None, None, Fault(hold=gate))
    daemon = start(llm=settings(llm, parallel_chunks=1))
    async with Client(daemon) as client:
        task_id = await submit(client, site, 0, "A talk", 12)
        await llm.until(lambda _: gate.held == 1, 60)
        stopping = asyncio.create_task(asyncio.to_thread(daemon.stop))
        await said(daemon, "stopping")
        status, answer = await client.post("/api/transcribe", {"url": f"{site.url}/new"})
        assert (503, "shutting_down") == (status, answer["error"]["type"])
        assert "proofread" == (await client.state(task_id))["stage"]
        gate.open()
        assert 0 == await asyncio.wait_for(stopping, STOP_S)
    daemon.start()
    async with Client(daemon) as client:
        found = await told(client, task_id)
    check_delivered(found)
    assert ("done", "done") == found.layers
    texts = [asked.text for asked in llm.asked if not asked.is_summary]
    assert len(texts) == len(set(texts))
