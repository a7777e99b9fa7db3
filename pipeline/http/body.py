"""Read the body of a request: what it is said to be, and, if that is JSON, never too much of it and strictly."""

from __future__ import annotations

import asyncio
import json
from typing import NoReturn

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web

from pipeline.refusals import (
    BodyTooLarge,
    InvalidBody,
    InvalidJson,
    NotAcceptable,
    UnsupportedMediaType,
)

MEBIBYTE = 1024 * 1024

_LONGEST_MEDIA_TYPE = 256
"""Characters with all parameters; aiohttp takes quadratic time to read them."""
_LONGEST_INTEGER = 100
"""Digits; Python takes quadratic time to read them, and no field needs as many as 20."""


async def read_object(request: web.Request, *, max_mb: int, timeout_s: float) -> dict[str, object]:
    """Read the request's body as one JSON object.

    Args:
        request: its body has not been read.
        max_mb: largest body, in MiB.
        timeout_s: how long it may take to arrive.

    Raises:
        UnsupportedMediaType: it is not said to be JSON in UTF-8, or is compressed.
        BodyTooLarge: it is larger.
        InvalidJson: it is not strict JSON.
        InvalidBody: it did not arrive, or is not an object.
    """
    check_plain(request)
    _check_json(request)
    if is_too_large(request, max_mb):
        raise BodyTooLarge
    await say_continue(request)
    value = parse_json(await _read(request, max_mb, timeout_s))
    if not isinstance(value, dict):
        raise InvalidBody("the body must be a JSON object")
    return value


def check_protocol(request: web.Request) -> None:
    """Refuse what the server's parser lets pass although it is no HTTP/1 that proxies would read alike.

    Raises:
        InvalidBody: another version, no host or several, or a body in a transfer coding that nobody here decodes.
    """
    if request.version not in {HttpVersion10, HttpVersion11}:
        raise InvalidBody("only HTTP/1.1 and HTTP/1.0 are spoken here")
    if request.headers.get(hdrs.TRANSFER_ENCODING, "chunked").lower() != "chunked":
        raise InvalidBody("the only known transfer coding is 'chunked'")


def check_expectation(request: web.Request) -> None:
    """Refuse a request that expects something unknown.

    Raises:
        NotAcceptable: the ``Expect`` header holds anything but ``100-continue``.
    """
    if request.headers.get(hdrs.EXPECT, "100-continue").lower() != "100-continue":
        raise NotAcceptable("only 'Expect: 100-continue' is known")


def check_plain(request: web.Request) -> None:
    """Refuse a body that is compressed, or whose media type is not said in one short header.

    Raises:
        UnsupportedMediaType: it is.
    """
    media_types = request.headers.getall(hdrs.CONTENT_TYPE, [])
    if len(media_types) != 1 or len(media_types[0]) > _LONGEST_MEDIA_TYPE:
        raise UnsupportedMediaType
    # The server is told not to decompress, so a bomb is refused here before one byte of it is opened.
    if any(coding.lower() != "identity" for coding in request.headers.getall(hdrs.CONTENT_ENCODING, [])):
        raise UnsupportedMediaType


def is_too_large(request: web.Request, max_mb: int) -> bool:
    """Tell from its header whether a body is larger than so many MiB; one without a length says nothing."""
    return (request.content_length or 0) > max_mb * MEBIBYTE


def _check_json(request: web.Request) -> None:
    if request.content_type != "application/json":
        raise UnsupportedMediaType
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType


async def say_continue(request: web.Request) -> None:
    """Ask for the body if the client waits to be asked. By now token and headers are known to be good."""
    if hdrs.EXPECT in request.headers and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


async def _read(request: web.Request, max_mb: int, timeout_s: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > max_mb * MEBIBYTE:
                    raise BodyTooLarge
    except TimeoutError:
        raise InvalidBody(f"the body did not arrive within {timeout_s:g} s") from None
    except web.RequestPayloadError as error:
        raise InvalidBody(f"the body's framing is broken: {error}") from None
    return bytes(body)


def parse_json(body: bytes) -> object:
    """Parse strict JSON in UTF-8: no byte order mark, no NaN or Infinity, no name twice in one object.

    Raises:
        InvalidJson: it is not.
    """
    try:
        return _STRICT.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidJson(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise InvalidJson("nested too deeply") from None


def _no_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not a JSON value")


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise InvalidJson("a number is too long")
    return int(digits)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidJson("a name occurs twice in one object")
    return found


_STRICT = json.JSONDecoder(parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=_object)
