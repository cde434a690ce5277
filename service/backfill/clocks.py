"""Which clock stamped a row that says no offset: the one that the user names, else that of the row's place where it has but one.

A time that a clock showed twice or never is sure only when something else in the row decides it; else it is a fault, never a guess.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from gridgram.interval import EPOCH
from service.backfill.cells import matches
from service.backfill.stamps import localised, stamps
from service.importing.faults import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.zones import Zone
    from service.backfill.cells import Columns

    Times = NDArray[np.int64]
    Mask = NDArray[np.bool_]

SEVERAL_CLOCKS: Final = frozenset(
    "AQ AR AU BR CA CD CL CY EC ES FM GL ID KI KZ MN MX NZ PF PG PS PT RU UA UM US".split()  # noqa: SIM905 - read more easily
)
"""Countries whose clocks have differed since 2000, by zone.tab of the tz database (2026); China keeps one official time."""
ONE_CLOCK: Final = frozenset(
    f"{country}-{part}"
    for country, parts in {
        "AU": "ACT NT QLD SA TAS VIC",
        "CA": "AB MB NB NS PE YT",
        "US": "AL AR AZ CA CO CT DC DE GA HI IA IL LA MA MD ME MN MO MS MT NC NH NJ NM NY OH OK PA RI SC UT VA VT WA WI WV WY",
    }.items()
    for part in parts.split()
)
"""States and provinces of such countries that have kept one time since 2000. Arizona is: the Navajo Nation's summer time is left out."""
_NAIVE: Final = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?$"
_CLOSE_US: Final = 1_000_000


def own_clock(zone: Zone) -> str | None:
    """The IANA name of the one clock that a zone goes by; None where it has several."""
    if zone.country not in SEVERAL_CLOCKS or zone.key in ONE_CLOCK:
        return zone.timezone
    return None


def times(columns: Columns, name: str, clock: ZoneInfo | None) -> tuple[Times, Mask]:
    """A column's times [microseconds since 1970, UTC] and which of them a clock showed twice, read as if for the first time.

    A cell that is no time, that the clock skipped, or that is naive without a clock, becomes a fault.
    """
    cells, texts = columns.cells(name), columns.texts(name)
    moments, wrong = stamps(cells, name, ZoneInfo("UTC") if clock else None)
    columns.fault_all(wrong, name)
    doubtful = np.zeros(columns.count, np.bool_)
    if clock is None:
        return moments, doubtful
    rows = np.flatnonzero(matches(texts, _NAIVE))
    walls, moments = moments, moments.copy()
    moments[rows], is_sure = localised(walls[rows], clock)
    for row in rows[~is_sure].tolist():
        doubtful[row] = _wall(int(moments[row]), clock) == EPOCH.replace(tzinfo=None) + timedelta(microseconds=int(walls[row]))
        if not doubtful[row]:
            columns.faults.setdefault(row, f"column {name}: the clock of {clock.key} skipped {shown(texts[row].as_py())}")
    return moments, doubtful


def doubt(columns: Columns, name: str, doubtful: Mask, clock: ZoneInfo | None) -> None:
    """Make a fault of each time that is not sure."""
    if clock is not None and doubtful.any():
        texts = columns.texts(name)
        reason = "column {}: the clock of {} showed {} twice; write it with its offset"
        columns.fault(doubtful, lambda row: reason.format(name, clock.key, shown(texts[row].as_py())))


def decide(start: Times, end: Times, doubtful: tuple[Mask, Mask], elapsed_us: NDArray[np.float64], clock: ZoneInfo) -> Mask:
    """Set the doubtful starts and ends that the job's elapsed time decides; returns the rows that stay in doubt.

    A row is decided when just one reading of its two times is as long as the job lasted, to a second.
    """
    open_rows: Mask = doubtful[0] | doubtful[1]
    for row in np.flatnonzero(open_rows & ~np.isnan(elapsed_us)).tolist():
        firsts = _readings(int(start[row]), clock) if doubtful[0][row] else {int(start[row])}
        lasts = _readings(int(end[row]), clock) if doubtful[1][row] else {int(end[row])}
        fitting = [(first, last) for first in firsts for last in lasts if abs(last - first - elapsed_us[row]) <= _CLOSE_US]
        if len(fitting) == 1:
            ((start[row], end[row]),) = fitting
            open_rows[row] = False
    return open_rows


def _readings(first_us: int, clock: ZoneInfo) -> set[int]:
    """The instants at which the clock showed what it shows at `first_us`."""
    wall = _wall(first_us, clock)
    return {(wall.replace(tzinfo=clock, fold=fold).astimezone(UTC) - EPOCH) // timedelta(microseconds=1) for fold in (0, 1)}


def _wall(moment_us: int, clock: ZoneInfo) -> datetime:
    return (EPOCH + timedelta(microseconds=moment_us)).astimezone(clock).replace(tzinfo=None)
