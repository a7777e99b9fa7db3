"""The documents made from the code are those in the tree."""

import pytest

from tests.docs.pages import page
from tools.make_docs import DOCUMENTS


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_current(name: str) -> None:
    """Each document is what its maker makes; if not, run make docs."""
    assert DOCUMENTS[name]() == page(name)
