"""Brazil's ONS: the energy balance of this minute in the four parts of the grid.

One answer, one reading: the source keeps no history. A reading stands for the hour it falls in and is therefore estimated. The stamp
carries its offset (-03:00, before 2019 also -02:00). Power in MW. Itaipu belongs to the centre and is hydro. `termica` is gas, coal,
oil and biomass undivided and counts as unknown. Solar is a little below 0 at night.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, hour_of, parse_time
from gridgram.mix_series import MixUnit
from gridgram.quality import Quality, Scope, Signal
from providers.base import Batch, MixPoint, PointFault, Provider, ProviderInfo, Request
from providers.reading import number, read_json

if TYPE_CHECKING:
    from gridgram.interval import Interval

URL: Final = "https://integra.ons.org.br/api/energiaagora/GetBalancoEnergetico/null"
ZONES: Final = {"BR-CS": "sudesteECentroOeste", "BR-N": "norte", "BR-NE": "nordeste", "BR-S": "sul"}
FUELS: Final = {
    "hidraulica": Fuel.HYDRO,
    "itaipu50HzBrasil": Fuel.HYDRO,
    "itaipu60Hz": Fuel.HYDRO,
    "termica": Fuel.UNKNOWN,
    "eolica": Fuel.WIND,
    "nuclear": Fuel.NUCLEAR,
    "solar": Fuel.SOLAR,
}
TOTAL: Final = "total"


def plan(zone: str, interval: Interval, now: datetime) -> list[Request]:
    """Ask once, if the span holds the present hour."""
    return [Request(URL, zone, interval)] if interval.first_hour <= hour_of(now) < interval.end_hour else []


def parse(request: Request, body: bytes) -> Batch:
    """Read the zone's block."""
    answer = read_json(body, "ONS")
    block = answer.get(ZONES[request.zone]) if isinstance(answer, dict) else None
    generation = block.get("geracao") if isinstance(block, dict) else None
    if not isinstance(generation, dict):
        raise UpstreamError(f"ONS answered without the generation of {request.zone}.")
    try:
        hour = hour_of(parse_time(answer["Data"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamError(f"ONS answered without a readable time: {str(answer.get('Data'))[:40]!r}.") from error
    mw: dict[Fuel, float] = {}
    faults = []
    for name, cell in generation.items():
        try:
            power = number(cell)
        except (TypeError, ValueError) as error:
            faults.append(PointFault(name, str(error)))
            continue
        if name == TOTAL or power is None:
            continue
        fuel = FUELS.get(name, Fuel.UNKNOWN)
        mw[fuel] = mw.get(fuel, 0.0) + power
        if name not in FUELS:
            faults.append(PointFault(name, "a kind of generation that is not known here; it counts as unknown"))
    is_wanted = mw and request.interval.first_hour <= hour < request.interval.end_hour
    points = [MixPoint(hour * MICROSECONDS_PER_HOUR, 60, mw, Quality.ESTIMATED)] if is_wanted else []
    return Batch(points, faults)


INFO = ProviderInfo(
    name="ons",
    title="ONS energy balance",
    offers=("recent",),
    signals=(Signal.LIFECYCLE, Signal.DIRECT),
    scope=(Scope.PRODUCTION,),
    needs_key=False,
    licence="none stated for this page",
    attribution="Operador Nacional do Sistema Elétrico (ONS)",
    url="https://www.ons.org.br",
    detail="The balance of this minute, which stands for its hour and is marked estimated. Thermal plants are not divided by fuel.",
)

PROVIDER = Provider(
    info=INFO,
    zones=ZONES,
    plan=plan,
    parse=parse,
    resolution_minutes=60,
    lag=timedelta(minutes=5),
    settles_after=timedelta(hours=1),
    longest_span=timedelta(days=1),
    requests_per_minute=12,
    mix_unit=MixUnit.MEGAWATTS,
)
