"""The power of one core and one accelerator, as a user writes it: cpu=7.5,gpu=300,a100=400. [W]"""

from __future__ import annotations

from typing import Final

MAX_DEVICE_W: Final = 100_000.0
"""No core or accelerator draws more."""


def watts_of(text: str) -> dict[str, float]:
    """The W of each device by its name in small letters. Raises ValueError."""
    watts: dict[str, float] = {}
    for pair in filter(None, text.split(",")):
        name, _, number = (part.strip() for part in pair.partition("="))
        try:
            each = float(number)
        except ValueError:
            each = 0.0
        if not name or not 0 < each <= MAX_DEVICE_W:
            raise ValueError(f"{pair[:40]!r} is no power of a device; write cpu=7.5,gpu=300 [W]")
        watts[name.lower()] = each
    return watts
