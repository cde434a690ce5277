"""How many slips of unit are caught on real hours, and how many real days are taken for one: the table of docs/source-faults.md.

python bench/slips.py FOLDER [zones]

FOLDER holds the Parquet files of hourly intensity (columns zone, utc, kind, g). A batch is a UTC day of one zone; what comes again is
counted on every fifth day. Prints Markdown: by signal, with `zones` by zone too. About four minutes on one core.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from gridgram.interval import HOURS_PER_DAY, MICROSECONDS_PER_HOUR
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from gridgram.zones import Zones
from providers.base import IntensityPoint
from providers.checks import check
from providers.reference import Reference
from providers.slips import DAYS_BEFORE, UNIT_FACTORS, level_fault, level_remark, seen_factor, usual_level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NOW: Final = datetime(2027, 1, 1, tzinfo=UTC)
FEWEST_HOURS: Final = 20
AGAIN_EVERY_DAYS: Final = 5
PROVIDER: Final = "source"
SOURCES: Final = (Source(PROVIDER, Signal.DIRECT, Scope.PRODUCTION, "", "", None, ""),)


@dataclass(slots=True)
class Tally:
    """What was counted of one zone or signal: by factor, the days of which nothing was kept; 1 stands for the days as they are.

    `first`: on first contact. `again`: hours that are held came again; `whole`: the same in whole numbers. `remarked`: after a month.
    """

    days: int = 0
    days_again: int = 0
    days_after_a_month: int = 0
    first: defaultdict[float, int] = field(default_factory=lambda: defaultdict(int))
    again: defaultdict[float, int] = field(default_factory=lambda: defaultdict(int))
    whole: defaultdict[float, int] = field(default_factory=lambda: defaultdict(int))
    remarked: defaultdict[float, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, other: Tally) -> None:
        """Count what another counted too."""
        self.days += other.days
        self.days_again += other.days_again
        self.days_after_a_month += other.days_after_a_month
        for name in ("first", "again", "whole", "remarked"):
            for factor, count in getattr(other, name).items():
                getattr(self, name)[factor] += count


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1])
    reference, by_zone = Reference.load(Zones.load()), defaultdict[tuple[str, str], Tally](Tally)
    for zone, signal, days in real_days(folder):
        by_zone[signal, zone].add(tally(days, reference))
    by_signal = defaultdict[tuple[str, str], Tally](Tally)
    for (signal, _), counted in by_zone.items():
        by_signal[signal, "all"].add(counted)
    print_table(by_signal)
    if "zones" in sys.argv[2:]:
        print_table(by_zone)


def real_days(folder: Path) -> Iterator[tuple[str, str, list[IntensitySeries]]]:
    """The days of each zone and kind of each file, in their order."""
    for path in sorted(folder.glob("*.parquet")):
        if path.name.startswith("mix_"):
            continue
        table = pd.read_parquet(path, columns=["zone", "utc", "kind", "g"])
        for (zone, kind), rows in table.groupby(["zone", "kind"], observed=True):
            hours = rows["utc"].to_numpy().astype("datetime64[h]").astype(np.int64)
            yield str(zone), str(kind), list(days_of(str(zone), Signal(str(kind)), hours, rows["g"].to_numpy(np.float64)))


def days_of(zone: str, signal: Signal, hours: NDArray[np.int64], g_per_kwh: NDArray[np.float64]) -> Iterator[IntensitySeries]:
    """Whole days as series, holes left as they are."""
    day = hours // HOURS_PER_DAY
    for one in np.unique(day).tolist():
        rows = np.flatnonzero(day == one)
        if len(rows) < FEWEST_HOURS:
            continue
        numbers = np.full(HOURS_PER_DAY, np.nan)
        numbers[hours[rows] - one * HOURS_PER_DAY] = g_per_kwh[rows]
        yield series_of(zone, signal, one * HOURS_PER_DAY, numbers)


def series_of(zone: str, signal: Signal, first_hour: int, g_per_kwh: NDArray[np.float64]) -> IntensitySeries:
    """Measured hours, NaN where there is none."""
    quality = np.where(np.isnan(g_per_kwh), 0, QUALITY_CODES[Quality.MEASURED]).astype(np.uint8)
    return IntensitySeries(zone, signal, first_hour, g_per_kwh, g_per_kwh, g_per_kwh, quality, np.zeros_like(quality), SOURCES)


def tally(days: list[IntensitySeries], reference: Reference) -> Tally:
    """Count over the days of one zone."""
    counted = Tally()
    means: list[float] = []
    for place, held in enumerate(days):
        mean, is_again, is_after = float(np.nanmean(held.g_per_kwh)), place % AGAIN_EVERY_DAYS == 0, place >= DAYS_BEFORE
        usual = usual_level(reference, held)
        counted.days += 1
        counted.days_again += is_again
        counted.days_after_a_month += is_after
        for factor in (1.0, *UNIT_FACTORS):
            told = replace(held, g_per_kwh=held.g_per_kwh * factor)
            counted.first[factor] += is_refused(told, usual)
            counted.remarked[factor] += is_after and bool(level_remark(means[-DAYS_BEFORE:], mean * factor))
            if is_again:
                rounded = replace(held, g_per_kwh=np.round(held.g_per_kwh))
                counted.again[factor] += is_slip(told, held)
                counted.whole[factor] += is_slip(replace(held, g_per_kwh=np.round(rounded.g_per_kwh * factor)), rounded)
        means.append(mean)
    return counted


def is_refused(told: IntensitySeries, usual: IntensitySeries) -> bool:
    """Whether no hour of a day is kept that comes from a source for the first time."""
    places = np.flatnonzero(told.quality)
    starts = ((told.first_hour + places) * MICROSECONDS_PER_HOUR).tolist()
    numbers = told.g_per_kwh[places].tolist()
    points = [IntensityPoint(start, 60, number, told.signal, Quality.MEASURED) for start, number in zip(starts, numbers, strict=True)]
    sound, _ = check(points, NOW, 0.0)
    return not sound or bool(level_fault(told, usual))


def is_slip(told: IntensitySeries, held: IntensitySeries) -> bool:
    """Whether a day is taken for the held one in another unit."""
    seen = seen_factor(told, held, PROVIDER)
    return seen is not None and seen.factor != 1


def print_table(tallies: dict[tuple[str, str], Tally]) -> None:
    """Print shares in percent, a line for each key and factor; the line of factor 1 tells false alarms."""
    print("| signal | zone | days | slip | first contact | held hours again | the same, whole numbers | remarked after a month |")
    print("|---|---|---|---|---|---|---|---|")
    for (signal, zone), counted in sorted(tallies.items()):
        for factor in (1.0, *UNIT_FACTORS):
            days = {"first": counted.days, "again": counted.days_again, "whole": counted.days_again, "remarked": counted.days_after_a_month}
            shares = [100 * getattr(counted, name)[factor] / max(of, 1) for name, of in days.items()]
            told = " | ".join(f"{share:.3f} %" for share in shares)
            print(f"| {signal} | {zone} | {counted.days:,} | {f'x {factor:.4g}' if factor != 1 else 'none'} | {told} |")


if __name__ == "__main__":
    main()
