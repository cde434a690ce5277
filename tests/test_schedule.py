"""The scheduler's arithmetic: exact against brute force, and the properties that any honest schedule has."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.emissions import account
from gridgram.interval import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE
from gridgram.profile import stepped_profile
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.schedule import Prospect, apart, best_options, plans, run_at_once, weigh
from gridgram.schedule_job import Chunk, Job, Pauses, Site, Window
from gridgram.schedule_pauses import paused_plan, plan_cells
from gridgram.schedule_savings import savings
from gridgram.schedule_starts import Hours, start_emissions
from gridgram.series import IntensitySeries, Source

HOUR, MINUTE = MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE
FIRST = 456_000
"""The number of the first hour of every series here."""
ZERO = FIRST * HOUR
SOURCE = Source("hand", Signal.LIFECYCLE, Scope.PRODUCTION, "none", "made by hand")


def prospect(g_per_kwh: list[float | None], site: Site | None = None, *, zone: str = "FR", band: float = 0.0) -> Prospect:
    """A location with these hours, None for an unknown one; low and high are so much of the intensity off."""
    numbers = np.array([np.nan if g is None else g for g in g_per_kwh])
    is_known = ~np.isnan(numbers)
    quality = np.where(is_known, QUALITY_CODES[Quality.MEASURED], 0).astype(np.uint8)
    places = np.zeros(len(numbers), np.uint8)
    low, high = numbers * (1 - band), numbers * (1 + band)
    series = IntensitySeries(zone, Signal.LIFECYCLE, FIRST, numbers, low, high, quality, places, (SOURCE,))
    return Prospect(site or Site(), series, is_known)


def window(hours: float, step: int = HOUR, after: int = 0) -> Window:
    return Window(ZERO + after, ZERO + int(hours * HOUR), step)


def flat(hours: float, kwh: float = 1.0) -> Job:
    return Job.of(int(hours * HOUR), [kwh])


def grams_of(where: Prospect, job: Job, chunks: tuple[Chunk, ...], resume_kwh: float = 0.0) -> float:
    """Minute by minute and plainly: what the chunks emit; infinity when an hour is not known. All edges lie on minutes."""
    steps = len(job.running_kwh) - 1
    grams, worked = 0.0, 0
    for chunk in chunks:
        at_start = where.series.g_per_kwh[chunk.start // HOUR - FIRST]
        site = where.site
        extra = site.pue * resume_kwh if worked else site.pue * site.startup_kwh + site.transfer_kwh
        grams += extra * at_start
        for minute in range(chunk.start, chunk.end, MINUTE):
            step = worked * steps // job.duration
            kwh = (job.running_kwh[step + 1] - job.running_kwh[step]) * MINUTE * steps / job.duration
            grams += site.pue * kwh * where.series.g_per_kwh[minute // HOUR - FIRST]
            worked += MINUTE
    return inf if np.isnan(grams) else float(grams)


def every_plan(job: Job, span: Window, pauses: Pauses) -> list[tuple[Chunk, ...]]:
    """All ways to place the units of a job on the slots of a window."""
    units = -(-job.duration // span.step)
    last = job.duration - (units - 1) * span.step
    found = []
    for slots in combinations(range(span.starts(last)), units):
        edges = [(span.earliest + slot * span.step, span.earliest + slot * span.step + span.step) for slot in slots]
        edges[-1] = (edges[-1][0], edges[-1][0] + last)
        chunks: list[Chunk] = []
        for start, end in edges:
            if chunks and chunks[-1].end == start:
                chunks[-1] = Chunk(chunks[-1].start, end)
            else:
                chunks.append(Chunk(start, end))
        if all(chunk.end - chunk.start >= pauses.min_chunk for chunk in chunks):
            found.append(tuple(chunks))
    return found


# --- unbroken runs

intensities = st.lists(st.one_of(st.floats(0, 2_000), st.none(), st.sampled_from([50.0, 435.4])), min_size=6, max_size=12)
sites = st.builds(Site, st.sampled_from([1.0, 1.37]), st.sampled_from([0.0, 2.5]), st.sampled_from([0.0, 0.7]))
jobs = st.builds(
    lambda minutes, kwh: Job.of(minutes * 5 * len(kwh) * MINUTE, kwh),
    st.integers(1, 20),
    st.lists(st.floats(0, 100), min_size=1, max_size=4),
)


@given(intensities, sites, jobs, st.sampled_from([5, 7, 20, 60, 90, 120]), st.integers(0, 70))
def test_every_start_emits_what_the_minutes_add_up_to(g: list[float | None], site: Site, job: Job, step: int, after: int) -> None:
    where, span = prospect(g, site), window(len(g), step * MINUTE, after * MINUTE)

    found = start_emissions(where.hours(), job, site, span)

    starts = [span.earliest + place * span.step for place in range(span.starts(job.duration))]
    assert found.tolist() == pytest.approx(
        [grams_of(where, job, (Chunk(start, start + job.duration),)) for start in starts], rel=1e-9, abs=1e-6
    )


@given(st.integers(0, 2**32 - 1), st.sampled_from([15, 60]), st.booleans())
def test_a_long_shaped_job_through_fourier_transforms_is_the_same(seed: int, step: int, has_holes: bool) -> None:  # noqa: FBT001 - drawn
    random = np.random.default_rng(seed)
    g = random.uniform(10, 900, 3_300)
    is_known = random.random(3_300) > (0.0001 if has_holes else 0.0)
    hours, job = Hours.of(FIRST, g, is_known), Job.of(1_600 * HOUR, random.uniform(0, 5, 1_600).tolist())
    span = window(3_300, step * MINUTE)

    found = start_emissions(hours, job, Site(), span)

    for place in [0, len(found) // 3, len(found) - 1]:
        start = span.earliest + place * span.step
        part = range(start // HOUR - FIRST, -(-(start + job.duration) // HOUR) - FIRST)
        kwh = np.diff(job.used_kwh((np.arange(part.start, part.stop + 1) + FIRST) * HOUR - start))
        exact = float(kwh @ g[part.start : part.stop]) if is_known[part.start : part.stop].all() else inf
        assert found[place] == pytest.approx(exact, rel=1e-9)


def test_the_best_start_is_found_by_the_hand() -> None:
    where = prospect([300, 100, 200, 50, 60, 400])

    assert [plan.chunks for plan in plans(where, flat(2), window(6), None, 1)] == [(Chunk(ZERO + 3 * HOUR, ZERO + 5 * HOUR),)]
    assert [plan.chunks for plan in plans(where, flat(1), window(6), None, 1)] == [(Chunk(ZERO + 3 * HOUR, ZERO + 4 * HOUR),)]


def test_a_start_on_the_quarter_weighs_parts_of_hours() -> None:
    where = prospect([100, 50, 100])
    span = window(3, 15 * MINUTE)

    found = start_emissions(where.hours(), flat(1.5, 3.0), Site(), span)

    assert found.tolist() == pytest.approx([250, 225, 200, 200, 200, 225, 250])


def test_ties_go_to_the_earliest_start_though_sums_are_rounded() -> None:
    where = prospect([435.4] * 200)

    assert plans(where, flat(7.3), window(200, 5 * MINUTE), None, 1)[0].chunks[0].start == ZERO
    assert paused_plan(where.hours(), flat(8), Site(), window(200), Pauses(HOUR)) == (Chunk(ZERO, ZERO + 8 * HOUR),)
    assert paused_plan(where.hours(), flat(7.3), Site(), window(200), Pauses(HOUR)) == (Chunk(ZERO, ZERO + int(7.3 * HOUR)),)


def test_a_run_never_touches_an_hour_that_is_not_known() -> None:
    where = prospect([100, 10, None, 20, 100, 100])

    assert [plan.chunks for plan in plans(where, flat(2), window(6), None, 5)] == [
        (Chunk(ZERO, ZERO + 2 * HOUR),),
        (Chunk(ZERO + 3 * HOUR, ZERO + 5 * HOUR),),
        (Chunk(ZERO + 4 * HOUR, ZERO + 6 * HOUR),),
    ]
    assert plans(where, flat(4), window(6), None, 5) == []
    assert plans(where, flat(7), window(6), None, 5) == []
    assert run_at_once(0, where, flat(3), window(6)) is None


# --- pauses


@given(
    st.lists(st.one_of(st.floats(0, 1_000), st.none(), st.sampled_from([50.0, 435.4])), min_size=5, max_size=9),
    sites,
    st.sampled_from([[4.0], [1.0, 9.0, 2.0], [3.0, 0.0, 0.0, 5.0]]),
    st.integers(4, 20),
    st.sampled_from([20, 30, 60, 90]),
    st.integers(5, 120),
    st.sampled_from([0.0, 0.3, 5.0]),
    st.sampled_from([0, 25, 60]),
)
def test_a_plan_with_pauses_emits_the_least_that_any_plan_does(  # noqa: PLR0917 - drawn
    g: list[float | None], site: Site, kwh: list[float], fifths: int, step: int, shortest: int, resume_kwh: float, after: int
) -> None:
    job = Job.of(fifths * 12 * MINUTE, kwh)
    span, where = Window(ZERO + after * MINUTE, ZERO + min(len(g), 14 * step // 60) * HOUR, step * MINUTE), prospect(g, site)
    pauses = Pauses(min(shortest * MINUTE, job.duration), resume_kwh)
    known = [grams_of(where, job, chunks, resume_kwh) for chunks in every_plan(job, span, pauses)]

    found = paused_plan(where.hours(), job, site, span, pauses)

    least = min(known, default=inf)
    assert (found is None) == (least == inf)
    if found is not None:
        assert grams_of(where, job, found, resume_kwh) == pytest.approx(least, rel=1e-9, abs=1e-9)
        assert sum(chunk.end - chunk.start for chunk in found) == job.duration
        assert all(chunk.end - chunk.start >= pauses.min_chunk for chunk in found)
        assert all(before.end < after.start for before, after in pairwise(found))


def test_the_cheapest_hours_are_taken_and_joined() -> None:
    where = prospect([300, 100, 90, 50, 400, 60])

    assert paused_plan(where.hours(), flat(3), Site(), window(6), Pauses(HOUR)) == (
        Chunk(ZERO + 2 * HOUR, ZERO + 4 * HOUR),
        Chunk(ZERO + 5 * HOUR, ZERO + 6 * HOUR),
    )


def test_a_resume_that_costs_more_than_it_saves_is_not_made() -> None:
    where, span, job = prospect([100, 110, 100, 500]), window(4), flat(2, 2.0)

    assert len(paused_plan(where.hours(), job, Site(), span, Pauses(HOUR, 0.05)) or ()) == 2
    assert paused_plan(where.hours(), job, Site(), span, Pauses(HOUR, 0.11)) == (Chunk(ZERO, ZERO + 2 * HOUR),)


def test_a_shortest_chunk_longer_than_the_job_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than the job"):
        paused_plan(prospect([1.0] * 5).hours(), flat(2), Site(), window(5), Pauses(3 * HOUR))


def test_the_cost_of_a_plan_is_known_before_it_is_made() -> None:
    assert plan_cells(flat(8), Site(), window(48), Pauses(HOUR)) == 48
    assert plan_cells(flat(8), Site(), window(48), Pauses(2 * HOUR)) == 48 * 8
    assert plan_cells(flat(8), Site(startup_kwh=1), window(48, 5 * MINUTE), Pauses(HOUR)) == 576 * 96


def test_a_job_without_steps_or_time_is_refused() -> None:
    for duration, kwh in ((0, [1.0]), (HOUR, [])):
        with pytest.raises(ValueError, match="one step at least"):
            Job.of(duration, kwh)


# --- options and properties

known = st.lists(st.floats(1, 1_000), min_size=25, max_size=60)


@given(known, st.integers(1, 12), st.integers(0, 12), st.sampled_from([60, 20]))
def test_pauses_only_help_and_so_does_slack(g: list[float], hours: int, slack: int, step: int) -> None:
    where, job = prospect([*g]), flat(hours)
    now = run_at_once(0, where, job, window(24, step * MINUTE))
    assert now is not None

    def least(room: int, pauses: Pauses | None) -> float:
        return best_options([where], job, window(room, step * MINUTE), pauses, 1)[0][0].emissions_g

    unbroken, paused = least(hours + slack, None), least(hours + slack, Pauses(HOUR // 3))
    margin = 1 + 1e-9
    assert paused <= unbroken * margin
    assert unbroken <= now.emissions_g * margin
    assert least(hours + slack + 1, None) <= unbroken * margin
    assert least(hours + slack + 1, Pauses(HOUR // 3)) <= paused * margin
    if hours == 1 and step == 60:
        assert paused == pytest.approx(unbroken)


def test_a_flat_grid_saves_exactly_nothing() -> None:
    places = [prospect([435.4] * 60)]
    job, span = flat(7), window(60)
    baseline = run_at_once(0, places[0], job, span)
    assert baseline is not None

    option = best_options(places, job, span, Pauses(HOUR), 3)[0][0]
    saved = savings(option, baseline, places)

    assert option.chunks == baseline.chunks
    assert (saved.g, saved.low_g, saved.high_g, saved.percent, saved.low_percent, saved.high_percent) == (0, 0, 0, 0, 0, 0)


@given(known, jobs, st.integers(0, 100))
def test_an_option_agrees_with_the_accounting_of_jobs(g: list[float], job: Job, after: int) -> None:
    where = prospect([*g], Site(1.2), band=0.1)
    steps = np.diff(job.running_kwh).tolist()
    start = ZERO + after * MINUTE

    option = weigh(0, where, job, (Chunk(start, start + job.duration),), None)
    accounted = account(stepped_profile(start, job.duration // len(steps), steps), where.series, 1.2)

    assert option.energy_kwh == pytest.approx(accounted.facility_energy_kwh, rel=1e-9, abs=1e-12)
    assert option.emissions_g == pytest.approx(accounted.emissions_g, rel=1e-9, abs=1e-9)
    assert option.emissions_high_g == pytest.approx(accounted.emissions_high_g, rel=1e-9, abs=1e-9)
    assert option.intensity_g_per_kwh == pytest.approx(accounted.intensity_g_per_kwh, rel=1e-9)
    assert option.coverage == {Quality.MEASURED: pytest.approx(1.0)}


def test_what_is_drawn_at_a_start_counts_in_its_hour() -> None:
    where = prospect([100, 10, 1000, 10, 10], Site(pue=1.5, startup_kwh=2.0, transfer_kwh=4.0))
    chunks = (Chunk(ZERO + HOUR, ZERO + 2 * HOUR), Chunk(ZERO + 3 * HOUR, ZERO + 5 * HOUR))

    option = weigh(0, where, flat(3, 6.0), chunks, Pauses(HOUR, 1.0))

    assert option.kwh.tolist() == pytest.approx([0, 1.5 * (2 + 2) + 4, 0, 1.5 * (2 + 1), 1.5 * 2])
    assert option.emissions_g == pytest.approx(10 * option.energy_kwh)


def test_options_of_one_location_are_choices_and_not_neighbours() -> None:
    day = [200 + 100 * np.cos(2 * np.pi * hour / 24) for hour in range(24)]
    where, job = prospect(day * 4), flat(4)

    options = best_options([where], job, window(96, 5 * MINUTE), None, 4)[0]

    starts = sorted(option.chunks[0].start for option in options)
    assert all(later - earlier >= apart(job.duration) for earlier, later in pairwise(starts))
    assert apart(10 * MINUTE) == HOUR
    assert apart(8 * HOUR) == 4 * HOUR
    assert apart(200 * HOUR) == 12 * HOUR


def test_locations_are_ranked_by_what_they_emit_and_each_tells_its_best() -> None:
    places = [prospect([100, 90, 80, 70]), prospect([60, 60, 60, 60], Site(pue=2.0)), prospect([None] * 4), prospect([65, 71, 64, 75])]

    overall, best = best_options(places, flat(1), window(4), None, 3)

    assert [(option.prospect, option.emissions_g) for option in overall] == [(3, 64.0), (3, 65.0), (0, 70.0)]
    assert [(option.prospect, option.emissions_g) for option in best] == [(3, 64.0), (0, 70.0), (1, 120.0)]


def test_equal_options_go_to_the_one_that_is_done_first_and_then_to_the_first_location() -> None:
    overall, _ = best_options([prospect([70, 60]), prospect([60, 70]), prospect([60, 70])], flat(1), window(2), None, 3)

    assert [(option.prospect, option.chunks[0].start) for option in overall] == [(1, ZERO), (2, ZERO), (0, ZERO + HOUR)]


def test_a_job_without_energy_is_weighed_by_time() -> None:
    option = weigh(0, prospect([100, 50, 10]), flat(1.5, 0.0), (Chunk(ZERO, ZERO + int(1.5 * HOUR)),), None)

    assert (option.emissions_g, option.energy_kwh) == (0, 0)
    assert option.intensity_g_per_kwh == pytest.approx(125 / 1.5)


# --- how sure a saving is


@given(st.lists(st.just(0.0) | st.floats(0.1, 1_000), min_size=6, max_size=6), st.floats(0.05, 0.9), st.booleans(), st.data())
def test_no_hours_inside_their_bands_save_more_or_less_than_the_band_says(
    g: list[float],
    band: float,
    is_one_grid: bool,  # noqa: FBT001 - drawn
    data: st.DataObject,
) -> None:
    places = [prospect([*g], zone="FR", band=band), prospect([*g][::-1], zone="FR" if is_one_grid else "DE", band=band)]
    if is_one_grid:
        places[1] = places[0]
    job = flat(2, 3.0)
    option = weigh(1, places[1], job, (Chunk(ZERO + HOUR, ZERO + 3 * HOUR),), None)
    baseline = weigh(0, places[0], job, (Chunk(ZERO, ZERO + 2 * HOUR),), None)

    saved = savings(option, baseline, places)

    drawn = [
        np.array(
            [
                data.draw(st.sampled_from([low, high, g]))
                for low, high, g in zip(p.series.low, p.series.high, p.series.g_per_kwh, strict=True)
            ]
        )
        for p in places
    ]
    mine, theirs = drawn[0 if is_one_grid else 1], drawn[0]
    spent, base = float(option.kwh @ mine), float(baseline.kwh @ theirs)
    assert saved.low_g - 1e-6 <= base - spent <= saved.high_g + 1e-6
    assert saved.low_g - 1e-6 <= saved.g <= saved.high_g + 1e-6
    if saved.low_percent is not None and saved.high_percent is not None and base > 0:
        assert saved.low_percent - 1e-6 <= 100 * (base - spent) / base <= saved.high_percent + 1e-6


def test_hours_that_both_use_cancel_out() -> None:
    places = [prospect([100, 100, 80], band=0.5)]
    job = flat(2, 2.0)
    baseline = weigh(0, places[0], job, (Chunk(ZERO, ZERO + 2 * HOUR),), None)
    option = weigh(0, places[0], job, (Chunk(ZERO + HOUR, ZERO + 3 * HOUR),), None)

    saved = savings(option, baseline, places)

    assert (saved.g, saved.low_g, saved.high_g) == (20, 50 - 120, 150 - 40)
    assert saved.percent == pytest.approx(10)
    assert saved.high_percent == pytest.approx(100 * (1 - (40 + 50) / (150 + 50)))
    assert saved.low_percent == pytest.approx(100 * (1 - (120 + 50) / (50 + 50)))


def test_a_share_of_nothing_is_not_told() -> None:
    places = [prospect([0, 0, 10])]
    baseline = weigh(0, places[0], flat(1), (Chunk(ZERO, ZERO + HOUR),), None)
    option = weigh(0, places[0], flat(1), (Chunk(ZERO + 2 * HOUR, ZERO + 3 * HOUR),), None)

    saved = savings(option, baseline, places)

    assert (saved.g, saved.percent, saved.low_percent, saved.high_percent) == (-10, None, None, None)
