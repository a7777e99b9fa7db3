"""Read a configuration file: JSON in UTF-8, with ``//`` comments and errors that show their place."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigInvalid
from pipeline.redaction import printable

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*"|//[^\r\n]*')
_WORD = re.compile(r"[^\s{}\[\]:,\"'，：“”‘’｛｝［］]+")  # full-width marks stay: they are the usual slip
_HARMLESS_WORD = re.compile(r"true|false|null|-?\d{1,6}(?:\.\d{1,6})?")
_COLUMNS_SHOWN = 100
_SLIPS = {
    "Expecting ','": ("a comma, or a closing bracket, is missing before this", "此处之前缺少逗号或右括号"),
    "Expecting ':'": ("a colon is missing before this", "此处之前缺少冒号"),
    "Expecting property name": (
        "a key in double quotes is expected here; no comma stands behind the last one",
        "此处应为双引号括起的键；最后一项之后没有逗号",
    ),
    "Illegal trailing comma": ("no comma stands behind the last item", "最后一项之后没有逗号"),
    "Expecting value": ("a value is expected here", "此处应为一个值"),
    "Unterminated string": ("this text has no closing quotation mark", "这段文本缺少结束的双引号"),
    "Invalid control character": (
        "a text does not end on its line, or holds a tab",
        "文本没有在本行结束，或含有制表符",
    ),
    "Invalid \\": (r"a backslash in a text is written \\", r"文本中的反斜杠应写作 \\"),
    "Extra data": ("nothing may stand behind the object", "对象之后不能再有内容"),
}
"""What Python's parser says, by how it begins, and what that means to whoever wrote the file."""
_WIDE_BLANK = "\u3000"


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys were given more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def read_config_file(path: Path, known_words: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    """Read the file's object, without its ``$schema``, and a problem for each key that is there more than once.

    Args:
        path: the file.
        known_words: words that may be shown beside a syntax error; every other might be part of a secret.

    Raises:
        ConfigInvalid: the file cannot be read or is not a JSON object.
    """
    tree = _parsed(_text(path, known_words), path, known_words)
    if not isinstance(tree, _Object):
        raise _invalid(path, "the file must hold one JSON object {…}", "文件内容应为一个 JSON 对象 {…}")
    repeated = [
        f"{dotted} ({path}): the key is there more than once · 该键出现了多次" for dotted in _repeated_keys(tree)
    ]
    tree.pop("$schema", None)
    return tree, repeated


def _text(path: Path, known_words: Collection[str]) -> str:
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        *above, before = content[: error.start].decode("utf-8").split("\n")
        line = before + content[error.start :].decode("utf-8", errors="replace").partition("\n")[0]
        place = len(above) + 1, len(before) + 1
        told = "the file is not text in UTF-8", "文件不是 UTF-8 文本"
        raise _misplaced(path, place, line, known_words, *told) from None
    except FileNotFoundError:
        raise _invalid(path, "there is no such file", "文件不存在") from None
    except OSError as error:
        raise _invalid(path, f"the file cannot be read: {error.strerror}", "文件无法读取") from None


def _parsed(text: str, path: Path, known_words: Collection[str]) -> object:
    bare = _without_comments(text)
    if not bare.strip():
        told = "the file holds nothing; write at least {}", "文件没有内容，至少写上 {}"
        raise _misplaced(path, (1, 1), "", known_words, *told)
    try:
        return json.loads(bare, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        line = bare.split("\n")[error.lineno - 1]
        english, chinese = next((told for said, told in _SLIPS.items() if error.msg.startswith(said)), (error.msg, ""))
        raise _misplaced(
            path,
            (error.lineno, error.colno),
            line,
            known_words,
            f"not valid JSON: {english}",
            "：".join(filter(None, ["不是有效的 JSON", chinese])),
        ) from None
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of brackets
        raise _invalid(path, "a number is too long or the brackets too deep", "数字过长或括号嵌套过深") from None


def _without_comments(text: str) -> str:
    """Put spaces for comments, so that places in the text stay true."""
    return _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else " " * len(found[0]), text)


def _pointed_out(line: str, column: int, known_words: Collection[str]) -> str:
    """Draw a line with a caret below; each word that might be secret is masked by as many stars."""

    def masked(found: re.Match[str]) -> str:
        word = found[0]
        return word if word in known_words or _HARMLESS_WORD.fullmatch(word) else "*" * len(word)

    start = max(0, column - 1 - _COLUMNS_SHOWN // 2)
    shown = re.sub(r"\s", " ", _WORD.sub(masked, line))[start : start + _COLUMNS_SHOWN]
    indent = "".join(_WIDE_BLANK if _is_wide(character) else " " for character in shown[: column - 1 - start])
    return f"    {shown}\n    {indent}^"


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _repeated_keys(value: object, parent: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeated_keys(item, f"{parent}[{index}]")
    if isinstance(value, _Object):
        prefix = f"{parent}." if parent else ""
        yield from (f"{prefix}{printable(key)}" for key in value.repeated)
        for key, item in value.items():
            yield from _repeated_keys(item, f"{prefix}{key}")


def _misplaced(
    path: Path, place: tuple[int, int], text: str, known_words: Collection[str], english: str, chinese: str
) -> ConfigInvalid:
    """Show what is wrong at a place, a line and a column counted from 1; ``text`` is that line."""
    line, column = place
    picture = _pointed_out(text, column, known_words)
    return ConfigInvalid([f"{path}:{line}:{column}: {english} · {chinese}\n{picture}"])


def _invalid(path: Path, english: str, chinese: str) -> ConfigInvalid:
    return ConfigInvalid([f"{path}: {english} · {chinese}"])
