"""Japan's ten grid areas: the supply tables that each area's grid company publishes, half hour by half hour.

All follow one layout (since 2024) with dialects: UTF-8 or CP932, full-width letters and brackets, 20 or 22 columns; so columns are
found by name. Days run on UTC+9, without daylight saving. Stamps name the START, in Kyūshū the END (0:30 to 24:00); a file that
breaks this rule is refused. Mean MW. Curtailed power (出力制御量, 抑制量) and interconnectors (連系線) are no generation. Pumped storage
(揚水) is negative while it pumps, which is left out, and counts as hydro while it generates; batteries (蓄電池) are left out.

Kansai's older tables (2016 to 2023) are hourly, in MWh, with all thermal plants in one column, which counts as unknown.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request
from providers.reading import beginning, number

if TYPE_CHECKING:
    from gridgram.interval import Interval

JST: Final = timezone(timedelta(hours=9))
ZONES: Final = {
    "JP-HKD": "01",
    "JP-TH": "02",
    "JP-TK": "03",
    "JP-CB": "04",
    "JP-HR": "05",
    "JP-KN": "06",
    "JP-CG": "07",
    "JP-SK": "08",
    "JP-KY": "09",
    "JP-ON": "10",
}
"""The area codes of OCCTO, the body that coordinates the grid companies."""


@dataclass(frozen=True, slots=True)
class Area:
    """Where an area's monthly tables lie, and the first month whose columns are filled."""

    folder: str
    first: date


AREAS: Final = {
    "JP-HKD": Area("https://www.hepco.co.jp/network/con_service/public_document/supply_demand_results/csv/", date(2024, 4, 1)),
    "JP-TH": Area("https://setsuden.nw.tohoku-epco.co.jp/common/demand/", date(2024, 2, 1)),
    "JP-TK": Area("https://www.tepco.co.jp/forecast/html/images/", date(2024, 1, 1)),
    "JP-CB": Area("https://powergrid.chuden.co.jp/denki_yoho_content_data/", date(2024, 3, 1)),
    "JP-HR": Area("https://www.rikuden.co.jp/nw/denki-yoho/csv/", date(2024, 4, 1)),
    "JP-KN": Area("https://www.kansai-td.co.jp/interchange/denkiyoho/area-performance/", date(2024, 1, 1)),
    "JP-CG": Area("https://www.energia.co.jp/nw/jukyuu/sys/", date(2024, 2, 1)),
    "JP-SK": Area("https://www.yonden.co.jp/nw/supply_demand/csv/", date(2024, 3, 1)),
    "JP-KY": Area("https://www.kyuden.co.jp/td_area_jukyu/csv/", date(2023, 10, 1)),
    "JP-ON": Area("https://www.okiden.co.jp/business-support/service/supply-and-demand/csv/", date(2024, 2, 1)),
}
END_LABELLED: Final = "JP-KY"
BY_DAY: Final = "JP-TH"
"""Tōhoku publishes a month some weeks after its end; until then there is a file a day."""
IN_ZIPS: Final = "JP-CB"
"""Chūbu puts each month that is over into a zip of its fiscal year, which begins in April."""
OLD_TABLES: Final = "JP-KN"
OLD_URL: Final = "https://www.kansai-td.co.jp/denkiyoho/area-performance/csv/area_jyukyu_jisseki_{}.csv"
OLD_PAGE: Final = "https://www.kansai-td.co.jp/denkiyoho/area-performance/past.html"
OLD_FIRST: Final = date(2016, 4, 1)

