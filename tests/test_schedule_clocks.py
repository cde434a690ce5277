"""Starts as batch systems read them: right to the second, also on the nights when clocks change."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from gridgram.errors import InvalidInput
from gridgram.interval import parse_time
from service.scheduling.clocks import at_time, cron_fields, read_timezone, sbatch_begin

if TYPE_CHECKING:
    from collections.abc import Iterator

PARIS = ZoneInfo("Europe/Paris")
NOW = parse_time("2024-10-26T12:00:30Z")


@pytest.fixture
def _a_machine_in_paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_slurm_is_told_local_time_to_the_second() -> None:
    start = parse_time("2024-03-11T05:06:07Z")

    assert sbatch_begin(start, PARIS, NOW) == "--begin=2024-03-11T06:06:07"
    assert sbatch_begin(start, ZoneInfo("Asia/Kolkata"), NOW) == "--begin=2024-03-11T10:36:07"
    assert sbatch_begin(start + timedelta(microseconds=1), PARIS, NOW) == "--begin=2024-03-11T06:06:08"


@pytest.mark.usefixtures("_a_machine_in_paris")
def test_without_a_name_the_zone_of_the_machine_counts() -> None:
    assert sbatch_begin(parse_time("2024-07-11T05:00:00Z"), None, NOW) == "--begin=2024-07-11T07:00:00"
    assert sbatch_begin(parse_time("2024-10-27T00:30:00Z"), None, NOW) == "--begin=now+44970"
    assert at_time(parse_time("2024-12-11T05:00:00Z"), None, NOW) == "-t 202412110600"
    assert read_timezone(None) is None


def test_an_hour_that_comes_twice_is_told_relative_to_now() -> None:
    first, second = parse_time("2024-10-27T00:30:00Z"), parse_time("2024-10-27T01:30:00Z")

    assert first.astimezone(PARIS).strftime("%H:%M") == second.astimezone(PARIS).strftime("%H:%M") == "02:30"
    assert [sbatch_begin(start, PARIS, NOW) for start in (first, second)] == ["--begin=now+44970", "--begin=now+48570"]
    assert [at_time(start, PARIS, NOW) for start in (first, second)] == ["now + 750 minutes", "now + 810 minutes"]
    with pytest.raises(InvalidInput, match="comes twice"):
        cron_fields(first, PARIS, NOW)


def test_the_hours_around_the_change_are_told_plainly() -> None:
    for text, local in (("2024-10-26T23:59:59", "01:59:59"), ("2024-10-27T02:00:00", "03:00:00"), ("2024-03-31T01:00:00", "03:00:00")):
        told = sbatch_begin(parse_time(f"{text}Z"), PARIS, NOW)
        assert told.endswith(local), told


def test_at_and_cron_know_minutes_only_and_never_start_early() -> None:
    start = parse_time("2024-03-11T05:06:07Z")

    assert at_time(start, UTC, NOW) == "-t 202403110507"
    assert cron_fields(start, UTC, NOW) == "7 5 11 3 *"
    assert cron_fields(parse_time("2024-12-31T23:59:01Z"), UTC, NOW) == "0 0 1 1 *"


def test_every_half_hour_of_a_year_reads_back_as_itself_or_is_told_relative_to_now() -> None:
    for zone in ("Europe/Paris", "Australia/Lord_Howe"):
        timezone = ZoneInfo(zone)
        for hours in range(8_784 * 2):
            start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * hours)
            told = sbatch_begin(start, timezone, NOW).removeprefix("--begin=")
            if told.startswith("now"):
                continue
            assert datetime.fromisoformat(told).replace(tzinfo=timezone).astimezone(UTC) == start


def test_a_time_zone_that_is_not_known_is_refused() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "", "x" * 500):
        with pytest.raises(InvalidInput, match="no time zone known here"):
            read_timezone(name)
