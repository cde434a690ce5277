"""What mixes answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NotRequired

import numpy as np
from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from gridgram.interval import format_hour, format_microseconds
from gridgram.mix_series import FUELS, MixUnit
from gridgram.mix_shares import shares_of
from gridgram.quality import MISSING_CODE, QUALITIES
from service.answers import PlaceMembers, SpanAnswer, missing_spans, place_members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridgram.fuels import Fuel
    from gridgram.locations import Place
    from gridgram.mix_series import MixSeries


class MixHourAnswer(TypedDict):
    """One hour of generation inside the zone, by fuel. [mean MW, %]

    A fuel that the source does not report is absent, never 0. `generation_mw` and `total_mw` are absent where the source tells only
    shares. Shares are of all that was generated. Low-carbon: nuclear and renewables. Renewable: biomass, geothermal, hydro, solar, wind.
    Fossil: coal, gas, oil. What the source calls other (`unknown`) is neither. Storage, imports and exports are left out.
    """

    start: str
    generation_mw: NotRequired[dict[str, float]]
    total_mw: NotRequired[float]
    share_percent: dict[str, float]
    low_carbon_percent: float
    renewable_percent: float
    fossil_percent: float
    quality: str
    provider: str


class MixProvenanceAnswer(TypedDict):
    """Where so many hours come from: `unit` of what the source tells, `fetched_at` of the hour among them that came first."""

    provider: str
    quality: str
    unit: str
    licence: str
    attribution: str
    fetched_at: str
    hours: int


class MixAnswer(PlaceMembers):
    """Hourly generation by fuel of one zone, with the spans of which no source told any."""

    scope: Literal["production"]
    start: str
    end: str
    hours: list[MixHourAnswer]
    missing: list[SpanAnswer]
    provenance: list[MixProvenanceAnswer]


class MixLatestAnswer(PlaceMembers, MixHourAnswer):
    """The newest hour of which a source told the mix, and its age at the time of the answer. [s]

    `stale`: it is older than twice what its source usually takes, so the source is silent or repeats itself.
    """

    scope: Literal["production"]
    end: str
    age_seconds: float
    stale: bool
    provenance: list[MixProvenanceAnswer]


def mix_answer(place: Place, mix: MixSeries) -> MixAnswer:
    """Write the hours of a mix; missing ones stand in `missing` and nowhere else."""
    is_held = mix.quality != MISSING_CODE
    return {
        **place_members(place),
        "scope": "production",
        "start": format_hour(mix.first_hour),
        "end": format_hour(mix.end_hour),
        "hours": [hour_answer(mix, index) for index in np.flatnonzero(is_held).tolist()],
        "missing": [{"start": start, "end": end} for start, end in missing_spans(np.flatnonzero(~is_held) + mix.first_hour)],
        "provenance": mix_provenance(mix),
    }


def hour_answer(mix: MixSeries, index: int) -> MixHourAnswer:
    """Write one hour that is held."""
    generation, source = generation_of(mix, index), mix.sources[mix.source[index]]
    shares = shares_of(generation)
    answer: MixHourAnswer = {
        "start": format_hour(mix.first_hour + index),
        "share_percent": _by_name(shares.by_fuel),
        "low_carbon_percent": shares.low_carbon,
        "renewable_percent": shares.renewable,
        "fossil_percent": shares.fossil,
        "quality": QUALITIES[mix.quality[index] - 1].value,
        "provider": source.provider,
    }
    if source.unit is MixUnit.MEGAWATTS:
        answer["generation_mw"] = _by_name(generation)
        answer["total_mw"] = sum(generation.values())
    return answer


def generation_of(mix: MixSeries, index: int) -> dict[Fuel, float]:
    """What one hour tells of each fuel that its source reports. [MW or percent]"""
    amounts = zip(FUELS, mix.generation[index].tolist(), strict=True)
    return {fuel: amount for fuel, amount in amounts if not math.isnan(amount)}


def mix_provenance(mix: MixSeries) -> list[MixProvenanceAnswer]:
    """Tell how many hours come from which source at which quality, best quality first."""
    held = np.flatnonzero(mix.quality != MISSING_CODE)
    kinds = (mix.quality[held].astype(np.uint16) << 8) | mix.source[held]
    answers: list[MixProvenanceAnswer] = []
    for kind in np.unique(kinds).tolist():
        hours, source = held[kinds == kind], mix.sources[kind & 0xFF]
        answers.append(
            {
                "provider": source.provider,
                "quality": QUALITIES[(kind >> 8) - 1].value,
                "unit": source.unit.value,
                "licence": source.licence,
                "attribution": source.attribution,
                "fetched_at": format_microseconds(int(mix.fetched_at[hours].min())),
                "hours": len(hours),
            }
        )
    return answers


def _by_name(amounts: Mapping[Fuel, float]) -> dict[str, float]:
    return {fuel.value: amount for fuel, amount in amounts.items()}
