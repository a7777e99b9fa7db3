"""Make the recordings of this folder that are cut from others: ``python -m examples.derive``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.samples import FOLDER
from tests.fakes import media

if TYPE_CHECKING:
    from collections.abc import Callable

# File, container, and which of the language's sentences it tells, by their place in the recordings cut.
_DERIVED: tuple[tuple[str, Callable[[media.Pcm], bytes], tuple[int, ...]], ...] = (
    ("en-friday.mp4", media.mp4_with_sound, (1, 2, 23, 11)),
    ("en-evening.mp3", media.mp3, (17, 10, 14, 21)),
    ("zh-wednesday.mp4", media.mp4_with_sound, (15, 11, 10, 4, 9)),
    ("zh-friday.webm", media.webm, (3, 8, 0, 6, 14)),
)


def main() -> None:
    """Write every derived recording and its text."""
    for name, container, places in _DERIVED:
        stock = media.sentences(name.partition("-")[0])
        spoken = [stock[place] for place in places]
        file = FOLDER / name
        file.write_bytes(container(media.compose(spoken)))
        file.with_suffix(".txt").write_text(media.text_of(spoken) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
