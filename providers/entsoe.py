"""ENTSO-E Transparency Platform: actual generation per type in Europe, every 15, 30 or 60 minutes, one to three hours late.

Bounds are UTC as YYYYMMDDhhmm, the end excluded; a point names the start of its slot by its place in a Period. Mean MW. A series
with `inBiddingZone` is generation; one with `outBiddingZone` is what the same plants draw (pumps, own use) and is left out. Curve A03
leaves out a point that repeats the one before, but only inside a Period: between Periods is a gap. "No data" comes as status 200.

A type that the zone does report but that has no value in a slot is late or lost, never 0: such a slot is dropped. Slovakia's solar in
one public copy of 2017 to 2019 lies an hour late; no answer for Slovakia is recorded, so nothing is shifted.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, format_time, from_microseconds, hour_of, hour_start, parse_time, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request, Secret
from providers.reading import beginning, number, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from xml.etree.ElementTree import Element

FUELS = MappingProxyType(
    {
        "B01": Fuel.BIOMASS,
        "B02": Fuel.COAL,  # lignite
        "B03": Fuel.GAS,  # made from coal
        "B04": Fuel.GAS,
        "B05": Fuel.COAL,
        "B06": Fuel.OIL,
        "B07": Fuel.COAL,  # oil shale
        "B08": Fuel.COAL,  # peat
        "B09": Fuel.GEOTHERMAL,
        "B10": Fuel.HYDRO,  # pumped storage
        "B11": Fuel.HYDRO,
        "B12": Fuel.HYDRO,
        "B13": Fuel.HYDRO,  # tides: water that burns nothing, which has no factor of its own
        "B14": Fuel.NUCLEAR,
        "B15": Fuel.BIOMASS,  # other renewable
        "B16": Fuel.SOLAR,
        "B17": Fuel.BIOMASS,  # waste
        "B18": Fuel.WIND,
        "B19": Fuel.WIND,
        "B20": Fuel.UNKNOWN,
    }
)
PUMPED_STORAGE = "B10"
STORAGE = frozenset({"B25"})
"""Batteries: what they give back was generated before."""

ZONES = MappingProxyType(
    {
        "AL": "10YAL-KESH-----5",
        "AM": "10Y1001A1001B004",
        "AT": "10YAT-APG------L",
        "AZ": "10Y1001A1001B05V",
        "BA": "10YBA-JPCC-----D",
        "BE": "10YBE----------2",
        "BG": "10YCA-BULGARIA-R",
        "BY": "10Y1001A1001A51S",
        "CH": "10YCH-SWISSGRIDZ",
        "CY": "10YCY-1001A0003J",
        "CZ": "10YCZ-CEPS-----N",
        "DE": "10Y1001A1001A83F",
        "DK": "10Y1001A1001A65H",
        "DK-DK1": "10YDK-1--------W",
        "DK-DK2": "10YDK-2--------M",
        "EE": "10Y1001A1001A39I",
        "ES": "10YES-REE------0",
        "FI": "10YFI-1--------U",
        "FR": "10YFR-RTE------C",
        "GB": "10YGB----------A",
        "GB-NIR": "10Y1001A1001A016",
        "GE": "10Y1001A1001B012",
        "GR": "10YGR-HTSO-----Y",
        "HR": "10YHR-HEP------M",
        "HU": "10YHU-MAVIR----U",
        "IE": "10YIE-1001A00010",
        "IS": "10Y1001A1001A958",
        "IT": "10YIT-GRTN-----B",
        "IT-CNO": "10Y1001A1001A70O",
        "IT-CSO": "10Y1001A1001A71M",
        "IT-NO": "10Y1001A1001A73I",
        "IT-SAR": "10Y1001A1001A74G",
        "IT-SIC": "10Y1001A1001A75E",
        "IT-SO": "10Y1001A1001A788",
        "LT": "10YLT-1001A0008Q",
        "LU": "10YLU-CEGEDEL-NQ",
        "LV": "10YLV-1001A00074",
        "MD": "10Y1001A1001A990",
        "ME": "10YCS-CG-TSO---S",
        "MK": "10YMK-MEPSO----8",
        "MT": "10Y1001A1001A93C",
        "NL": "10YNL----------L",
        "NO": "10YNO-0--------C",
        "NO-NO1": "10YNO-1--------2",
        "NO-NO2": "10YNO-2--------T",
        "NO-NO3": "10YNO-3--------J",
        "NO-NO4": "10YNO-4--------9",
        "NO-NO5": "10Y1001A1001A48H",
        "PL": "10YPL-AREA-----S",
        "PT": "10YPT-REN------W",
        "RO": "10YRO-TEL------P",
        "RS": "10YCS-SERBIATSOV",
        "RU": "10Y1001A1001A49F",
        "RU-KGD": "10Y1001A1001A50U",
        "SE": "10YSE-1--------K",
        "SE-SE1": "10Y1001A1001A44P",
        "SE-SE2": "10Y1001A1001A45N",
        "SE-SE3": "10Y1001A1001A46L",
        "SE-SE4": "10Y1001A1001A47J",
        "SI": "10YSI-ELES-----O",
        "SK": "10YSK-SEPS-----K",
        "TR": "10YTR-TEIAS----W",
        "UA": "10YUA-WEPS-----0",
        "XK": "10Y1001C--00100H",
    }
)

URL = "https://web-api.tp.entsoe.eu/api"
LONGEST_ANSWER = timedelta(days=28)
"""Since August 2026 an answer may hold one month, counted in UTC, of which February is the shortest."""
MARGIN = timedelta(days=2)
"""How long before the span we ask, to learn which types the zone reports."""
LONGEST = LONGEST_ANSWER - MARGIN
SETTLES_AFTER = timedelta(days=7)
MAX_BYTES = 16 * 1024 * 1024
"""Three times what 28 days of quarter hours take; as a tree it is ten times that."""
MAX_FILES = 100

# Everything is laid on quarter hours since 1970; a resolution is how many of them a slot has.
QUARTER = timedelta(minutes=15)
QUARTER_US = 900_000_000
RESOLUTIONS = MappingProxyType({"PT15M": 1, "PT30M": 2, "PT60M": 4, "PT1H": 4})
CURVES = frozenset({"A01", "A03"})

_ZIP = b"PK\x03\x04"
_POSITION = re.compile(r"[1-9]\d{0,6}", re.ASCII)

INFO = ProviderInfo(
    name="entsoe",
    title="ENTSO-E Transparency Platform",
    offers=("history", "recent"),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=True,
    licence="CC BY 4.0 (ENTSO-E list of data for free re-use)",
    attribution="ENTSO-E Transparency Platform",
    url="https://transparency.entsoe.eu/",
    detail=(
        "Actual generation per type as the grid operators report it; batteries are left out. The token is free. Hours in which a type that "
        "the zone reports is absent are dropped. Great Britain is almost absent since 2021."
    ),
)


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for whole hours and for two days before them."""
    return [_request(zone, span) for span in spans(interval, LONGEST) if span.start < now]


