"""Runs as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from service.tables import terminal

if TYPE_CHECKING:
    from service.runs.answers import RunAnswer, RunsAnswer, RunStepAnswer, RunSummaryAnswer

UNKNOWN = "-"


def print_runs(answer: RunsAnswer) -> None:
    """Print a page of runs, a line each."""
    table = Table("id", "name", "place", "start", "kWh", "gCO2e", "tracker's g", "not priced kWh", box=None, pad_edge=False)
    for run in answer["runs"]:
        unpriced = f"{run['unpriced_kwh']:.6g}" if run["unpriced_kwh"] else ""
        table.add_row(
            run["id"],
            escape(run["name"]),
            escape(run.get("location", UNKNOWN)),
            run.get("start", UNKNOWN),
            f"{run['energy_kwh']:.6g}",
            _grams(run.get("emissions_g")),
            _grams(run.get("tracker_emissions_g")),
            unpriced,
        )
    console = terminal()
    console.print(table)
    if "next" in answer:
        console.print("there are more; --limit tells how many to list", style="dim")


def print_run(answer: RunAnswer) -> None:
    """Print one run: its figure, its steps, how the figure changed, and what is to be told of it."""
    console = terminal()
    console.print(escape(f"{answer['id']}  {answer['name']}  {answer.get('location', UNKNOWN)}  {answer['tracker']}"))
    console.print(_figure_line(answer))
    table = Table("from", "to", "kWh", "gCO2e", "low", "high", box=None, pad_edge=False)
    for step in answer["over_time"]:
        table.add_row(*_step_cells(step))
    console.print(table)
    for change in answer["revisions"]:
        console.print(
            f"{change['at']}: {change['changed_hours']} hours from {change['first_hour_start']} on became better "
            f"({', '.join(change['before_hours'])} -> {', '.join(change['after_hours'])}, {', '.join(change['providers'])}): "
            f"{change['emissions_before_g']:.6g} -> {change['emissions_after_g']:.6g} g",
        )
    for remark in answer["remarks"]:
        console.print(escape(remark), style="yellow")


def _figure_line(run: RunSummaryAnswer) -> str:
    told = f", the tracker says {run['tracker_emissions_g']:.6g} g" if "tracker_emissions_g" in run else ""
    if "emissions_g" not in run:
        return f"{run['energy_kwh']:.6g} kWh, emissions not known{told}"
    missing = f", {run['unpriced_kwh']:.6g} kWh without an intensity" if run["hours_missing"] else ""
    band = f"{run['emissions_low_g']:.6g} to {run['emissions_high_g']:.6g}"
    return f"{run['energy_kwh']:.6g} kWh, {run['emissions_g']:.6g} gCO2e ({band}){missing}{told}"


def _step_cells(step: RunStepAnswer) -> tuple[str, ...]:
    numbers = step.get("emissions_g"), step.get("emissions_low_g"), step.get("emissions_high_g")
    return (step["start"], step["end"], f"{step['energy_kwh']:.6g}", *map(_grams, numbers))


def _grams(mass_g: float | None) -> str:
    return UNKNOWN if mass_g is None else f"{mass_g:.6g}"
