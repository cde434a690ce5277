"""What goes out: the present of all zones."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from gridgram.interval import format_hour, format_time
from gridgram.quality import QUALITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries, Source


class ZoneNowAnswer(TypedDict):
    """The newest hour that is known of a zone, as /v1/intensity/latest tells it. [gCO2e/kWh, s]"""

    zone: str
    start: str
    end: str
    g_per_kwh: float
    low: float
    high: float
    quality: str
    provider: str
    scope: str
    age_seconds: float
    stale: bool


class ZonesProvenanceAnswer(TypedDict):
    """Where the hours of so many zones come from and under which terms; what is particular to one is told with its own hours."""

    provider: str
    signal: str
    scope: str
    quality: str
    licence: str
    attribution: str
    zones: int


class AllNowAnswer(TypedDict):
    """The present of all zones as far as it is held or typical; `missing` lists the zones of which no hour is."""

    signal: str
    as_of: str
    zones: list[ZoneNowAnswer]
    missing: list[str]
    provenance: list[ZonesProvenanceAnswer]


def zone_now_answer(hour: IntensitySeries, age_seconds: float, *, is_stale: bool) -> ZoneNowAnswer:
    """Write one hour of a zone."""
    source = _source(hour)
    return {
        "zone": hour.zone,
        "start": format_hour(hour.first_hour),
        "end": format_hour(hour.end_hour),
        "g_per_kwh": float(hour.g_per_kwh[0]),
        "low": float(hour.low[0]),
        "high": float(hour.high[0]),
        "quality": _quality(hour),
        "provider": source.provider,
        "scope": source.scope.value,
        "age_seconds": age_seconds,
        "stale": is_stale,
    }


def all_now_answer(signal: Signal, now: datetime, hours: Mapping[str, IntensitySeries], zones: list[ZoneNowAnswer]) -> AllNowAnswer:
    """Write the present: `hours` has one hour for every zone, missing ones too, `zones` the known ones as they are told."""
    return {
        "signal": signal.value,
        "as_of": format_time(now),
        "zones": zones,
        "missing": [zone for zone, hour in hours.items() if not hour.quality[0]],
        "provenance": _provenance(hour for hour in hours.values() if hour.quality[0]),
    }


def _provenance(hours: Iterable[IntensitySeries]) -> list[ZonesProvenanceAnswer]:
    """Each source, scope and quality once, that of most zones first."""
    kinds = Counter(
        (source.provider, source.signal.value, source.scope.value, _quality(hour), source.licence, source.attribution)
        for hour in hours
        for source in (_source(hour),)
    )
    return [
        {
            "provider": provider,
            "signal": signal,
            "scope": scope,
            "quality": quality,
            "licence": licence,
            "attribution": attribution,
            "zones": count,
        }
        for (provider, signal, scope, quality, licence, attribution), count in kinds.most_common()
    ]


def _source(hour: IntensitySeries) -> Source:
    return hour.sources[int(hour.source[0])]


def _quality(hour: IntensitySeries) -> str:
    return QUALITIES[int(hour.quality[0]) - 1].value
