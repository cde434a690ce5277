"""What goes wrong in published footprints, a test for each trap: what is refused, what is warned about, what comes out right."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.errors import InvalidInput
from gridgram.units import g_per_kwh_from_lb_per_mwh
from service.app import build_gridgram
from service.importing.run import import_file
from service.settings import Settings
from tests.footprints import component, footprint, phase
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

FRANCE_2022 = {"intensity_g_per_kwh": 57}
WEEK = {"start": "2022-03-11T00:00:00Z", "end": "2022-03-18T00:00:00Z"}


def tonnes(home: Path, use: dict[str, Any]) -> float:
    return float(footprint(home, {"training": [use]})["total"]["emissions_g"]) / 1e6


def faults(home: Path, use: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        footprint(home, {"training": [use]})
    return str(caught.value)


def warnings(home: Path, **members: Any) -> str:
    return "\n".join(footprint(home, members)["warnings"])


def test_trap_1_pue_is_counted_once_gpt3_is_552_tonnes_and_502_without_it(tmp_path: Path) -> None:
    holds_pue = {"energy_kwh": 1_287_000, "intensity_g_per_kwh": 429, "energy_basis": "facility"}

    assert tonnes(tmp_path, holds_pue) == pytest.approx(552.1, rel=1e-3)
    without = {"energy_kwh": 1_287_000 / 1.1, "intensity_g_per_kwh": 429}
    assert tonnes(tmp_path, without) == pytest.approx(502, rel=1e-3)
    assert tonnes(tmp_path, without | {"pue": 1.1}) == pytest.approx(552.1, rel=1e-3)
    assert "PUE" in faults(tmp_path, holds_pue | {"pue": 1.1})


def test_trap_1_pue_left_out_is_told(tmp_path: Path) -> None:
    assert "No PUE is applied" in warnings(tmp_path, training=[{"energy_kwh": 1, **FRANCE_2022}])
    assert "No PUE" not in warnings(tmp_path, training=[{"energy_kwh": 1, "energy_basis": "facility", **FRANCE_2022}])


def test_trap_2_idle_machines_beside_a_pue_are_warned_about(tmp_path: Path) -> None:
    idle = [{"hours": 10, "power_w": 1000, **FRANCE_2022}]

    both = warnings(tmp_path, training=[{"energy_kwh": 1, "pue": 1.2, **FRANCE_2022}], idle=idle)
    one = warnings(tmp_path, training=[{"energy_kwh": 1, **FRANCE_2022}], idle=idle)

    assert "both stand for overhead and overlap" in both
    assert "overlap" not in one


def test_trap_3_printed_rates_are_not_chained(tmp_path: Path) -> None:
    gpus = {"embodied_kg": 150, "lifetime_years": 6, "utilisation": 0.85, "device_hours": 1_082_990}

    grams = footprint(tmp_path, {"hardware": [gpus]})["total"]["emissions_g"]

    assert grams / 1e6 == pytest.approx(3.6361, abs=1e-4)
    assert grams != pytest.approx(0.003 * 1_082_990 * 1000, rel=0.05)  # the printed 0.003 kg an hour


def test_trap_4_the_energy_of_the_whole_log_is_not_that_of_the_request_log(tmp_path: Path) -> None:
    def kg(energy_kwh: float) -> float:
        return 1000 * tonnes(tmp_path, {"energy_kwh": energy_kwh, "intensity_g_per_kwh": 394})

    assert kg(864.249121) == pytest.approx(340.514, abs=0.001)
    assert kg(914) == pytest.approx(360.1, abs=0.1)


def test_trap_5_power_is_no_energy_and_kg_are_no_grams(tmp_path: Path) -> None:
    assert "power_w goes with" in faults(tmp_path, {"power_w": 27_000, "energy_kwh": 1, **FRANCE_2022})
    assert "no such field" in faults(tmp_path, {"power_kwh": 27, **FRANCE_2022})
    assert "is it in kg/kWh?" in warnings(tmp_path, training=[{"energy_kwh": 1, "intensity_g_per_kwh": 0.057}])
    assert "less than or equal to 5000" in faults(tmp_path, {"energy_kwh": 1, "intensity_g_per_kwh": 731_590})


def test_trap_6_pounds_per_kwh_are_converted_and_not_taken_for_kilograms(tmp_path: Path) -> None:
    g_per_kwh = g_per_kwh_from_lb_per_mwh(954)

    assert g_per_kwh == pytest.approx(432.727, abs=0.001)
    base = {"hours": 12, "power_w": 1415.78, "pue": 1.58, "intensity_g_per_kwh": g_per_kwh}
    assert tonnes(tmp_path, base) * 1000 / 0.45359237 == pytest.approx(26, rel=0.02)  # printed in lb


def test_trap_7_hours_on_the_clock_go_with_the_power_of_all_and_device_hours_with_that_of_one(tmp_path: Path) -> None:
    whole_node = {"hours": 84, "power_w": 1515.43, **FRANCE_2022}
    by_device = {"gpu_hours": 8 * 84, "power_w": 1515.43 / 8, **FRANCE_2022}

    assert tonnes(tmp_path, whole_node) == pytest.approx(tonnes(tmp_path, by_device))
    assert "say gpu_hours" in faults(tmp_path, {"hours": 8 * 168, "power_w": 400, **WEEK, **FRANCE_2022})


def test_trap_8_device_hours_that_were_added_up_already_are_not_multiplied_again(tmp_path: Path) -> None:
    summed = {"gpu_hours": 8 * 168, "gpu_count": 8, "power_w": 400, **WEEK, **FRANCE_2022}

    answer = footprint(tmp_path, {"training": [summed]})

    assert component(answer, "training")["facility_energy_kwh"] == pytest.approx(8 * 168 * 0.4)  # gpu_count checks, it does not multiply
    assert "added up over devices already" in faults(tmp_path, summed | {"gpu_hours": 8 * 8 * 168})


def test_trap_9_gross_and_net_intensities_are_two_numbers_and_net_stays_out_of_sums(tmp_path: Path) -> None:
    gross = {"energy_kwh": 24_100, "energy_basis": "facility", "intensity_g_per_kwh": 201, "market_based_g_per_kwh": 177}

    answer = footprint(tmp_path, {"training": [gross]})
    use = component(answer, "training")["uses"][0]

    assert answer["total"]["emissions_g"] / 1e6 == pytest.approx(4.8, rel=0.012)
    assert use["market_based_emissions_g"] / 1e6 == pytest.approx(4.3, rel=0.01)


def test_trap_10_a_market_based_zero_changes_no_total_and_no_score(tmp_path: Path) -> None:
    use = {"gpu_hours": 370_000, "power_w": 700, "intensity_g_per_kwh": 414}

    plain, contracted = (footprint(tmp_path, {"training": [use | more]}) for more in ({}, {"market_based_g_per_kwh": 0}))

    assert contracted["total"] == plain["total"]
    assert contracted["sci"] == plain["sci"]
    assert component(contracted, "training")["uses"][0]["market_based_emissions_g"] == 0
    assert "market_based_g_per_kwh" in warnings(tmp_path, training=[use | {"intensity_g_per_kwh": 0}])


def test_trap_11_a_published_number_that_is_wrong_is_not_matched(tmp_path: Path) -> None:
    opt = tonnes(tmp_path, {"energy_kwh": 324_000, "intensity_g_per_kwh": 231})

    assert opt == pytest.approx(74.8, rel=1e-3)
    assert opt != pytest.approx(70, rel=0.05)


@pytest.mark.parametrize(("varies", "is_told"), [(False, True), (True, False)])
def test_trap_12_a_yearly_constant_in_hourly_clothing_is_told(tmp_path: Path, varies: bool, is_told: bool) -> None:  # noqa: FBT001 - a case
    days = range(11, 18)
    rows = [f"HK,2022-03-{day:02d}T{hour:02d}:00:00Z,{435.4 + varies * hour}" for day in days for hour in range(24)]
    (tmp_path / "hk.csv").write_text("zone,start,g_per_kwh\n" + "\n".join(rows) + "\n")

    async def keep() -> None:
        gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{tmp_path / 'series.sqlite'}"))
        await import_file(tmp_path / "hk.csv", gridgram.intensity.store, now=gridgram.now(), resolve=gridgram.zone_of_hours)
        await gridgram.intensity.close()

    asyncio.run(keep())

    told = warnings(tmp_path, training=[{"energy_kwh": 10, "location": "HK", **WEEK}])

    assert ("a yearly constant in hourly clothing" in told) == is_told


def test_trap_13_a_factor_carries_its_vintage_into_the_steps(tmp_path: Path) -> None:
    vintages = {"2019": 566.3, "2022": 394, "CodeCarbon 3.3.0": 430}
    uses = [
        {"name": year, "energy_kwh": 864.249121, "intensity_g_per_kwh": rate, "intensity_source": f"us-central1, {year}"}
        for year, rate in vintages.items()
    ]

    answer = footprint(tmp_path, {"deployment": uses})

    told = [use["emissions_g"] / 1e3 for use in component(answer, "deployment")["uses"]]
    assert told == pytest.approx([489.4, 340.5, 371.6], abs=0.1)
    sources = [one["source"] for step in answer["steps"] for one in step["inputs"] if one["name"] == "intensity_g_per_kwh"]
    assert sources == [f"us-central1, {year}" for year in vintages]


def test_trap_14_a_tonne_is_a_thousand_kilograms_and_never_a_short_ton(tmp_path: Path) -> None:
    from service.footprint.report import markdown  # noqa: PLC0415 - only here

    answer = footprint(tmp_path, {"training": [{"energy_kwh": 1_000_000, "intensity_g_per_kwh": 50}]})

    assert answer["total"]["emissions_g"] == 50_000_000
    assert "50.00 t" in markdown(answer)
    assert "t: 1,000 kg" in markdown(answer)


def test_trap_15_a_year_has_8760_hours(tmp_path: Path) -> None:
    server = {"embodied_kg": 2500, "lifetime_years": 6, "utilisation": 0.85, "device_hours": 1}

    grams = footprint(tmp_path, {"hardware": [server]})["total"]["emissions_g"]

    assert grams == pytest.approx(2_500_000 / 44_676, rel=1e-12)
    assert grams / 1000 == pytest.approx(0.056, abs=0.001)


def test_energy_of_devices_alone_is_told_and_a_host_factor_takes_the_host_in(tmp_path: Path) -> None:
    gpus = {"gpu_hours": 7_128, "power_w": 1000 * 5_659 / 7_128 / 2.088, "intensity_g_per_kwh": 332}

    assert "devices alone" in warnings(tmp_path, training=[gpus])
    whole = gpus | {"host_factor": 1.74, "pue": 1.2}
    assert tonnes(tmp_path, whole) == pytest.approx(1.878, rel=1e-3)
    assert "devices alone" not in warnings(tmp_path, training=[whole])


def test_deployment_is_not_in_the_training_phase_nor_its_idle_machines(tmp_path: Path) -> None:
    answer = footprint(
        tmp_path,
        {
            "training": [{"energy_kwh": 1, **FRANCE_2022}],
            "deployment": [{"energy_kwh": 2, **FRANCE_2022}],
            "idle": [{"energy_kwh": 4, "phase": "deployment", **FRANCE_2022}],
        },
    )

    assert phase(answer, "training")["emissions_g"] == 57
    assert phase(answer, "deployment")["emissions_g"] == 6 * 57
    assert answer["total"]["emissions_g"] == 7 * 57


# BLOOM on the hours of thirteen grids, in one call.

TABLE = {
    "SE-SE3": (23.07, 10.0),
    "US-NW-BPAT": (62.88, 27.2),
    "FR": (87.66, 38.0),
    "US-CAL-CISO": (212.53, 92.1),
    "GB": (240.03, 104.0),
    "US-TEX-ERCO": (359.72, 155.8),
    "DE": (468.51, 203.0),
    "US-MIDA-PJM": (412.03, 178.5),
    "TW": (542.61, 235.1),
    "AU-VIC": (563.61, 244.2),
    "AU-NSW": (604.24, 261.8),
    "IN-WE": (617.18, 267.4),
    "ZA": (719.55, 311.7),
}
"""Mean intensity in the window [gCO2e/kWh] and emissions [t], from the same hours by other code."""


def test_bloom_on_real_hours_in_thirteen_grids_comes_out_of_one_comparison(tmp_path: Path) -> None:
    hours = shared("data", "hourly", "em_umass2022.parquet")
    training = {"gpu_hours": 1_082_990, "power_w": 400, "start": "2022-03-11T00:00:00Z", "end": "2022-07-07T00:00:00Z", **FRANCE_2022}

    async def keep() -> None:
        gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{tmp_path / 'series.sqlite'}"))
        names = {"g_per_kwh": "g", "start": "utc", "signal": "kind"}
        store = gridgram.intensity.store
        await import_file(hours, store, now=gridgram.now(), resolve=gridgram.zone_of_hours, columns=names, assume_utc=True)
        await gridgram.intensity.close()

    asyncio.run(keep())

    answer = footprint(tmp_path, {"training": [training], "compare_locations": list(TABLE)})

    places = {place["location"]: place for place in answer["comparison"]["locations"]}
    assert places.keys() == TABLE.keys()
    for zone, (mean, printed) in TABLE.items():
        assert places[zone]["intensity_g_per_kwh"] == pytest.approx(mean, rel=1e-3), zone
        assert places[zone]["emissions_g"] / 1e6 == pytest.approx(printed, rel=1e-3, abs=0.05), zone
        assert places[zone]["coverage"] == pytest.approx({"measured": 1.0})
    assert answer["total"]["emissions_g"] / 1e6 == pytest.approx(24.69, abs=0.01)
