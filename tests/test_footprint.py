"""The life-cycle footprint: BLOOM's table out of one request, every step worked out again, bands that hold what they say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.errors import InvalidInput, NoData, UnknownLocation
from gridgram.footprint import Hardware, Phase, exact
from gridgram.footprint_rates import calendar_days, duration_days
from gridgram.hardware import devices
from gridgram.interval import parse_time, to_microseconds
from tests.footprints import FRENCH, component, footprint, phase

if TYPE_CHECKING:
    from collections.abc import Mapping


ROOT = Path(__file__).resolve().parents[1]
SPAN = {"start": "2022-03-11T00:00:00Z", "end": "2022-03-18T00:00:00Z"}
TOO_LONG = {"start": "2020-01-01T00:00:00Z", "end": "2022-01-01T00:00:00Z"}
STEPS = {"start": "2022-01-01T00:00:00Z", "step": "PT1H"}
SOME = {"energy_kwh": 1, **SPAN, "intensity_g_per_kwh": 57, "location": "FR"}


@pytest.fixture(scope="module")
def bloom(tmp_path_factory: pytest.TempPathFactory) -> Any:
    members = json.loads((ROOT / "examples" / "bloom.json").read_text())
    return footprint(tmp_path_factory.mktemp("bloom"), members)


# BLOOM.


def test_one_request_gives_the_table_of_the_bloom_paper(bloom: Any) -> None:
    training, idle, embodied = (component(bloom, name) for name in ("training", "idle", "embodied"))

    assert training["facility_energy_kwh"] == pytest.approx(433_196, abs=1)
    assert training["emissions_g"] / 1e6 == pytest.approx(24.69, abs=0.01)
    assert idle["facility_energy_kwh"] == pytest.approx(256_646, abs=1)
    assert idle["emissions_g"] / 1e6 == pytest.approx(14.6, abs=0.05)
    servers, gpus = embodied["hardware"]
    assert servers["emissions_g"] / 1e6 == pytest.approx(7.57, abs=0.01)
    assert gpus["emissions_g"] / 1e6 == pytest.approx(3.64, abs=0.01)
    assert embodied["emissions_g"] / 1e6 == pytest.approx(11.2, abs=0.05)
    whole = phase(bloom, "training")
    assert whole["emissions_g"] / 1e6 == pytest.approx(50.5, abs=0.1)
    shares = {share["component"]: share["phase_share"] * 100 for share in whole["shares"]}
    assert shares == pytest.approx({"training": 48.9, "idle": 28.9, "embodied": 22.2}, abs=0.1)


def test_serving_bloom_is_told_per_request_and_per_day_of_either_kind(bloom: Any) -> None:
    (serving,) = bloom["serving"]

    assert serving["emissions_g"] / 1e3 == pytest.approx(340.514, abs=0.001)
    assert serving["per_request_g"] == pytest.approx(1.476, abs=0.001)
    assert serving["per_request_kwh"] == pytest.approx(0.003745, abs=1e-6)
    assert (serving["calendar_days"], serving["calendar_days_basis"]) == (18, "UTC dates")
    assert serving["per_calendar_day_g"] / 1e3 == pytest.approx(18.917, abs=0.001)
    assert serving["duration_days"] == pytest.approx(17 + (3 + 40 / 60) / 24)
    assert serving["per_day_of_duration_g"] / 1e3 == pytest.approx(19.8, abs=0.06)


def test_bloom_is_sixty_flights_and_its_service_54_miles_a_day(bloom: Any) -> None:
    def amount(of: str, name: str) -> Any:
        group = next(group for group in bloom["equivalents"] if group["of"] == of)
        return next(one for one in group["equivalents"] if name in one["name"])

    flights = amount("training phase", "London to New York")
    miles = amount("serving, per calendar day", "average new US car")

    assert flights["value"] == pytest.approx(60, abs=1)
    assert miles["value"] == pytest.approx(54, abs=0.5)
    assert all(one["source"] and one["year"] and one["g_per_unit"] for group in bloom["equivalents"] for one in group["equivalents"])


def test_the_whole_adds_deployment_to_what_the_paper_sums(bloom: Any) -> None:
    assert bloom["total"]["emissions_g"] == pytest.approx(sum(one["emissions_g"] for one in bloom["components"]), rel=1e-12)
    assert bloom["total"]["emissions_g"] == pytest.approx(sum(one["emissions_g"] for one in bloom["phases"]), rel=1e-12)
    assert sum(one["total_share"] for one in bloom["components"]) == pytest.approx(1)


# Every step can be redone.


def worked_out(step: Mapping[str, Any]) -> float:
    names = {one["name"]: one["value"] for one in step["inputs"]}
    return float(eval(step["formula"], {"__builtins__": {}, "exp": math.exp, "log": math.log, "sqrt": math.sqrt}, names))  # noqa: S307 - our own formulas


TIMELESS = {"energy_kwh": 1, **FRENCH}
OVERHEAD = {"pue": 1.2, "host_factor": 1.5}
EVERYTHING = {
    "training": [
        {
            "location": "FR",
            **SPAN,
            "gpu_hours": 1344,
            "power_w": 400,
            "power_low_w": 300,
            "power_high_w": 420,
            "pue": 1.2,
            "host_factor": 1.5,
        },
        {"location": "DE", "energy": {"start": SPAN["start"], "step": "PT1H", "kwh": [1.5, 2, 0.25]}, "market_based_g_per_kwh": 20},
        {"intensity_g_per_kwh": 0, "intensity_high_g_per_kwh": 40, "energy_kwh": 5},
    ],
    "idle": [{"location": "FR", **SPAN, "hours": 168, "power_w": 900}, {"phase": "deployment", "energy_kwh": 3, **FRENCH}],
    "hardware": [
        {"device": "h100-sxm-80gb", "count": 8, "hours": 168, "share": 0.5},
        {"device": "generic-server", "device_hours": 20, "phase": "deployment"},
    ],
    "deployment": [
        {"location": "GB", "energy": {"intervals": [{**SPAN, "kwh": 40}]}, "requests": 1000, "tokens": 250_000},
        {
            "energy_kwh": 100,
            "energy_low_kwh": 80,
            "energy_high_kwh": 150,
            "intensity_g_per_kwh": 394,
            "days": 3,
            "requests": 5,
            "tokens": 10,
        },
    ],
    "functional_units": [{"unit": "training token", "count": 366e9, "phase": "training"}],
    "compare_locations": [],
}


def test_every_step_of_every_kind_gives_its_result_from_its_inputs(bloom: Any, tmp_path: Path) -> None:
    everything = footprint(tmp_path, EVERYTHING)

    for answer in (bloom, everything):
        for step in answer["steps"]:
            assert worked_out(step) == pytest.approx(step["result"]["value"], rel=1e-9), step
            assert all(one["unit"] and one["source"] for one in step["inputs"]), step
            assert step["basis"]


def test_the_steps_end_in_the_numbers_of_the_answer(tmp_path: Path) -> None:
    answer = footprint(tmp_path, EVERYTHING)
    results = {step["name"]: step["result"]["value"] for step in answer["steps"]}

    assert results["total"] == answer["total"]["emissions_g"]
    assert results["total: high end"] == answer["total"]["emissions_high_g"]
    for one in answer["components"]:
        assert results[one["component"]] == one["emissions_g"]
        for part in [*one.get("uses", []), *one.get("hardware", [])]:
            assert results[f"{part['name']}: emissions"] == part["emissions_g"]
    for score in answer["sci"]:
        assert results[f"SCI of the {score['phase']} phase per {score['unit']}"] == score["score_g"]


def test_a_use_of_the_grid_is_the_number_of_the_emissions_operation(tmp_path: Path) -> None:
    answer = footprint(tmp_path, {"training": [{"location": "FR", **SPAN, "energy_kwh": 100, "pue": 1.3}]})
    use = component(answer, "training")["uses"][0]

    assert use["emissions_g"] == pytest.approx(130 * use["intensity_g_per_kwh"], rel=1e-12)
    assert use["coverage"] == {"typical": 1.0}
    assert use["emissions_low_g"] < use["emissions_g"] < use["emissions_high_g"]
    assert use["provenance"][0]["provider"] == "reference"
    assert (use["location"], use["zone"], use["start"], use["end"]) == ("FR", "FR", SPAN["start"], SPAN["end"])


# The embodied part.


def test_the_worked_example_of_the_sci_specification() -> None:
    server = Hardware(Phase.TRAINING, "server", exact(1000), 1, 4)

    assert server.emissions.emissions_g == pytest.approx(1_000_000 / (4 * 365 * 24), rel=1e-12)
    assert server.emissions.emissions_g == pytest.approx(28.5, abs=0.05)


def test_hardware_of_the_table_has_a_band_a_boundary_a_lifetime_and_a_source() -> None:
    for key, device in devices().items():
        assert device.key == key
        assert 0 < device.embodied_kg.low <= device.embodied_kg.middle <= device.embodied_kg.high
        assert device.embodied_kg.low < device.embodied_kg.high
        assert device.lifetime_years > 0
        assert 0 < device.utilisation <= 1
        assert all((device.title, device.kind, device.boundary, device.source, device.band_source, device.lifetime_source))


def test_the_table_is_what_its_script_makes() -> None:
    import subprocess  # noqa: PLC0415 - only here
    import sys  # noqa: PLC0415

    made = subprocess.run([sys.executable, str(ROOT / "scripts" / "build_hardware.py")], capture_output=True, text=True, check=True)

    assert (ROOT / "gridgram" / "data" / "hardware.csv").read_text() == made.stdout


def test_own_figures_stand_in_for_the_table_and_share_scales_them(tmp_path: Path) -> None:
    own = {"embodied_kg": 100, "embodied_low_kg": 50, "embodied_high_kg": 200, "lifetime_years": 1, "device_hours": 876, "share": 0.5}
    answer = footprint(tmp_path, {"hardware": [own]})

    one = component(answer, "embodied")["hardware"][0]
    assert (one["emissions_g"], one["emissions_low_g"], one["emissions_high_g"]) == pytest.approx((5_000, 2_500, 10_000))
    assert one["device_hours"] == 876


# SCI and days.


def test_scores_say_what_of_the_specification_they_keep(tmp_path: Path) -> None:
    answer = footprint(tmp_path, EVERYTHING)
    scores = {(score["phase"], score["unit"]): score for score in answer["sci"]}

    assert set(scores) == {("training", "training run"), ("deployment", "request"), ("deployment", "token"), ("training", "training token")}
    per_request = scores["deployment", "request"]
    assert per_request["count"] == 1005
    assert per_request["score_g"] == pytest.approx((per_request["operational_g"] + per_request["embodied_g"]) / 1005)
    assert per_request["embodied_g"] > 0
    assert all(score["conforms"] and score["location_based"] and score["intensity_kind"] == "average" for score in scores.values())
    bare = footprint(tmp_path, {"deployment": [{"energy_kwh": 1, "requests": 10, **FRENCH}]})["sci"][0]
    assert not bare["conforms"]
    assert "M shall be included" in bare["departures"][0]
    assert any("given number or a yearly mean" in note for note in bare["notes"])
    by_hours = footprint(tmp_path, {"training": [{"energy_kwh": 1, "location": "FR", **SPAN}]})["sci"][0]
    assert not any("yearly mean" in note for note in by_hours["notes"])


def test_a_marginal_score_says_that_it_is_marginal(tmp_path: Path) -> None:
    answer = footprint(tmp_path, {"signal": "marginal", "training": [{"energy_kwh": 1, **FRENCH}]})

    assert {score["intensity_kind"] for score in answer["sci"]} == {"marginal"}
    assert answer["signal"] == "marginal"


def test_methods_say_which_boundary_this_is_and_is_not(bloom: Any) -> None:
    told = {method["name"]: method for method in bloom["methods"]}

    assert any("21031" in name for name in told)
    assert any("GHG Protocol" in name for name in told)
    assert any("L.1410" in name for name in told)
    assert all(method["follows"] and method["leaves_out"] for method in told.values())


def test_calendar_days_are_the_dates_touched_and_duration_is_exact() -> None:
    start, end = (to_microseconds(parse_time(text)) for text in ("2022-09-22T23:00:00Z", "2022-09-24T01:00:00Z"))

    assert calendar_days(start, end) == 3
    assert duration_days(start, end) == pytest.approx(26 / 24)
    midnight = to_microseconds(parse_time("2022-09-24T00:00:00Z"))
    assert calendar_days(start, midnight) == 2


# Faults.


@pytest.mark.parametrize(
    ("members", "pointer", "told"),
    [
        ({}, "", "nothing to count"),
        ({"training": [{"energy_kwh": 1}]}, "/training/0", "give a location, or intensity_g_per_kwh"),
        ({"training": [{"energy_kwh": 1, "location": "FR"}]}, "/training/0", "give start and end"),
        ({"training": [FRENCH]}, "/training/0", "give the energy in one way"),
        ({"training": [{"energy_kwh": 1, "gpu_hours": 2, "power_w": 3, **FRENCH}]}, "/training/0", "given: energy_kwh, gpu_hours"),
        ({"training": [{"gpu_hours": 2, **FRENCH}]}, "/training/0", "power_w goes with gpu_hours"),
        ({"training": [{"energy_kwh": 1, "energy_low_kwh": 2, **FRENCH}]}, "/training/0", "low end of energy_kwh lies above"),
        ({"training": [{"energy_kwh": -1, **FRENCH}]}, "/training/0/energy_kwh", "greater than or equal to 0"),
        ({"training": [{"energy_kwh": math.nan, **FRENCH}]}, "/training/0/energy_kwh", "finite"),
        ({"training": [{"energy_kwh": True, **FRENCH}]}, "/training/0/energy_kwh", "valid number"),
        ({"training": [{"energy_kwh": 1, "puee": 2, **FRENCH}]}, "/training/0/puee", "did you mean 'pue'?"),
        ({"traning": []}, "/traning", "did you mean 'training'?"),
        (
            {"training": [{"energy": {"start": "2022-01-01T00:00:00Z", "step": "PT1H", "kwh": [1, -1]}, **FRENCH}]},
            "/training/0/energy/kwh/1",
            "greater",
        ),
        (
            {"training": [{"energy": {"start": "2022-01-01T00:00:00Z", "step": "PT1H", "kwhs": [1]}, **FRENCH}]},
            "/training/0/energy",
            "four forms",
        ),
        ({"training": [{"energy": {**SPAN, "total_kwh": 1, "pue": 2}, **FRENCH}]}, "/training/0/energy/pue", "no such field"),
        ({"training": [{"energy_kwh": 1, "start": SPAN["start"], **FRENCH}]}, "/training/0", "go together"),
        (
            {"training": [{"energy_kwh": 1, "location": "FR", "start": "2020-01-01T00:00:00Z", "end": "2022-01-01T00:00:00Z"}]},
            "/training/0",
            "split it",
        ),
        ({"training": [{"gpu_hours": 1e12, "power_w": 1e12, **FRENCH}]}, "/training/0", "more than 1e+12 kWh"),
        ({"hardware": [{"device": "a100-80g", "device_hours": 1}]}, "/hardware/0/device", "did you mean 'a100-80gb'?"),
        ({"hardware": [{"device_hours": 1}]}, "/hardware/0", "either device"),
        ({"hardware": [{"embodied_kg": 1, "device_hours": 1}]}, "/hardware/0", "needs lifetime_years"),
        ({"hardware": [{"device": "b200", "device_hours": 1, "count": 2, "hours": 1}]}, "/hardware/0", "either device_hours"),
        ({"hardware": [{"device": "b200", "count": 2}]}, "/hardware/0", "either device_hours"),
        ({"hardware": [{"device": "b200", "device_hours": 1}] * 501}, "/hardware", "at most 500"),
        (
            {"training": [TIMELESS], "compare_locations": ["DE"]},
            "/compare_locations",
            "/training/0 has no start and end",
        ),
        ({"training": [SOME], "compare_locations": ["DE", "DE"]}, "/compare_locations", "stands twice"),
        (
            {"training": [SOME] * 30, "compare_locations": [f"X{n}" for n in range(100)]},
            "/compare_locations",
            "2,000",
        ),
        ({"hardware": [{"device": "b200", "device_hours": 1}], "compare_locations": ["DE"]}, "/compare_locations", "no electricity"),
        (
            {"training": [{"energy_kwh": 1, **FRENCH}], "functional_units": [{"unit": "request", "count": 1}]},
            "/functional_units/0/phase",
            "nothing",
        ),
        ({"deployment": [{"energy_kwh": 1, "requests": 0, **FRENCH}]}, "/deployment/0/requests", "greater than"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, members: Any, pointer: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        footprint(tmp_path, members)

    assert [fault.pointer for fault in caught.value.faults] == [pointer]
    assert told in caught.value.faults[0].detail


def test_faults_of_several_entries_are_told_at_once(tmp_path: Path) -> None:
    energy = {"intervals": [{**SPAN, "kwh": 1}, {**SPAN, "kwh": 1}]}
    with pytest.raises(InvalidInput) as caught:
        footprint(tmp_path, {"training": [{"energy": energy, **FRENCH}], "hardware": [{"device": "x", "device_hours": 1}]})

    assert [fault.pointer for fault in caught.value.faults] == ["/training/0/energy", "/hardware/0/device"]


def test_a_place_that_is_none_is_refused_also_beside_a_given_intensity(tmp_path: Path) -> None:
    with pytest.raises(UnknownLocation):
        footprint(tmp_path, {"training": [{"energy_kwh": 1, "intensity_g_per_kwh": 57, "location": "Frankreich"}]})


def test_hours_that_are_not_held_are_no_number(tmp_path: Path) -> None:
    with pytest.raises(NoData):
        footprint(tmp_path, {"min_quality": "measured", "training": [{"energy_kwh": 1, **SPAN, "location": "FR"}]})


# Comparison.


def test_places_are_compared_in_one_call_cleanest_first_and_none_is_dropped(tmp_path: Path) -> None:
    provinces = ["CN-BJ", "CN-SC", "CN-YN", "CN-NM"]
    members = {
        "training": [{"energy_kwh": 433_196, **SPAN, **FRENCH}],
        "hardware": [{"device": "a100-80gb", "device_hours": 1000}],
        "compare_locations": ["FR", "US-CAL-CISO", "US-MIDA-PJM", "AU-NSW", *provinces, "Atlantis"],
    }

    comparison = footprint(tmp_path, members)["comparison"]

    places = [place["location"] for place in comparison["locations"]]
    assert set(places) == {"FR", "US-CAL-CISO", "US-MIDA-PJM", "AU-NSW", *provinces}
    assert places[0] == "FR"
    grams = [place["emissions_g"] for place in comparison["locations"]]
    assert grams == sorted(grams)
    assert [place["location"] for place in comparison["unavailable"]] == ["Atlantis"]
    for place in comparison["locations"]:
        assert place["training_g"] == pytest.approx(433_196 * place["intensity_g_per_kwh"], rel=1e-9)
        assert place["emissions_g"] == pytest.approx(place["training_g"] + place["embodied_g"], rel=1e-9)
        assert place["emissions_low_g"] < place["emissions_g"] < place["emissions_high_g"]
        assert sum(place["coverage"].values()) == pytest.approx(1)


def test_a_profile_keeps_its_hours_in_another_place(tmp_path: Path) -> None:
    energy = {"start": SPAN["start"], "step": "PT1H", "kwh": [1, 5, 0.5]}
    at_home = footprint(tmp_path, {"training": [{"energy": energy, "location": "GB"}]})
    elsewhere = footprint(tmp_path, {"training": [{"energy": energy, **FRENCH}], "compare_locations": ["GB"]})

    assert elsewhere["comparison"]["locations"][0]["emissions_g"] == pytest.approx(at_home["total"]["emissions_g"], rel=1e-12)
