"""A back-test as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from gridgram.backtest import OURS
from service.tables import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from service.forecasting.answers import BacktestAnswer, HorizonSkillAnswer, ZoneBacktestAnswer


def print_backtest(answer: BacktestAnswer) -> None:
    """Print the scores of every zone by day ahead, each method a line, and what a job placed by the forecast saved."""
    console = terminal()
    console.print(
        f"{answer['signal']}, origins every 00:00 UTC from {answer['start']}, hours to {answer['end']}; MAPE %, RMSE and bias g/kWh"
    )
    for zone in answer["zones"]:
        _print_zone(console, zone)
    for skipped in answer["skipped"]:
        console.print(f"left out: {skipped['reason']}", style="yellow")


def _print_zone(console: Console, zone: ZoneBacktestAnswer) -> None:
    table = Table("hours ahead", "method", "MAPE", "RMSE", "bias", "in band %", box=None, pad_edge=False)
    for span in zone["horizon"]:
        _add_rows(table, span)
    console.print(f"\n[bold]{zone['zone']}[/bold], {zone['origins']} origins")
    console.print(table)
    if savings := zone.get("savings"):
        kept = f", {savings['kept_percent']:.0f} % of it" if "kept_percent" in savings else ""
        console.print(
            f"an 8 h job within 48 h saves {savings['oracle_percent']:.1f} % with perfect knowledge, "
            f"{savings['forecast_percent']:.1f} % by the forecast{kept}, "
            f"{savings['same_hour_yesterday_percent']:.1f} % by the same hour yesterday"
        )


def _add_rows(table: Table, span: HorizonSkillAnswer) -> None:
    for method in span["methods"]:
        table.add_row(
            f"{span['ahead_from'][2:-1]}-{span['ahead_to'][2:-1]}" if method["method"] == OURS else "",
            method["method"],
            f"{method['mape_percent']:.1f}",
            f"{method['rmse_g_per_kwh']:.1f}",
            f"{method['bias_g_per_kwh']:+.1f}",
            f"{method['coverage_percent']:.0f}" if "coverage_percent" in method else "",
        )
