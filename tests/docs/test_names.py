"""Whatever a page names in code exists: files, classes, functions, keys, routes; and every error is drawn."""

import functools
import inspect
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.config import Settings
from pipeline.http.routes import ROUTES
from pipeline.store._sql import MIGRATIONS
from tests.docs.pages import ROOT, inline_code, page, page_names
from tests.docs.tree import PRODUCT, defined, imports, source_files, texts
from tools.make_docs import DOCUMENTS

WRITTEN = [name for name in page_names() if name not in DOCUMENTS]
MADE_BY_THE_DAEMON = {"data/token", "data/daemon.json"}
MADE_BY_THE_RECIPE = {"build/model/model", "build/model/report.md"}

_DEFINITION = re.compile(r"([\w./-]+\.py): ([\w.]+)")
_ROUTE = re.compile(r"(?:GET|POST|DELETE) [\w/{}]+")
_PATH = re.compile(r"[\w.-]+/[\w./-]*|[\w-]+\.(?:py|cfg|toml)")
_MEMBER = re.compile(r"(\w+)\.(\w+)")
_CLASS = re.compile(r"\b[A-Z][a-z]\w*")
_WORD = re.compile(r"_?[a-z]+_\w+|[A-Z]\w*[a-z]\w*|[A-Z]+_[A-Z_]+")
"""What only code is written like: with an underscore or a capital letter."""


@pytest.mark.parametrize("name", WRITTEN)
def test_names_exist(name: str) -> None:
    """Every file, definition, route, key and word of the code that a page written by hand names is there."""
    assert [] == [code for code in inline_code(page(name)) if not exists(code, (ROOT / name).parent)]


def test_walkthrough_names_definitions() -> None:
    """The walkthrough leads through all layers: it names definitions of every part that a task passes."""
    named = {found[1] for code in inline_code(page("docs/walkthrough.md")) if (found := _DEFINITION.fullmatch(code))}
    services = ["dispatcher", "executor", "intake", "outbox", "rescuer", "text_lane", "workers"]
    assert {f"pipeline/{part}.py" for part in services} <= named
    assert set(source_files("stages")) - {path for path in source_files("stages") if "/_" in path} <= named


def test_every_error_is_drawn() -> None:
    """The tree at the top of the errors has each class of them, and no other."""
    tree = inspect.cleandoc(errors.__doc__).partition("::")[2].partition("The docstring")[0]
    files = ["errors", "refusals", "failures", "llm_failures"]
    classes = {name for file in files for name in defined(f"pipeline/{file}.py") if _CLASS.fullmatch(name)}
    assert sorted(classes) == sorted(_CLASS.findall(tree))


def exists(code: str, folder: Path) -> bool:
    """Tell whether what stands between backticks on a page in this folder is there; true if it is no name at all."""
    if found := _DEFINITION.fullmatch(code):
        return (ROOT / found[1]).is_file() and found[2] in defined(found[1])
    if _ROUTE.match(code):
        return code.partition("?")[0] in {f"{route.method} {route.path}" for route in ROUTES}
    if _PATH.fullmatch(code):
        return code in MADE_BY_THE_DAEMON | MADE_BY_THE_RECIPE or (ROOT / code).exists() or (folder / code).exists()
    if (found := _MEMBER.fullmatch(code)) and found[1] in Settings.model_fields:
        return found[2] in type(Settings.model_fields[found[1]].default).model_fields
    if found and _WORD.fullmatch(found[1]):
        return code in known_words()
    return not _WORD.fullmatch(code) or code in known_words()


def names_in_the_database() -> set[str]:
    """Name every table and view, and every column of them."""
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.executescript("".join(MIGRATIONS))
        rows = conn.execute("SELECT s.name, c.name FROM sqlite_schema AS s JOIN pragma_table_info(s.name) AS c")
        return {name for row in rows for name in row}


@functools.cache
def known_words() -> frozenset[str]:
    """Everything the product defines, says in a string, or imports, and what its database has."""
    words = names_in_the_database()
    for path in source_files(*PRODUCT):
        words |= texts(path) | {each.module for each in imports(path)}
        words |= defined(path) | {name.rpartition(".")[2] for name in defined(path)}
    return frozenset(words)
