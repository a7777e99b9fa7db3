"""Compose: from everything known about a video to the messages its readers get."""

from __future__ import annotations

from pipeline.core.head import Head, Language
from pipeline.core.messages import compose_run
from pipeline.core.products import Artifacts, CleanText, Summary
from pipeline.core.task import Lane, LayerState, Stage, Task
from pipeline.core.text import count_characters
from pipeline.failures import InternalFailure
from pipeline.ports import Made, StageContext


class Compose:
    """Write one run of messages for every robot that gets this video, or for the inbox."""

    name = Stage.DELIVER
    lane = Lane.TEXT
    makes = "messages"
    weight = 7.0

    def run(self, ctx: StageContext, artifacts: Artifacts) -> Made:
        """Make ``messages``; none where nobody wants them."""
        task, wechat = ctx.task, ctx.settings.wechat
        if task.options.notify == "none":
            return Made(())
        clean, summary = artifacts.proofread, artifacts.summary
        if clean is None or summary is None:
            raise InternalFailure("there is no text")
        head = _head(task, artifacts, clean, summary, wechat.language)
        return Made(
            tuple(
                compose_run(
                    head,
                    summary.text,
                    clean.text,
                    robot=robot,
                    language=wechat.language,
                    # The inbox takes any number of messages.
                    file_over=None if robot is None else wechat.long_text_as_file_over,
                )
                for robot in task.options.robots or (None,)
            )
        )


def _head(task: Task, artifacts: Artifacts, clean: CleanText, summary: Summary, language: Language) -> Head:
    media, transcript = artifacts.media, artifacts.transcript
    if media is None or transcript is None:
        raise InternalFailure("there is no transcript")
    layers = dict(task.layers)
    return Head(
        title=media.title,
        url=task.source.url,
        author=media.author,
        duration_s=transcript.duration_s,
        language=transcript.language,
        source=transcript.source,
        model=transcript.model,
        text_by=clean.by,
        summary_by=summary.by,
        characters=count_characters(clean.text),
        segment_count=transcript.segment_count,
        no_speech=not clean.paragraphs,
        text_in_part=layers.get("proofread") is LayerState.PARTIAL,
        summary_in_part=layers.get("summary") is LayerState.PARTIAL,
        warnings=tuple(
            warning.message_zh if language == "zh" else warning.message
            for warning in task.warnings
            if warning.type != "no_speech"  # the head says so in its own words
        ),
    )
