"""AEMO's NEMWeb: the telemetry of each generating unit of Australia's eastern grid, five minutes a file, no key.

No file holds a mix. Four kinds of answers are put together, each pointing to the next:

    generators   which unit (DUID) burns what, in which region, with which emission factor
    telemetry    the folder page, which alone knows the file names; hours with all twelve files are followed
    rooftop      the folder page and the two half hours of rooftop solar of each such hour
    units        the twelve telemetry files of the hour; here the points come out

What later answers need of earlier ones travels in `Request.part`. Times are naive NEM time, UTC+10 all year; SETTLEMENTDATE and
INTERVAL_DATETIME name the END. The folders hold about two days. Power in MW as generated, so a little above sent out; what pumps and
charging batteries draw comes as positive numbers of units that the table of generators does not list.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, hour_start, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from gridgram.units import g_per_kwh_from_kg_per_kwh
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request
from providers.reading import beginning, number, spans

if TYPE_CHECKING:
    from gridgram.interval import Interval

GENERATORS_URL: Final = "https://nemweb.com.au/Reports/Current/CDEII/CO2EII_AVAILABLE_GENERATORS.CSV"
TELEMETRY_URL: Final = "https://nemweb.com.au/Reports/Current/Dispatch_SCADA/"
ROOFTOP_URL: Final = "https://nemweb.com.au/Reports/Current/ROOFTOP_PV/ACTUAL/"
TELEMETRY_NAME: Final = re.compile(r"PUBLIC_DISPATCHSCADA_(\d{12})_\d{1,20}\.zip", re.IGNORECASE)
ROOFTOP_NAME: Final = re.compile(r"PUBLIC_ROOFTOP_PV_ACTUAL_MEASUREMENT_(\d{12})00_\d{1,20}\.zip", re.IGNORECASE)

NEM_TIME: Final = timezone(timedelta(hours=10))
HELD: Final = timedelta(days=2)
STEP: Final = timedelta(minutes=5)
HALF_HOUR: Final = timedelta(minutes=30)
ROOFTOP_DELAY: Final = HALF_HOUR
"""A rooftop file is named half an hour after the END of the half hour inside it."""
MICROSECONDS: Final = timedelta(microseconds=1)
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""Of one file inside a zip, inflated."""

ZONES: Final = {"AU-NSW": "NSW1", "AU-QLD": "QLD1", "AU-SA": "SA1", "AU-TAS": "TAS1", "AU-VIC": "VIC1"}

FUELS: Final = {
    "bagasse": Fuel.BIOMASS,
    "biomass and industrial materials": Fuel.BIOMASS,
    "black coal": Fuel.COAL,
    "brown coal": Fuel.COAL,
    "coal mine waste gas": Fuel.GAS,
    "coal seam methane": Fuel.GAS,
    "diesel oil": Fuel.OIL,
    "ethane": Fuel.GAS,
    "hydro": Fuel.HYDRO,
    "kerosene - non aviation": Fuel.OIL,
    "landfill biogas methane": Fuel.BIOMASS,
    "natural gas (pipeline)": Fuel.GAS,
    "other biofuels": Fuel.BIOMASS,
    "other solid fossil fuels": Fuel.COAL,
    "primary solid biomass fuels": Fuel.BIOMASS,
    "solar": Fuel.SOLAR,
    "wind": Fuel.WIND,
}
STORAGE: Final = "battery storage"
LOADS: Final = re.compile(r"PUMP\d|SHPUMP|SNOWYP|.*L\d{0,2}", re.ASCII)
"""Pumps, and by their names the charging side of batteries (HPRL1, ADPBA1L)."""

