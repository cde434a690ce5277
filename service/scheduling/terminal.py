"""Schedules and rankings for people: tables, and a bar an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from rich.markup import escape
from rich.table import Table

from gridgram.interval import MICROSECONDS_PER_HOUR, hour_start, parse_time, to_microseconds
from gridgram.quality import MISSING_CODE
from service.tables import mass, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from gridgram.series import IntensitySeries
    from service.scheduling.answers import MeanAnswer, OptionAnswer, PlacementAnswer, RankAnswer, ScheduleAnswer
    from service.scheduling.usecase import Schedule

BAR_HOURS: Final = 48
LABEL_EVERY_HOURS: Final = 6
BLOCKS, PLAIN = "▁▂▃▄▅▆▇█", "_.,-=+*#"
"""Eight heights, lowest first; the second for terminals that know ASCII only."""
UNKNOWN: Final = "?"


def print_schedule(made: Schedule) -> None:
    """Print the options, the baseline, what is not compared, and the next hours of each location."""
    answer, console = made.answer, terminal()
    table = _table("start", "end", "location", "!CO2e", "!low", "!high", "!saves", "quality")
    for option in answer["options"]:
        table.add_row(*_cells(option), _saves(option), option["quality"])
    if answer["options"]:
        console.print(table)
        _print_best_elsewhere(answer, console)
    if "baseline" in answer:
        start, _, location, grams, low, high = _cells(answer["baseline"])
        console.print(f"Baseline: {grams} ({low} to {high}) for a start at {start} in {location}.")
    for gap in answer["unavailable"]:
        console.print(f"{escape(gap['location'])}: {escape(gap['reason'])}", style="yellow")
    for option in answer["options"][:1]:
        if len(option["chunks"]) > 1:
            console.print(f"The best option runs in {len(option['chunks'])} parts:")
            for chunk in option["chunks"]:
                console.print(f"  {chunk['start']} to {chunk['end']}")
    _print_bars(made, console)


def print_rank(answer: RankAnswer) -> None:
    """Print the locations, the cleanest first, with the band of each mean."""
    console = terminal()
    table = _table("location", "zone", "!now", "!next 24 h", "!last 12 months", "quality")
    for region in answer["regions"]:
        means = [region.get("now"), region.get("next_24_hours"), region.get("last_12_months")]
        quality = ", ".join(dict.fromkeys(mean["quality"] for mean in means if mean))
        table.add_row(escape(region["location"]), region["zone"], *(_mean(mean) for mean in means), quality)
    console.print(f"{answer['signal']}, g/kWh (p10-p90), by {answer['by'].replace('_', ' ')}, as of {answer['as_of']}")
    console.print(table)
    for gap in answer["unavailable"]:
        console.print(f"{escape(gap['location'])}: {escape(gap['reason'])}", style="yellow")


def _print_best_elsewhere(answer: ScheduleAnswer, console: Console) -> None:
    shown = {option["location"] for option in answer["options"]}
    for best in answer["per_location"]:
        if best["location"] not in shown:
            start, _, location, grams, *_ = _cells(best)
            console.print(f"Best in {location}: {grams}, start {start}, {_saves(best) or 'no baseline'}.")


def _print_bars(made: Schedule, console: Console) -> None:
    """One bar of the next 48 hours a location, from its lowest to its highest hour, and under it where the best option there runs."""
    first_hour = to_microseconds(parse_time(made.answer["earliest"])) // MICROSECONDS_PER_HOUR
    best = made.answer["per_location"]
    if not best:
        return
    end_hour = min(made.hours[best[0]["zone"]].end_hour, first_hour + BAR_HOURS)
    name_width = max(len(option["location"]) for option in best)
    heights = BLOCKS if (console.encoding or "").lower().startswith("utf") else PLAIN
    console.print(f"{'UTC':{name_width}} {_axis(first_hour, end_hour - first_hour)}  g/kWh")
    for option in best:
        part = made.hours[option["zone"]].window(first_hour, end_hour)
        known = part.g_per_kwh[part.quality != MISSING_CODE]
        span = f"{known.min():.0f}-{known.max():.0f}" if len(known) else ""
        console.print(f"{escape(option['location']):{name_width}} {_bar(part, heights)}  {span}")
        console.print(f"{'':{name_width}} {_marks(option, first_hour, end_hour - first_hour)}".rstrip())


def _axis(first_hour: int, hours: int) -> str:
    """Every sixth hour of the day, under the first of its two digits."""
    axis = [" "] * (hours + 1)
    for place in range(hours):
        hour = hour_start(first_hour + place).hour
        if hour % LABEL_EVERY_HOURS == 0:
            axis[place : place + 2] = f"{hour:02d}"
    return "".join(axis)[:hours]


def _bar(part: IntensitySeries, heights: str) -> str:
    is_known = part.quality != MISSING_CODE
    known = part.g_per_kwh[is_known]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    per_step = (high - low) / (len(heights) - 1)
    steps = np.where(is_known, part.g_per_kwh - low, 0.0) / per_step if per_step else np.zeros(len(is_known))
    return "".join(heights[round(step)] if is_told else UNKNOWN for step, is_told in zip(steps.tolist(), is_known.tolist(), strict=True))


def _marks(placement: PlacementAnswer, first_hour: int, hours: int) -> str:
    marks = [" "] * hours
    for chunk in placement["chunks"]:
        start, end = (to_microseconds(parse_time(chunk[edge])) for edge in ("start", "end"))
        for hour in range(start // MICROSECONDS_PER_HOUR, -(-end // MICROSECONDS_PER_HOUR)):
            if hour - first_hour < hours:
                marks[hour - first_hour] = "^"
    return "".join(marks)


def _cells(placement: PlacementAnswer) -> tuple[str, str, str, str, str, str]:
    grams = (placement["emissions_g"], placement["emissions_low_g"], placement["emissions_high_g"])
    emitted, low, high = (mass(number) for number in grams)
    return placement["start"], placement["end"], escape(placement["location"]), emitted, low, high


def _saves(option: OptionAnswer) -> str:
    if "savings_g" not in option:
        return ""
    share = f" ({option['savings_percent']:.1f} %)" if "savings_percent" in option else ""
    return f"{mass(option['savings_g'])}{share}"


def _mean(mean: MeanAnswer | None) -> str:
    return f"{mean['g_per_kwh']:.1f} ({mean['low']:.0f}-{mean['high']:.0f})" if mean else ""


def _table(*headings: str) -> Table:
    """A table without lines; a heading that begins with `!` stands over numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading.removeprefix("!"), justify="right" if heading.startswith("!") else "left")
    return table
