"""What many jobs add up to: by zone, month and project, and the energy by quality. [kWh, gCO2e]

A job counts in the month (UTC) in which it starts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from gridgram.hour_tables import quality_names
from service.importing.arrow import distinct, text_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.bulk import Emitted
    from gridgram.hour_tables import HourTables
    from service.backfill.jobs import JobColumns

Sums: TypeAlias = list[float]
"""Jobs, kWh, g, low g, high g."""

US_PER_DAY: Final = 86_400_000_000
MAX_PROJECTS: Final = 10_000
"""So many projects are told apart; the jobs of those met later add up under OTHERS."""
OTHERS: Final = "(others)"
MONTH_OF_DAY: Final = np.arange(np.datetime64("1970-01-01"), np.datetime64("2200-01-01")).astype("datetime64[M]").astype(np.int64)
"""Months since 1970-01 for each day since 1970-01-01."""


@dataclass(slots=True)
class Totals:
    """Sums over some jobs. `by_zone`, `by_month` (YYYY-MM) and `by_project` hold jobs, kWh, g, low and high g of each name."""

    rows: int = 0
    quarantined: int = 0
    skipped: int = 0
    sums: Sums = field(default_factory=lambda: [0.0] * 5)
    kwh_by_quality: dict[str, float] = field(default_factory=dict)
    by_zone: dict[str, Sums] = field(default_factory=dict)
    by_month: dict[str, Sums] = field(default_factory=dict)
    by_project: dict[str, Sums] = field(default_factory=dict)

    @classmethod
    def of(  # noqa: PLR0913, PLR0917 - columns
        cls,
        jobs: JobColumns,
        tables: HourTables,
        place: NDArray[np.int64],
        emitted: Emitted,
        kwh: NDArray[np.float64],
        rows: NDArray[np.int64] | None,
        *,
        quarantined: int,
    ) -> Totals:
        """The sums of one batch; `rows` are those that were converted, all of them when None."""
        totals = cls(len(jobs.line) + len(jobs.torn), quarantined, len(jobs.skipped))
        if not len(kwh):
            return totals
        columns = (kwh, emitted.emissions_g, emitted.low_g, emitted.high_g)
        start, places = (jobs.start_us, place) if rows is None else (jobs.start_us[rows], place[rows])
        month = np.take(MONTH_OF_DAY, start // US_PER_DAY)
        first = int(month.min())
        months = int(month.max()) - first + 1
        month -= first
        month += places * months
        grid = _grouped(month, columns, len(tables.zones) * months).reshape(5, len(tables.zones), months)
        totals.sums = grid.sum(axis=(1, 2)).tolist()
        _add_named(totals.by_zone, tables.zones, grid.sum(axis=2))
        names = [str(np.datetime64(first + number, "M")) for number in range(months)]
        _add_named(totals.by_month, names, grid.sum(axis=1))
        for name, share in zip(quality_names(tables.codes), emitted.coverage, strict=True):
            if (part := float((share * kwh).sum())) > 0:
                totals.kwh_by_quality[name] = part
        if jobs.project is not None:
            words, project = distinct(jobs.project, "project")
            projects = [text_of(word) for word in words]
            _add_named(totals.by_project, projects, _grouped(project if rows is None else project[rows], columns, len(projects)))
        return totals

    @classmethod
    def from_members(cls, members: dict[str, Any]) -> Totals:
        """Totals from the JSON that `members` gives."""
        return cls(**members)

    def members(self) -> dict[str, Any]:
        """These totals as JSON."""
        return asdict(self)

    def add(self, other: Totals) -> None:
        """Add others to these."""
        self.rows += other.rows
        self.quarantined += other.quarantined
        self.skipped += other.skipped
        self.sums = [one + more for one, more in zip(self.sums, other.sums, strict=True)]
        for name, kwh in other.kwh_by_quality.items():
            self.kwh_by_quality[name] = self.kwh_by_quality.get(name, 0.0) + kwh
        _add(self.by_zone, other.by_zone)
        _add(self.by_month, other.by_month)
        _add(self.by_project, other.by_project)


def _grouped(group: NDArray[np.int64], columns: tuple[NDArray[np.float64], ...], groups: int) -> NDArray[np.float64]:
    counts = np.bincount(group, minlength=groups).astype(np.float64)
    return np.stack([counts, *(np.bincount(group, column, groups) for column in columns)])


def _add_named(into: dict[str, Sums], names: Any, sums: NDArray[np.float64]) -> None:  # noqa: ANN401 - a list or tuple of names
    for number in np.flatnonzero(sums[0]).tolist():
        _add(into, {names[number]: sums[:, number].tolist()})


def _add(into: dict[str, Sums], more: dict[str, Sums]) -> None:
    for name, sums in more.items():
        key = name if name in into or len(into) < MAX_PROJECTS else OTHERS
        held = into.get(key)
        into[key] = sums if held is None else [one + added for one, added in zip(held, sums, strict=True)]
