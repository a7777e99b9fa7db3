"""Reads the source files: what they define, what they say, and what they import."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from tests.docs.pages import ROOT

PRODUCT = ("daemon.py", "run_daemon.py", "pipeline", "stages")
EVERYTHING = (*PRODUCT, "tests", "benchmarks", "examples", "tools", "test_concurrent.py")


def source_files(*places: str) -> list[str]:
    """Name the Python files of these folders, and the files named themselves, by their paths from the root."""
    files = [
        file for place in places for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    return sorted(str(file.relative_to(ROOT)) for file in files)


@functools.cache
def parsed(path: str) -> ast.Module:
    """Parse a file."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


@functools.cache
def defined(path: str) -> frozenset[str]:
    """Name what a file defines: ``name`` at its top, ``Class.member`` below."""
    return frozenset(_defined(parsed(path).body))


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
                yield from (f"{name}.{member}" for member in _defined(statement.body))
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


@functools.cache
def texts(path: str) -> frozenset[str]:
    """Return every string a file holds."""
    constants = (node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant))
    return frozenset(value for value in constants if isinstance(value, str))


@functools.cache
def attributes_read(path: str) -> frozenset[str]:
    """Name every attribute a file reads: ``name``, and ``owner.name`` where it is read of something with a name."""
    found = set()
    for node in ast.walk(parsed(path)):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                found |= {name, f"{owner}.{name}"}
            case ast.Attribute(attr=name):
                found.add(name)
    return frozenset(found)


# ---------------------------------------------------------------------------------------------
# Imports
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """One module that a file imports, by its whole name."""

    module: str
    at_start: bool
    """Whether importing the file imports it as well, or only calling one of its functions."""


def imports(path: str) -> set[Import]:
    """Return everything a file imports, wherever in it, types included."""
    return set(_imports(parsed(path).body, at_start=True))


def _imports(body: list[ast.stmt], *, at_start: bool) -> Iterator[Import]:
    for statement in body:
        match statement:
            case ast.Import(names=names):
                yield from (Import(alias.name, at_start) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (Import(_module(module, alias.name), at_start) for alias in names)
        is_function = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
        yield from _imports(inner, at_start=at_start and not is_function)


def _module(package: str, name: str) -> str:
    """Tell whether ``from package import name`` means a module of that name or something in the package."""
    inner = f"{package}.{name}"
    return inner if file_of(inner) else package


def file_of(module: str) -> str | None:
    """Return the file of one of our modules, by its path from the root; None for any other."""
    stem = module.replace(".", "/")
    return next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / path).is_file()), None)
