"""Ember: means of a month or a year for countries, life cycle of what is generated there.

Periods are calendar months and years and are read as UTC ones, a shift of some hours in a month. Both ends of a span are inclusive. A
point is as long as its period and of quality `annual`: no hour was measured, and none is made up here.
Ember's latest month is one to two months old; past years are revised with each yearly release.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from gridgram.errors import UpstreamError
from gridgram.interval import Interval, to_microseconds
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, IntensityPoint, PointFault, Provider, ProviderInfo, Request, Secret
from providers.reading import number

if TYPE_CHECKING:
    from collections.abc import Mapping

URL: Final = "https://api.ember-energy.org/v1/carbon-intensity"
VALUE: Final = "emissions_intensity_gco2_per_kwh"
PERIOD: Final = {"yearly": re.compile(r"(\d{4})", re.ASCII), "monthly": re.compile(r"(\d{4})-(\d\d)(?:-01)?", re.ASCII)}
"""How each kind of answer writes its periods: "2024"; "2024-06-01" or "2024-06"."""

COUNTRIES: Final = """
AE:ARE AF:AFG AG:ATG AL:ALB AM:ARM AO:AGO AR:ARG AS:ASM AT:AUT AU:AUS AW:ABW AZ:AZE BA:BIH BB:BRB BD:BGD BE:BEL BF:BFA BG:BGR BH:BHR
BI:BDI BJ:BEN BM:BMU BN:BRN BO:BOL BR:BRA BS:BHS BT:BTN BW:BWA BY:BLR BZ:BLZ CA:CAN CD:COD CG:COG CH:CHE CI:CIV CK:COK CL:CHL CM:CMR
CN:CHN CO:COL CR:CRI CU:CUB CV:CPV CY:CYP CZ:CZE DE:DEU DJ:DJI DK:DNK DM:DMA DO:DOM DZ:DZA EC:ECU EE:EST EG:EGY EH:ESH ER:ERI ES:ESP
ET:ETH FI:FIN FJ:FJI FK:FLK FO:FRO FR:FRA GA:GAB GB:GBR GD:GRD GE:GEO GF:GUF GH:GHA GI:GIB GL:GRL GM:GMB GN:GIN GP:GLP GQ:GNQ GR:GRC
GT:GTM GU:GUM GW:GNB GY:GUY HK:HKG HN:HND HR:HRV HT:HTI HU:HUN ID:IDN IE:IRL IL:ISR IN:IND IQ:IRQ IR:IRN IS:ISL IT:ITA JM:JAM JO:JOR
JP:JPN KE:KEN KG:KGZ KH:KHM KI:KIR KM:COM KN:KNA KP:PRK KR:KOR KW:KWT KY:CYM KZ:KAZ LA:LAO LB:LBN LC:LCA LK:LKA LR:LBR LS:LSO LT:LTU
LU:LUX LV:LVA LY:LBY MA:MAR MD:MDA ME:MNE MG:MDG MK:MKD ML:MLI MM:MMR MN:MNG MO:MAC MQ:MTQ MR:MRT MS:MSR MT:MLT MU:MUS MV:MDV MW:MWI
MX:MEX MY:MYS MZ:MOZ NA:NAM NC:NCL NE:NER NG:NGA NI:NIC NL:NLD NO:NOR NP:NPL NR:NRU NZ:NZL OM:OMN PA:PAN PE:PER PF:PYF PG:PNG PH:PHL
PK:PAK PL:POL PM:SPM PR:PRI PS:PSE PT:PRT PY:PRY QA:QAT RE:REU RO:ROU RS:SRB RU:RUS RW:RWA SA:SAU SB:SLB SC:SYC SD:SDN SE:SWE SG:SGP
SH:SHN SI:SVN SK:SVK SL:SLE SN:SEN SO:SOM SR:SUR SS:SSD ST:STP SV:SLV SY:SYR SZ:SWZ TC:TCA TD:TCD TG:TGO TH:THA TJ:TJK TL:TLS TM:TKM
TN:TUN TO:TON TR:TUR TT:TTO TW:TWN TZ:TZA UA:UKR UG:UGA US:USA UY:URY UZ:UZB VC:VCT VE:VEN VG:VGB VI:VIR VN:VNM VU:VUT WS:WSM XK:XKX
YE:YEM ZA:ZAF ZM:ZMB ZW:ZWE
"""
ZONES: Final[Mapping[str, str]] = dict(pair.split(":") for pair in COUNTRIES.split())
"""Countries with figures of Ember's, by ISO 3166-1 alpha-3."""


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for the years and the months that a span touches and that have begun."""
    end = min(interval.end, now)
    if end <= interval.start:
        return []
    last = end - timedelta(microseconds=1)
    bounds = {"yearly": (f"{interval.start:%Y}", f"{last:%Y}"), "monthly": (f"{interval.start:%Y-%m}", f"{last:%Y-%m}")}
    return [
        Request(
            f"{URL}/{part}",
            zone,
            interval,
            (
                ("entity_code", ZONES[zone]),
                ("is_aggregate_entity", "false"),
                ("include_all_dates_value_range", "false"),
                ("start_date", first),
                ("end_date", until),
            ),
            part=part,
        )
        for part, (first, until) in bounds.items()
    ]


def parse(request: Request, body: bytes) -> Batch:
    """Read the means of months or of years. [gCO2e/kWh]"""
    found: dict[int, IntensityPoint] = {}
    faults: list[PointFault] = []
    for place, row in enumerate(_rows(body)):
        try:
            point = _point(request, row)
        except (KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(f"row {place}", f"{type(error).__name__}: {error}"))
            continue
        if point is not None:
            found[point.start] = point
    return Batch([found[start] for start in sorted(found)], faults)


def _rows(body: bytes) -> list[dict[str, Any]]:
    """The rows of an answer. An error tells nothing of the body: Ember's key travels in the address, which error pages repeat."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        kind = "a page" if body.lstrip().startswith(b"<") else "something"
        raise UpstreamError(f"Ember answered with {kind} that is not JSON ({len(body)} bytes).") from None
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise UpstreamError("Ember answered without a list of means.")
    return rows


