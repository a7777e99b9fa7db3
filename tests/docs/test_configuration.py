"""The documents made from the code are those in the tree."""

import pytest

from tools.make_docs import DOCUMENTS, ROOT


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_current(name: str) -> None:
    """Each document is what its maker makes; if not, run python -m tools.make_docs."""
    assert DOCUMENTS[name]() == (ROOT / name).read_text(encoding="utf-8")
