"""The hours ahead as the ConfigMap that the carbon-aware operator for KEDA reads.

`binaryData.data` is a JSON list of records, each with the start of its hour, its length in minutes and its value; the operator looks for
the record that holds the present instant. The texts in `data` tell how many records there are and from when on, as Go prints them. (Read
from carbon-aware-keda-operator 0.2.0, controllers/carbon_forecast_fetcher.go, and kubernetes-carbon-intensity-exporter 0.4.0.)
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import orjson

from gridgram.errors import NoData
from gridgram.interval import parse_time
from service.answers import missing_spans
from service.forecasting.issuing import forecast
from service.forecasting.requests import ForecastQuery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from service.usecases import Gridgram

MINUTES: Final = 60


async def config_map(gridgram: Gridgram, zone: str, hours: int, name: str, namespace: str) -> dict[str, Any]:
    """The ConfigMap of a zone's hours ahead. [gCO2e/kWh] Raises UnknownLocation, and NoData when an hour of them is not known."""
    now = gridgram.now()
    told, series = await forecast(gridgram, ForecastQuery.model_construct(location=zone, hours=hours, signal="lifecycle", as_of=None))
    if told["missing"]:
        holes = [hour for hour, code in enumerate(series.quality.tolist(), series.first_hour) if not code]
        text = f"{told['zone']}: {len(holes)} of the hours ahead are not known, and a map with holes would stop the operator"
        raise NoData(told["zone"], text, hours_missing=len(holes), missing=missing_spans(holes))
    values = [hour["g_per_kwh"] for hour in told["hours"]]
    records = [{"location": zone, "timestamp": hour["start"], "duration": MINUTES, "value": hour["g_per_kwh"]} for hour in told["hours"]]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": _texts(now, parse_time(told["hours"][0]["start"]), values, told["provenance"]),
        "binaryData": {"data": base64.b64encode(orjson.dumps(records)).decode()},
    }


def _texts(now: datetime, first: datetime, values: Sequence[float], provenance: Sequence[Any]) -> dict[str, str]:
    sources = ", ".join(sorted({f"{entry['provider']} ({entry['quality']})" for entry in provenance}))
    return {
        "lastHeartbeatTime": go_time(now),
        "message": f"gCO2e/kWh, life cycle, from {sources}",
        "numOfRecords": str(len(values)),
        "forecastDateTime": go_time(first),
        "minForecast": f"{min(values):f}",
        "maxForecast": f"{max(values):f}",
    }


def go_time(instant: datetime) -> str:
    """An instant as Go prints it in UTC."""
    return f"{instant:%Y-%m-%d %H:%M:%S} +0000 UTC"