def _point(request: Request, row: dict[str, Any]) -> IntensityPoint | None:
    """One mean; None where there is none, or of another country or time. Raises KeyError, TypeError or ValueError."""
    if row["entity_code"] != ZONES[request.zone] or row.get("is_aggregate_entity"):
        return None
    start, end = _period(str(row["date"]), request.part)
    g_per_kwh = number(row[VALUE])
    if g_per_kwh is None or end <= request.interval.start or start >= request.interval.end:
        return None
    return IntensityPoint(to_microseconds(start), (end - start) // timedelta(minutes=1), g_per_kwh, Signal.LIFECYCLE, Quality.ANNUAL)


def _period(text: str, part: str) -> tuple[datetime, datetime]:
    """The start of a period and of the next one."""
    match = PERIOD[part].fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:20]!r} is no {part} period")
    year, month = int(match[1]), int(match[2]) if part == "monthly" else 1
    start = datetime(year, month, 1, tzinfo=UTC)
    months_on = 12 * year + month - 1 + (1 if part == "monthly" else 12)
    return start, datetime(months_on // 12, months_on % 12 + 1, 1, tzinfo=UTC)


PROVIDER: Final = Provider(
    info=ProviderInfo(
        name="ember",
        title="Ember, yearly and monthly means",
        offers=("yearly",),
        signals=(Signal.LIFECYCLE,),
        scope=(Scope.PRODUCTION,),
        needs_key=True,
        licence="CC BY 4.0",
        attribution="Ember",
        url="https://ember-energy.org",
        detail=(
            "Means of years and, for about ninety countries, of months; never hours. Months come one to two months late. With the key, the "
            "mean of a month is the level of those of its hours that no source told, in the reference's typical shape."
        ),
    ),
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=30 * 24 * 60,
    lag=timedelta(days=60),
    settles_after=timedelta(days=400),
    longest_span=timedelta(days=40 * 366),
    requests_per_minute=60.0,
    history_from=datetime(2000, 1, 1, tzinfo=UTC),
    secrets=(Secret("key", "query", "api_key"),),
)
