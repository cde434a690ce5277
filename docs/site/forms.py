"""The form that sends an operation to the service that the page came from; `static/try.js` brings it to life, else it is hidden."""

from __future__ import annotations

import json
from html import escape
from typing import Any

JSON_TYPE = "application/json"
MOST_ROWS = 16


def form(method: str, path: str, operation: dict[str, Any]) -> str:
    """The form of one operation as raw HTML within Markdown, filled with its examples."""
    name = operation["operationId"]
    success = next(answer for status, answer in operation["responses"].items() if status < "400")
    accepted = next(iter(success.get("content", {})), JSON_TYPE)
    fields = [_parameter(name, it) for it in operation.get("parameters", ())]
    if body := operation.get("requestBody"):
        fields.append(_body(name, body["content"]))
    lines = [
        f'<details class="try" hidden><summary>Try <code>{escape(method)} {escape(path)}</code></summary>',
        f'<form data-method="{method}" data-path="{escape(path)}" data-accept="{escape(accepted)}">',
        *fields,
        '<p class="send"><button type="submit">Send</button></p></form>',
        '<p class="command">The same from a shell:</p><pre tabindex="0" class="command"><code></code></pre>',
        '<div class="answer" role="status" hidden></div></details>',
    ]
    return "\n".join(["```{raw} html", *(line for line in lines if line), "```"])


def _parameter(operation: str, parameter: dict[str, Any]) -> str:
    name, schema = parameter["name"], parameter["schema"]
    place = f'id="try-{operation}-{escape(name)}" name="{escape(name)}" data-in="{parameter["in"]}"'
    needed = " required" if parameter["required"] else ""
    given = str(parameter.get("example", ""))
    choices = schema.get("enum") or (["true", "false"] if schema.get("type") == "boolean" else None)
    if choices:
        options = "".join(
            f"<option{' selected' if str(choice) == given else ''}>{escape(str(choice))}</option>"
            for choice in (choices if needed else ["", *choices])
        )
        field = f"<select {place}{needed}>{options}</select>"
    else:
        field = f'<input {place} value="{escape(given)}" autocomplete="off" spellcheck="false"{needed}>'
    return f'<p><label for="try-{operation}-{escape(name)}"><code>{escape(name)}</code> <small>{parameter["in"]}</small></label>{field}</p>'


def _body(operation: str, content: dict[str, Any]) -> str:
    media_type, part = next(iter(content.items()))
    example = part.get("example") or ""
    text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    rows = min(MOST_ROWS, text.count("\n") + 2)
    return (
        f'<p><label for="try-{operation}-body">body <small>{escape(media_type)}</small></label>'
        f'<textarea id="try-{operation}-body" data-in="body" data-type="{escape(media_type)}" rows="{rows}" spellcheck="false">'
        f"{escape(text)}</textarea></p>"
    )
