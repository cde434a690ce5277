"""The forecast's arithmetic: no hour of the future in it, sound after holes, steps and frozen feeds, bands that cover."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgram.backtest import LAST_WEEK, OURS, YESTERDAY, Backtest, backtest
from gridgram.forecast import Method, predict, train
from gridgram.forecast_candidates import blend, same_hour_last_week, same_hour_yesterday
from gridgram.forecast_codec import Issued, decode_issues, decode_model, encode_issues, encode_models
from gridgram.forecast_history import FROZEN_HOURS, LONGEST_HOURS, history_of_values
from gridgram.forecast_ridge import OUTPUTS
from gridgram.forecast_scores import coverage_percent, savings, score
from tests.shared import shared
from tests.test_forecasting import grid

START = 473_352
"""2024-01-01T00:00:00Z."""
YEAR = 400 * 24


def test_a_year_is_trained_on_and_beats_what_needs_no_thought() -> None:
    hours = grid(YEAR + 60 * 24)

    tested = backtest(START, hours, range(START + YEAR, START + YEAR + 40 * 24, 24), 96)

    assert tested is not None
    ours, yesterday, last_week = (tested.score(name) for name in (OURS, YESTERDAY, LAST_WEEK))
    assert ours is not None
    assert yesterday is not None
    assert last_week is not None
    assert ours.mape_percent < min(yesterday.mape_percent, last_week.mape_percent)


def test_two_years_at_most_are_learnt_from_and_what_lies_before_changes_nothing() -> None:
    hours = grid(LONGEST_HOURS + 90 * 24)
    other = np.concatenate([np.full(90 * 24, 7.0) + np.arange(90 * 24) % 5, hours[90 * 24 :]])
    models = [train(history) for told in (hours, other) if (history := history_of_values(START, told))]

    first, second = models

    assert first
    assert second
    assert first.end_hour - first.first_hour == LONGEST_HOURS
    assert first.coefficients.tobytes() == second.coefficients.tobytes()
    assert first.shares.tobytes() == second.shares.tobytes()


def test_less_than_a_year_is_not_trained_on_and_less_than_some_weeks_not_forecast_from() -> None:
    hours = grid(YEAR)
    few, some, many = (history_of_values(START, hours[: days * 24]) for days in (10, 60, 400))
    assert few
    assert some
    assert many

    assert train(few) is None
    untrained, trained = train(some), train(many)

    assert untrained
    assert untrained.method in {Method.BLEND, Method.YESTERDAY}
    assert not untrained.days
    assert trained
    assert trained.days > 300


@settings(max_examples=20, deadline=None)
@given(days=st.sampled_from([30, 60, 380]), later=st.floats(0, 2_000), seed=st.integers(0, 9))
def test_what_comes_at_or_after_an_origin_changes_no_byte_of_its_forecast(days: int, later: float, seed: int) -> None:
    hours = grid((days + 5) * 24, seed)
    changed = hours.copy()
    changed[days * 24 :] = later

    first, second = (backtest(START, told, range(START + days * 24, START + days * 24 + 1), 96) for told in (hours, changed))

    assert first
    assert second
    for name in ("low", "high"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert {name: said.tobytes() for name, said in first.said.items()} == {name: said.tobytes() for name, said in second.said.items()}


def with_holes(hours: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(1)
    hours[random.random(len(hours)) < 0.1] = np.nan
    hours[3_000:3_400] = np.nan
    return hours


def with_a_step(hours: np.ndarray) -> np.ndarray:
    hours[-40 * 24 :] *= 0.5
    return hours


def with_a_frozen_feed(hours: np.ndarray) -> np.ndarray:
    hours[-80:-20] = hours[-81]
    return hours


def with_zeros(hours: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(hours)) % 24 < 6, 0.0, hours)


def without_any_emission(hours: np.ndarray) -> np.ndarray:
    return np.zeros_like(hours)


def always_the_same(hours: np.ndarray) -> np.ndarray:
    return np.full_like(hours, 24.0)


@pytest.mark.parametrize("days", [45, 400])
@pytest.mark.parametrize("damage", [with_holes, with_a_step, with_a_frozen_feed, with_zeros, without_any_emission, always_the_same])
def test_a_damaged_past_gives_numbers_of_the_size_of_the_grid(damage: object, days: int) -> None:
    hours = damage(grid(YEAR)[-days * 24 :])  # type: ignore[operator]  # one of the functions above
    history = history_of_values(START, hours)
    assert history
    model = train(history)
    assert model

    outlook = predict(model, history, 200)

    ahead = np.stack([outlook.low, outlook.g_per_kwh, outlook.high])
    assert np.isfinite(ahead).all()
    assert (np.diff(ahead, axis=0) >= 0).all()
    assert ahead[1].min() >= 0.8 * np.nanmin(hours) - 0.2
    assert ahead[1].max() <= 1.25 * np.nanmax(hours) + 0.2


def test_a_frozen_feed_counts_as_a_hole_from_its_second_hour_on() -> None:
    hours = grid(1_000)
    hours[500:540] = hours[499]

    history = history_of_values(START, hours)

    assert history
    assert np.flatnonzero(~history.is_told).tolist() == list(range(500, 540))


def test_a_grid_that_often_stands_still_is_not_taken_for_a_frozen_feed() -> None:
    hours = grid(2_000)
    for start in range(100, 1_900, 200):
        hours[start : start + FROZEN_HOURS] = 24.0

    history = history_of_values(START, hours)

    assert history
    assert history.is_told.all()


def test_a_hole_is_filled_from_before_it_only() -> None:
    hours = grid(400)
    hours[200:230] = np.nan
    whole, cut = history_of_values(START, hours), history_of_values(START, hours[:260])
    assert whole
    assert cut

    mended = [np.exp(history.level) - history.offset_g for history in (whole, cut)]

    assert mended[0][:260] == pytest.approx(mended[1])
    assert mended[0][200:224] == pytest.approx(hours[176:200])


def test_the_untrained_methods_say_what_their_names_say() -> None:
    level = np.arange(1_000.0)
    origins = np.array([400, 900])

    assert same_hour_yesterday(level, origins, 30)[0].tolist() == [*range(376, 400), *range(376, 382)]
    assert same_hour_last_week(level, origins, 200)[1, [0, 167, 168]].tolist() == [732.0, 899.0, 732.0]
    assert blend(np.tile(np.arange(24.0), 40), np.array([960]), 48)[0].tolist() == pytest.approx([*range(24)] * 2)


def test_scores_are_those_worked_out_by_hand() -> None:
    said, true = np.array([[110.0, 90.0, 5.0]]), np.array([[100.0, 100.0, np.nan]])

    scored = score(said, true)

    assert scored
    assert (scored.hours, scored.mape_percent, scored.rmse_g_per_kwh, scored.bias_g_per_kwh) == (2, 10.0, 10.0, 0.0)
    assert coverage_percent(said - 5, said + 5, true) == 0.0
    assert coverage_percent(said - 10, said + 10, true) == 100.0
    assert score(said, np.full((1, 3), np.nan)) is None


def test_a_perfect_forecast_keeps_all_of_the_saving() -> None:
    true = np.full((3, 48), 200.0)
    true[:, 20:28] = 100.0

    saved = savings(true, np.full_like(true, 7.0), true)

    assert saved
    assert (saved.oracle_percent, saved.forecast_percent, saved.naive_percent, saved.kept_percent) == (50.0, 50.0, 0.0, 100.0)


@pytest.mark.parametrize("days", [60, 400])
def test_a_model_comes_back_from_its_bytes(days: int) -> None:
    history = history_of_values(START, grid(days * 24))
    assert history
    model = train(history)
    assert model

    back = decode_model(encode_models([model]), 0)

    assert back
    assert decode_model(encode_models([model]), 1) is None
    assert back.method is model.method
    assert predict(back, history, 96).g_per_kwh == pytest.approx(predict(model, history, 96).g_per_kwh, rel=1e-5)


@cache
def packed_model() -> bytes:
    history = history_of_values(START, grid(40 * 24))
    assert history
    model = train(history)
    assert model
    return encode_models([model])


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 300), byte=st.integers(0, 255), cut=st.sampled_from([None, -1, 3, 0]))
def test_damaged_bytes_are_no_model_and_no_error(place: int, byte: int, cut: int | None) -> None:
    packed = bytearray(packed_model())
    packed[place] = byte

    back = decode_model(bytes(packed[:cut]), 0)

    assert back is None or len(back.below) == OUTPUTS


def test_an_issued_forecast_comes_back_with_its_holes() -> None:
    hours = np.arange(96.0)
    own = np.where(hours < 24, hours, np.nan)

    issues = [Issued(START + later, START - 2, hours + later, hours - 1, hours + 1, own) for later in (0, 1)]

    back = decode_issues(encode_issues(issues))

    assert [(issued.first_hour, issued.origin, issued.g_per_kwh[0]) for issued in back] == [
        (START, START - 2, 0.0),
        (START + 1, START - 2, 1.0),
    ]
    assert np.array_equal(back[1].own, own, equal_nan=True)
    assert decode_issues(b"\x00") == []


# On real hours, where they are beside the checkout.

ORIGINS = 30


def carboncast(zone: str, months: slice) -> Backtest:
    table = pd.read_parquet(shared("data", "hourly", "carboncast_paper.parquet"))
    rows = table[(table["kind"] == "lifecycle") & (table["zone"] == zone)]
    first_hour = int(rows["utc"].to_numpy().astype("datetime64[h]").astype(np.int64)[0])
    origins = range(first_hour + 366 * 24, first_hour + len(rows) - 95, 24)[months]
    tested = backtest(first_hour, rows["g"].to_numpy().astype(np.float64), origins, 96)
    assert tested
    return tested


def beats_every_baseline(tested: Backtest) -> bool:
    errors = {name: scored.mape_percent for name in tested.said if (scored := tested.score(name))}
    return errors.pop(OURS) < min(errors.values())


@pytest.mark.parametrize("zone", ["PL", "US-CAL-CISO"])
def test_a_month_of_a_real_grid_is_forecast_better_than_by_any_baseline(zone: str) -> None:
    assert beats_every_baseline(carboncast(zone, slice(90, 90 + ORIGINS)))


@pytest.mark.soak
def test_thirteen_real_grids_over_half_a_year_reach_the_figures_of_the_page() -> None:
    path = shared("data", "hourly", "carboncast_paper.parquet")
    tested = {zone: carboncast(zone, slice(None)) for zone in pd.read_parquet(path, columns=["zone"])["zone"].unique()}
    day, whole = (
        np.mean([scored.mape_percent for result in tested.values() if (scored := result.score(OURS, 0, end))]) for end in (24, 96)
    )

    assert all(beats_every_baseline(result) for result in tested.values())
    assert day <= 7.0
    assert whole <= 10.1
    for result in tested.values():
        for first in range(0, 96, 24):
            assert 75 <= (result.coverage_percent(first, first + 24) or 0) <= 85
