"""Secrets struck out of text: by the name of what holds them, and by what they are."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STRUCK_OUT: Final = "***"
SHORTEST: Final = 4
"""A secret with fewer characters is not looked for: it would be found in every other word."""
_SECRET_NAME = re.compile(r"key|token|secret|password|passwd|authorization|cookie|credential", re.IGNORECASE)
_HARMLESS_NAMES = frozenset({"key", "key_name"})
"""In our log lines `key` is the name of a key, which is no secret."""


def redact_names(members: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """The same members, with what stands under a secret's name struck out, however deep."""
    if isinstance(members, dict):
        return {name: STRUCK_OUT if _is_secret(name) else redact_names(inner) for name, inner in members.items()}
    if isinstance(members, list | tuple):
        return [redact_names(inner) for inner in members]
    return members


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and name not in _HARMLESS_NAMES and _SECRET_NAME.search(name) is not None


def redactor(secrets: Iterable[str]) -> Callable[[bytes], bytes]:
    """A function that strikes these secrets out of bytes: as they are, and as JSON and URLs write them."""
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
    if not forms:
        return lambda text: text
    # The longest first, so that a secret inside another does not leave the rest of it.
    pattern = re.compile(b"|".join(re.escape(form.encode("utf-8", "surrogateescape")) for form in sorted(forms, key=len, reverse=True)))
    return lambda text: pattern.sub(STRUCK_OUT.encode(), text)


def _forms(secret: str) -> set[str]:
    written = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {secret, *written, quote(secret), quote(secret, safe=""), quote_plus(secret)}
