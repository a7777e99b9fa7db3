"""The texts and messages of a task, over a real server and a real store."""

from __future__ import annotations

from pipeline.core.task import LayerState
from tests.integration.api import SPEECH, Answer, Api, Life


async def test_result_comes_layer_by_layer(api: Api) -> None:
    """A layer is not ready before it is stored; from then on it is the best text there is."""
    life = Life(api, await api.submitted())
    path = f"/api/task/{life.task_id}/result"
    early = await api.get(path)
    assert (409, "not_ready") == (early.status, early.error["type"])
    await life.transcribed(*SPEECH)
    assert ("raw", "hello world\n你好") == read(await api.get(path), "layer", "text")
    assert 409 == (await api.get(f"{path}?layer=proofread")).status
    await life.proofread()
    assert ("proofread", "Hello, world.\n\n你好。") == read(await api.get(path), "layer", "text")


async def test_result_as_json(api: Api) -> None:
    """A result says whose it is, its language and source, and has segments with words."""
    life = await Life(api, await api.submitted()).transcribed(*SPEECH)
    result = (await api.get(f"/api/task/{life.task_id}/result?layer=raw&format=json")).data
    word = {"start": 0.0, "end": 1.0, "word": "hello world", "probability": 0.9}
    assert (life.task_id, "en", "asr") == tuple(result[name] for name in ("task_id", "language", "source"))
    assert {"id": 0, "start": 0.0, "end": 2.0, "text": "hello world", "words": [word]} == result["segments"][0]


async def test_result_as_text(api: Api) -> None:
    """A result as text is the bare text, in UTF-8."""
    life = await Life(api, await api.submitted()).transcribed(*SPEECH)
    answer = await api.get(f"/api/task/{life.task_id}/result?format=txt")
    assert "text/plain; charset=utf-8" == answer.headers["Content-Type"]
    assert "hello world\n你好" == answer.body.decode()


async def test_subtitles_have_the_times_of_the_source(api: Api) -> None:
    """The raw and the readable text come as subtitles, each cue with the times of its segment."""
    life = await (await Life(api, await api.submitted()).transcribed(*SPEECH)).proofread()
    path = f"/api/task/{life.task_id}/result"
    raw, readable = [await api.get(f"{path}?{query}") for query in ("format=srt&layer=raw", "format=vtt")]
    assert "application/x-subrip; charset=utf-8" == raw.headers["Content-Type"]
    assert "text/vtt; charset=utf-8" == readable.headers["Content-Type"]
    expected = """\
1
00:00:00,000 --> 00:00:02,000
hello world

2
00:00:02,000 --> 00:00:04,000
你好
"""
    assert expected == raw.body.decode()
    expected = """\
WEBVTT

00:00:00.000 --> 00:00:02.000
Hello, world.

00:00:02.000 --> 00:00:04.000
你好。
"""
    assert expected == readable.body.decode()


async def test_document_holds_title_link_summary_and_text(api: Api) -> None:
    """The readable text as a document has title, link and summary above it; a layer asked for stands alone."""
    life = await (await Life(api, await api.submitted()).transcribed(*SPEECH)).proofread()
    await life.summarized()
    path = f"/api/task/{life.task_id}/result?format=md"
    answer = await api.get(path)
    assert "text/markdown; charset=utf-8" == answer.headers["Content-Type"]
    top = "# A talk\n\n<https://example.com/a.mp4>\n\n"
    expected = f"{top}## 摘要\n\nA greeting.\n\n## 正文\n\nHello, world.\n\n你好。\n"
    assert expected == answer.body.decode()
    assert f"{top}hello world\n\n你好\n" == (await api.get(f"{path}&layer=raw")).body.decode()
    assert f"{top}A greeting.\n" == (await api.get(f"{path}&layer=summary")).body.decode()


async def test_summary_is_no_subtitle(api: Api) -> None:
    """A summary as subtitles is impossible, whether it is there or not."""
    task_id = await api.submitted()
    for form in ("srt", "vtt"):
        refused = await api.get(f"/api/task/{task_id}/result?layer=summary&format={form}")
        assert (422, "invalid_value", "format") == (refused.status, refused.error["type"], refused.error["param"])


async def test_layers_that_never_come_are_absent(api: Api) -> None:
    """A layer that is disabled or was skipped is absent; a format or layer that does not exist is a wrong value."""
    life = await (await Life(api, await api.submitted()).transcribed(*SPEECH)).proofread()
    await life.summarized(LayerState.SKIPPED_SHORT)
    path = f"/api/task/{life.task_id}/result"
    queries = ("layer=summary", "layer=chapters", "layer=translation", "layer=words", "format=doc")
    answers = [await api.get(f"{path}?{query}") for query in queries]
    assert [404, 404, 404, 422, 422] == [answer.status for answer in answers]
    assert ["layer_absent", "invalid_value"] == [answers[0].error["type"], answers[3].error["type"]]


async def test_messages_are_listed_in_order(api: Api) -> None:
    """The messages of a task are listed in order, each with its place, its bytes and what became of it."""
    life = await Life(api, await api.submitted()).transcribed(*SPEECH)
    await (await (await life.proofread()).summarized()).composed()
    await life.sent()
    head, text = (await api.get(f"/api/task/{life.task_id}/messages")).data["messages"]
    expected = {
        "number": 2,
        "of": 2,
        "channel": "inbox",
        "robot": None,
        "kind": "text",
        "bytes": 15,
        "state": "planned",
        "text": "(2/2)\n你好。",
        "sent_at": None,
    }
    assert expected == text
    assert ("head", "sent", True) == (head["kind"], head["state"], head["sent_at"].endswith("Z"))


def read(answer: Answer, *names: str) -> tuple[object, ...]:
    """Take some values out of what an answer holds."""
    return tuple(answer.data[name] for name in names)