Table = list[dict[str, str]]


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask which unit is what; all else follows. Nothing, where the folders no longer hold the span."""
    held = [span for span in spans(interval, LONGEST_SPAN) if span.end > now - HELD and span.start < now]
    return [Request(GENERATORS_URL, zone, span, part="generators") for span in held]


def parse(request: Request, body: bytes) -> Batch:
    """Read one answer and point to the next; only the telemetry files give points."""
    kind, _, known = request.part.partition(" ")
    return READERS[kind](request, body, json.loads(known or "{}"))


def read_tables(body: bytes) -> dict[tuple[str, str], Table]:
    """The tables of a file, zipped or not, by their two names, each row as a mapping of its columns.

    Rows start with C (comment), I (the columns of the rows that follow) or D. The last row says how many lines there are: a file with
    fewer was cut short, which raises UpstreamError, as everything does that is no such file.
    """
    try:
        rows = list(csv.reader(io.StringIO(_text(body))))
    except csv.Error as error:
        raise UpstreamError(f"AEMO answered with something that is no table: {beginning(body)}") from error
    if not rows or rows[0][:1] != ["C"]:
        raise UpstreamError(f"AEMO answered with something that is not one of its files: {beginning(body)}")
    last = rows[-1]
    if last[:2] != ["C", "END OF REPORT"] or not last[2:] or not last[2].isdigit() or int(last[2]) > len(rows):
        raise UpstreamError(
            f"AEMO's file broke off: {len(rows)} lines, of {last[2][:12] if last[:1] == ['C'] and last[2:] else 'unknown'}."
        )
    tables: dict[tuple[str, str], Table] = defaultdict(list)
    columns: list[str] = []
    for row in rows:
        if row[:1] == ["I"]:
            columns = row
        elif row[:1] == ["D"] and len(columns) > 4 and row[1:4] == columns[1:4]:  # noqa: PLR2004 - kind, two names and version come first
            tables[row[1], row[2]].append(dict(zip(columns[4:], row[4:], strict=False)))
    return dict(tables)


def read_generators(body: bytes) -> tuple[dict[str, tuple[str, str, float | None]], list[PointFault]]:
    """The region, energy source and emission factor [t/MWh sent out] of each unit.

    A unit of several sets counts once; where they differ in source, the unit's source is empty, and what differs is a fault.
    """
    units: dict[str, tuple[str, str, float | None]] = {}
    faults = []
    rows = _table(read_tables(body), ("CO2EII", "PUBLISHING"), ("DUID", "REGIONID", "CO2E_EMISSIONS_FACTOR", "CO2E_ENERGY_SOURCE"))
    for row in rows:
        unit, region, source = (row.get(name, "").strip() for name in ("DUID", "REGIONID", "CO2E_ENERGY_SOURCE"))
        if not unit or not region:
            faults.append(PointFault(row.get("STATIONNAME", "?")[:40], "a generator without unit or region"))
            continue
        try:
            factor = number(row.get("CO2E_EMISSIONS_FACTOR"))
        except ValueError:
            faults.append(PointFault(unit, f"the emission factor is {row['CO2E_EMISSIONS_FACTOR'][:20]!r}"))
            factor = None
        held = units.setdefault(unit, (region, source.lower(), factor))
        if held[:2] != (region, source.lower()):
            faults.append(PointFault(unit, f"two sets differ: {held[:2]} and {(region, source.lower())}; its fuel counts as unknown"))
            units[unit] = (held[0], "", None)
    return units, faults


def read_telemetry(body: bytes) -> tuple[dict[datetime, dict[str, float]], list[PointFault]]:
    """MW by unit, by the END of the five minutes."""
    return _by_end(_table(read_tables(body), ("DISPATCH", "UNIT_SCADA"), ("SETTLEMENTDATE", "DUID", "SCADAVALUE")), "DUID", "SCADAVALUE")


def read_rooftop(body: bytes) -> tuple[dict[datetime, dict[str, float]], list[PointFault]]:
    """MW by region, by the END of the half hour; MEASUREMENT wins over SATELLITE. Parts of regions (QLDC, TASN) stand beside them."""
    columns = ("INTERVAL_DATETIME", "REGIONID", "POWER", "TYPE")
    rows = sorted(_table(read_tables(body), ("ROOFTOP", "ACTUAL"), columns), key=lambda row: row["TYPE"], reverse=True)
    return _by_end(rows, "REGIONID", "POWER")


def read_names(body: bytes, folder: str, name: re.Pattern[str]) -> dict[datetime, str]:
    """The file names on a folder page by the time in them; of two with one time the later one, by its number."""
    page = body.decode("utf-8", "replace")
    if folder not in page.lower() or "</a>" not in page.lower():
        raise UpstreamError(f"AEMO answered with something other than its folder {folder}: {beginning(body)}")
    found = sorted({match.group(): match[1] for match in name.finditer(page)}.items())
    return {datetime.strptime(time, "%Y%m%d%H%M").replace(tzinfo=NEM_TIME).astimezone(UTC): file for file, time in found}


def _after_generators(request: Request, body: bytes, _: dict[str, Any]) -> Batch:
    units, faults = read_generators(body)
    region = ZONES[request.zone]
    fuels = {
        unit: [_fuel(source, unit, faults), factor]
        for unit, (place, source, factor) in units.items()
        if place == region and source != STORAGE
    }
    known = {"fuels": fuels, "others": sorted(units.keys() - fuels.keys())}
    return Batch((), faults, (_next(request, TELEMETRY_URL, "telemetry", known),))


def _fuel(source: str, unit: str, faults: list[PointFault]) -> str:
    if source and source not in FUELS:
        faults.append(PointFault(unit, f"{source[:40]!r} is an energy source that is not known here; it counts as unknown"))
    return FUELS.get(source, Fuel.UNKNOWN).value


def _after_telemetry_page(request: Request, body: bytes, known: dict[str, Any]) -> Batch:
    names = read_names(body, "dispatch_scada", TELEMETRY_NAME)
    hours = {}
    for hour in range(request.interval.first_hour, request.interval.end_hour):
        files = [names.get(hour_start(hour) + STEP * (place + 1)) for place in range(12)]
        if all(files):
            hours[hour] = files
    following = (_next(request, ROOFTOP_URL, "rooftop", {**known, "hours": hours}),) if hours else ()
    return Batch(following=following)


def _after_rooftop_page(request: Request, body: bytes, known: dict[str, Any]) -> Batch:
    names = read_names(body, "rooftop_pv/actual", ROOFTOP_NAME)
    following = []
    for hour, files in known.pop("hours").items():
        start = hour_start(int(hour))
        halves = [names.get(start + HALF_HOUR * place + ROOFTOP_DELAY) for place in (1, 2)]
        if all(halves):
            first, second = halves
            following.append(_next(request, f"{ROOFTOP_URL}{first}", "half", {**known, "rooftop": {}, "half": second, "files": files}))
    return Batch(following=following)


def _after_half_hour(request: Request, body: bytes, known: dict[str, Any]) -> Batch:
    found, faults = read_rooftop(body)
    region = ZONES[request.zone]
    known["rooftop"] |= {to_microseconds(end): mw[region] for end, mw in found.items() if region in mw}
    second, files = known.pop("half"), known["files"]
    if second:
        return Batch((), faults, (_next(request, f"{ROOFTOP_URL}{second}", "half", {**known, "half": ""}),))
    del known["files"]
    part = f"units {json.dumps(known)}"
    return Batch((), faults, [Request(f"{TELEMETRY_URL}{file}", request.zone, request.interval, part=part) for file in files])


def _units(request: Request, body: bytes, known: dict[str, Any]) -> Batch:
    found, faults = read_telemetry(body)
    fuels, others = known["fuels"], set(known["others"])
    begin, end = request.interval.first_hour * MICROSECONDS_PER_HOUR, request.interval.end_hour * MICROSECONDS_PER_HOUR
    points = []
    for label, mw_by_unit in sorted(found.items()):
        start = to_microseconds(label - STEP)
        rooftop = known["rooftop"].get(str(_half_hour_end(start)))
        if not begin <= start < end:
            continue
        if rooftop is None:
            faults.append(PointFault(str(label), f"no rooftop solar of {ZONES[request.zone]} for this half hour"))
            continue
        points.append(_mix(start, {unit: mw for unit, mw in mw_by_unit.items() if unit in fuels}, fuels, rooftop))
        strangers = {unit: mw for unit, mw in mw_by_unit.items() if mw > 0 and unit not in fuels and unit not in others}
        faults += [
            PointFault(unit, f"{mw:g} MW of a unit that AEMO's table of generators does not list")
            for unit, mw in sorted(strangers.items())
            if not LOADS.fullmatch(unit)
        ]
    return Batch(points, faults)


def _mix(start: int, mw_by_unit: dict[str, float], fuels: dict[str, tuple[str, float | None]], rooftop: float) -> MixPoint:
    """The units by fuel with rooftop solar. AEMO's own number: each unit times its factor, None where one that runs has none."""
    mw: defaultdict[Fuel, float] = defaultdict(float)
    mw[Fuel.SOLAR] = rooftop
    tonnes: float | None = 0.0
    total = max(rooftop, 0.0)
    for unit, unit_mw in mw_by_unit.items():
        fuel, factor = fuels[unit]
        mw[Fuel(fuel)] += unit_mw
        if unit_mw > 0:
            total += unit_mw
            tonnes = None if tonnes is None or factor is None else tonnes + unit_mw * factor
    own = g_per_kwh_from_kg_per_kwh(tonnes / total) if tonnes is not None and total > 0 else None
    return MixPoint(start, STEP // timedelta(minutes=1), dict(mw), Quality.MEASURED, own)


def _next(request: Request, url: str, kind: str, known: dict[str, Any]) -> Request:
    return Request(url, request.zone, request.interval, part=f"{kind} {json.dumps(known)}")


def _half_hour_end(start: int) -> int:
    half_hour = HALF_HOUR // MICROSECONDS
    return (start // half_hour + 1) * half_hour


def _text(body: bytes) -> str:
    if not body.startswith(b"PK"):
        return body.decode("utf-8-sig", "replace")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            files = [file for file in archive.infolist() if file.filename.lower().endswith(".csv")]
            if len(files) != 1 or files[0].file_size > MAX_FILE_BYTES:
                raise UpstreamError(f"AEMO's zip holds {len(files)} tables, or one too large to read.")
            return archive.read(files[0]).decode("utf-8-sig", "replace")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UpstreamError("AEMO answered with a zip that cannot be opened.") from error


def _table(tables: dict[tuple[str, str], Table], name: tuple[str, str], columns: tuple[str, ...]) -> Table:
    rows = tables.get(name, [])
    missing = [column for column in columns if rows and column not in rows[0]]
    if not rows or missing:
        raise UpstreamError(f"AEMO's file holds no table {'/'.join(name)}{f' with {missing}' if missing else ''}.")
    return rows


def _by_end(rows: Table, who: str, power: str) -> tuple[dict[datetime, dict[str, float]], list[PointFault]]:
    found: dict[datetime, dict[str, float]] = defaultdict(dict)
    faults = []
    when = "SETTLEMENTDATE" if "SETTLEMENTDATE" in rows[0] else "INTERVAL_DATETIME"
    for row in rows:
        try:
            end = datetime.strptime(row[when], "%Y/%m/%d %H:%M:%S").replace(tzinfo=NEM_TIME).astimezone(UTC)
            mw = number(row[power])
        except (KeyError, ValueError) as error:
            faults.append(PointFault(row.get(who, "?"), f"{list(row.values())[:3]}: {error}"))
            continue
        if mw is not None:
            found[end][row[who]] = mw
    return dict(found), faults


LONGEST_SPAN: Final = timedelta(days=1)
READERS: Final = {
    "generators": _after_generators,
    "telemetry": _after_telemetry_page,
    "rooftop": _after_rooftop_page,
    "half": _after_half_hour,
    "units": _units,
}

INFO = ProviderInfo(
    name="aemo",
    title="AEMO NEMWeb",
    offers=("recent",),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=False,
    licence="AEMO copyright permission: any use with attribution",
    attribution="Australian Energy Market Operator (AEMO)",
    url="https://nemweb.com.au",
    detail="Telemetry of each unit joined with AEMO's table of generators and rooftop solar: 14 files an hour, of the last two days.",
)

PROVIDER = Provider(
    info=INFO,
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=STEP // timedelta(minutes=1),
    requests_per_day=340,
    lag=timedelta(minutes=40),
    settles_after=timedelta(hours=2),
    longest_span=LONGEST_SPAN,
    requests_per_minute=240,
    mix_unit=MixUnit.MEGAWATTS,
)
