"""Times, durations, and the grid of UTC hours on the days when clocks change."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.interval import (
    EPOCH,
    MICROSECONDS_PER_HOUR,
    Interval,
    Month,
    check_range,
    format_hour,
    format_hours,
    format_microseconds,
    format_time,
    from_microseconds,
    hour_of,
    hour_start,
    months_between,
    parse_duration,
    parse_microseconds,
    parse_time,
    to_microseconds,
)
from gridgram.profile import interval_profile, stepped_profile

ACCEPTED = {
    "2022-03-11T00:00:00Z": "2022-03-11T00:00:00Z",
    "2022-03-11t00:00:00z": "2022-03-11T00:00:00Z",
    "2022-03-11T00:00Z": "2022-03-11T00:00:00Z",
    "2022-03-11T01:30:15+01:30": "2022-03-11T00:00:15Z",
    "2022-03-10T19:00:00-05:00": "2022-03-11T00:00:00Z",
    "2022-03-11T00:00:00-00:00": "2022-03-11T00:00:00Z",
    "2022-03-11T14:00:00+14:00": "2022-03-11T00:00:00Z",
    "2022-03-10T10:00:00-14:00": "2022-03-11T00:00:00Z",
    "2022-03-11T00:00:00.5Z": "2022-03-11T00:00:00.500000Z",
    "2022-03-11T00:00:00.000001Z": "2022-03-11T00:00:00.000001Z",
    "2022-03-11T00:00:00.123456789Z": "2022-03-11T00:00:00.123456Z",
    "2024-02-29T00:00:00Z": "2024-02-29T00:00:00Z",
    "2022-01-01T00:30:00+01:00": "2021-12-31T23:30:00Z",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",  # read here; `check_range` refuses it
}

REFUSED = {
    # text: a part of what the error says
    "2022-03-11T00:00:00": "add Z or +hh:mm, for example 2022-03-11T00:00:00Z",
    "2022-03-11 00:00:00": "for example 2022-03-11T00:00:00Z",
    "2022-03-11T00:00": "for example 2022-03-11T00:00Z",
    "2022-03-11": "for example 2022-03-11T00:00:00Z",
    "2022-03-11 00:00:00Z": "write it like 2022-03-11T00:00:00Z",
    "2022-03-11T00:00:00+0100": "write it like",
    "2022-03-11T00:00:00+01": "write it like",
    "2022-03-11T00:00:00,5Z": "write it like",
    "2022-03-11T00Z": "write it like",
    "2022-3-11T00:00:00Z": "write it like",
    "22-03-11T00:00:00Z": "write it like",
    "2022-03-11T00:00:00Z ": "write it like",
    "2022-03-11T00:00:00Z\n": "write it like",
    "2022-03-11T00:00:00.Z": "write it like",
    "2022-03-11T00:00:00.1234567890Z": "write it like",
    "٢٠٢٢-03-11T00:00:00Z": "write it like",
    "2022-W10-5T00:00:00Z": "write it like",
    "+12022-03-11T00:00:00Z": "write it like",
    "1646956800": "write it like",
    "1646956800000": "write it like",
    "now": "write it like",
    "": "write it like",
    "2022-03-11T24:00:00Z": "no time that exists: hour must be in 0..23",
    "2016-12-31T23:59:60Z": "no time that exists: second must be in 0..59",
    "2022-03-11T00:60:00Z": "no time that exists: minute must be in 0..59",
    "2023-02-29T00:00:00Z": "no time that exists: day is out of range for month",
    "2022-13-01T00:00:00Z": "no time that exists: month must be in 1..12",
    "0000-01-01T00:00:00Z": "no time that exists: year 0 is out of range",
    "2022-03-11T00:00:00+25:00": "offsets lie between -14:00 and +14:00",
    "2022-03-11T00:00:00-14:01": "offsets lie between -14:00 and +14:00",
    "2022-03-11T00:00:00+01:60": "offsets lie between -14:00 and +14:00",
    "0001-01-01T00:00:00+01:00": "outside the years",
    "9999-12-31T23:59:59-01:00": "outside the years",
}

DURATIONS = {
    "PT1H": timedelta(hours=1),
    "PT5M": timedelta(minutes=5),
    "PT90M": timedelta(minutes=90),
    "PT1H30M": timedelta(minutes=90),
    "PT0.5S": timedelta(seconds=0.5),
    "PT1.000001S": timedelta(seconds=1, microseconds=1),
    "P1D": timedelta(days=1),
    "P1DT12H": timedelta(hours=36),
    "P1W": timedelta(weeks=1),
    "P1W1DT1H1M1S": timedelta(weeks=1, days=1, hours=1, minutes=1, seconds=1),
    "P366D": timedelta(days=366),
    "PT00000001M": timedelta(minutes=1),
}

NO_DURATIONS = [
    "",
    "P",
    "PT",
    "1H",
    "PT1",
    "P1M",
    "P1Y",
    "PT1.5H",
    "-PT1H",
    "PT-1H",
    "pt1h",
    "PT1H ",
    "PT0S",
    "P0D",
    "PT1H30",
    "P1H",
    "60",
    "PT\u0661H",
]

CLOCK_CHANGES = [
    # zone, local date, length of the local day in hours
    ("Europe/Paris", (2022, 3, 27), 23.0),
    ("Europe/Paris", (2022, 10, 30), 25.0),
    ("America/New_York", (2022, 3, 13), 23.0),
    ("America/New_York", (2022, 11, 6), 25.0),
    ("Australia/Sydney", (2022, 10, 2), 23.0),
    ("Australia/Sydney", (2022, 4, 3), 25.0),
    ("Australia/Adelaide", (2022, 10, 2), 23.0),
    ("Australia/Adelaide", (2022, 4, 3), 25.0),
    ("Australia/Lord_Howe", (2022, 10, 2), 23.5),
    ("Australia/Lord_Howe", (2022, 4, 3), 24.5),
    ("Asia/Shanghai", (2022, 3, 27), 24.0),
]

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy wants naive bounds
OFFSETS = st.integers(-14 * 60, 14 * 60)
HOURS = st.integers(hour_of(datetime(2000, 1, 1, tzinfo=UTC)), hour_of(datetime(2040, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(("text", "utc"), ACCEPTED.items())
def test_every_rfc_3339_time_with_an_offset_is_read_into_utc(text: str, utc: str) -> None:
    instant = parse_time(text)

    assert instant.tzinfo is UTC
    assert format_time(instant) == utc


@pytest.mark.parametrize(("text", "mend"), REFUSED.items())
def test_any_other_time_is_refused_with_the_mend(text: str, mend: str) -> None:
    with pytest.raises(ValueError, match=re.escape(mend)):
        parse_time(text)


@given(st.integers(0, 19), st.characters(max_codepoint=0x6FF), st.integers(0, 19), st.sampled_from("0 +-:.,9ZTtz"))
def test_a_time_of_the_common_length_is_read_only_if_it_is_one(first: int, some: str, second: int, other: str) -> None:
    characters = list("2022-03-11T09:08:07Z")
    characters[first], characters[second] = some, other
    text = "".join(characters)
    form = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)[Zz]", text, re.ASCII)
    other_form = re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", text, re.ASCII)
    try:
        expected = datetime(*map(int, form.groups()), tzinfo=UTC) if form else None  # type: ignore[misc, arg-type]  # six numbers
    except ValueError:
        expected = None

    try:
        assert parse_time(text) == expected or (form is None and other_form)
    except ValueError:
        assert expected is None


@given(INSTANTS)
def test_an_instant_in_microseconds_is_written_as_any_other(instant: datetime) -> None:
    assert format_microseconds(to_microseconds(instant)) == format_time(instant)


@given(INSTANTS, OFFSETS)
def test_the_same_instant_in_any_offset_is_the_same_time(instant: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    local = (instant + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()

    assert parse_time(f"{local}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}") == instant


@given(INSTANTS)
def test_an_instant_survives_writing_and_reading(instant: datetime) -> None:
    assert parse_time(format_time(instant)) == instant
    assert parse_microseconds(format_time(instant)) == to_microseconds(instant)
    assert from_microseconds(to_microseconds(instant)) == instant


@given(st.text(max_size=40))
def test_no_text_makes_reading_a_time_or_a_duration_fail_in_another_way(text: str) -> None:
    for read in (parse_time, parse_microseconds, parse_duration):
        try:
            read(text)
        except ValueError as error:
            assert len(str(error)) < 400  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(("text", "length"), DURATIONS.items())
def test_a_duration_of_fixed_length_is_read_exactly(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length // timedelta(microseconds=1)


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_a_duration_without_fixed_length_or_of_nothing_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match=r"write (it|a duration) like PT1H"):
        parse_duration(text)


def test_times_before_2000_and_more_than_14_days_ahead_are_refused_by_their_bound() -> None:
    now = datetime(2024, 3, 1, tzinfo=UTC)
    first, last = datetime(2000, 1, 1, tzinfo=UTC), now + timedelta(days=14)

    assert check_range(first, now) == first
    assert check_range(last, now) == last
    with pytest.raises(ValueError, match=r"1999-12-31T23:59:59\.999999Z is before 2000-01-01T00:00:00Z"):
        check_range(first - timedelta(microseconds=1), now)
    with pytest.raises(ValueError, match="more than 14 days ahead; the latest time accepted now is 2024-03-15T00:00:00Z"):
        check_range(last + timedelta(microseconds=1), now)


def test_a_naive_time_has_no_microseconds_and_makes_no_interval() -> None:
    naive = datetime(2024, 1, 1)  # noqa: DTZ001 - the fault under test

    with pytest.raises(ValueError, match="has no offset"):
        to_microseconds(naive)
    with pytest.raises(ValueError, match="with an offset"):
        Interval(naive, datetime(2024, 1, 2, tzinfo=UTC))


def test_an_interval_knows_the_hours_that_it_touches_and_must_run_forwards() -> None:
    start, end = datetime(2024, 1, 1, 0, 59, tzinfo=UTC), datetime(2024, 1, 1, 2, tzinfo=UTC)
    interval = Interval(start.astimezone(ZoneInfo("Asia/Kolkata")), end)

    assert interval.start.tzinfo is UTC
    assert (interval.first_hour, interval.end_hour) == (hour_of(start), hour_of(end))
    assert Interval(start, end + timedelta(microseconds=1)).end_hour == hour_of(end) + 1
    for wrong in (start, start - timedelta(hours=1)):
        with pytest.raises(ValueError, match="is not after the start"):
            Interval(start, wrong)


@given(INSTANTS)
def test_an_instant_lies_in_its_hour(instant: datetime) -> None:
    start = hour_start(hour_of(instant))

    assert start <= instant < start + timedelta(hours=1)


@given(st.lists(HOURS, max_size=30))
def test_many_hours_are_written_as_each_alone(hours: list[int]) -> None:
    assert format_hours(hours) == [format_hour(hour) for hour in hours]
    assert [parse_time(text) for text in format_hours(hours)] == [hour_start(hour) for hour in hours]


@given(HOURS, st.integers(0, 24 * 400))
def test_months_between_tile_the_hours_without_gap(first_hour: int, length: int) -> None:
    months = months_between(first_hour, first_hour + length)

    if not length:
        assert months == []
        return
    assert months[0] == Month.of_hour(first_hour)
    assert months[-1] == Month.of_hour(first_hour + length - 1)
    assert all(earlier.next == later for earlier, later in pairwise(months))
    assert all(earlier.first_hour + earlier.hours == later.first_hour for earlier, later in pairwise(months))


def test_a_month_is_half_open_and_has_28_to_31_days() -> None:
    january = Month(2024, 1)

    assert months_between(january.first_hour, january.next.first_hour) == [january]
    assert months_between(january.first_hour, january.next.first_hour + 1) == [january, Month(2024, 2)]
    assert months_between(january.first_hour, january.first_hour) == []
    assert months_between(january.first_hour, january.first_hour - 1) == []
    assert [Month(2024, month).hours // 24 for month in range(1, 13)] == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert Month(2023, 2).hours == 672
    assert Month(2023, 12).next == Month(2024, 1)
    assert str(Month(2024, 3)) == "2024-03"


def local_midnight(zone: str, date: tuple[int, int, int], days: int = 0) -> datetime:
    """The start of a local day, written with the offset that holds there and then."""
    day = datetime(*date) + timedelta(days=days)  # noqa: DTZ001 - a wall clock
    return day.replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(("zone", "date", "length"), CLOCK_CHANGES)
def test_a_local_day_has_the_utc_hours_that_its_clock_really_ran(zone: str, date: tuple[int, int, int], length: float) -> None:
    start = parse_time(local_midnight(zone, date).isoformat())
    end = parse_time(local_midnight(zone, date, days=1).isoformat())

    assert (end - start) / timedelta(hours=1) == length


@pytest.mark.parametrize(("zone", "date", "length"), CLOCK_CHANGES)
def test_energy_by_the_local_half_hour_is_conserved_when_clocks_change(zone: str, date: tuple[int, int, int], length: float) -> None:
    """Each local half hour stands with its own offset, as a meter writes it: a skipped hour is not there, a repeated one twice."""
    start, end = to_microseconds(local_midnight(zone, date)), to_microseconds(local_midnight(zone, date, days=1))
    half = MICROSECONDS_PER_HOUR // 2
    local = [from_microseconds(at).astimezone(ZoneInfo(zone)).isoformat() for at in range(start, end + 1, half)]
    stamps = [to_microseconds(parse_time(text)) for text in local]
    intervals = [(begin, finish, 1.0 + index) for index, (begin, finish) in enumerate(pairwise(stamps))]

    profile = interval_profile(intervals)

    assert len(intervals) == 2 * length
    assert len({text[:16] for text in local[:-1]}) <= len(intervals)  # the wall clock repeats in autumn, the instants never do
    assert len(set(stamps)) == len(stamps)
    assert sum(profile.kwh) == pytest.approx(sum(kwh for _, _, kwh in intervals), rel=1e-12)
    assert list(profile.hours) == list(range(start // MICROSECONDS_PER_HOUR, -(-end // MICROSECONDS_PER_HOUR)))
    assert profile == interval_profile(intervals[::-1])
    stepped = stepped_profile(start, half, [kwh for _, _, kwh in intervals])
    assert list(stepped.kwh) == pytest.approx(list(profile.kwh), rel=1e-12)


def test_the_local_day_of_adelaide_begins_and_ends_in_the_middle_of_a_utc_hour() -> None:
    """+09:30 in winter, +10:30 in summer: the first and the last UTC hour hold half an hour of it each."""
    start = to_microseconds(parse_time("2022-10-02T00:00:00+09:30"))
    end = to_microseconds(parse_time("2022-10-03T00:00:00+10:30"))

    profile = interval_profile([(start, end, 23.0)])

    assert len(profile.hours) == 24
    assert profile.kwh[0] == pytest.approx(0.5)
    assert profile.kwh[-1] == pytest.approx(0.5)
    assert list(profile.kwh[1:-1]) == pytest.approx([1.0] * 22)
    assert EPOCH + timedelta(hours=profile.hours[0]) == datetime(2022, 10, 1, 14, tzinfo=UTC)
