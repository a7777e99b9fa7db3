"""The body of a submission: every field with its type and limits. What is not here is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from pipeline.core.languages import LANGUAGES
from pipeline.core.submission import Submission
from pipeline.core.task import Notify, Priority, Script
from pipeline.http.names import unknown_field
from pipeline.http.plain import unfit_character
from pipeline.refusals import InvalidValue

MOST_URLS = 50

_MEANING = {
    "missing": "is needed",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "too_long": f"must hold {MOST_URLS} at most",
    "string_unicode": "holds half a surrogate pair",
}
"""What some of the library's errors mean to a caller, who does not know Python; the others read well."""


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{message}", {"message": message})


def _plain(text: str) -> str:
    if unfit := unfit_character(text):
        raise _refused(f"the character {unfit} cannot be used")
    return text


def _one_line(text: str) -> str:
    if any(character in text for character in "\t\n\r"):
        raise _refused("line breaks and tabs cannot be used")
    return _plain(text)


def _on_one_line(text: str) -> str:
    return " ".join(_plain(text).split())


def _none_if_blank(text: str) -> str | None:
    return text.strip() or None


def _cut(length: int) -> AfterValidator:
    return AfterValidator(lambda text: text[:length].rstrip() or None)


def _priority(value: object) -> object:
    """Take 1 to 4 or the word; True is an int in Python and none here."""
    words = {priority.name.lower(): priority for priority in Priority}
    if isinstance(value, str) and value in words:
        return words[value]
    if type(value) is int and value in {*Priority}:
        return Priority(value)
    if value is None:
        return Priority.NORMAL
    raise _refused("must be 1 to 4, or low, normal, high or urgent")


def _language(code: str) -> str | None:
    if code == "auto":
        return None
    if code not in LANGUAGES:
        raise _refused("must be a language code that Whisper knows, such as zh or en, or null to find out")
    return code


_PRIORITY_SCHEMA: dict[str, Any] = {
    "enum": [*map(int, Priority), *(priority.name.lower() for priority in Priority)],
    "default": int(Priority.NORMAL),
}

Line = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]
Prompt = Annotated[str, Field(max_length=1000), AfterValidator(_plain), AfterValidator(_none_if_blank)]


class _Fields(BaseModel):
    """Fields of a JSON object; a field that is not among them is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class OptionsBody(_Fields):
    """Which texts are wanted."""

    proofread: bool = True
    summarize: bool = True
    script: Script | None = None
    """Of Chinese text; null: ``transcribe.script``."""
    word_times: bool = False
    """Give every segment of the layer ``raw`` its words with their times."""
    sequential: bool = False
    """Recognize one stretch after the other, each with the text before it: slower, and at times more consistent."""


class ProcessingOptionsBody(_Fields):
    """The same, as an older API names it."""

    calibrate: bool = True
    summarize: bool = True


class MetadataBody(_Fields):
    """What the video is to be called, and for an LLM what it is about; longer texts are cut."""

    title: Annotated[str, AfterValidator(_on_one_line), _cut(500)] | None = None
    author: Annotated[str, AfterValidator(_on_one_line), _cut(200)] | None = None
    description: Annotated[str, AfterValidator(_plain), _cut(5000)] | None = None


class SubmitBody(_Fields):
    """What is to be transcribed, and how; one of ``url`` and ``urls`` is needed."""

    model_config = ConfigDict(
        frozen=True, json_schema_extra={"examples": [{"url": "https://example.com/talk.mp4", "language": "zh"}]}
    )

    url: str | None = None
    """Address of the video; of a shared text around a link, the first link counts."""
    urls: Annotated[list[str], Field(min_length=1, max_length=MOST_URLS)] | None = None
    """Several addresses, accepted all or none."""
    download_url: str | None = None
    """Where the media lies, if the page at ``url`` does not lead to it."""
    language: Annotated[str, AfterValidator(_language)] | None = None
    """Whisper's code of the language that is spoken, such as ``zh``; null or ``auto``: ``transcribe.language``."""
    model: Line | None = None
    """One of ``transcribe.model`` and ``transcribe.models``; null or ``auto``: the first."""
    hotwords: Prompt | None = None
    """Words that the recognizer is to expect."""
    prompt: Prompt | None = None
    """A text in the style of the speech, for the recognizer."""
    options: OptionsBody | None = None
    processing_options: ProcessingOptionsBody | None = None
    """An older name of ``options``."""
    priority: Annotated[Priority, BeforeValidator(_priority), WithJsonSchema(_PRIORITY_SCHEMA)] = Priority.NORMAL
    """Who is taken first among those that wait."""
    wechat_webhook: Line | None = None
    """Name of the only robot that gets the messages; null: all do."""
    notify: Notify | None = None
    """Which messages go out; null: ``wechat.notify``."""
    metadata: MetadataBody | None = None
    metadata_override: MetadataBody | None = None
    """An older name of ``metadata``."""
    client_ref: Annotated[str, Field(max_length=128), AfterValidator(_one_line)] | None = None
    """Comes back in every answer about the task."""
    force: bool = False
    """Make a new task even if the same work is there."""


