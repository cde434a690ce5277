"""What `gridgram audit` finds: for each source of a zone, when its solar days centre, and whether that has changed."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final, NotRequired

from typing_extensions import TypedDict  # as in service.answers

from gridgram.errors import UnknownLocation
from gridgram.interval import HOURS_PER_DAY, format_hour
from service.auditing.noons import kept_noons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.usecases import Gridgram

NEWEST_DAYS: Final = 7
FAR_MINUTES: Final = 40.0
"""The middle of a week of solar days lies nearer to solar noon than this in every zone that was measured."""
MOVED_MINUTES: Final = 30.0
"""So far it does not move from the days before; a label that slips by an hour moves it by 60."""


class AuditedSource(TypedDict):
    """One source of a zone: over so many days, the median of the minutes after solar noon at which its solar power centres.

    `newest_minutes` is that of the newest seven days, `before_minutes` that of the days before them. `finding` is absent when all is well.
    """

    provider: str
    days: int
    newest_day: str
    newest_minutes: float
    before_minutes: NotRequired[float]
    finding: NotRequired[str]


class AuditAnswer(TypedDict):
    """What the audit of a zone found."""

    zone: str
    sources: list[AuditedSource]


async def audit(gridgram: Gridgram, key: str) -> AuditAnswer:
    """Audit a zone from what was noted while its days were fetched. Raises UnknownLocation and StoreError."""
    zone = gridgram.zones.get(key.upper()) if key.isascii() else None
    if zone is None:
        raise UnknownLocation(key, f"{key[:60]!r} is not the key of a zone.", ())
    fetcher = gridgram.intensity.fetcher
    sources = []
    for name, provider in sorted(fetcher.providers.items()) if fetcher else ():
        if zone.key in provider.zones and (noons := await kept_noons(gridgram.intensity.store, name, zone.key)):
            sources.append(audited(name, noons))
    return {"zone": zone.key, "sources": sources}


def audited(provider: str, noons: Mapping[int, float]) -> AuditedSource:
    """Judge the days of one source; there must be one."""
    days = sorted(noons)
    newest, before = days[-NEWEST_DAYS:], days[:-NEWEST_DAYS]
    minutes = median(noons[day] for day in newest)
    source: AuditedSource = {
        "provider": provider,
        "days": len(days),
        "newest_day": format_hour(days[-1] * HOURS_PER_DAY),
        "newest_minutes": minutes,
    }
    if len(before) >= NEWEST_DAYS:
        source["before_minutes"] = median(noons[day] for day in before)
    moved = minutes - source.get("before_minutes", minutes)
    if abs(moved) > MOVED_MINUTES:
        source["finding"] = f"its solar days moved by {moved:+.0f} minutes: look whether it changed what its times name"
    elif abs(minutes) > FAR_MINUTES:
        source["finding"] = (
            f"its solar days centre {minutes:+.0f} minutes from solar noon: look whether its times name the start of an hour"
        )
    return source
