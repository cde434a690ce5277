"""What `gridgram audit` finds: for each source of a zone, when its solar days centre, whether that moved, and what it states itself."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final, NotRequired

from typing_extensions import TypedDict  # as in service.answers

from gridgram.errors import UnknownLocation
from gridgram.interval import HOURS_PER_DAY, format_hour, hour_of
from service.answers import own_number_answer
from service.auditing.noons import KEPT_DAYS, held_noons, kept_noons
from service.auditing.own_numbers import OwnDay, kept_own_numbers, ratio_finding
from service.auditing.steps import days_held, newest_remark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridgram.quality import Signal
    from providers.base import Provider
    from service.usecases import Gridgram

NEWEST_DAYS: Final = 7
FAR_MINUTES: Final = 40.0
"""The middle of a week of solar days lies nearer to solar noon than this in every zone that was measured."""
MOVED_MINUTES: Final = 30.0
"""So far it does not move from the days before; a label that slips by an hour moves it by 60."""


class AuditedSource(TypedDict):
    """One source of a zone: over so many days, the median of the minutes after solar noon at which its solar power centres.

    `held_days` of them were worked out from the mix that is held, the others noted while they were fetched. `newest_minutes` is that of the
    newest seven days, `before_minutes` that of the days before them. `finding` is absent when all is well.
    """

    provider: str
    days: int
    held_days: int
    newest_day: str
    newest_minutes: float
    before_minutes: NotRequired[float]
    finding: NotRequired[str]


class AuditedOwnNumber(TypedDict):
    """What one source states itself, beside ours of the same hours: means over its newest seven days that were kept. [gCO2e/kWh]

    `finding` is absent when the two still go together as they did.
    """

    provider: str
    signal: str
    basis: str
    days: int
    newest_day: str
    own_mean_g_per_kwh: float
    our_mean_g_per_kwh: float
    hours: int
    finding: NotRequired[str]


class AuditedLevel(TypedDict):
    """The newest day that is held of one source and signal, where the days before it had other levels. [gCO2e/kWh]"""

    provider: str
    signal: str
    newest_day: str
    newest_mean_g_per_kwh: float
    finding: str


class AuditAnswer(TypedDict):
    """What the audit of a zone found; `own_numbers` is the cross-check with what sources state themselves."""

    zone: str
    sources: list[AuditedSource]
    own_numbers: list[AuditedOwnNumber]
    levels: list[AuditedLevel]


async def audit(gridgram: Gridgram, key: str) -> AuditAnswer:
    """Audit a zone from its mixes that are held and what was noted while its days were fetched. Raises UnknownLocation and StoreError."""
    zone = gridgram.zones.get(key.upper()) if key.isascii() else None
    if zone is None:
        raise UnknownLocation(key, f"{key[:60]!r} is not the key of a zone.", ())
    fetcher, store = gridgram.intensity.fetcher, gridgram.intensity.store
    present = hour_of(gridgram.now())
    mix = await gridgram.intensity.mixes.read(zone.key, present - KEPT_DAYS * HOURS_PER_DAY, present)
    answer: AuditAnswer = {"zone": zone.key, "sources": [], "own_numbers": [], "levels": []}
    for name, provider in sorted(fetcher.providers.items()) if fetcher else ():
        if zone.key not in provider.zones:
            continue
        held = held_noons(mix, name, zone.longitude)
        if noons := await kept_noons(store, name, zone.key) | held:
            answer["sources"].append(audited(name, noons, held_days=len(held)))
        if provider.own_number is not None and (days := await kept_own_numbers(store, name, zone.key)):
            answer["own_numbers"].append(audited_own_number(provider, days))
        for signal in provider.info.signals:
            means = await days_held(gridgram.intensity, zone.key, signal, name, gridgram.now())
            if finding := newest_remark(means):
                answer["levels"].append(audited_level(name, signal, means, finding))
    return answer


def audited(provider: str, noons: Mapping[int, float], held_days: int = 0) -> AuditedSource:
    """Judge the days of one source; there must be one."""
    days = sorted(noons)
    newest, before = days[-NEWEST_DAYS:], days[:-NEWEST_DAYS]
    minutes = median(noons[day] for day in newest)
    source: AuditedSource = {
        "provider": provider,
        "days": len(days),
        "held_days": held_days,
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


def audited_level(provider: str, signal: Signal, means: Mapping[int, float], finding: str) -> AuditedLevel:
    """Write what is worth a look about the newest day of a source."""
    return {
        "provider": provider,
        "signal": signal.value,
        "newest_day": format_hour(max(means) * HOURS_PER_DAY),
        "newest_mean_g_per_kwh": means[max(means)],
        "finding": finding,
    }


def audited_own_number(provider: Provider, days: Mapping[int, OwnDay]) -> AuditedOwnNumber:
    """Add up the newest days of what a source states itself, each by its hours; there must be one."""
    newest = [days[day] for day in sorted(days)[-NEWEST_DAYS:]]
    hours = sum(day.hours for day in newest)
    whole = OwnDay(
        own_g_per_kwh=sum(day.own_g_per_kwh * day.hours for day in newest) / hours,
        our_g_per_kwh=sum(day.our_g_per_kwh * day.hours for day in newest) / hours,
        hours=hours,
    )
    told = own_number_answer(provider, whole)
    answer: AuditedOwnNumber = {
        "provider": provider.info.name,
        "days": len(newest),
        "newest_day": format_hour(max(days) * HOURS_PER_DAY),
        "signal": told["signal"],
        "basis": told["basis"],
        "own_mean_g_per_kwh": told["own_mean_g_per_kwh"],
        "our_mean_g_per_kwh": told["our_mean_g_per_kwh"],
        "hours": told["hours"],
    }
    if finding := ratio_finding(days):
        answer["finding"] = finding
    return answer
