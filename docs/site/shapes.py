"""JSON schemas in words: what a value may be, on one line, and the members of an object as a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null", "object": "object"}
FORMATS = {"date-time": "time, RFC 3339 with an offset", "date": "date", "duration": "duration, ISO 8601", "uri": "URL", "binary": "bytes"}
MOST_EXAMPLES = 3


def words(schema: Schema, shapes: str) -> str:
    """What a value may be; `shapes` is the page that has the named shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({shapes}#{name.lower()})"
    if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else None):
        return " or ".join(f"`{_plain(item)}`" for item in choices)
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(words(part, shapes) for part in alternatives))
    return _kind(schema, shapes)


def _kind(schema: Schema, shapes: str) -> str:
    kind = schema.get("type")
    if kind is None:
        return "anything"
    if isinstance(kind, list):
        return " or ".join(KINDS[name] for name in kind)
    if kind == "array":
        return _list(schema, shapes)
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object whose members are each {words(schema['additionalProperties'], shapes)}"
    return ", ".join([FORMATS.get(schema.get("format", ""), KINDS[kind]), *_bounds(schema)])


def table(schema: Schema, shapes: str) -> str:
    """The members of an object as a Markdown table."""
    required = schema.get("required", ())
    rows = [
        f"| `{name}` | {words(member, shapes)} | {'yes' if name in required else default(member)} | {told(member)} |"
        for name, member in schema["properties"].items()
    ]
    return "\n".join(["| member | what | always | about |", "|---|---|---|---|", *rows])


def default(schema: Schema) -> str:
    """What stands in for a value that is left out."""
    value = schema.get("default")
    return f"else `{json.dumps(value, ensure_ascii=False)}`" if value not in (None, []) else "no"


def told(schema: Schema) -> str:
    """What a schema says of itself, with a few of its examples."""
    examples = ", ".join(f"`{_plain(item)}`" for item in schema.get("examples", ())[:MOST_EXAMPLES])
    return " ".join(part for part in (escaped(schema.get("description", "")), f"Such as {examples}." if examples else "") if part)


def escaped(text: str) -> str:
    """A text as one cell of Markdown."""
    for character in "\\|*<":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _plain(item: object) -> str:
    return (item if isinstance(item, str) else json.dumps(item)).replace("|", "\\|")


def _list(schema: Schema, shapes: str) -> str:
    told_items = " and ".join(words(item, shapes) for item in schema.get("prefixItems", ())) or words(schema.get("items", {}), shapes)
    least, most = schema.get("minItems"), schema.get("maxItems")
    count = f"{least} to {most:,}" if least and most else f"at most {most:,}" if most else f"at least {least}" if least else ""
    return f"list of {told_items}{f' ({count})' if count else ''}"


def _bounds(schema: Schema) -> Iterator[str]:
    if "minimum" in schema or "maximum" in schema:
        least, most = schema.get("minimum"), schema.get("maximum")
        yield (
            f"{least:,.12g} to {most:,.12g}"
            if least is not None and most is not None
            else (f"at least {least:,.12g}" if least is not None else f"at most {most:,.12g}")
        )
    if "exclusiveMinimum" in schema:
        yield f"more than {schema['exclusiveMinimum']:,.12g}"
    if "exclusiveMaximum" in schema:
        yield f"less than {schema['exclusiveMaximum']:,.12g}"
    if "maxLength" in schema:
        yield f"at most {schema['maxLength']:,} characters"
    if "pattern" in schema:
        pattern = schema["pattern"].replace("|", "\\|")
        yield f"as `{pattern}`"
