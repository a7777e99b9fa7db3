"""The cards as CUDA's driver names them; asked where NVIDIA's management library is missing, as in some containers."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from uuid import UUID

import structlog

_LIBRARY = "libcuda.so.1"
_NAME_BYTES, _UUID_BYTES = 256, 16
_NO_DEVICE = 100
"""``CUDA_ERROR_NO_DEVICE``"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Card:
    """A card, of which the driver tells no more without taking memory of it."""

    name: str
    memory_bytes: int
    uuid: str


def find_cards() -> list[Card]:
    """Every card that CUDA sees, in its order; none where there is no driver."""
    try:
        cuda = ctypes.CDLL(_LIBRARY)
    except OSError:
        return []
    count = ctypes.c_int()
    failed = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
    if failed and failed != _NO_DEVICE:
        log.warning("CUDA cannot be used", error=failed)
    cards = [_card(cuda, number) for number in range(count.value)]
    return [card for card in cards if card is not None]


def _card(cuda: ctypes.CDLL, number: int) -> Card | None:
    device, size = ctypes.c_int(), ctypes.c_size_t()
    name, uuid = ctypes.create_string_buffer(_NAME_BYTES), ctypes.create_string_buffer(_UUID_BYTES)
    failed = (
        cuda.cuDeviceGet(ctypes.byref(device), number)
        or cuda.cuDeviceGetName(name, _NAME_BYTES, device)
        or cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        or cuda.cuDeviceGetUuid(uuid, device)
    )
    if failed:
        log.warning("a card cannot be used", number=number, error=failed)
        return None
    return Card(name.value.decode(errors="replace"), size.value, f"GPU-{UUID(bytes=uuid.raw)}")
