"""The closed sets that label every number: quality, signal and scope."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, TypeAlias


class Quality(StrEnum):
    """How an hour's intensity came to be known, best first.

    `GIVEN` is a flat number that the caller supplied in place of the grid.
    """

    GIVEN = "given"
    MEASURED = "measured"
    PRELIMINARY = "preliminary"
    ESTIMATED = "estimated"
    FORECAST = "forecast"
    TYPICAL = "typical"
    ANNUAL = "annual"


QUALITIES: tuple[Quality, ...] = tuple(Quality)
"""Best first. The place in this tuple plus one is the byte that packed series carry; 0 means that the hour is missing."""

QUALITY_CODES: dict[Quality, int] = {quality: code for code, quality in enumerate(QUALITIES, start=1)}

MISSING_CODE = 0


class Signal(StrEnum):
    """What an intensity counts. Signals are never mixed and never swapped.

    `LIFECYCLE`: fuel chain, construction and combustion. `DIRECT`: combustion only. `MARGINAL`: the plants that one more kWh would call.
    """

    LIFECYCLE = "lifecycle"
    DIRECT = "direct"
    MARGINAL = "marginal"


MIX: Final = "mix"
"""The generation by fuel behind an intensity: what sources tell beside the signals, kept and asked for like them."""

Told: TypeAlias = Signal | Literal["mix"]
"""What a source can tell of an hour: an intensity of one signal, or the mix."""


class Scope(StrEnum):
    """Whose electricity: what is generated inside the zone, or what is used there, imports included.

    `UNSTATED` is for a user's own numbers that came without a word on it; no source of ours is unstated.
    """

    PRODUCTION = "production"
    CONSUMPTION = "consumption"
    UNSTATED = "unstated"
