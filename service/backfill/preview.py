"""What a run would fetch, without fetching anything: hours by zone, how many of them no source has told, and about how many requests."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from gridgram.interval import HOURS_PER_DAY, format_hour, months_between
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.quality import Signal
    from providers.base import Provider
    from service.backfill.plan import Plan
    from service.intensity import Intensity

_TOLD = QUALITY_CODES[Quality.ESTIMATED]


class NeedAnswer(TypedDict):
    """The hours that the jobs of one zone and signal need. `spans` are start and end of each; `hours_untold` those that no source has told.

    `source` would be asked first ("" for none), with about so many `requests`; other sources may be asked for what it lacks.
    """

    zone: str
    signal: str
    spans: list[list[str]]
    hours: int
    hours_untold: int
    source: str
    requests: int


class PreviewAnswer(TypedDict):
    """What a run would do. `rows_unusable` have a fault of their own or name no place."""

    rows: int
    rows_unusable: int
    hours: int
    hours_untold: int
    requests: int
    needs: list[NeedAnswer]


async def preview(intensity: Intensity, plan: Plan) -> PreviewAnswer:
    """What fetching for this plan would mean, by what memory and store hold now."""
    needs = [await _need(intensity, zone, signal, spans) for zone, signal, spans in plan.needed() if spans]
    return {
        "rows": plan.rows,
        "rows_unusable": plan.unusable,
        "hours": sum(need["hours"] for need in needs),
        "hours_untold": sum(need["hours_untold"] for need in needs),
        "requests": sum(need["requests"] for need in needs),
        "needs": sorted(needs, key=lambda need: (need["zone"], need["signal"])),
    }


async def _need(intensity: Intensity, zone: str, signal: Signal, spans: Sequence[tuple[int, int]]) -> NeedAnswer:
    untold: list[int] = []
    for first_hour, end_hour in spans:
        for chunk in await intensity.chunks(zone, signal, months_between(first_hour, end_hour)):
            first, end = max(first_hour, chunk.series.first_hour), min(end_hour, chunk.series.end_hour)
            quality = chunk.series.window(first, end).quality
            untold += (np.flatnonzero((quality == MISSING_CODE) | (quality > _TOLD)) + first).tolist()
    sources = intensity.fetcher.usable(zone, signal) if intensity.fetcher else []
    days = sorted({hour // HOURS_PER_DAY for hour in untold})
    return {
        "zone": zone,
        "signal": signal.value,
        "spans": [[format_hour(first), format_hour(end)] for first, end in spans],
        "hours": sum(end - first for first, end in spans),
        "hours_untold": len(untold),
        "source": sources[0].info.name if sources else "",
        "requests": _requests(sources[0], days) if sources else 0,
    }


def _requests(provider: Provider, days: Sequence[int]) -> int:
    """About how many requests so many days take: several a day, or one for as many days in a row as it gives at once."""
    if provider.requests_per_day > 1:
        return len(days) * provider.requests_per_day
    longest = max(1, provider.longest_span // timedelta(days=1))
    requests, started, previous = 0, 0, None
    for day in days:
        if previous is None or day != previous + 1 or day - started >= longest:
            requests, started = requests + 1, day
        previous = day
    return requests
