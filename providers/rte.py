"""France: RTE's eCO2mix through the ODRE portal, generation by fuel, every quarter of an hour, one to two hours late.

Asked in UTC, start included and end excluded; stamps name the start. Power in MW. Pumping and batteries have columns of their own and
are left out; `hydraulique` holds what pumped storage gives back. `taux_co2` is RTE's own number, direct and of production alone, and is
kept as a cross-check.

One data set holds real time (quarter hours), another what was consolidated since (half hours, from 2012). How far the second reaches
swings between three months and two years, so it is asked for older hours, and what it does not reach yet is asked of the first.
Each local day of the consolidated set has 96 rows. In spring the four from 02:00 do not exist and carry the instants of those from
03:00: the later label is true. In autumn the first hour from 02:00 is missing, and stays so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE, Interval, hour_of, hour_start, parse_time, to_microseconds
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, OwnNumber, PointFault, Provider, ProviderInfo, Request
from providers.reading import beginning, number, read_json, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

URL = "https://odre.opendatasoft.com/api/explore/v2.1/catalog/datasets/{}/exports/json"
RECENT, CONSOLIDATED = "eco2mix-national-tr", "eco2mix-national-cons-def"
ZONES = {"FR": "France"}
FUELS = {
    "fioul": Fuel.OIL,
    "charbon": Fuel.COAL,
    "gaz": Fuel.GAS,
    "nucleaire": Fuel.NUCLEAR,
    "eolien": Fuel.WIND,
    "solaire": Fuel.SOLAR,
    "hydraulique": Fuel.HYDRO,
    "bioenergies": Fuel.BIOMASS,
}
COLUMNS = ("date_heure", "heure", "nature", *FUELS, "taux_co2")
NATURES = ("Données temps réel", "Données consolidées", "Données définitives")
"""Each takes the place of the one before."""
RECENT_SPAN = timedelta(days=28)
"""The real-time set always holds the month before this one."""
LONGEST_SPAN = timedelta(days=92)
QUARTER_MINUTES, HALF_HOUR_MINUTES = 15, 30
QUARTER = QUARTER_MINUTES * MICROSECONDS_PER_MINUTE
"""[microseconds]"""


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask for whole hours: older ones of the consolidated data set, the others of the one in real time."""
    start, end = hour_start(interval.first_hour), hour_start(interval.end_hour)
    border = min(max(hour_start(hour_of(now - RECENT_SPAN)), start), end)
    parts = ((CONSOLIDATED, start, border), (RECENT, border, end))
    return [
        _ask(dataset, zone, span) for dataset, first, last in parts if first < last for span in spans(Interval(first, last), LONGEST_SPAN)
    ]


def _ask(dataset: str, zone: str, span: Interval) -> Request:
    query = (
        ("select", ",".join(COLUMNS)),
        ("where", f"date_heure >= date'{span.start.isoformat()}' AND date_heure < date'{span.end.isoformat()}'"),
        ("order_by", "date_heure"),
        ("timezone", "UTC"),
    )
    return Request(URL.format(dataset), zone, span, query, part=dataset)


def parse(request: Request, body: bytes) -> Batch:
    """Read the rows of one data set; hours that the consolidated one does not reach are asked of the other."""
    rows, faults = _true_rows(_rows(body))
    mixes = {start: mix for start, row in sorted(rows.items()) if (mix := _mix(row, faults))}
    first, end = request.interval.first_hour, request.interval.end_hour
    following: list[Request] = []
    if request.part == CONSOLIDATED:
        # An hour that is only begun is the other data set's too: the two have steps of their own.
        reached = (max(mixes) + HALF_HOUR_MINUTES * MICROSECONDS_PER_MINUTE) // MICROSECONDS_PER_HOUR if mixes else first
        if reached < end:
            end = max(reached, first)
            following = [_ask(RECENT, request.zone, Interval(hour_start(end), request.interval.end))]
    points = [
        MixPoint(start, _minutes(start, mixes, request.part), mix, _quality(rows[start]), _own(rows[start], faults))
        for start, mix in mixes.items()
        if first * MICROSECONDS_PER_HOUR <= start < end * MICROSECONDS_PER_HOUR
    ]
    return Batch(points, faults, following)


