"""The reference of the API as pages, made from openapi.yaml: each operation with what it reads, what it answers and a form to try it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from forms import form
from shapes import escaped, table, told, words

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = "shapes.md"
INDEX = "index.md"
JSON_TYPE = "application/json"
NAMES = {"electricity-maps": "Electricity Maps", "watttime": "WattTime", "carbon-aware-sdk": "Carbon Aware SDK"}
"""Names that their owners write so."""
FIRST_PROBLEM = "400"
_CODE = re.compile(r"(?:^|\. )([a-z-]+):")
METHODS = ("get", "post", "put", "patch", "delete")
KEY_FIELD = """```{raw} html
<p class="try-key" hidden><label>Key of this service, where it wants one
<input type="password" autocomplete="off" spellcheck="false"></label>
<small>Kept in this tab until it is closed, and sent to this service alone.</small></p>
```
"""


def reference_pages(document: dict[str, Any]) -> dict[str, str]:
    """The pages by name: one for each tag of the contract, one with all shapes, and one that lists them."""
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    if unknown := {operation["tags"][0] for _, _, operation in _operations(document)} - tags.keys():
        raise SystemExit(f"the contract does not say what its tags {sorted(unknown)} are: see TAGS in service/openapi.py")
    pages = {f"{name}.md": _tag_page(name, text, document) for name, text in tags.items()}
    return {INDEX: _index(document, tags), **pages, SHAPES: _shapes_page(document["components"]["schemas"])}


def _operations(document: dict[str, Any], tag: str | None = None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if (operation := methods.get(method)) and tag in {None, operation["tags"][0]}:
                yield method.upper(), path, operation


def _title(tag: str) -> str:
    return NAMES.get(tag, tag.capitalize())


def _index(document: dict[str, Any], tags: dict[str, str]) -> str:
    parts = ["# Reference of the API", document["info"]["description"]]
    parts.append(
        "Made from [openapi.yaml](../../openapi.yaml), the contract. What holds for all operations is told in [The API](../api.md). "
        "Each operation can be tried on its page, against the service that sends it."
    )
    for tag, text in tags.items():
        rows = [f"| `{method} {path}` | {escaped(operation['summary'])} |" for method, path, operation in _operations(document, tag)]
        parts += [f"## [{_title(tag)}]({tag}.md)", escaped(text), "\n".join(["| operation | about |", "|---|---|", *rows])]
    parts += [f"All shapes of what is sent and answered: [Shapes]({SHAPES})."]
    trees = "\n".join([*tags, SHAPES.removesuffix(".md")])
    return "\n\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{trees}\n```", ""])


def _tag_page(tag: str, text: str, document: dict[str, Any]) -> str:
    parts = [f"# {_title(tag)}", escaped(text), KEY_FIELD]
    for method, path, operation in _operations(document, tag):
        parts += _operation(method, path, operation)
    return "\n\n".join([*parts, ""])


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## `{method} {path}`"
    yield escaped(operation["summary"])
    if operation.get("security") == []:
        yield "Needs no key, even where the service has keys."
    if aliases := operation.get("x-aliases"):
        yield f"Also at {', '.join(f'`{alias}`' for alias in aliases)}."
    if parameters := operation.get("parameters"):
        rows = [f"| `{it['name']}` | {it['in']} | {words(it['schema'], SHAPES)} | {_needed(it)} | {_told(it)} |" for it in parameters]
        yield "\n".join(["| parameter | in | what | needed | about |", "|---|---|---|---|---|", *rows])
    if body := operation.get("requestBody"):
        yield from _body(body["content"])
    yield form(method, path, operation)
    yield from _answers(operation["responses"])


def _needed(parameter: dict[str, Any]) -> str:
    value = parameter["schema"].get("default")
    return "yes" if parameter["required"] else f"else `{value}`" if value not in (None, "") else "no"


def _told(parameter: dict[str, Any]) -> str:
    return " ".join(text for text in (escaped(parameter.get("description", "")), told(parameter["schema"])) if text)


def _body(content: dict[str, Any]) -> Iterator[str]:
    for media_type, part in content.items():
        if item := part.get("x-item-schema"):
            yield f"**Body**, `{media_type}`: one {words(item, SHAPES)} a line."
        elif media_type == JSON_TYPE:
            yield f"**Body**, `{media_type}`: {words(part['schema'], SHAPES)}."
    if files := [f"`{media_type}`" for media_type, part in content.items() if media_type != JSON_TYPE and "x-item-schema" not in part]:
        yield f"**Body**, a file: {', '.join(files)}."
    example = next(iter(content.values())).get("example")
    yield f"```{'text' if isinstance(example, str) else 'json'}\n{example_text(example)}\n```"


def example_text(example: object) -> str:
    """An example as it is sent."""
    return example.rstrip("\n") if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _answers(responses: dict[str, Any]) -> Iterator[str]:
    successes = {status: answer for status, answer in responses.items() if status < FIRST_PROBLEM}
    rows = [f"| {status} | {escaped(it['description'])} | {_contents(it.get('content', {}))} |" for status, it in successes.items()]
    yield "\n".join(["| answer | about | body |", "|---|---|---|", *rows])
    codes = [f"{status} {_codes(it['description'])}" for status, it in responses.items() if status >= FIRST_PROBLEM]
    yield f"**[Problems](../api.md#problems)**: {'; '.join(codes)}."


def _codes(description: str) -> str:
    return ", ".join(f"`{code}`" for code in _CODE.findall(description))


def _contents(content: dict[str, Any]) -> str:
    return "; ".join(
        f"`{media_type}`: {words(schema, SHAPES)}" if _is_named(schema := part.get("x-item-schema", part["schema"])) else f"`{media_type}`"
        for media_type, part in content.items()
    )


def _is_named(schema: dict[str, Any]) -> bool:
    return "$ref" in schema or "oneOf" in schema


def _shapes_page(schemas: dict[str, Any]) -> str:
    parts = ["# Shapes", "What is sent and answered, by name. What is not listed among the members of something sent is refused."]
    for name, schema in schemas.items():
        parts += [f"## {name}", escaped(schema.get("description", ""))]
        parts += [table(schema, SHAPES) if "properties" in schema else f"Is {words(schema, SHAPES)}."]
    return "\n\n".join([*parts, ""])