def parse(request: Request, body: bytes) -> Batch:
    """Read an answer, which may be a ZIP of several documents."""
    reading = _Reading(request)
    for document in _documents(body):
        reading.read(document)
    return reading.batch()


def nothing_found(status: int, body: bytes) -> bool:
    """Older servers sent "no matching data" with status 400."""
    if status != 400:  # noqa: PLR2004 - HTTP's own number
        return False
    try:
        root = _root(body)
        _refuse_acknowledgement(root)
    except UpstreamError:
        return False
    return _name(root) == "Acknowledgement_MarketDocument"


def _request(zone: str, span: Interval) -> Request:
    query = (
        ("documentType", "A75"),
        ("processType", "A16"),
        ("in_Domain", ZONES[zone]),
        ("periodStart", f"{hour_start(span.first_hour) - MARGIN:%Y%m%d%H%M}"),
        ("periodEnd", f"{hour_start(span.end_hour):%Y%m%d%H%M}"),
    )
    return Request(URL, zone, span, query)


def _documents(body: bytes) -> Iterator[bytes]:
    """The documents of an answer, together no larger than MAX_BYTES whatever a ZIP says of itself."""
    if not body.startswith(_ZIP):
        yield body
        return
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            files = archive.infolist()
            if len(files) > MAX_FILES:
                raise UpstreamError(f"ENTSO-E answered with a ZIP of {len(files)} files")
            for file in files:
                with archive.open(file) as stream:
                    document = stream.read(left + 1)
                left -= len(document)
                if left < 0:
                    raise UpstreamError(f"ENTSO-E answered with a ZIP of more than {MAX_BYTES} bytes")
                yield document
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise UpstreamError("ENTSO-E answered with a ZIP that cannot be read") from error


