"""Small pieces that several providers read answers with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import orjson

from gridgram.errors import UpstreamError
from gridgram.interval import Interval

if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

NOT_A_NUMBER = frozenset({"", "-", "ND", "N/A", "NA", "null", "None", "nan", "NaN"})


def number(cell: object) -> float | None:
    """Read a number that may come as text; None for all that sources write where they have none. Raises ValueError for other text."""
    if cell is None or isinstance(cell, bool):
        return None
    if isinstance(cell, str):
        cell = cell.strip()
        if cell in NOT_A_NUMBER:
            return None
    value = float(cell)  # type: ignore[arg-type]  # text that is no number raises ValueError, which is what we want
    return value if math.isfinite(value) else None


def read_json(body: bytes, source: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """Read an answer that should be JSON; raises UpstreamError with the start of what came instead."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(f"{source} answered with something that is not JSON: {beginning(body)}") from error


def beginning(body: bytes) -> str:
    """The first characters of an answer, fit for an error text."""
    text = body[:80].decode("utf-8", "replace")
    return repr("".join(letter if letter.isprintable() else " " for letter in text))


def spans(interval: Interval, longest: timedelta) -> list[Interval]:
    """Cut a span into consecutive ones, none longer than `longest`."""
    cut = []
    start = interval.start
    while start < interval.end:
        end = min(start + longest, interval.end)
        cut.append(Interval(start, end))
        start = end
    return cut
