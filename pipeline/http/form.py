"""Read a form with a file: the file goes to disk as it comes, the fields become what a JSON body would hold."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import BodyPartReader, MultipartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.http.body import MEBIBYTE, check_plain, is_too_large, parse_json, say_continue
from pipeline.incoming import Incoming
from pipeline.refusals import BodyTooLarge, InvalidBody

FILE = "file"
MOST_FIELDS = 64
"""No submission has as many."""

_FILE_GOES = f"a file is sent in a part named {FILE!r}"
_PIECE_BYTES = 256 * 1024
_OBJECTS = frozenset({"options", "processing_options", "metadata", "metadata_override"})
_WORDS: Mapping[str, Mapping[str, object]] = {
    "priority": {"1": 1, "2": 2, "3": 3, "4": 4},
    "force": {"true": True, "false": False},
}
"""What a form writes as text and JSON as something else, by field."""
_MALFORMED = (ValueError, LookupError, RuntimeError, AssertionError, HttpProcessingError, web.RequestPayloadError)
"""What the library raises for the many ways in which a form can be broken."""


@dataclass(frozen=True, slots=True)
class FormLimits:
    """How much may come, and how long it may stand still."""

    file_mb: int
    fields_mb: int
    """Of all fields together."""
    stall_s: float


def is_form(request: web.Request) -> bool:
    """Tell whether the body is said to be a form with a file."""
    # By its beginning: aiohttp takes quadratic time to read a long header, and its length is not checked yet.
    return request.headers.get(hdrs.CONTENT_TYPE, "").lower().startswith("multipart/form-data")


async def read_form(request: web.Request, incoming: Incoming, limits: FormLimits) -> tuple[str, dict[str, object]]:
    """Read the request's body.

    Args:
        request: its body has not been read.
        incoming: takes the file.
        limits: how much, and how slowly.

    Returns:
        What the sender calls the file, and the other fields as a JSON body would hold them.

    Raises:
        UnsupportedMediaType: it is compressed.
        BodyTooLarge: the file or the fields are.
        InvalidBody: it did not arrive whole, is not well formed, or has no file.
        InvalidJson: a field that holds an object is not JSON.
    """
    check_plain(request)
    if is_too_large(request, limits.file_mb + limits.fields_mb):
        raise BodyTooLarge
    await say_continue(request)
    try:
        name, fields = await _read_parts(await request.multipart(), incoming, limits)
    except TimeoutError:
        raise InvalidBody(f"nothing came for {limits.stall_s:g} s") from None
    except _MALFORMED as error:
        raise InvalidBody(f"the form is broken or was cut off ({type(error).__name__})") from None
    return name, {key: _value(key, text) for key, text in fields.items() if text}


async def _read_parts(form: MultipartReader, incoming: Incoming, limits: FormLimits) -> tuple[str, dict[str, str]]:
    file_name: str | None = None
    fields: dict[str, str] = {}
    room = limits.fields_mb * MEBIBYTE
    while (part := await _next_part(form, limits)) is not None:
        if part.name is None or part.name in fields or len(fields) >= MOST_FIELDS:
            raise InvalidBody("every part of the form needs a name of its own")
        if part.name != FILE:
            fields[part.name] = await _read_text(part, room, limits)
            room -= len(fields[part.name])
        elif file_name is None:
            file_name = part.filename or ""
            await _receive(part, incoming, limits)
        else:
            raise InvalidBody("one form holds one file")
    if file_name is None:
        raise InvalidBody(f"the form has no part named {FILE}")
    return file_name, fields


async def _next_part(form: MultipartReader, limits: FormLimits) -> BodyPartReader | None:
    async with asyncio.timeout(limits.stall_s):
        part = await form.next()
    if part is not None and not isinstance(part, BodyPartReader):
        raise InvalidBody("a form within a form")
    if part is not None and part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "binary").lower() not in _AS_IT_IS:
        raise InvalidBody("send every part of the form as it is, without a transfer encoding")
    return part


_AS_IT_IS = frozenset({"binary", "7bit", "8bit"})


async def _receive(part: BodyPartReader, incoming: Incoming, limits: FormLimits) -> None:
    while not part.at_eof():
        async with asyncio.timeout(limits.stall_s):
            piece = await part.read_chunk(_PIECE_BYTES)
        await incoming.write(piece)


async def _read_text(part: BodyPartReader, room: int, limits: FormLimits) -> str:
    text = bytearray()
    while not part.at_eof():
        async with asyncio.timeout(limits.stall_s):
            text += await part.read_chunk()
        if len(text) > room:
            raise BodyTooLarge(f"the fields of the form, at {part.name!r}; {_FILE_GOES}")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise InvalidBody(f"the field {part.name!r} is not text in UTF-8; {_FILE_GOES}") from None


def _value(name: str, text: str) -> object:
    """Write a field as JSON has it; what does not look like that stays text, and is refused by its type."""
    return parse_json(text.encode()) if name in _OBJECTS else _WORDS.get(name, {}).get(text, text)
