"""Reads from a model's file how it is built, without the library that runs it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import BinaryIO

from pipeline.core.memory import Build

_SCALAR_BYTES = 8
_LAYER = re.compile(r"decoder/(layer_\d+)/")


def read_build(folder: Path) -> Build | None:
    """Tell how a model of CTranslate2 is built; None if its file says nothing of the kind."""
    try:
        with (folder / "model.bin").open("rb") as file:
            return _build(dict(_variables(file)))
    except (OSError, struct.error, UnicodeDecodeError, KeyError):
        return None


def _build(variables: dict[str, tuple[tuple[int, ...], bytes]]) -> Build:
    layers = {found[1] for name in variables if (found := _LAYER.match(name))}
    return Build(
        weights=sum(prod(shape) for shape, _ in variables.values()),
        width=variables["decoder/embeddings/weight"][0][1],
        heads=int.from_bytes(variables["encoder/num_heads"][1], "little"),
        decoder_layers=len(layers),
    )


def _variables(file: BinaryIO) -> Iterator[tuple[str, tuple[tuple[int, ...], bytes]]]:
    """Yield name, shape and, of scalars, the value of each variable, as CTranslate2's ``ModelSpec.save`` wrote them."""
    file.seek(4)  # the version of the format
    _text(file)  # the kind of model
    _, count = _read(file, "<II")
    for _ in range(count):
        name = _text(file)
        shape = _read(file, f"<{_read(file, '<B')[0]}I")
        _, size = _read(file, "<BI")
        value = file.read(size) if size <= _SCALAR_BYTES else b""
        if not value:
            file.seek(size, 1)
        yield name, (shape, value)


def _text(file: BinaryIO) -> str:
    (length,) = _read(file, "<H")
    return file.read(length)[:-1].decode()


def _read(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
