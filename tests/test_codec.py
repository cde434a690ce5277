"""Laying hours over hours, and a month as bytes and back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.codec import CHECKSUM_BYTES, MAGIC, CodecError, decode_month, encode_month
from gridgram.errors import StoreError
from gridgram.interval import EPOCH, Month
from gridgram.quality import Quality, Scope, Signal
from gridgram.series import MAX_SOURCES, IntensitySeries, Source, hours_changed, missing_series, month_series, overlay, spanned
from tests.months import FETCHED, MARCH, facts, hours, source

PREFIX = len(MAGIC) + 1 + CHECKSUM_BYTES


@st.composite
def months(draw: st.DrawFn) -> IntensitySeries:
    month = Month(draw(st.integers(2000, 2030)), draw(st.integers(1, 12)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    texts = st.text(max_size=12)
    sources = tuple(
        draw(
            st.lists(
                st.builds(
                    Source,
                    texts,
                    st.sampled_from(Signal),
                    st.sampled_from(Scope),
                    texts,
                    texts,
                    st.none() | st.datetimes(datetime(1999, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
                    texts,
                ),
                min_size=1,
                max_size=5,
            ),
        ),
    )
    quality = random.integers(0, 8, month.hours).astype(np.uint8)
    numbers = np.where(quality > 0, random.random(month.hours) * 10.0 ** random.integers(-8, 8), np.nan)
    band = draw(st.sampled_from([1.0, 0.5]))
    origin = np.where(quality > 0, random.integers(0, len(sources), month.hours), 0).astype(np.uint8)
    zone = draw(st.text(min_size=1, max_size=20))
    return IntensitySeries(
        zone, draw(st.sampled_from(Signal)), month.first_hour, numbers, numbers * band, numbers / band, quality, origin, sources
    )


@settings(max_examples=60, deadline=None)
@given(months())
def test_decoding_gives_back_what_was_encoded(series: IntensitySeries) -> None:
    month = Month.of_hour(series.first_hour)

    again = decode_month(encode_month(series), series.zone, series.signal, month)

    for column in ("g_per_kwh", "low", "high", "quality", "source"):
        assert getattr(again, column).tobytes() == getattr(series, column).tobytes()
    assert (again.zone, again.signal, again.first_hour, again.sources) == (series.zone, series.signal, series.first_hour, series.sources)
    assert encode_month(again) == encode_month(series)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=9000))
def test_random_bytes_are_refused(packed: bytes) -> None:
    with pytest.raises(CodecError):
        decode_month(packed, "FR", Signal.LIFECYCLE, MARCH)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_under_a_true_checksum_are_refused(body: bytes) -> None:
    packed = MAGIC + b"\x01" + blake2b(body, digest_size=CHECKSUM_BYTES).digest() + body

    with pytest.raises(CodecError):
        decode_month(packed, "FR", Signal.LIFECYCLE, MARCH)


def test_ten_thousand_random_values_give_no_number() -> None:
    random = np.random.default_rng(7)
    for _ in range(10_000):
        with pytest.raises(CodecError):
            decode_month(random.bytes(int(random.integers(0, 600))), "FR", Signal.LIFECYCLE, MARCH)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(encode_month(hours(56.0))) * 8 - 1))
def test_one_flipped_bit_is_noticed(bit: int) -> None:
    packed = bytearray(encode_month(hours(56.0)))
    packed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(CodecError):
        decode_month(bytes(packed), "FR", Signal.LIFECYCLE, MARCH)


def test_a_cut_or_lengthened_chunk_is_refused() -> None:
    packed = encode_month(hours(56.0, band=5.0))
    for wrong in [*(packed[:size] for size in range(0, len(packed), 97)), packed[:-1], packed + b"\0", packed + packed]:
        with pytest.raises(CodecError):
            decode_month(wrong, "FR", Signal.LIFECYCLE, MARCH)


@pytest.mark.parametrize(
    ("zone", "signal", "month"),
    [
        ("DE", Signal.LIFECYCLE, MARCH),
        ("FR", Signal.DIRECT, MARCH),
        ("FR", Signal.LIFECYCLE, Month(2024, 5)),
        ("FR", Signal.LIFECYCLE, Month(2023, 3)),
    ],
)
def test_a_chunk_under_the_wrong_key_is_refused(zone: str, signal: Signal, month: Month) -> None:
    with pytest.raises(CodecError, match="is that of FR lifecycle 2024-03"):
        decode_month(encode_month(hours(56.0)), zone, signal, month)


def test_another_version_and_a_foreign_value_are_named() -> None:
    packed = encode_month(hours(56.0))

    with pytest.raises(CodecError, match="version 1"):
        decode_month(MAGIC + b"\x02" + packed[5:], "FR", Signal.LIFECYCLE, MARCH)
    with pytest.raises(CodecError, match="not a Gridgram chunk"):
        decode_month(b"\x80\x04\x95pickle", "FR", Signal.LIFECYCLE, MARCH)


@pytest.mark.parametrize(
    "table",
    [
        "[",
        "{}",
        "[[]]",
        "[[1,2]]",
        '[["a","nonsense","production","","",null,""]]',
        '[["a","lifecycle","production","","",1e300,""]]',
        "null",
    ],
)
def test_a_source_table_that_makes_no_sense_is_refused_even_under_a_true_checksum(table: str) -> None:
    packed = encode_month(hours(56.0))
    true_table = json.dumps(
        [["eia", "lifecycle", "production", "public domain", "U.S. EIA", 1711929600000000, "test hours"]], separators=(",", ":")
    )
    assert true_table.encode() in packed
    padded = table.ljust(len(true_table))[: len(true_table)]
    body = packed[PREFIX:].replace(true_table.encode(), padded.encode())

    with pytest.raises(CodecError):
        decode_month(MAGIC + b"\x01" + blake2b(body, digest_size=CHECKSUM_BYTES).digest() + body, "FR", Signal.LIFECYCLE, MARCH)


def test_a_band_equal_to_the_value_takes_no_room() -> None:
    assert len(encode_month(hours(56.0, band=5.0))) == len(encode_month(hours(56.0))) + 2 * 8 * MARCH.hours


def test_what_lies_behind_a_missing_hour_does_not_reach_the_bytes() -> None:
    first, second = hours([1.0, 2.0]), hours([1.0, 9.0])
    for series in (first, second):
        series.quality[1] = 0

    packed = [encode_month(spanned(series, MARCH.first_hour, MARCH.next.first_hour)) for series in (first, second)]

    assert packed[0] == packed[1]


def test_decoded_numbers_cannot_be_written_over() -> None:
    series = decode_month(encode_month(hours(56.0)), "FR", Signal.LIFECYCLE, MARCH)

    with pytest.raises(ValueError, match="read-only"):
        series.g_per_kwh[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        series.quality[0] = 0


@pytest.mark.parametrize(
    "series",
    [
        hours([1.0, 2.0]),
        hours(float("nan")),
        hours(float("inf")),
        replace(hours(1.0), sources=()),
        replace(hours(1.0), zone="Z" * 300),
        replace(hours(1.0), quality=np.full(MARCH.hours, 8, np.uint8)),
    ],
)
def test_a_series_that_is_no_sound_month_is_not_encoded(series: IntensitySeries) -> None:
    with pytest.raises(CodecError):
        encode_month(series)


def test_a_codec_error_is_a_store_error() -> None:
    assert issubclass(CodecError, StoreError)


def test_a_new_hour_wins_when_it_is_as_good_or_better() -> None:
    base = hours([10.0, 20.0, 30.0], quality=Quality.ESTIMATED)
    same = hours([11.0], quality=Quality.ESTIMATED)
    better = hours([21.0], first=1, quality=Quality.MEASURED)
    worse = hours([31.0], first=2, quality=Quality.ANNUAL)

    laid = base
    for new in (same, better, worse):
        laid = overlay(laid, new)

    assert laid.g_per_kwh.tolist() == [11.0, 21.0, 30.0]
    assert [hour[4] for hour in facts(laid)] == [4, 2, 4]


def test_a_users_own_hours_outrank_every_quality_of_others() -> None:
    own = hours([99.0], quality=Quality.FORECAST, origin=source("file"))
    measured = hours([10.0])

    assert facts(overlay(measured, own)) == facts(own)
    assert facts(overlay(own, measured)) == facts(own)


def test_an_hour_that_says_the_same_keeps_its_fetch() -> None:
    later = source(fetched_at=FETCHED + timedelta(days=9))

    laid = overlay(hours([10.0, 20.0]), hours([10.0, 21.0], origin=later))

    assert [hour[5].fetched_at for hour in facts(laid)] == [FETCHED, later.fetched_at]


def test_the_same_number_under_another_scope_or_licence_is_new() -> None:
    for origin in (replace(source(), scope=Scope.CONSUMPTION), replace(source(), licence="CC BY 4.0")):
        assert facts(overlay(hours([10.0]), hours([10.0], origin=origin)))[0][5] == origin


def test_an_overlay_spans_both_with_a_hole_between() -> None:
    laid = overlay(hours([10.0], first=5), hours([20.0], first=1))

    assert (laid.first_hour, laid.end_hour) == (MARCH.first_hour + 1, MARCH.first_hour + 6)
    assert laid.quality.tolist() == [2, 0, 0, 0, 2]
    assert laid.sources == (source(),)


def test_an_overlay_refuses_another_zone() -> None:
    with pytest.raises(ValueError, match="DE lifecycle cannot be laid over FR lifecycle"):
        overlay(hours([1.0]), hours([1.0], zone="DE"))


def test_sources_that_no_hour_uses_are_dropped() -> None:
    laid = overlay(hours([10.0, 20.0]), hours([11.0, 21.0], origin=source("rte")))

    assert laid.sources == (source("rte"),)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 20),
            st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=10),
            st.sampled_from(Quality),
            st.sampled_from(["eia", "file", "rte"]),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_overlay_agrees_with_the_rule_written_out_hour_by_hour(batches: list[tuple[int, list[float], Quality, str]]) -> None:
    laid = missing_series("FR", Signal.LIFECYCLE, MARCH.first_hour, 1)
    expected: dict[int, tuple[bool, int, float, str]] = {}
    for first, numbers, quality, provider in batches:
        laid = overlay(laid, hours(numbers, first=first, quality=quality, origin=source(provider)))
        for place, number in enumerate(numbers, start=MARCH.first_hour + first):
            rank = (provider != "file", list(Quality).index(quality))
            if place not in expected or rank <= expected[place][:2]:
                expected[place] = (*rank, number, provider)

        assert {hour[0]: (hour[1], hour[5].provider) for hour in facts(laid)} == {place: said[2:] for place, said in expected.items()}


def test_more_fetches_than_a_month_can_name_leave_every_number_and_never_look_fresher() -> None:
    laid = hours([0.0], origin=source(fetched_at=FETCHED))
    fetched = {}
    for count in range(1, 700):
        fetched[MARCH.first_hour + count] = FETCHED + timedelta(hours=count)
        laid = overlay(laid, hours([float(count)], first=count, origin=source(fetched_at=FETCHED + timedelta(hours=count))))

    assert len(laid.sources) == MAX_SOURCES
    assert laid.g_per_kwh.tolist() == [float(count) for count in range(700)]
    assert all((hour[5].fetched_at or EPOCH) <= fetched.get(hour[0], FETCHED) for hour in facts(laid))
    assert facts(laid)[-1][5].fetched_at == FETCHED + timedelta(hours=699)


def test_more_files_than_a_month_can_name_become_one_with_others() -> None:
    laid = hours([0.0], origin=source("file", attribution="0.csv"))
    for count in range(1, 400):
        origin = source("file", FETCHED + timedelta(hours=count), f"{count}.csv")
        laid = overlay(laid, hours([float(count)], first=count, origin=origin))

    assert len(laid.sources) == MAX_SOURCES
    assert laid.g_per_kwh.tolist() == [float(count) for count in range(400)]
    assert facts(laid)[0][5].attribution == "0.csv and others"
    assert facts(laid)[-1][5].attribution == "399.csv"


def test_a_series_is_cut_into_whole_months_and_empty_ones_are_left_out() -> None:
    series = overlay(hours([1.0], month=Month(2024, 1), first=743), hours([2.0], month=Month(2024, 4)))

    cut = month_series(series)

    assert list(cut) == [Month(2024, 1), Month(2024, 4)]
    assert [len(part.g_per_kwh) for part in cut.values()] == [744, 720]
    assert [facts(part)[0][1] for part in cut.values()] == [1.0, 2.0]


def test_changed_hours_are_counted_by_number_quality_band_source_and_presence() -> None:
    base = hours([1.0, 2.0, 3.0])

    assert hours_changed(base, base) == 0
    assert hours_changed(base, hours([1.0, 2.5, 3.0])) == 1
    assert hours_changed(base, hours([1.0, 2.0, 3.0], band=1.0)) == 3
    assert hours_changed(base, hours([1.0, 2.0, 3.0], quality=Quality.ESTIMATED)) == 3
    assert hours_changed(base, hours([1.0, 2.0, 3.0], origin=source("rte"))) == 3
    assert hours_changed(missing_series("FR", Signal.LIFECYCLE, base.first_hour, 3), base) == 3