FUELS: Final = {
    "原子力": Fuel.NUCLEAR,
    "火力": Fuel.UNKNOWN,
    "火力(LNG)": Fuel.GAS,
    "火力(石炭)": Fuel.COAL,
    "火力(石油)": Fuel.OIL,
    "火力(その他)": Fuel.UNKNOWN,
    "水力": Fuel.HYDRO,
    "地熱": Fuel.GEOTHERMAL,
    "バイオマス": Fuel.BIOMASS,
    "太陽光発電実績": Fuel.SOLAR,
    "太陽光実績": Fuel.SOLAR,
    "風力発電実績": Fuel.WIND,
    "風力実績": Fuel.WIND,
    "その他": Fuel.UNKNOWN,
}
PUMPED: Final = "揚水"
NO_GENERATION: Final = re.compile(r"DATE|TIME|DATE_TIME|エリア需要|蓄電池|連系線|合計|.*(制御量|抑制量)|")
UNITS: Final = {"MW平均": 30, "MWh": 60}
"""Minutes of a row by the unit of its numbers: mean MW of half an hour, and MWh of an hour, which is mean MW too."""
GROUPS: Final = frozenset({"太陽光", "風力"})
"""Headings above two columns of the old tables; those of the newer ones say nothing that the names do not."""
MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""Of one table inside a zip, inflated."""


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for each table that holds a Japanese month, fiscal year or day of the span."""
    first = interval.start.astimezone(JST).date()
    today = now.astimezone(JST).date()
    last = min((interval.end - timedelta(microseconds=1)).astimezone(JST).date(), today)
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    found = dict.fromkeys(table for day in days for table in _tables(zone, day, today))
    headers = (("Referer", OLD_PAGE),)
    return [Request(url, zone, interval, headers=headers if part == "old" else (), part=part) for url, part in found]


def parse(request: Request, body: bytes) -> Batch:
    """Read one table, or all tables of a zip that hold a month of the span."""
    quality = Quality.PRELIMINARY if request.part == "current" else Quality.MEASURED
    begin, end = request.interval.first_hour * MICROSECONDS_PER_HOUR, request.interval.end_hour * MICROSECONDS_PER_HOUR
    points: dict[int, MixPoint] = {}
    faults: list[PointFault] = []
    for table in _unzipped(request, body) if body.startswith(b"PK") else [body]:
        for point in _read_table(request.zone, table, quality, faults):
            if begin <= point.start < end:
                points[point.start] = point
    return Batch([points[start] for start in sorted(points)], faults)


def is_empty(status: int, body: bytes) -> bool:
    """Whether an error status says that there is no such table: a month not yet begun or already moved."""
    del body
    return status == 404  # noqa: PLR2004 - HTTP


def _tables(zone: str, day: date, today: date) -> list[tuple[str, str]]:
    """The addresses of the tables that may hold a day, and which kind each is."""
    area, code = AREAS[zone], ZONES[zone]
    month, this_month = day.replace(day=1), today.replace(day=1)
    previous = (this_month - timedelta(days=1)).replace(day=1)
    fiscal_year = day.year if day.month >= 4 else day.year - 1  # noqa: PLR2004 - April
    if month < area.first:
        return [(OLD_URL.format(fiscal_year), "old")] if zone == OLD_TABLES and day >= OLD_FIRST else []
    if zone == BY_DAY and month >= previous:
        return [(f"{area.folder}realtime_jukyu/realtime_jukyu_{day:%Y%m%d}_{code}.csv", "current")]
    zipped = [(f"{area.folder}eria_jukyu_{fiscal_year}.zip", "final")] if zone == IN_ZIPS and month < this_month else []
    if zipped and month < previous:
        return zipped
    return [*zipped, (f"{area.folder}eria_jukyu_{day:%Y%m}_{code}.csv", "current" if month >= previous else "final")]


def _unzipped(request: Request, body: bytes) -> list[bytes]:
    """The tables of the months that the span touches."""
    first, last = (moment.astimezone(JST) for moment in (request.interval.start, request.interval.end))
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            months = {file: re.search(r"eria_jukyu_(\d{6})_", file.filename) for file in archive.infolist()}
            wanted = [file for file, month in months.items() if month and f"{first:%Y%m}" <= month[1] <= f"{last:%Y%m}"]
            if any(file.file_size > MAX_FILE_BYTES for file in wanted):
                raise UpstreamError(f"The zip of {request.zone} holds a table too large to read.")
            return [archive.read(file) for file in wanted]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UpstreamError(f"The grid company of {request.zone} answered with a zip that cannot be opened.") from error


def _read_table(zone: str, body: bytes, quality: Quality, faults: list[PointFault]) -> list[MixPoint]:
    """The rows of a table that hold numbers."""
    try:
        rows = list(csv.reader(io.StringIO(_text(body))))
    except csv.Error as error:
        raise UpstreamError(f"The grid company of {zone} answered with something that is no table: {beginning(body)}") from error
    names, minutes = _header(zone, rows, body)
    unknown = [name for name in names if name not in FUELS and name != PUMPED and not NO_GENERATION.fullmatch(name)]
    faults += [PointFault(name[:40], "a column that is not known here; it counts as unknown") for name in unknown]
    points = []
    for row in rows[2:]:
        cells = dict(zip(names, row, strict=False))
        try:
            mw = _mix(cells, unknown)
            if mw:
                points.append(MixPoint(_start(zone, cells, minutes), minutes, mw, quality))
        except ValueError as error:
            faults.append(PointFault(" ".join(row[:2])[:40], str(error)))
    return points


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp932", "replace")


