"""ONS: one reading of Brazil's grid."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, from_microseconds, parse_time
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.base import Batch, MixPoint, Request
from providers.ons import PROVIDER
from tests.shared import shared

BALANCE = Path(__file__).parent / "payloads" / "ons" / "balance.json"
ALWAYS = Interval(datetime(2015, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def read(body: bytes, zone: str = "BR-CS", interval: Interval = ALWAYS) -> Batch:
    return PROVIDER.parse(Request("https://x", zone, interval), body)


def mix(batch: Batch) -> MixPoint:
    (point,) = batch.points
    assert isinstance(point, MixPoint)
    return point


def test_the_zones_are_the_parts_of_brazil() -> None:
    assert sorted(PROVIDER.zones) == [zone.key for zone in Zones.load() if zone.parent == "BR"]


def test_only_the_present_hour_is_asked_for() -> None:
    now = parse_time("2025-10-06T00:17:00Z")

    assert len(PROVIDER.plan("BR-S", Interval(parse_time("2025-10-05T00:00:00Z"), now), now)) == 1
    assert PROVIDER.plan("BR-S", Interval(parse_time("2025-10-05T00:00:00Z"), parse_time("2025-10-06T00:00:00Z")), now) == []


@pytest.mark.parametrize(("name", "hour"), [("BR_2018-01-27.json", "2018-01-27T22:00:00Z"), ("BR_2025-07-22.json", "2025-07-22T11:00:00Z")])
@pytest.mark.parametrize("zone", PROVIDER.zones)
def test_a_recorded_reading_stands_for_its_hour_and_adds_up_to_its_total(name: str, hour: str, zone: str) -> None:
    body = shared("recordings", "ons_brazil", name).read_bytes()

    batch = read(body, zone)
    point = mix(batch)

    assert from_microseconds(point.start) == parse_time(hour)
    assert (point.minutes, point.quality) == (60, Quality.ESTIMATED)
    assert not batch.faults
    total = {"BR-CS": (40224.28, 39440.89), "BR-S": (11444.70, 12510.74), "BR-NE": (7459.69, 21959.53), "BR-N": (11360.08, 7213.77)}
    assert sum(point.mw.values()) == pytest.approx(total[zone]["2025" in name], abs=8.0)


def test_recorded_itaipu_is_hydro_of_the_centre_and_negative_solar_is_passed_on() -> None:
    body = shared("recordings", "ons_brazil", "BR_2018-01-27.json").read_bytes()

    assert mix(read(body)).mw[Fuel.HYDRO] == pytest.approx(24344.7949 + 4684.81 + 6858.44873)
    assert mix(read(body, "BR-NE")).mw[Fuel.SOLAR] == -0.0751945451


def test_thermal_plants_count_as_unknown_and_so_does_what_is_new() -> None:
    batch = read(BALANCE.read_bytes(), "BR-S")

    assert mix(batch).mw == {Fuel.HYDRO: 10.0, Fuel.SOLAR: 0.0, Fuel.UNKNOWN: 2.0}
    assert [fault.where for fault in batch.faults] == ["mares"]
    assert mix(read(BALANCE.read_bytes())).mw[Fuel.UNKNOWN] == 10.0


def test_a_reading_of_another_hour_than_asked_for_is_left_out() -> None:
    hour = Interval(parse_time("2025-10-06T00:00:00Z"), parse_time("2025-10-06T01:00:00Z"))
    before = Interval(parse_time("2025-10-05T23:00:00Z"), parse_time("2025-10-06T00:00:00Z"))

    assert mix(read(BALANCE.read_bytes(), interval=hour)) == mix(read(BALANCE.read_bytes()))
    assert read(BALANCE.read_bytes(), interval=before) == Batch([], [])


def test_a_part_without_numbers_is_empty() -> None:
    assert read(BALANCE.read_bytes(), "BR-N") == Batch([], [])


def test_a_number_that_is_none_is_a_fault() -> None:
    batch = read(b'{"Data": "2025-10-05T21:17:00-03:00", "sul": {"geracao": {"eolica": [1], "solar": "x", "nuclear": 1.0}}}', "BR-S")

    assert mix(batch).mw == {Fuel.NUCLEAR: 1.0}
    assert [fault.where for fault in batch.faults] == ["eolica", "solar"]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"[]",
        b"",
        b'{"sudesteECentroOeste": []}',
        b'{"sudesteECentroOeste": {"geracao": {}}, "Data": "2025-10-05T21:17:00"}',
        b'{"sudesteECentroOeste": {"geracao": {}}, "Data": null}',
    ],
)
def test_what_is_not_a_balance_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="ONS"):
        read(body)
