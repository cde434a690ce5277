"""Faults of a file in the words of a request: what the command line calls `--tz` is the parameter `tz` here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gridgram.errors import InvalidInput

_FLAG: Final = re.compile(r"--(format|columns|location|tz|pue|power-from-tdp|signal|min-quality|output)\b(?: (?=[A-Z]\w+/|\w+=\w))?")


def faults_of_http(error: InvalidInput) -> list[dict[str, str]]:
    """The faults, each with the parameter that it is about or the place in the file."""
    return [{"pointer": _pointer(fault.pointer), "detail": in_words_of_http(fault.detail)} for fault in error.faults]


def in_words_of_http(text: str) -> str:
    """The text with parameters for flags."""
    return _FLAG.sub(lambda flag: f"{flag[1].replace('-', '_')}=", text)


def _pointer(pointer: str) -> str:
    return f"/{pointer.removeprefix('--').replace('-', '_')}" if pointer.startswith("--") else pointer
