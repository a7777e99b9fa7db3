"""What readers get: whole runs in order, within every limit, and what becomes of messages that are not taken."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from tests.acceptance.conftest import Start
from tests.acceptance.rows import rows
from tests.daemon import Client, Json
from tests.fakes import media, pages
from tests.fakes.site import Reply, Site, page
from tests.fakes.wecom import Arrival, Fault, WeCom
from tests.fakes.wecom_rules import LIMITS_BYTES, mentions

AT_ONCE = {"per_minute": 1200}
SHORT_TEXTS_TOO = {"min_summary_chars": 1}


def serve_speech(site: Site, number: int, sentences: int) -> str:
    """Serve a recording of so many sentences."""
    return site.serve(f"/{number}.wav", Reply(body=media.speech(media.story(number, sentences), gap_s=0.3)))


def robots(wecom: WeCom, *names: str) -> dict[str, object]:
    """The ``wechat`` section that configures these robots."""
    return AT_ONCE | {"webhook": [{"name": name, "url": wecom.webhook(name)} for name in names]}


def check_run(messages: Sequence[Json], text: str) -> None:
    """Check the labels of a run, and that its text parts are exactly the text that was to be delivered."""
    count = len(messages)
    assert [(number, count) for number in range(1, count + 1)] == [(one["number"], one["of"]) for one in messages]
    assert all(one["text"].startswith(f"({one['number']}/{count})") for one in messages)
    assert "head" == messages[0]["kind"]
    assert text == "".join(one["text"].split("\n", 1)[1] for one in messages if one["kind"] == "text")


# -- order --------------------------------------------------------------------------------------

VIDEOS = 10
LONG = {3, 7}
"""Numbers of the videos whose text needs several messages."""
AHEAD = 6
"""Messages that the one robot has, two runs at least, while the other one still owes the answer to its first."""


async def test_every_robot_gets_whole_runs_in_the_order_of_the_transcripts(
    site: Site, wecom: WeCom, start: Start
) -> None:
    """Ten videos wait for one robot: each comes as one unbroken run, and another robot does not delay it."""
    urls = [serve_speech(site, number, 105 if number in LONG else 2) for number in range(VIDEOS)]
    gate = wecom.gate("slow")
    wecom.robot("slow").script(Fault(errcode=-1), Fault(hold=gate))
    daemon = start(llm=SHORT_TEXTS_TOO, wechat=robots(wecom, "team", "slow"))
    async with Client(daemon) as client:
        ids = await asyncio.gather(*map(client.submit, urls))
        await wecom.until(lambda _: gate.held == 1 and len(wecom.robot("team").accepted) >= AHEAD)
        assert 1 == len(wecom.robot("slow").accepted)
        gate.open()
        planned = [await _planned(client, task_id) for task_id in ids]
        of_team = sum(len(messages) // 2 for messages in planned)
        await wecom.until(lambda _: len(wecom.robot("team").accepted) == of_team)
        states = await asyncio.gather(*map(client.finished, ids))
        assert [len(messages) for messages in planned] == [state["messages"]["sent"] for state in states]
        texts = {task_id: await client.text(f"/api/task/{task_id}/result", format="txt") for task_id in ids}
    runs = {
        task_id: [one for one in sent if one["robot"] == "team"] for task_id, sent in zip(ids, planned, strict=True)
    }
    for number, task_id in enumerate(ids):
        check_run(runs[task_id], texts[task_id])
        kinds = [one["kind"] for one in runs[task_id]]
        assert ["head", "summary", "text"] == kinds[:3]
        assert (kinds.count("text") >= 3) == (number in LONG)
    by_sequence = [row[0] for row in rows(daemon, "SELECT id FROM task ORDER BY sequence")]
    expected = [one["text"] for task_id in by_sequence for one in runs[task_id]]
    for name in ("team", "slow"):
        assert expected == wecom.robot(name).contents
        assert 0 == wecom.robot(name).overlaps


async def _planned(client: Client, task_id: str) -> list[Json]:
    """Wait until the runs of a task are composed; returns their messages."""
    async with asyncio.timeout(60):
        while True:
            status, answer = await client.get(f"/api/task/{task_id}", wait=0.2)
            assert 200 == status
            if answer["data"]["stage"] in {"deliver", "done"} and (messages := await client.messages(task_id)):
                return messages


async def test_notices_keep_out_of_runs(site: Site, wecom: WeCom, start: Start) -> None:
    """With a notice for each step, notices stand between runs only; while runs wait, steps are not told at all."""
    gate, robot = wecom.gate("busy"), wecom.robot("team")
    videos = [serve_speech(site, number, 2) for number in range(4)]
    daemon = start(llm=SHORT_TEXTS_TOO, wechat=robots(wecom, "team"))
    async with Client(daemon) as client:
        first = await client.submit(videos[0], notify="all")
        await client.finished(first)
        robot.script(None, Fault(hold=gate))
        ids = [await client.submit(url) for url in videos[1:2]]
        await wecom.until(lambda _: gate.held == 1, 60)
        ids += [await client.submit(url, notify="all") for url in videos[2:]]
        failing = await client.submit(f"{site.url}/not-there.wav", notify="all")
        waiting = [await _planned(client, task_id) for task_id in ids[1:]]
        assert "failed" == (await client.finished(failing))["status"]
        gate.open()
        await asyncio.gather(*map(client.finished, ids))
        await wecom.until(lambda _: len(robot.accepted) == len(robot.arrivals) == 3 + 4 * 3 + 1, 60)
        told = {task_id: await client.messages(task_id) for task_id in [first, *ids, failing]}
    steps = [one for one in told[first] if one["kind"] == "notice"]
    assert ["开始处理", "下载完成", "转写完成"] == [one["text"][:4] for one in steps]
    assert [["head", "summary", "text"]] * 2 == [[one["kind"] for one in messages] for messages in waiting]
    [failure] = told[failing]
    assert ("notice", "sent") == (failure["kind"], failure["state"])
    labels = [content[:5] if content.startswith("(") else "notice" for content in robot.contents]
    runs = ["(1/3)", "(2/3)", "(3/3)"]
    assert ["notice"] * 3 + runs * 2 == labels[:9]
    assert sorted([runs, runs, ["notice"]]) == sorted(_divided(labels[9:]))


def _divided(labels: Sequence[str]) -> list[list[str]]:
    """Divide labels before each that begins something."""
    divided: list[list[str]] = []
    for label in labels:
        if label in {"(1/3)", "notice"}:
            divided.append([])
        divided[-1].append(label)
    return divided


# -- hostile titles -----------------------------------------------------------------------------

TITLES = {
    "5,000 bytes": "长" * 1666 + "ab",
    "no spaces": "x" * 5000,
    "families and flags": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 60
    + "\U0001f1e8\U0001f1f3" * 90,
    "combining": "e" + "\u0301" * 2000,
    "layout": "# One\n```python\nimport os\n``` ~~~\n| a | b |\n|---|---|\n> quoted\n- item\n***",
    "mentions": "<@all> <@zhangsan> @所有人 @all @everyone ＠all <＠all> <<@all>@all> @@所有人 <@\u200ball> @al\u00adl",
    "bidi": "\u202egnp.exe\u202c \u2066isolated\u2069 \u200eleft\u200fright",
    "link": "](http://evil.example) [click](http://evil.example/x) ![i](http://evil.example/i.png) <http://evil.example>",
    "html": "<font color='warning'>red</font> <a href='http://evil.example'>a</a> &lt;@all&gt;",
    "lines": "one\r\ntwo\u2028three\u2029four\n\nfive",
    "label": "(1/9)\n(2/9) not a label",
    "blank": "   ",
}
UNFIT_FOR_JSON = {
    "half a pair": "a\ud83d b\udc4b c",
    "control characters": "tab\x0bpage\x0cnext\x85bell\x07 null-like\x01 escape\x1b[31m delete\x7f",
}
"""Titles that a request may not hold, but a page may."""
ON_A_PAGE = UNFIT_FOR_JSON | {name: TITLES[name] for name in ("5,000 bytes", "no spaces", "mentions", "link", "html")}

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff]")
TAG = re.compile(r"<[A-Za-z@/!]")
LAYOUT = re.compile(r"```|~~~|!\[|^\s*[#>|*-]", re.MULTILINE)
ADDRESS = re.compile(r"https?://[^\s)]+|www\.[^\s)]+", re.IGNORECASE)
HEAD_LINES = 5
"""Title, author, what was heard, how long it is, where it comes from."""


async def test_no_title_can_break_or_misuse_a_message(site: Site, wecom: WeCom, start: Start) -> None:
    """Whatever the title and the author, messages keep their shape, mention nobody, and link to their video alone."""
    silence = site.serve("/silence.wav", Reply(body=media.wav(media.silence(0.5))))
    asked = [
        (f"{url}?title={place}", {"metadata": {"title": title, "author": title.strip() or "Somebody"}})
        for url in (silence, f"{site.url}/not-there.wav")
        for place, title in enumerate(TITLES.values())
    ]
    asked += [
        (site.serve(f"/watch/{place}", page(pages.described_page(title, silence, author=title))), {})
        for place, title in enumerate(ON_A_PAGE.values())
    ]
    daemon = start(concurrent={"max_workers": 4, "queue_size": len(asked)}, wechat=robots(wecom, "team"))
    async with Client(daemon) as client:
        ids = await asyncio.gather(*(client.submit(url, **fields) for url, fields in asked))
        states = await asyncio.gather(*map(client.finished, ids))
        arrivals = await wecom.until(lambda arrivals: len(arrivals) == len(asked))
        told = [await client.messages(task_id) for task_id in ids]
    assert sorted(one["text"] for [one] in told) == sorted(wecom.robot("team").contents)
    for arrival in arrivals:
        _check_harmless(arrival)
    for (url, _), state, [message] in zip(asked, states, told, strict=True):
        assert [url] == ADDRESS.findall(message["text"])
        if "not-there" in url:
            assert ("failed", "notice") == (state["status"], message["kind"])
        else:
            title, *facts = message["text"].splitlines()
            assert ("completed", "head", HEAD_LINES) == (state["status"], message["kind"], 1 + len(facts))
            assert title.startswith("(1/1) [")
            assert title.endswith(f"]({url})")


def _check_harmless(arrival: Arrival) -> None:
    """Check one message as WeCom and its readers would see it."""
    kind, content = arrival.body["msgtype"], arrival.content
    assert 0 == arrival.errcode
    assert len(content.encode()) <= LIMITS_BYTES[kind]
    assert [] == mentions(arrival.body)
    assert "@" not in content
    assert not UNSEEN.search(content)
    assert not TAG.search(content)
    assert kind == "text" or not LAYOUT.search(content)


# -- messages that are not taken ----------------------------------------------------------------


async def test_a_refused_message_does_not_stop_its_run(site: Site, wecom: WeCom, start: Start) -> None:
    """The refused message says so, the rest goes out, and the task completes with one failed message."""
    wecom.robot("team").script(None, Fault(errcode=40058))
    daemon = start(llm=SHORT_TEXTS_TOO, wechat=robots(wecom, "team"))
    async with Client(daemon) as client:
        state = await client.finished(await client.submit(serve_speech(site, 0, 3)))
        assert ("completed", {"sent": 2, "pending": 0, "failed": 1}) == (state["status"], state["messages"])
        messages = await client.messages(state["task_id"])
    assert ["sent", "refused", "sent"] == [one["state"] for one in messages]
    assert [one["text"] for one in messages] == [arrival.content for arrival in wecom.robot("team").arrivals]


async def test_a_removed_robot_keeps_its_messages(site: Site, wecom: WeCom, start: Start) -> None:
    """Tasks complete with a warning, their messages stay planned, and the daemon says that a robot is missing."""
    wecom.robot("gone").script(None, Fault(errcode=93000))
    daemon = start(llm=SHORT_TEXTS_TOO, wechat=robots(wecom, "gone", "team"))
    async with Client(daemon) as client:
        states = [await client.finished(await client.submit(serve_speech(site, number, 1))) for number in range(2)]
        messages = [one for state in states for one in await client.messages(state["task_id"])]
        status, answer = await client.get("/readyz")
    assert ["completed"] * 2 == [state["status"] for state in states]
    assert [["delivery_interrupted"]] * 2 == [[one["type"] for one in state["warnings"]] for state in states]
    assert ["sent", *["planned"] * 5] == [one["state"] for one in messages if one["robot"] == "gone"]
    assert ["sent"] * 6 == [one["state"] for one in messages if one["robot"] == "team"]
    assert 2 == len(wecom.robot("gone").arrivals)
    assert (503, ["robot:gone"]) == (status, [lack["what"] for lack in answer["data"]["missing"]])


async def test_a_message_without_an_answer_goes_out_again(site: Site, wecom: WeCom, start: Start) -> None:
    """What may not have arrived is sent again at once, byte for byte, before the rest of its run."""
    wecom.robot("team").script(None, Fault(drop_before_answer=True))
    daemon = start(llm=SHORT_TEXTS_TOO, wechat=robots(wecom, "team"))
    async with Client(daemon) as client:
        state = await client.finished(await client.submit(serve_speech(site, 0, 3)))
        assert ("completed", {"sent": 3, "pending": 0, "failed": 0}) == (state["status"], state["messages"])
        head, summary, text = [one["text"] for one in await client.messages(state["task_id"])]
    robot = wecom.robot("team")
    assert [head, summary, summary, text] == robot.contents
    assert robot.bodies[1] == robot.bodies[2]


async def test_a_long_text_is_one_file(site: Site, wecom: WeCom, start: Start) -> None:
    """A robot gets a text of too many parts as a file that holds exactly the text, and the inbox gets the parts."""
    url = serve_speech(site, 0, 105)
    wecom.robot("team").script_uploads(Fault(drop_before_answer=True))
    wecom.robot("team").script(None, None, Fault(errcode=40007))
    daemon = start(llm=SHORT_TEXTS_TOO, wechat=robots(wecom, "team") | {"long_text_as_file_over": 2})
    async with Client(daemon) as client:
        state = await client.finished(await client.submit(url, metadata={"title": "会议 1/2: A\\B"}))
        messages = await client.messages(state["task_id"])
        text = await client.text(f"/api/task/{state['task_id']}/result", format="txt")
    assert ("completed", []) == (state["status"], state["warnings"])
    check_run(messages, "")
    assert ["head", "summary", "file"] == [one["kind"] for one in messages]
    file, robot = messages[2], wecom.robot("team")
    assert ("(3/3) 会议 1／2： A＼B.txt", len(text.encode())) == (file["text"], file["bytes"])
    assert [text.encode()] * 3 == [upload.content for upload in robot.uploads]
    assert [one["text"].replace("(3/3)", "(3／3)") for one in messages] == robot.contents


async def test_without_a_robot_messages_stay_in_the_inbox(site: Site, start: Start) -> None:
    """Messages are listed as sent by no robot, in the language of the configuration."""
    daemon = start(llm=SHORT_TEXTS_TOO, wechat={"language": "en"})
    async with Client(daemon) as client:
        state = await client.finished(await client.submit(serve_speech(site, 0, 3)))
        messages = await client.messages(state["task_id"])
        check_run(messages, await client.text(f"/api/task/{state['task_id']}/result", format="txt"))
    assert {("inbox", None, "sent")} == {(one["channel"], one["robot"], one["state"]) for one in messages}
    assert all(one["sent_at"] and one["bytes"] == len(one["text"].encode()) for one in messages)
    assert "(2/3)\nSummary\n" == messages[1]["text"][:14]