_ALIASES = {"processing_options": "options", "metadata_override": "metadata"}
ADDRESSES = ("url", "urls", "download_url")
_KNOWN: dict[tuple[str, ...], type[BaseModel]] = {
    (): SubmitBody,
    ("options",): OptionsBody,
    ("processing_options",): ProcessingOptionsBody,
    ("metadata",): MetadataBody,
    ("metadata_override",): MetadataBody,
}


def parse_submission(body: dict[str, object]) -> Submission | tuple[Submission, ...]:
    """Turn a body into what is wanted: one submission of a ``url``, one for each of ``urls``.

    Raises:
        UnknownField: a field is not known here; it takes precedence over wrong values.
        InvalidValue: a value is wrong.
    """
    parsed = _parsed(body)
    if parsed.urls is None:
        if parsed.url is None:
            raise InvalidValue("url: is needed", param="url")
        return _submission(parsed, parsed.url)
    for other in ("url", "download_url"):
        if getattr(parsed, other) is not None:
            raise InvalidValue(f"{other} and urls do not go together", param=other)
    one = _submission(parsed, "")
    return tuple(replace(one, url=url, param=f"urls.{place}") for place, url in enumerate(parsed.urls))


def parse_upload(fields: dict[str, object], name: str) -> Submission:
    """Turn the fields of a form into what is wanted of the file in it, which is called ``name``; raises as above."""
    parsed = _parsed(fields)
    for other in ADDRESSES:
        if getattr(parsed, other) is not None:
            raise InvalidValue(f"{other} and a file do not go together", param=other)
    return _submission(parsed, name)


def _parsed(body: dict[str, object]) -> SubmitBody:
    _check_names(body)
    try:
        parsed = SubmitBody.model_validate(body)
    except ValidationError as error:
        raise _wrong_value(error) from None
    for alias, name in _ALIASES.items():
        if getattr(parsed, alias) is not None and getattr(parsed, name) is not None:
            raise InvalidValue(f"{alias} and {name} mean the same: send one of them", param=alias)
    return parsed


class RetryBody(_Fields):
    """Where a finished task is to start again."""

    start: Line = Field("auto", alias="from")
    """A stage, or ``auto``: the first whose product is missing."""


def parse_retry(body: dict[str, object]) -> str:
    """Read where to start from: ``auto`` or a stage.

    Raises:
        UnknownField: a field is not known here.
        InvalidValue: a value is wrong.
    """
    for name in body:
        if name != "from":
            raise unknown_field(name, {"from": None}, ())
    try:
        return RetryBody.model_validate(body).start
    except ValidationError as error:
        raise _wrong_value(error) from None


def _check_names(body: dict[str, object]) -> None:
    """Refuse the first unknown field. The library would gather all, and there may be a hundred thousand."""
    for parent, model in _KNOWN.items():
        fields = body.get(parent[0]) if parent else body
        for name in fields if isinstance(fields, dict) else ():
            if name not in model.model_fields:
                raise unknown_field(name, model.model_fields, parent)


def _submission(body: SubmitBody, url: str) -> Submission:
    older = body.processing_options or ProcessingOptionsBody()
    options = body.options or OptionsBody(proofread=older.calibrate, summarize=older.summarize)
    metadata = body.metadata or body.metadata_override or MetadataBody()
    return Submission(
        url=url,
        download_url=body.download_url,
        language=body.language,
        model=body.model,
        hotwords=body.hotwords,
        prompt=body.prompt,
        proofread=options.proofread,
        summarize=options.summarize,
        script=options.script,
        sequential=options.sequential,
        word_times=options.word_times,
        priority=body.priority,
        robot=body.wechat_webhook,
        notify=body.notify,
        title=metadata.title,
        author=metadata.author,
        description=metadata.description,
        client_ref=body.client_ref,
        force=body.force,
    )


def _wrong_value(error: ValidationError) -> InvalidValue:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    param = ".".join(str(part) for part in first["loc"])
    return InvalidValue(f"{param}: {_MEANING.get(first['type'], first['msg'])}", param=param)