def _rows(body: bytes) -> Sequence[Any]:
    """The rows of an answer: bare from `exports`, in `results` from `records`, in `records` with `fields` from the portal's first API."""
    answer = read_json(body, "RTE (ODRE)")
    if isinstance(answer, dict):
        answer = answer.get("results", answer.get("records"))
    if not isinstance(answer, list):
        raise UpstreamError(f"RTE (ODRE) answered with something that is no list of rows: {beginning(body)}")
    rows = [row.get("fields", row) if isinstance(row, dict) else row for row in answer]
    if rows and not any(isinstance(row, dict) and "date_heure" in row for row in rows):
        raise UpstreamError(f"RTE (ODRE) answered with rows that have no date_heure: {beginning(body)}")
    return rows


def _true_rows(rows: Iterable[Any]) -> tuple[dict[int, Mapping[str, Any]], list[PointFault]]:
    """One row an instant: the one of the better nature, then the one whose local label is later (see above)."""
    true: dict[int, Mapping[str, Any]] = {}
    faults: list[PointFault] = []
    for place, row in enumerate(rows):
        try:
            start = to_microseconds(parse_time(row["date_heure"]))
        except (KeyError, TypeError, ValueError) as error:
            faults.append(PointFault(f"row {place}", f"no date_heure that can be read ({error})"))
            continue
        if "libelle_region" in row:
            faults.append(PointFault(row["date_heure"], f"of the region {row['libelle_region']}, not of France"))
        elif start not in true or _standing(row) > _standing(true[start]):
            true[start] = row
    return true, faults


def _standing(row: Mapping[str, Any]) -> tuple[int, str]:
    nature = row.get("nature")
    return NATURES.index(nature) if nature in NATURES else -1, str(row.get("heure"))


def _quality(row: Mapping[str, Any]) -> Quality:
    return Quality.MEASURED if row.get("nature") in NATURES[1:] else Quality.PRELIMINARY


def _mix(row: Mapping[str, Any], faults: list[PointFault]) -> dict[Fuel, float]:
    """What the row says of each fuel [MW]; empty in rows that hold forecasts alone, as those of hours to come do."""
    try:
        mix = {fuel: mw for column, fuel in FUELS.items() if (mw := number(row.get(column))) is not None}
    except (TypeError, ValueError) as error:
        faults.append(PointFault(row["date_heure"], f"a generation that is no number ({error})"))
        return {}
    if not mix and row.get("taux_co2") is not None:
        faults.append(PointFault(row["date_heure"], "taux_co2 without any generation"))
    return mix


def _own(row: Mapping[str, Any], faults: list[PointFault]) -> float | None:
    try:
        return number(row.get("taux_co2"))
    except (TypeError, ValueError) as error:
        faults.append(PointFault(row["date_heure"], f"a taux_co2 that is no number, left out ({error})"))
        return None


def _minutes(start: int, mixes: Mapping[int, object], dataset: str) -> int:
    """Consolidated rows are there for every quarter and filled for every half hour; a filled neighbour says otherwise."""
    is_quarter = dataset != CONSOLIDATED or start - QUARTER in mixes or start + QUARTER in mixes
    return QUARTER_MINUTES if is_quarter else HALF_HOUR_MINUTES


PROVIDER = Provider(
    info=ProviderInfo(
        name="rte",
        title="RTE eCO2mix (ODRE)",
        offers=("history", "recent"),
        signals=(Signal.LIFECYCLE, Signal.DIRECT),
        scope=(Scope.PRODUCTION,),
        needs_key=False,
        licence="Licence Ouverte 2.0",
        attribution="RTE / ODRE",
        url="https://odre.opendatasoft.com/explore/dataset/eco2mix-national-tr/",
        detail="Real time is preliminary until RTE consolidates it, months later; one hour of each autumn's clock change is never there.",
    ),
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=QUARTER_MINUTES,
    lag=timedelta(hours=2),
    settles_after=timedelta(days=365),
    longest_span=LONGEST_SPAN,
    requests_per_minute=30,
    mix_unit=MixUnit.MEGAWATTS,
    history_from=datetime(2012, 1, 1, tzinfo=UTC),
    own_number=OwnNumber(Signal.DIRECT, "taux_co2: combustion in France by RTE's own factors, biomass included"),
)
