"""Answers for people: what the command line prints on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gridgram.units import GRAMS_PER_KG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.answers import (
        CheckAnswer,
        EmissionsAnswer,
        EnergyProvenanceAnswer,
        LocateAnswer,
        ProvidersAnswer,
        SeriesAnswer,
        ZoneDetailAnswer,
        ZonesAnswer,
    )
    from service.importing.run import ImportReport
    from service.mixes.answers import MixAnswer

GRAMS_PER_TONNE = 1_000_000.0
WIDE = 1_000
NUMBERS = frozenset({"kWh", "g/kWh", "low", "high", "g CO2e"})


def mass(grams: float) -> str:
    """Write a mass in the unit that suits it: g, kg or t, three digits after the first."""
    if abs(grams) >= GRAMS_PER_TONNE:
        return f"{grams / GRAMS_PER_TONNE:,.2f} t"
    return f"{grams / GRAMS_PER_KG:,.2f} kg" if abs(grams) >= GRAMS_PER_KG else f"{grams:,.1f} g"


def terminal() -> Console:
    """A console that cuts no number short: the terminal wraps what is too long for it."""
    return Console(highlight=False, soft_wrap=True, width=WIDE)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left")
    return table


def print_emissions(answer: EmissionsAnswer) -> None:
    """Print what a job emitted, how sure that is, and where it comes from."""
    console = terminal()
    low, high = mass(answer["emissions_low_g"]), mass(answer["emissions_high_g"])
    console.print(f"[bold]{mass(answer['emissions_g'])}[/bold] CO2e ({answer['signal']}), between {low} and {high}")
    console.print(
        f"{answer['facility_energy_kwh']:,.3f} kWh at {answer['intensity_g_per_kwh']:,.1f} g/kWh"
        + (f" (PUE {answer['pue']:g} on {answer['energy_kwh']:,.3f} kWh)" if answer["pue"] != 1 else "")
    )
    where = f"{escape(answer['location'])} = zone {answer['zone']}, " if "zone" in answer else ""
    console.print(f"{where}{answer['start']} to {answer['end']}")
    if detail := answer.get("location_detail"):
        console.print(escape(detail), style="yellow")
    for source in answer["provenance"]:
        console.print(_provenance_line(source))
    if "hours" in answer:
        table = _table("hour", "kWh", "g/kWh", "low", "high", "g CO2e", "quality", "provider")
        for hour in answer["hours"]:
            numbers = (
                f"{hour['kwh']:.4f}",
                f"{hour['g_per_kwh']:.1f}",
                f"{hour['low']:.1f}",
                f"{hour['high']:.1f}",
                f"{hour['emissions_g']:.2f}",
            )
            table.add_row(hour["start"], *numbers, hour["quality"], hour["provider"])
        console.print(table)
    for same in answer.get("equivalents", []):
        console.print(f"= {same['value']:,.4g} x {same['unit']}: {same['name']} ({same['source']})")


def _provenance_line(source: EnergyProvenanceAnswer) -> str:
    terms = f"{escape(source['attribution'])}, {escape(source['licence'])}"
    detail = f" {escape(source['detail'])}" if "detail" in source else ""
    return f"{source['energy_share']:.1%} {source['quality']} from {source['provider']} ({terms}).{detail}"


def print_series(answer: SeriesAnswer) -> None:
    """Print a series, an hour a line."""
    table = _table("hour", "g/kWh", "low", "high", "quality", "provider")
    for hour in answer["hours"]:
        table.add_row(
            hour["start"], f"{hour['g_per_kwh']:.1f}", f"{hour['low']:.1f}", f"{hour['high']:.1f}", hour["quality"], hour["provider"]
        )
    print_hours(answer, answer["signal"], table)


def print_hours(answer: SeriesAnswer | MixAnswer, what: str, table: Table) -> None:
    """Print the hours of a place: what they tell, their table, which are missing and where they come from."""
    console = terminal()
    console.print(f"{escape(answer['location'])} = zone {answer['zone']}, {what}")
    if location_detail := answer.get("location_detail"):
        console.print(escape(location_detail), style="yellow")
    console.print(table)
    for span in answer["missing"]:
        console.print(f"missing: {span['start']} to {span['end']}", style="yellow")
    for source in answer["provenance"]:
        detail = f" {escape(str(told))}" if (told := source.get("detail")) else ""
        console.print(f"{source['hours']} h {source['quality']} from {escape(source['attribution'])}, {escape(source['licence'])}.{detail}")


def print_provenance(answer: SeriesAnswer) -> None:
    """Print what a series is made of: the hours by source and quality, and what is missing."""
    console = terminal()
    console.print(f"[bold]{answer['zone']}[/bold] {answer['signal']}, {answer['start']} to {answer['end']}")
    for source in answer["provenance"]:
        console.print(f"{source['hours']:,} h {source['quality']} from {source['provider']} ({escape(source['attribution'])})")
    for span in answer["missing"]:
        console.print(f"missing: {span['start']} to {span['end']}", style="yellow")


def print_providers(answer: ProvidersAnswer) -> None:
    """Print the sources, one a line, and why some are not asked."""
    table = _table("name", "health", "offers", "signals", "scope", "what")
    for provider in answer["providers"]:
        cells = [", ".join(provider[name]) for name in ("offers", "signals", "scope")]
        table.add_row(provider["name"], provider["health"], *cells, escape(provider.get("why_off", provider["title"])))
    terminal().print(table)


def print_check(answer: CheckAnswer) -> None:
    """Print what a source gave for a day and how it was read."""
    console = terminal()
    console.print(
        f"[bold]{answer['provider']}[/bold] for {answer['zone']}, {answer['start']} to {answer['end']}: {answer['points']:,} points"
    )
    for series in answer["series"]:
        console.print(
            f"{series['signal']}: {series['hours']} h, {series['quality']}, mean {series['mean_g_per_kwh']:.1f} g/kWh,"
            f" newest {series['newest']}"
        )
    if "solar_noon_minutes" in answer:
        console.print(f"solar power centres {answer['solar_noon_minutes']:+.0f} minutes from solar noon")
    if own := answer.get("own_number"):
        console.print(
            f"the source itself states {own['own_mean_g_per_kwh']:.1f} g/kWh over {own['hours']} h, ours ({own['signal']}) is"
            f" {own['our_mean_g_per_kwh']:.1f} ({own['basis']})"
        )
    for fault in answer["faults"]:
        console.print(f"{escape(fault['pointer'])}: {escape(fault['detail'])}", style="yellow")


def print_zones(answer: ZonesAnswer) -> None:
    """Print all zones, one a line."""
    table = _table("zone", "name", "kind", "signals")
    for zone in answer["zones"]:
        table.add_row(zone["zone"], escape(zone["name"]), zone["kind"], ", ".join(zone["signals"]))
    terminal().print(table)


def print_zone(answer: ZoneDetailAnswer, *, explain: bool) -> None:
    """Print one zone and what it is answered from; with `explain` also the sources that are not asked."""
    console = terminal()
    console.print(f"[bold]{answer['zone']}[/bold] {escape(answer['name'])} ({answer['kind']}, {answer['country']}, {answer['timezone']})")
    for system, codes in answer["codes"].items():
        console.print(f"{system}: {', '.join(codes)}")
    for entry in answer["held"]:
        console.print(f"{entry['signal']}: {entry['hours']} hours held, {entry['start']} to {entry['end']}")
    for signal, chain in answer["sources"].items():
        asked = [f"{source['provider']} ({source['scope']})" for source in chain if source["is_asked"]]
        console.print(f"{signal}: asked of {', '.join(asked) or 'no source'}")
        for source in chain:
            if explain and not source["is_asked"]:
                console.print(f"  not of {source['provider']}: {escape(source.get('why_not', ''))}")
    for signal, offer in answer["reference"].items():
        console.print(f"{signal}: {offer['quality']} otherwise. {escape(offer['detail'])}")


def print_place(answer: LocateAnswer) -> None:
    """Print the zone of a location."""
    console = terminal()
    about = ", approximate" if answer["approximate"] else ""
    console.print(
        f"{escape(answer['location'])} = zone [bold]{answer['zone']}[/bold] ({escape(answer['name'])}, {answer['country']}{about})"
    )
    if detail := answer.get("location_detail"):
        console.print(escape(detail), style="yellow")


def import_report(report: ImportReport) -> dict[str, Any]:
    """Write what an import did, as JSON members."""
    return {
        "rows": report.rows,
        "hours": report.hours,
        "hours_changed": report.hours_changed,
        "is_written": report.is_written,
        "zones": list(report.zones),
        "fault_count": report.fault_count,
        "faults": [{"pointer": fault.pointer, "detail": fault.detail} for fault in report.faults],
    }


def print_import(report: ImportReport) -> None:
    """Print what an import did, the faults on standard error."""
    faults: Iterable[str] = (f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail for fault in report.faults)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in faults:
        errors.print(escape(line), style="yellow")
    if report.fault_count > len(report.faults):
        errors.print(f"and {report.fault_count - len(report.faults)} more", style="yellow")
    done = f"{report.hours_changed:,} changed" if report.is_written else "nothing written, because of --strict"
    terminal().print(
        f"{report.rows:,} rows, {report.hours:,} sound hours of {len(report.zones)} zones; {done}; {report.fault_count:,} faults"
    )
