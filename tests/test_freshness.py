"""When a source may have newer hours, and who of many readers refreshes early: arithmetic of times."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gridgram.interval import HOURS_PER_DAY, hour_of
from providers.registry import load_providers
from service.freshness import (
    RECENT_SECONDS,
    SETTLED_SECONDS,
    UNSETTLED_SECONDS,
    ask_again_seconds,
    end_of_told,
    is_early,
    stale_after_seconds,
)
from tests.providers.test_engine import TOY

NOW = datetime(2024, 3, 12, 10, 20, tzinfo=UTC)
TODAY = hour_of(NOW) // HOURS_PER_DAY
HALF_HOUR = 1_800.0


@pytest.mark.parametrize(
    ("lag_minutes", "seconds"),
    [(60, 40 * 60), (80, 60 * 60), (20, 60 * 60), (30, 10 * 60), (25, 10 * 60)],
    ids=["at 11:00", "at 11:20, an hour from now", "now is 20 past", "at 10:30", "at 10:25, and not sooner than in 10 minutes"],
)
def test_a_day_that_is_up_to_date_is_asked_for_again_when_the_next_hour_is_due(lag_minutes: int, seconds: float) -> None:
    source = replace(TOY, lag=timedelta(minutes=lag_minutes))

    assert ask_again_seconds(source, TODAY, NOW, is_up_to_date=True) == seconds


def test_while_an_hour_is_overdue_it_is_asked_for_every_ten_minutes() -> None:
    assert ask_again_seconds(TOY, TODAY, NOW, is_up_to_date=False) == RECENT_SECONDS
    assert ask_again_seconds(TOY, TODAY - 1, NOW.replace(hour=6), is_up_to_date=False) == RECENT_SECONDS
    assert ask_again_seconds(TOY, TODAY - 1, NOW, is_up_to_date=False) == 40 * 60  # by now it will hardly come


def test_an_older_day_is_asked_for_rarely_and_a_settled_one_once_a_day() -> None:
    source = replace(TOY, settles_after=timedelta(days=30))

    assert ask_again_seconds(source, TODAY - 10, NOW, is_up_to_date=False) == UNSETTLED_SECONDS
    assert ask_again_seconds(source, TODAY - 40, NOW, is_up_to_date=False) == SETTLED_SECONDS


@pytest.mark.parametrize("name", sorted(load_providers()))
@pytest.mark.parametrize("minute", range(0, 60, 7))
def test_no_source_is_asked_more_often_than_every_ten_minutes_nor_less_than_its_period_for_a_recent_day(name: str, minute: int) -> None:
    provider = load_providers()[name]
    now = NOW.replace(minute=minute)

    seconds = ask_again_seconds(provider, TODAY, now, is_up_to_date=True)

    assert RECENT_SECONDS <= seconds <= max(3_600, provider.resolution_minutes * 60)


def test_what_a_source_forecasts_counts_as_told_and_all_else_lags() -> None:
    assert end_of_told(replace(TOY, lag=timedelta(hours=2)), NOW) == hour_of(NOW) - 2
    assert end_of_told(replace(TOY, forecast_span=timedelta(hours=48)), NOW) == hour_of(NOW) + 48


def test_an_hour_is_stale_after_twice_the_lag_and_the_period() -> None:
    assert stale_after_seconds(replace(TOY, lag=timedelta(hours=2), resolution_minutes=15)) == 2 * 3 * 3_600
    assert stale_after_seconds(None) == 2 * 3_600


def test_of_many_readers_one_refreshes_early_and_a_thousand_expiries_cause_no_stampede() -> None:
    """200 reads a second; a fetch takes 0.25 s, during which all others read what is held."""
    chances = random.Random(5)  # noqa: S311 - a simulation
    took, reads_per_second = 0.25, 200
    missed, leads = 0, []

    for _ in range(1_000):
        due_at, now, fetches = 60.0, 50.0, 0
        while now < due_at and not fetches:
            now += 1 / reads_per_second
            if is_early(due_at, now, took, 1.0 - chances.random()):
                fetches += 1  # from here on the flight is under way: the others join it
                leads.append(due_at - now)
        missed += not fetches

    assert missed == 0
    assert 0.25 < sorted(leads)[500] < 2.5
    assert max(leads) < 8.0


def test_long_before_its_time_nothing_is_refreshed() -> None:
    chances = random.Random(6)  # noqa: S311 - a simulation

    assert not any(is_early(HALF_HOUR, 0.0, 0.25, 1.0 - chances.random()) for _ in range(100_000))
    assert is_early(10.0, 10.0, 0.25, 1.0)
