"""What `gridgram providers check` does: one real question to one source, past the store, and how its answer was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridgram.errors import Fault, InvalidInput, StoreError, UpstreamError
from gridgram.interval import hour_start
from service.answers import check_answer, own_number_answer
from service.auditing.own_numbers import OwnDay, compared, kept_own_numbers, newest_day, note_own_numbers, own_points_of, ratio_finding
from service.auditing.steps import daily_means, days_held, newest_remark

if TYPE_CHECKING:
    from gridgram.interval import Interval
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone
    from providers.base import Provider
    from providers.engine import Fetched
    from service.answers import CheckAnswer
    from service.fetching import Fetcher
    from service.intensity import Intensity
    from service.usecases import Gridgram

CHECK_SECONDS: Final = 60.0
OWN: Final = "what the source states itself"


async def check_source(gridgram: Gridgram, name: str, zone: str | None) -> CheckAnswer:
    """Ask one source for its newest whole day of a zone, its first without one.

    Raises InvalidInput for a name or zone that is not known or not asked, UpstreamError when nothing came.
    """
    intensity, fetcher = gridgram.intensity, gridgram.intensity.fetcher
    provider = fetcher.providers.get(name) if fetcher else None
    if fetcher is None or provider is None:
        known = ", ".join(sorted(fetcher.providers)) if fetcher else "none"
        raise InvalidInput([Fault("name", f"{name[:40]!r} is no source that is asked; those are {known}")])
    key = next(iter(provider.zones)) if zone is None else zone.upper()
    if key not in provider.zones:
        raise InvalidInput([Fault("zone", f"{name} does not tell of {key[:40]!r}; its zones are {', '.join(provider.zones)}")])
    if reason := fetcher.why_off(provider):
        raise InvalidInput([Fault("name", f"{name} is off: {reason}")])
    asked, interval = gridgram.zones[key], newest_day(provider, gridgram.now())
    fetched = await fetcher.engine.fetch(provider, asked, interval, CHECK_SECONDS)
    answer = check_answer(provider, asked, interval, fetched)
    answer["faults"] += [{"pointer": pointer, "detail": detail} for pointer, detail in await _doubts(intensity, provider, asked, fetched)]
    await _add_own_number(answer, intensity, fetcher, provider, asked, interval, fetched)
    return answer


async def _doubts(intensity: Intensity, provider: Provider, zone: Zone, fetched: Fetched) -> list[tuple[str, str]]:
    """What makes an answer doubtful that was read: a part is missing, another unit, a level that the days before did not have."""
    doubts = [("the answer", str(fetched.error))] if fetched.error is not None else []
    found = [(f"the {told.signal} intensity", await _doubt(intensity, provider, zone, told, fetched)) for told in fetched.series]
    return [*doubts, *((pointer, doubt) for pointer, doubt in found if doubt)]


async def _doubt(intensity: Intensity, provider: Provider, zone: Zone, told: IntensitySeries, fetched: Fetched) -> str:
    assert intensity.fetcher is not None  # noqa: S101 - it asked
    if slip := await intensity.fetcher.asker.slips.judged(provider, zone, told, fetched.points, intensity):
        return str(slip)
    name = provider.info.name
    told_means = daily_means(told, {name})
    before = await days_held(intensity, zone.key, told.signal, name, hour_start(told.first_hour))
    return newest_remark({day: mean for day, mean in before.items() if day < min(told_means, default=0)} | told_means)


async def _add_own_number(  # noqa: PLR0913, PLR0917 - what is asked, of whom, and what came
    answer: CheckAnswer, intensity: Intensity, fetcher: Fetcher, provider: Provider, zone: Zone, interval: Interval, fetched: Fetched
) -> None:
    """Add what the source states itself of the day, where it does, and keep it."""
    try:
        own_points = await own_points_of(fetcher.engine, provider, zone, interval)
    except UpstreamError as error:
        answer["faults"].append({"pointer": OWN, "detail": str(error)})
        return
    await note_own_numbers(intensity.store, provider, zone, fetched.points, own_points)
    if days := compared(provider, zone.key, fetched.points, own_points):
        answer["own_number"] = own_number_answer(provider, days[max(days)])
        if finding := ratio_finding(await _own_days_before(intensity, provider, zone, max(days)) | days):
            answer["faults"].append({"pointer": OWN, "detail": finding})


async def _own_days_before(intensity: Intensity, provider: Provider, zone: Zone, day: int) -> dict[int, OwnDay]:
    """What was kept of the days before one; nothing while the store is away."""
    try:
        kept = await kept_own_numbers(intensity.store, provider.info.name, zone.key)
    except StoreError:
        return {}
    return {before: own for before, own in kept.items() if before < day}
