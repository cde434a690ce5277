"""A footprint for people: what the command line prints on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from service.footprint.report import tables
from service.tables import mass, terminal

if TYPE_CHECKING:
    from service.footprint.answers import FootprintAnswer

NUMBERS = frozenset({"CO2e", "low", "high", "share", "kWh at the facility", "g/kWh", "mean g/kWh", "kg each", "device hours", "score"})


def print_footprint(answer: FootprintAnswer, *, tells_all: bool = False) -> None:
    """Print the tables of the report, without the arithmetic and with what equals the total alone; `tells_all` prints these too."""
    console = terminal()
    total = answer["total"]
    low, high = mass(total["emissions_low_g"]), mass(total["emissions_high_g"])
    name = f"{escape(answer['name'])}: " if "name" in answer else ""
    console.print(f"{name}[bold]{mass(total['emissions_g'])}[/bold] CO2e ({answer['signal']}), between {low} and {high}")
    for heading, columns, rows in tables(answer if tells_all else _of_the_total(answer)):
        table = Table(box=None, pad_edge=False, header_style="bold", title=heading, title_justify="left")
        for column in columns:
            table.add_column(column, justify="right" if column in NUMBERS else "left")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)
    for warning in answer["warnings"]:
        console.print(escape(warning), style="yellow")
    for place in answer["comparison"]["unavailable"] if "comparison" in answer else []:
        console.print(escape(f"{place['location']}: {place['reason']}"), style="yellow")


def _of_the_total(answer: FootprintAnswer) -> FootprintAnswer:
    """The answer without its steps and without what its parts equal; a single phase is the total."""
    whole = [group for group in answer["equivalents"] if group["of"] == "total"] or answer["equivalents"][:1]
    return {**answer, "equivalents": whole, "steps": []}