def _root(document: bytes) -> Element:
    """The root of a document, without entities and document types."""
    if len(document) > MAX_BYTES:
        raise UpstreamError(f"ENTSO-E answered with more than {MAX_BYTES} bytes")
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except DefusedXmlException as error:
        raise UpstreamError(f"ENTSO-E answered with a document that defines entities or a type: {beginning(document)}") from error
    except (ParseError, ValueError, LookupError) as error:
        raise UpstreamError(f"ENTSO-E answered with something that is not XML: {beginning(document)}") from error
    return root


def _refuse_acknowledgement(root: Element) -> None:
    """Raise what an acknowledgement complains of, unless it says that nothing matches."""
    if _name(root) != "Acknowledgement_MarketDocument":
        return
    reasons = [(_text(reason, "code"), _text(reason, "text")) for reason in _children(root, "Reason")]
    if not reasons or not all(
        code == "999" and text.startswith("No matching data found") and "null/null" not in text for code, text in reasons
    ):
        said = "; ".join(f"{code}: {text[:200]}" for code, text in reasons) or "no reason"
        raise UpstreamError(f"ENTSO-E refused the request ({said})")


@dataclass(slots=True)
class _Type:
    """What one type of plant gave and drew, by quarter hour since 1970. [MW]"""

    gave: dict[int, float] = field(default_factory=dict)
    drew: set[int] = field(default_factory=set)


