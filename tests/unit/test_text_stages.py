"""The stages of the TEXT lane: proofread, summarize, compose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.config import Settings
from pipeline.core.messages import Kind, Run
from pipeline.core.products import Artifacts, CleanText, Paragraph, Summary, TranscriptInfo
from pipeline.core.task import LayerState, Script, TaskWarning
from pipeline.core.transcript import Segment
from pipeline.failures import InternalFailure
from pipeline.ports import Made, StageWork
from stages.compose import Compose
from stages.proofread import Proofread
from stages.summarize import Summarize
from tests.unit.text_lane import HEARD, KNOWN, TASK, URL, Context, asking, texts

CLEAN = CleanText((Paragraph(0.0, 2.0, "后台软体，很好用。"), Paragraph(5.0, 6.0, "再见。")), by="offline")


def runs(made: Made) -> tuple[Run, ...]:
    """The runs that a stage made."""
    assert isinstance(made.product, tuple)
    return made.product


def test_proofreading_makes_paragraphs_in_one_script() -> None:
    """Traditional characters become simplified ones, pauses become marks and paragraphs."""
    made = Proofread().run(Context(), KNOWN)
    assert Made(CLEAN, layer=("proofread", LayerState.DONE)) == made


@pytest.mark.parametrize(
    ("script", "language", "heard", "expected"),
    [
        ("simplified", "zh", "後臺", "后台。"),
        ("traditional", "zh", "后台", "後臺。"),
        ("keep", "zh", "後臺", "後臺。"),
        ("simplified", "yue", "我係", "我系。"),
        ("simplified", "ja", "後臺", "後臺。"),
    ],
)
def test_script_is_made_uniform(script: Script, language: str, heard: str, expected: str) -> None:
    """Chinese is written in the wanted script; Japanese, and Chinese that is to stay, are left as heard."""
    known = replace(KNOWN, transcript=TranscriptInfo(language, "asr", "small", "cpu", 1.0, 1))
    context = Context(task=asking(script=script), heard=(Segment(0, 0.0, 1.0, heard),))
    assert [expected] == texts(Proofread().run(context, known))


def test_without_proofreading_segments_stay_as_heard() -> None:
    """Where nobody asked for it, each segment is a line in the wanted script, and no layer is made."""
    made = Proofread().run(Context(task=asking(proofread=False), heard=(*HEARD, Segment(3, 7.0, 8.0, " "))), KNOWN)
    assert ["后台软体", "很好用", "再见"] == texts(made)
    assert isinstance(made.product, CleanText)
    assert ("", None, "后台软体\n很好用\n再见") == (made.product.by, made.layer, made.product.text)


def test_nothing_heard_is_nothing_to_proofread() -> None:
    """Silence leaves an empty text and a skipped layer."""
    made = Proofread().run(Context(heard=()), KNOWN)
    assert Made(CleanText((), by="offline"), layer=("proofread", LayerState.SKIPPED_SHORT)) == made


def test_long_text_is_summarized() -> None:
    """A text of five hundred characters gets a summary of its own sentences."""
    sentence = "昨天学生去上海检查了一个新的视频。"
    known = replace(KNOWN, proofread=CleanText((Paragraph(0.0, 9.0, sentence * 40),), by="offline"))
    made = Summarize().run(Context(), known)
    assert Made(Summary(f"• {sentence}", by="offline"), layer=("summary", LayerState.DONE)) == made


@pytest.mark.parametrize(
    ("characters", "state"), [(499, LayerState.SKIPPED_SHORT), (500, LayerState.DONE), (0, LayerState.SKIPPED_SHORT)]
)
def test_short_text_is_its_own_summary(characters: int, state: LayerState) -> None:
    """Below llm.min_summary_chars, space not counted, the layer is skipped."""
    text = CleanText((Paragraph(0.0, 9.0, "字 " * characters),), by="offline")
    made = Summarize().run(Context(), replace(KNOWN, proofread=text))
    assert ("summary", state) == made.layer


def test_summary_nobody_asked_for() -> None:
    """With the option off there is an empty summary by nobody, and no layer."""
    made = Summarize().run(Context(task=asking(summarize=False)), KNOWN)
    assert Made(Summary("", by="")) == made


@pytest.mark.parametrize(
    ("robots", "expected"), [((), (None,)), (("team",), ("team",)), (("team", "boss"), ("team", "boss"))]
)
def test_every_robot_gets_a_run(robots: tuple[str, ...], expected: tuple[str | None, ...]) -> None:
    """There is one run for each robot of the task, or one for the inbox, and they say the same."""
    made = Compose().run(Context(task=asking(robots=robots)), KNOWN)
    assert expected == tuple(run.robot for run in runs(made))
    assert len({run.messages for run in runs(made)}) == 1


def test_run_tells_everything_known() -> None:
    """Head, summary and text hold what the stages before have made."""
    (run,) = runs(Compose().run(Context(), KNOWN))
    head, summary, text = (message.text for message in run.messages)
    assert head.startswith(f"(1/3) [标题]({URL})\n作者：王老师\n时长：1:05 · 语言：中文 · 字数：6 · 片段：3\n")
    assert "(2/3)\n摘要\n• 后台很好用。" == summary
    assert "(3/3)\n后台很好用。" == text


def test_wording_follows_the_settings() -> None:
    """The product's own words are in wechat.language."""
    context = Context(settings=Settings.model_validate({"wechat": {"language": "en"}}))
    (run,) = runs(Compose().run(context, KNOWN))
    assert "Author: 王老师" in run.messages[0].text


def test_silent_video_is_one_head() -> None:
    """Without speech the run is one head that says so once, although there is a warning too."""
    warnings = (TaskWarning("no_speech", "Silence.", "静音。"), TaskWarning("other", "Mind this.", "请留意。"))
    known = replace(KNOWN, proofread=CleanText((), by="offline"), summary=Summary("", by=""))
    (run,) = runs(Compose().run(Context(task=replace(TASK, warnings=warnings)), known))
    (head,) = run.messages
    assert Kind.HEAD is head.kind
    assert "没有识别到语音" in head.text
    assert "静音。" not in head.text
    assert head.text.endswith("注意：请留意。")


def test_nobody_wants_messages() -> None:
    """With notify none no run is made."""
    assert Made(()) == Compose().run(Context(task=asking(notify="none")), KNOWN)


@pytest.mark.parametrize("stage", [Proofread(), Summarize(), Compose()])
def test_missing_product_is_an_error_of_ours(stage: StageWork) -> None:
    """A stage whose input was not made fails by name."""
    with pytest.raises(InternalFailure):
        stage.run(Context(), Artifacts())
