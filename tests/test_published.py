"""Published footprints: kWh x PUE x intensity gives the printed tonnes, except where the print is wrong."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.emissions import account, given_series
from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.profile import flat_profile
from gridgram.quality import Signal
from gridgram.units import kwh_from_w_hours
from tests.footprints import footprint
from tests.shared import SHARED, shared

if TYPE_CHECKING:
    from pathlib import Path

TABLE = SHARED / "data" / "published_footprints.csv"


def footprint_t(kwh: float, pue: float, g_per_kwh: float) -> float:
    """The emissions of an energy on a grid of one flat intensity, through the code that answers requests. [kWh, gCO2e/kWh -> t]"""
    profile = flat_profile(0, 118 * 24 * MICROSECONDS_PER_HOUR, kwh)
    return account(profile, given_series(profile, g_per_kwh, Signal.LIFECYCLE), pue).emissions_g / 1e6


@dataclass(frozen=True, slots=True)
class Published:
    """One row: `kwh` x `pue_in_t` x `g_per_kwh` should be `t_co2e`, and `gpu_hours` x `power_w` x `pue_in_kwh` should be `kwh`."""

    name: str
    recompute: str
    kwh: float
    pue_in_t: float
    g_per_kwh: float
    t_co2e: float
    tol_t_rel: float
    gpu_hours: float | None = None
    power_w: float | None = None
    pue_in_kwh: float | None = None
    tol_kwh_rel: float | None = None


BY_HAND = (
    Published("BLOOM", "energy", 433_196, 1, 57, 24.69, 0.0005, 1_082_990, 400, 1, 1e-6),
    Published("BLOOM with the PUE of Jean Zay", "energy", 433_196, 1.2, 57, 29.63, 0.0005),
    # 27 kW of infrastructure and 64 kW of idle nodes for as long as 384 devices ran.
    Published("BLOOM, idle", "energy", 256_646, 1, 57, 14.6, 0.004, 1_082_990 / 384, 91_000, 1, 1e-6),
    Published("GPT-3, 1,287 MWh that hold a PUE of 1.1", "energy", 1_287_000, 1, 429, 552.1, 0.001, 3_552_000, 330, 1.1, 0.003),
    Published("GPT-3 before PUE", "energy", 1_287_000, 1 / 1.1, 429, 502, 0.001),
    Published("GPT-3 with PUE twice", "mismatch", 1_287_000, 1.1, 429, 552.1, 0.001),
    Published("OPT-175B, 70 t in the BLOOM paper", "mismatch", 324_000, 1, 231, 70, 0.01),
    Published("BLOOM's service, 914 kWh", "mismatch", 914, 1, 394, 0.34, 0.001),
)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _published_rows() -> list[Published]:
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8") as lines:
        return [
            Published(
                row["id"],
                row["recompute"],
                float(row["kwh"]),
                float(row["pue_in_t"]),
                float(row["g_per_kwh"]),
                float(row["t_co2e"]),
                float(row["tol_t_rel"]),
                *(_number(row[column]) for column in ("gpu_hours", "power_w", "pue_in_kwh", "tol_kwh_rel")),
            )
            for row in csv.DictReader(lines)
            if row["recompute"] in {"energy", "mismatch"}
        ]


ROWS = (*BY_HAND, *_published_rows())
RIGHT = [row for row in ROWS if row.recompute == "energy"]
WRONG = [row for row in ROWS if row.recompute == "mismatch"]
BY_POWER = [row for row in ROWS if row.gpu_hours is not None]


def test_the_whole_published_table_is_read() -> None:
    shared("data", "published_footprints.csv")

    assert len(RIGHT) == 40 + 5
    assert len(WRONG) == 2 + 3
    assert len(BY_POWER) == 28 + 3


@pytest.mark.parametrize("row", RIGHT, ids=lambda row: row.name)
def test_a_published_footprint_is_energy_times_intensity(row: Published) -> None:
    assert footprint_t(row.kwh, row.pue_in_t, row.g_per_kwh) == pytest.approx(row.t_co2e, rel=row.tol_t_rel)


@pytest.mark.parametrize("row", WRONG, ids=lambda row: row.name)
def test_a_published_footprint_that_is_wrong_is_not_reproduced(row: Published) -> None:
    assert footprint_t(row.kwh, row.pue_in_t, row.g_per_kwh) != pytest.approx(row.t_co2e, rel=row.tol_t_rel)


@pytest.mark.parametrize("row", BY_POWER, ids=lambda row: row.name)
def test_published_energy_is_device_hours_times_power(row: Published) -> None:
    assert row.gpu_hours is not None
    assert row.power_w is not None
    assert row.pue_in_kwh is not None
    assert kwh_from_w_hours(row.power_w, row.gpu_hours) * row.pue_in_kwh == pytest.approx(row.kwh, rel=row.tol_kwh_rel)


# The same table, and the rows that need more than energy x intensity, through the footprint.


def _table() -> dict[str, dict[str, str]]:
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8") as lines:
        return {row["id"]: row for row in csv.DictReader(lines)}


def _hardware(row: dict[str, str]) -> dict[str, Any]:
    """A row of embodied emissions as hardware."""
    years, utilisation = float(row["lifetime_h"]) / 8_760, float(row["utilisation"])
    figure = {"embodied_kg": float(row["te_kg"]), "lifetime_years": years, "utilisation": utilisation}
    return figure | {"name": row["id"], "device_hours": float(row["device_hours"])}


def _use(row: dict[str, str]) -> dict[str, Any]:
    """A row of energy as a use of electricity whose PUE is where the row says it is."""
    energy_kwh, pue = float(row["kwh"]), float(row["pue_in_t"])
    use: dict[str, Any] = {"name": row["id"], "energy_kwh": energy_kwh, "intensity_g_per_kwh": float(row["g_per_kwh"])}
    if pue < 1:  # the row takes a PUE out that is in its kWh
        use["energy_kwh"] = energy_kwh * pue
    elif pue > 1:
        use["pue"] = pue
    elif float(row["pue_in_kwh"] or 1) > 1:
        use["energy_basis"] = "facility"
    return use


@pytest.fixture(scope="module")
def tonnes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What every row that is no sum gives, out of one footprint that holds them all. [t]"""
    rows = _table().values()
    members = {
        "training": [_use(row) for row in rows if row["recompute"] in {"energy", "mismatch"}],
        "hardware": [_hardware(row) for row in rows if row["recompute"] == "embodied"],
    }
    answer = footprint(tmp_path_factory.mktemp("published"), members)
    parts = [part for component in answer["components"] for part in (*component.get("uses", []), *component.get("hardware", []))]
    return {part["name"]: part["emissions_g"] / 1e6 for part in parts}


