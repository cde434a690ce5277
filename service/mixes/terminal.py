"""A mix for people: what the command line prints on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from gridgram.fuels import Fuel
from service.tables import print_hours

if TYPE_CHECKING:
    from service.mixes.answers import MixAnswer


def print_mix(answer: MixAnswer) -> None:
    """Print a mix, an hour a line: the share of each fuel that any hour tells, and what all of them gave."""
    hours = answer["hours"]
    fuels = [fuel.value for fuel in Fuel if any(fuel.value in hour["share_percent"] for hour in hours)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("hour")
    for heading in ("MW", *(f"{fuel} %" for fuel in fuels), "low-carbon %"):
        table.add_column(heading, justify="right")
    table.add_column("quality")
    table.add_column("provider")
    for hour in hours:
        shares = (f"{share:.1f}" if (share := hour["share_percent"].get(fuel)) is not None else "" for fuel in fuels)
        total = f"{hour['total_mw']:,.0f}" if "total_mw" in hour else ""
        table.add_row(hour["start"], total, *shares, f"{hour['low_carbon_percent']:.1f}", hour["quality"], hour["provider"])
    print_hours(answer, "generation by fuel", table)
