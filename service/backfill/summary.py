"""What a run came to: totals by zone, month and project, energy by quality, rows without numbers; as JSON and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from gridgram.quality import QUALITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from service.backfill.spec import Spec
    from service.backfill.totals import Sums, Totals

SHOWN = 20
"""So many rows of a table are shown on a terminal, those that emitted most; the JSON holds all."""


class GroupAnswer(TypedDict):
    """The jobs of one zone, month or project."""

    name: str
    jobs: int
    facility_energy_kwh: float
    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float


class BackfillSummary(TypedDict):
    """What a run came to. `coverage` is the share of the energy by quality; jobs skipped only repeat energy that others hold."""

    output: str
    format: str
    signal: str
    rows: int
    jobs: int
    rows_quarantined: int
    rows_skipped: int
    facility_energy_kwh: float
    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float
    coverage: dict[str, float]
    by_zone: list[GroupAnswer]
    by_month: list[GroupAnswer]
    by_project: list[GroupAnswer]


def summary(spec: Spec, totals: Totals) -> BackfillSummary:
    """The summary of a run."""
    jobs, kwh, grams, low, high = totals.sums
    order = [quality.value for quality in QUALITIES]
    shares = {name: share / kwh for name, share in sorted(totals.kwh_by_quality.items(), key=lambda item: order.index(item[0]))}
    return {
        "output": spec.output.name,
        "format": spec.read_as or "",
        "signal": spec.signal.value,
        "rows": totals.rows,
        "jobs": int(jobs),
        "rows_quarantined": totals.quarantined,
        "rows_skipped": totals.skipped,
        "facility_energy_kwh": kwh,
        "emissions_g": grams,
        "emissions_low_g": low,
        "emissions_high_g": high,
        "coverage": shares,
        "by_zone": _groups(totals.by_zone),
        "by_month": _groups(totals.by_month),
        "by_project": _groups(totals.by_project),
    }


def _groups(by_name: Mapping[str, Sums]) -> list[GroupAnswer]:
    return [
        {
            "name": name,
            "jobs": int(jobs),
            "facility_energy_kwh": kwh,
            "emissions_g": grams,
            "emissions_low_g": low,
            "emissions_high_g": high,
        }
        for name, (jobs, kwh, grams, low, high) in sorted(by_name.items())
    ]


def print_summary(told: BackfillSummary, quarantine: str, console: Console | None = None) -> None:
    """Print a summary for people."""
    from service.tables import mass, terminal  # noqa: PLC0415 - rich is loaded only to print

    console = console or terminal()
    low, high = mass(told["emissions_low_g"]), mass(told["emissions_high_g"])
    console.print(
        f"[bold]{mass(told['emissions_g'])}[/bold] CO2e ({told['signal']}), between {low} and {high}, "
        f"from {told['facility_energy_kwh']:,.3f} kWh of {told['jobs']:,} jobs in {told['rows']:,} rows"
    )
    if told["coverage"]:
        console.print("energy by quality of its hours: " + ", ".join(f"{share:.1%} {name}" for name, share in told["coverage"].items()))
    if told["rows_skipped"]:
        console.print(f"{told['rows_skipped']:,} rows only repeat energy of others and were not added")
    if told["rows_quarantined"]:
        console.print(
            f"[yellow]{told['rows_quarantined']:,} rows have no numbers[/yellow]; {quarantine} says which and why", soft_wrap=True
        )
    for title, groups in (("zone", told["by_zone"]), ("month", told["by_month"]), ("project", told["by_project"])):
        if groups:
            console.print(_table(title, groups))


def _table(title: str, groups: list[GroupAnswer]) -> Any:  # noqa: ANN401 - a rich table
    from rich.markup import escape  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415

    from service.tables import mass  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (title, "jobs", "kWh", "CO2e", "low", "high"):
        table.add_column(heading, justify="left" if heading == title else "right")
    shown = groups if title == "month" else sorted(groups, key=lambda group: -group["emissions_g"])
    for group in shown[:SHOWN]:
        masses = (mass(group["emissions_g"]), mass(group["emissions_low_g"]), mass(group["emissions_high_g"]))
        table.add_row(escape(group["name"] or "(none)"), f"{group['jobs']:,}", f"{group['facility_energy_kwh']:,.3f}", *masses)
    if len(shown) > SHOWN:
        table.add_row(f"and {len(shown) - SHOWN:,} more")
    return table
