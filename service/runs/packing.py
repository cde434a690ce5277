"""Prices and revisions as the text that is kept of them: JSON that reads back to the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from gridgram.interval import format_hour, format_time, parse_time
from gridgram.quality import QUALITIES, QUALITY_CODES, Scope, Signal
from gridgram.run_prices import HourPrice
from gridgram.series import Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gridgram.run_prices import Revision
    from service.runs.answers import RevisionAnswer


def pack_prices(prices: Mapping[int, HourPrice]) -> str:
    """The prices of a run's hours, each source written once."""
    place: dict[Source, int] = {}
    hours = [
        [hour, price.g_per_kwh, price.low, price.high, QUALITY_CODES[price.quality], place.setdefault(price.source, len(place))]
        for hour, price in prices.items()
    ]
    return orjson.dumps({"sources": [_packed(source) for source in place], "hours": hours}).decode()


def unpack_prices(text: str) -> dict[int, HourPrice]:
    """The prices again; none for an empty text."""
    if not text:
        return {}
    packed = orjson.loads(text)
    sources = [_source(*members) for members in packed["sources"]]
    return {hour: HourPrice(g, low, high, QUALITIES[code - 1], sources[place]) for hour, g, low, high, code, place in packed["hours"]}


def pack_revision(revision: Revision, now: datetime) -> str:
    """A revision as it is told, with the time at which it was found."""
    answer: RevisionAnswer = {
        "at": format_time(now.replace(microsecond=0)),
        "first_hour_start": format_hour(revision.hours[0]),
        "last_hour_start": format_hour(revision.hours[-1]),
        "changed_hours": len(revision.hours),
        "emissions_before_g": revision.before_g,
        "emissions_after_g": revision.after_g,
        "before_hours": {quality.value: hours for quality, hours in revision.before.items()},
        "after_hours": {quality.value: hours for quality, hours in revision.after.items()},
        "providers": list(revision.providers),
    }
    return orjson.dumps(answer).decode()


def unpack_revision(text: str) -> RevisionAnswer:
    """A revision again."""
    answer: RevisionAnswer = orjson.loads(text)
    return answer


def _packed(source: Source) -> list[Any]:
    fetched_at = format_time(source.fetched_at) if source.fetched_at else ""
    return [source.provider, source.signal.value, source.scope.value, source.licence, source.attribution, fetched_at, source.detail]


def _source(*members: str) -> Source:
    provider, signal, scope, licence, attribution, fetched_at, detail = members
    return Source(provider, Signal(signal), Scope(scope), licence, attribution, parse_time(fetched_at) if fetched_at else None, detail)