class _Reading:
    """What an answer has told so far: each type's quarter hours, and those in which something could not be believed."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.area = dict(request.query).get("in_Domain", ZONES[request.zone])
        self.first = to_microseconds(hour_start(request.interval.first_hour) - MARGIN) // QUARTER_US
        self.end = request.interval.end_hour * 4
        self.types: dict[str, _Type] = {}
        self.finest: dict[int, int] = {}  # the finest resolution in an hour
        self.spoilt: set[int] = set()
        self.faults: list[PointFault] = []
        self.settled: int | None = None  # the first hour that may still be revised

    def read(self, document: bytes) -> None:
        """Take in one document."""
        root = _root(document)
        _refuse_acknowledgement(root)
        kind = _name(root)
        if kind == "Acknowledgement_MarketDocument":
            return
        if kind != "GL_MarketDocument" or _text(root, "type") != "A75":
            raise UpstreamError(f"ENTSO-E answered with a {kind[:40]} of type {_text(root, 'type')[:10]!r}, not with generation per type")
        created = _time(_text(root, "createdDateTime"))
        settled = hour_of(created - SETTLES_AFTER)
        self.settled = settled if self.settled is None else min(self.settled, settled)
        for series in _children(root, "TimeSeries"):
            self._read_series(series)

    def _read_series(self, series: Element) -> None:
        giving, drawing = _text(series, "inBiddingZone_Domain.mRID"), _text(series, "outBiddingZone_Domain.mRID")
        unit, curve = _text(series, "quantity_Measure_Unit.name"), _text(series, "curveType") or "A01"
        code = next((_text(kind, "psrType") for kind in _children(series, "MktPSRType")), "")
        if (giving or drawing) != self.area or not code:
            raise UpstreamError(f"ENTSO-E answered with a series of {(giving or drawing or 'no area')[:20]!r}, not of {self.area}")
        if unit != "MAW" or curve not in CURVES:
            raise UpstreamError(f"ENTSO-E answered with unit {unit[:10]!r} and curve {curve[:10]!r}, where MAW and A01 or A03 are known")
        if code in STORAGE:
            return
        if code not in FUELS and code not in self.types:
            self.faults.append(PointFault(f"type {code[:10]!r}", "not one that we know; counts as unknown"))
        kind = self.types.setdefault(code, _Type())
        for period in _children(series, "Period"):
            for at, step, power_mw in self._slots(period, code, fills=curve == "A03"):
                if not giving:
                    kind.drew.update(range(at, at + step))
                    continue
                if any(kind.gave.setdefault(quarter, power_mw) != power_mw for quarter in range(at, at + step)):
                    self._spoil(at, at + step, code, "comes twice with different numbers")
                for quarter in range(at, at + step):
                    self.finest[quarter // 4] = min(step, self.finest.get(quarter // 4, 4))

    def _slots(self, period: Element, code: str, *, fills: bool) -> Iterator[tuple[int, int, float]]:
        """The slots of a Period inside the span that was asked for: first quarter hour, length, MW. An unreadable point spoils its slot."""
        start, end, step = _bounds(period)
        values: dict[int, float | None] = {}
        for point in _children(period, "Point"):
            position, quantity = _text(point, "position"), _text(point, "quantity")
            if not _POSITION.fullmatch(position):
                self._spoil(start, end, code, f"has a point at position {position[:10]!r}")
                return
            try:
                power_mw = number(quantity)
            except ValueError:
                power_mw = None
            at = int(position)
            if power_mw is None:
                self._spoil(start + (at - 1) * step, start + at * step, code, f"has the quantity {quantity[:20]!r}")
            elif at in values and values[at] != power_mw:
                self._spoil(start + (at - 1) * step, start + at * step, code, "comes twice with different numbers")
                power_mw = None
            values[at] = power_mw
        value = None
        known = sorted(values)
        first = max(0, (self.first - start) // step)
        if fills and first:  # what the curve had reached before the span
            earlier = bisect_right(known, first)
            value = values[known[earlier - 1]] if earlier else None
        for index in range(first, min(end - start, self.end - start + step - 1) // step):
            value = values.get(index + 1, value if fills else None)
            if value is not None:
                yield start + index * step, step, value

    def _spoil(self, start: int, end: int, code: str, why: str) -> None:
        """Nothing is said of these quarter hours, whatever the other types say."""
        start, end = max(start, self.first), min(end, self.end)
        if start < end and not self.spoilt.issuperset(range(start, end)):
            self.spoilt.update(range(start, end))
            self.faults.append(PointFault(f"{code[:10]} {_span(start, end)}", why))

    def batch(self) -> Batch:
        """The points of the hours that were asked for, each as long as the finest slot in its hour."""
        given = {code: sorted(kind.gave) for code, kind in self.types.items() if kind.gave}
        points: list[MixPoint] = []
        lacking: dict[str, list[int]] = {}
        for hour in range(self.request.interval.first_hour, self.request.interval.end_hour):
            if hour not in self.finest:
                continue
            for at in range(hour * 4, hour * 4 + 4, self.finest[hour]):
                quarters = range(at, at + self.finest[hour])
                late = [code for code in given if self._lacks(code, given[code], quarters)]
                if len(late) == len(given):
                    continue  # the end of what there is
                if not self.spoilt.isdisjoint(quarters):
                    continue  # a fault already says so
                for code in late:
                    lacking.setdefault(code, []).extend(quarters)
                if not late:
                    points.append(self._point(quarters))
        self.faults += [PointFault(f"{code} {_span(*run)}", "has no value, so these slots are dropped") for code, run in _runs(lacking)]
        return Batch([point for point in points if point.mw], self.faults)

    def _lacks(self, code: str, given: Sequence[int], quarters: range) -> bool:
        """Whether a type should have a value here and has none.

        It should if it had one within MARGIN before, or before and after. Pumped storage gives nothing while it draws.
        """
        kind = self.types[code]
        for quarter in quarters:
            if quarter in kind.gave or (code == PUMPED_STORAGE and quarter in kind.drew):
                continue
            earlier = bisect_right(given, quarter)
            if earlier and (earlier < len(given) or (quarter - given[earlier - 1]) * QUARTER <= MARGIN):
                return True
        return False

    def _point(self, quarters: range) -> MixPoint:
        mw: dict[Fuel, float] = {}
        for code, kind in self.types.items():
            values = [kind.gave[quarter] for quarter in quarters if quarter in kind.gave]
            if len(values) == len(quarters):
                fuel = FUELS.get(code, Fuel.UNKNOWN)
                mw[fuel] = mw.get(fuel, 0.0) + sum(values) / len(values)
        is_settled = self.settled is not None and quarters[0] // 4 < self.settled
        return MixPoint(quarters[0] * QUARTER_US, 15 * len(quarters), mw, Quality.MEASURED if is_settled else Quality.PRELIMINARY)


def _bounds(period: Element) -> tuple[int, int, int]:
    """First quarter hour, end and resolution of a Period."""
    resolution = _text(period, "resolution")
    step = RESOLUTIONS.get(resolution)
    if step is None:
        raise UpstreamError(f"ENTSO-E answered with the resolution {resolution[:10]!r}, where {', '.join(RESOLUTIONS)} are known")
    times = next(_children(period, "timeInterval"), None)
    if times is None:
        raise UpstreamError("ENTSO-E answered with a Period that has no timeInterval")
    start, end = (to_microseconds(_time(_text(times, name))) for name in ("start", "end"))
    if start % QUARTER_US or end % QUARTER_US:
        raise UpstreamError(f"ENTSO-E answered with a Period from {format_time(from_microseconds(start))}, which is no quarter hour")
    return start // QUARTER_US, end // QUARTER_US, step


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise UpstreamError(f"ENTSO-E answered with the time {text[:30]!r}") from error


def _name(element: Element) -> str:
    """The name without its namespace, whose version changes."""
    return str(element.tag).rsplit("}", 1)[-1]


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child) == name)


def _text(element: Element, name: str) -> str:
    return next(((child.text or "").strip() for child in _children(element, name)), "")


def _runs(lacking: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, tuple[int, int]]]:
    """The unbroken runs of quarter hours of each type, as first and end."""
    for code, quarters in lacking.items():
        start = before = quarters[0]
        for quarter in quarters[1:]:
            if quarter > before + 1:
                yield code, (start, before + 1)
                start = quarter
            before = quarter
        yield code, (start, before + 1)


def _span(start: int, end: int) -> str:
    return "/".join(format_time(from_microseconds(quarter * QUARTER_US)) for quarter in (start, end))


PROVIDER = Provider(
    info=INFO,
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=60,
    lag=timedelta(hours=2),
    settles_after=SETTLES_AFTER,
    longest_span=LONGEST,
    requests_per_minute=200,  # 400 are allowed; more are answered with a ban of ten minutes
    mix_unit=MixUnit.MEGAWATTS,
    history_from=datetime(2015, 1, 5, tzinfo=UTC),  # not checked against the source: the platform's first day
    secrets=(Secret(setting="key", place="query", field="securityToken"),),
    max_bytes=MAX_BYTES,
    is_empty=nothing_found,
)