def _sum_of(name: str, tonnes: dict[str, float]) -> float:
    """The row's tonnes; a sum is that of its components, unrounded."""
    row = _table()[name]
    return tonnes[name] if row["recompute"] != "sum" else sum(_sum_of(part.strip(), tonnes) for part in row["components"].split("+"))


NO_TABLE = pytest.param("none", marks=pytest.mark.skip(reason="needs the table of published footprints"))


@pytest.mark.parametrize("name", _table() or [NO_TABLE])
def test_every_row_of_the_published_table_comes_out_of_the_footprint_or_is_shown_to_be_wrong(name: str, tonnes: dict[str, float]) -> None:
    row = _table()[name]

    is_reproduced = _sum_of(name, tonnes) == pytest.approx(float(row["t_co2e"]), rel=float(row["tol_t_rel"]))

    assert is_reproduced == (row["recompute"] != "mismatch")


def test_device_hours_times_power_times_pue_are_the_printed_energies_through_the_footprint(tmp_path: Path) -> None:
    uses = [
        {"gpu_hours": row.gpu_hours, "power_w": row.power_w, "pue": row.pue_in_kwh, "intensity_g_per_kwh": row.g_per_kwh}
        for row in BY_POWER
    ]

    answer = footprint(tmp_path, {"training": uses})

    told = [use["facility_energy_kwh"] for use in answer["components"][0]["uses"]]
    for row, energy_kwh in zip(BY_POWER, told, strict=True):
        assert energy_kwh == pytest.approx(row.kwh, rel=row.tol_kwh_rel), row.name
