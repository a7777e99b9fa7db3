"""Makes CUDA 12's cuBLAS found where it came as a wheel: CTranslate2 opens it by its bare name."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

_LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")
"""In this order: the second needs the first."""


def load_cublas() -> bool:
    """Load it from the system, or else from its wheel, for the whole process; False if it is in neither place.

    Once it is loaded, ``dlopen`` of its bare name succeeds wherever it lies.
    """
    return any(_load(folder) for folder in (None, *_wheels()))


def _wheels() -> list[Path]:
    spec = find_spec("nvidia")
    return [Path(place) / "cublas" / "lib" for place in spec.submodule_search_locations or ()] if spec else []


def _load(folder: Path | None) -> bool:
    try:
        for name in _LIBRARIES:
            ctypes.CDLL(name if folder is None else str(folder / name), ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