def _header(zone: str, rows: list[list[str]], body: bytes) -> tuple[list[str], int]:
    """The names of the columns, without unit and width, and the minutes of a row.

    The first line groups columns and tells the unit where the names in the second do not.
    """
    groups, names = ([_narrow(cell) for cell in row] for row in (rows[:2] if len(rows) > 1 else ([], [])))
    text = " ".join((*groups, *names))
    minutes = [minutes for unit, minutes in UNITS.items() if unit in text]
    if not ("DATE_TIME" in names or {"DATE", "TIME"} <= set(names)) or len(minutes) != 1:
        raise UpstreamError(f"The grid company of {zone} answered with something that is not its table: {beginning(body)}")
    groups += [""] * (len(names) - len(groups))
    plain = [re.sub(r"\[.*?\]|\u3014.*?\u3015", "", name) for name in names]
    return [f"{group}{name}" if group in GROUPS else name for group, name in zip(groups, plain, strict=False)], minutes[0]


def _narrow(cell: str) -> str:
    return unicodedata.normalize("NFKC", cell).strip()


def _mix(cells: dict[str, str], unknown: list[str]) -> dict[Fuel, float]:
    """The MW by fuel; a fuel one of whose columns is blank has no known total and is absent. Raises ValueError for other text."""
    mw: dict[Fuel, float] = {}
    blank: set[Fuel] = set()
    for name, cell in cells.items():
        if name == PUMPED:
            power, fuel = max(number(_signed(cell)) or 0.0, 0.0), Fuel.HYDRO
            if power == 0.0:
                continue
        elif name in FUELS or name in unknown:
            fuel = FUELS.get(name, Fuel.UNKNOWN)
            found = number(_signed(cell))
            if found is None:
                blank.add(fuel)
                continue
            power = found
        else:
            continue
        mw[fuel] = mw.get(fuel, 0.0) + power
    return {fuel: power for fuel, power in mw.items() if fuel not in blank}


def _signed(cell: str) -> str:
    """The number in a cell, with the signs and dashes that the companies write made plain."""
    text = _narrow(cell).replace("\u2212", "-").replace(",", "")
    return "" if text in {"-", "ー", "―", "—"} else text


def _start(zone: str, cells: dict[str, str], minutes: int) -> int:
    """The start of a row. Raises UpstreamError where an area labels the other end than it used to."""
    day, clock = (cells["DATE_TIME"] if "DATE_TIME" in cells else f"{cells['DATE']} {cells['TIME']}").split()
    hour, minute = (int(part) for part in clock.split(":")[:2])
    labels_end = zone == END_LABELLED and minutes == UNITS["MW平均"]
    since_midnight = timedelta(hours=hour, minutes=minute)
    if (labels_end and not since_midnight) or (not labels_end and hour == 24):  # noqa: PLR2004 - midnight as the end of a day
        raise UpstreamError(f"The table of {zone} holds the time {clock}: it now labels the other end of a row.")
    midnight = datetime.strptime(day, "%Y/%m/%d" if "/" in day else "%Y%m%d").replace(tzinfo=JST)
    return to_microseconds(midnight + since_midnight - (timedelta(minutes=minutes) if labels_end else timedelta()))


INFO = ProviderInfo(
    name="japan",
    title="Japan's grid companies",
    offers=("history", "recent"),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=False,
    licence="none stated; public files of the grid companies",
    attribution="The ten general transmission and distribution companies of Japan",
    url="https://www.occto.or.jp",
    detail="Half-hourly supply by fuel since 2024, Kansai hourly since 2016 without splitting thermal plants. Ten companies, ten hosts.",
)

PROVIDER = Provider(
    info=INFO,
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=30,
    lag=timedelta(hours=2),
    settles_after=timedelta(days=62),
    longest_span=timedelta(days=366),
    requests_per_minute=30,
    mix_unit=MixUnit.MEGAWATTS,
    history_from=datetime(2016, 3, 31, 15, tzinfo=UTC),
    is_empty=is_empty,
)
