"""The JSON Schema of the configuration file, and what it says about a single key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from pipeline.config.settings import Settings

_NAMES_SHOWN = 2

Node = Mapping[str, Any]
"""One part of a JSON Schema."""


class _WithoutTitles(GenerateJsonSchema):
    """Titles would only repeat the keys."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - named by the library
        """Set none."""
        return False


@cache
def schema() -> dict[str, Any]:
    """Make the JSON Schema of ``config.json``, for editors and for the reference."""
    made = Settings.model_json_schema(schema_generator=_WithoutTitles)
    made["properties"] = {"$schema": {"type": "string", "description": "Where this schema is."}} | made["properties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | made | {"title": "config.json of transcribed"}


@cache
def key_names() -> tuple[str, ...]:
    """Every key by its dotted name, in the order of the reference."""
    return tuple(
        f"{section}.{key}"
        for section in Settings.model_fields
        for key in _resolved(schema()["properties"][section])["properties"]
    )


def node_at(place: tuple[int | str, ...]) -> Node:
    """Find what the schema says about a place in the file; empty if it knows no such place."""
    node: Node = schema()
    for step in place:
        node = next((child for option in _options(node) if (child := _child(option, step))), {})
    return node


def child_names(node: Node) -> list[str]:
    """Name the keys an object at this place may have."""
    return [name for option in _options(node) for name in option.get("properties", {})]


def described(node: Node) -> tuple[str, str]:
    """Say in English and in Chinese what a value at this place must be."""
    options = [_described_option(option) for option in _options(node)]
    return " or ".join(english for english, _ in options), " 或 ".join(chinese for _, chinese in options)


def _options(node: Node) -> list[Node]:
    return [_resolved(option) for option in _resolved(node).get("anyOf", [node])]


def _resolved(node: Node) -> Node:
    reference = node.get("$ref")
    return schema()["$defs"][reference.rpartition("/")[2]] if reference else node


def _child(node: Node, step: int | str) -> Node:
    found: Node = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
    return found


def _described_option(node: Node) -> tuple[str, str]:
    kind = node.get("type")
    if "const" in node:
        return node["const"], node["const"]
    if "enum" in node:
        choices = ", ".join(node["enum"])
        return f"one of {choices}", f"其中之一：{choices}"
    if kind in {"integer", "number"}:
        low, high = f"{node['minimum']:.10g}", f"{node['maximum']:.10g}"
        return (
            f"{'an' if kind == 'integer' else 'a'} {kind} from {low} to {high}",
            f"{low} 到 {high} 之间的{'整数' if kind == 'integer' else '数字'}",
        )
    if kind == "array":
        english, chinese = described(node["items"])
        return f"a list […], each item {english}", f"列表 […]，每一项为 {chinese}"
    if kind == "object":
        return _described_object(list(node["properties"]))
    return ("true or false", "true 或 false") if kind == "boolean" else ("text", "文本")


def _described_object(names: list[str]) -> tuple[str, str]:
    if len(names) > _NAMES_SHOWN:
        return "an object {…}", "对象 {…}"
    shape = "{" + ", ".join(f'"{name}": …' for name in names) + "}"
    return shape, shape
