"""Generation by fuel as it is kept: laid over hours, as bytes and back, and by several processes in one store."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cache.codec import CodecError
from cache.mix_codec import MAGIC, decode_mix, encode_mix, mix_name
from cache.sqlite import SqliteStore
from gridgram.errors import StoreError
from gridgram.fuels import Fuel
from gridgram.interval import Month, to_microseconds
from gridgram.mix_series import FUELS, MAX_SOURCES, MixSeries, MixUnit, joined_mix, missing_mix, month_mixes, overlay_mix
from gridgram.mix_shares import FOSSIL, LOW_CARBON, RENEWABLE, shares_of
from gridgram.quality import Quality
from service.mixes.kept import KEPT_SECONDS, KeptMixes
from tests.mixes import ENTSOE, RTE, mixes, month_of, told
from tests.months import FETCHED, MARCH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GAS, WIND = {Fuel.GAS: 300.0, Fuel.WIND: 700.0}, {Fuel.WIND: 900.0}
FIRST = MARCH.first_hour


def base() -> MixSeries:
    return missing_mix("FR", FIRST, MARCH.hours)


# Shares.


def test_every_fuel_is_of_a_kind_but_what_a_source_calls_other() -> None:
    assert LOW_CARBON | FOSSIL | {Fuel.UNKNOWN} == set(Fuel)
    assert not LOW_CARBON & FOSSIL
    assert {Fuel.NUCLEAR} == LOW_CARBON - RENEWABLE


def test_shares_are_of_all_that_was_generated() -> None:
    shares = shares_of({Fuel.NUCLEAR: 500.0, Fuel.GAS: 250.0, Fuel.WIND: 150.0, Fuel.UNKNOWN: 100.0, Fuel.COAL: 0.0})

    assert shares.by_fuel == {Fuel.NUCLEAR: 50.0, Fuel.GAS: 25.0, Fuel.WIND: 15.0, Fuel.UNKNOWN: 10.0, Fuel.COAL: 0.0}
    assert (shares.low_carbon, shares.renewable, shares.fossil) == (65.0, 15.0, 25.0)


@given(st.dictionaries(st.sampled_from(Fuel), st.floats(0, 1e6), min_size=1).filter(lambda mix: sum(mix.values()) > 1e-6))
@example({Fuel.COAL: 671_088.9249824639})  # multiplied by a hundred before it is divided, it would be more than all of itself
def test_shares_add_up_to_a_hundred_and_none_is_outside(mix: dict[Fuel, float]) -> None:
    shares = shares_of(mix)

    assert sum(shares.by_fuel.values()) == pytest.approx(100.0)
    assert all(0 <= share <= 100 for share in (shares.low_carbon, shares.renewable, shares.fossil, *shares.by_fuel.values()))


# Laying hours over hours.


def test_new_hours_fill_holes_and_take_the_place_of_hours_as_good() -> None:
    once, changed = overlay_mix(base(), mixes(GAS, GAS))
    twice, again = overlay_mix(once, mixes(WIND, first_hour=FIRST + 1))

    assert (changed, again) == (2, 1)
    assert [(hour, mix) for hour, mix, *_ in told(twice)] == [(FIRST, GAS), (FIRST + 1, WIND)]


def test_a_better_hour_is_never_replaced_by_a_worse_one() -> None:
    once, _ = overlay_mix(base(), mixes(GAS))

    assert overlay_mix(once, mixes(WIND, quality=Quality.PRELIMINARY)) == (once, 0)


def test_the_fuels_of_one_hour_are_all_of_one_source() -> None:
    once, _ = overlay_mix(base(), mixes({Fuel.GAS: 300.0, Fuel.COAL: 50.0}))
    twice, _ = overlay_mix(once, mixes({Fuel.GAS: 310.0}, source=ENTSOE))

    assert told(twice) == [(FIRST, {Fuel.GAS: 310.0}, Quality.MEASURED, "entsoe", to_microseconds(FETCHED))]


def test_an_hour_that_says_the_same_keeps_when_it_came() -> None:
    once, _ = overlay_mix(base(), mixes(GAS))

    assert overlay_mix(once, mixes(GAS, fetched_at=FETCHED + timedelta(hours=1))) == (once, 0)
    assert overlay_mix(once, mixes(GAS, source=ENTSOE))[1] == 1


def test_mixes_of_two_zones_are_not_laid_over_each_other() -> None:
    with pytest.raises(ValueError, match="cannot be laid over"):
        overlay_mix(base(), mixes(GAS, zone="DE"))


def test_more_sources_than_a_month_can_name_are_refused() -> None:
    many = replace(base(), sources=tuple(replace(RTE, provider=f"p{number}") for number in range(MAX_SOURCES)))

    with pytest.raises(ValueError, match="more than 255 different sources"):
        overlay_mix(many, mixes(GAS))


def test_a_series_is_cut_into_months_and_joined_again() -> None:
    april = MARCH.next
    series = mixes(GAS, {}, WIND, first_hour=april.first_hour - 1)

    months = month_mixes(series)

    assert list(months) == [MARCH, april]
    assert told(joined_mix(list(months.values()))) == told(series)
    assert month_mixes(mixes({}, first_hour=FIRST)) == {}


# As bytes and back.


@st.composite
def months(draw: st.DrawFn) -> MixSeries:
    month = Month(draw(st.integers(2000, 2030)), draw(st.integers(1, 12)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    generation = random.random((month.hours, len(FUELS))) * 10.0 ** random.integers(-3, 6)
    generation[random.random(generation.shape) < draw(st.sampled_from([0.0, 0.5]))] = np.nan
    quality = random.integers(0, 8, month.hours).astype(np.uint8)
    quality[np.isnan(generation).all(axis=1)] = 0
    source = np.where(quality > 0, random.integers(0, 2, month.hours), 0).astype(np.uint8)
    came = np.where(quality > 0, random.integers(0, 2**60, month.hours), 0)
    unit = draw(st.sampled_from(MixUnit))
    zone = draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
    return MixSeries(zone, month.first_hour, generation, quality, source, came, (replace(RTE, unit=unit), ENTSOE))


@settings(max_examples=15, deadline=None)
@given(months())
def test_decoding_gives_back_what_was_encoded(mix: MixSeries) -> None:
    month = Month.of_hour(mix.first_hour)
    packed = encode_mix(mix)
    back = decode_mix(packed, mix.zone, month)

    assert told(back) == told(mix)
    assert encode_mix(back) == packed
    assert not back.generation.flags.writeable


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_say_what_they_said(data: st.DataObject) -> None:
    packed = bytearray(encode_mix(PACKED_MONTH))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        back = decode_mix(bytes(packed), "FR", MARCH)
    except CodecError:
        return
    assert told(back) == told(PACKED_MONTH)


PACKED_MONTH = month_of([GAS, WIND])


@pytest.mark.parametrize("cut", [0, 4, 5, 20, -1])
def test_bytes_that_were_cut_are_refused(cut: int) -> None:
    with pytest.raises(CodecError):
        decode_mix(encode_mix(PACKED_MONTH)[:cut], "FR", MARCH)


def test_bytes_of_another_zone_month_or_version_are_refused() -> None:
    packed = encode_mix(PACKED_MONTH)
    for body, zone, month in [
        (packed, "DE", MARCH),
        (packed, "FR", MARCH.next),
        (b"GGMX\x02" + packed[5:], "FR", MARCH),
        (packed + b"x", "FR", MARCH),
    ]:
        with pytest.raises(CodecError):
            decode_mix(body, zone, month)


def test_bytes_that_swell_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(CodecError, match="does not end"):
        decode_mix(MAGIC + zlib.compress(bytes(50_000_000)), "FR", MARCH)


@pytest.mark.parametrize("amount", [float("inf"), -1.0, 0.0])
def test_an_hour_without_a_sound_amount_is_not_packed(amount: float) -> None:
    with pytest.raises(CodecError, match="sound amount"):
        encode_mix(overlay_mix(base(), mixes({Fuel.GAS: amount}))[0])


def test_a_month_of_whole_numbers_takes_less_than_half_of_its_arrays() -> None:
    random = np.random.default_rng(1)
    hours = [{fuel: float(power) for fuel, power in zip(list(Fuel)[:8], random.integers(0, 40_000, 8), strict=True)} for _ in range(744)]

    assert len(encode_mix(month_of(hours))) < 744 * 8 * 8 / 2


# In a store.


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "series.db")
    yield store
    await store.close()


def heedless(*_: object) -> None:
    """Take no notice."""


def kept_in(store: SqliteStore) -> KeptMixes:
    return KeptMixes(store, heedless, heedless)


async def test_what_was_put_is_read_by_others_with_holes_over_the_end_of_a_month(store: SqliteStore) -> None:
    first_hour = MARCH.next.first_hour - 1
    assert await kept_in(store).put(mixes(GAS, {}, WIND, first_hour=first_hour))

    read = await kept_in(store).read("FR", first_hour - 1, first_hour + 4)

    assert told(read) == told(mixes(GAS, {}, WIND, first_hour=first_hour))
    assert (read.first_hour, read.end_hour) == (first_hour - 1, first_hour + 4)


async def test_many_who_put_into_one_month_at_once_lose_no_hour(store: SqliteStore) -> None:
    writers = [kept_in(store) for _ in range(12)]
    await asyncio.gather(*(mine.put(mixes(GAS, first_hour=FIRST + place)) for place, mine in enumerate(writers)))

    assert [hour for hour, *_ in told(await kept_in(store).read("FR", FIRST, FIRST + 20))] == list(range(FIRST, FIRST + 12))


async def test_hours_that_say_the_same_are_not_written_again(store: SqliteStore) -> None:
    await kept_in(store).put(mixes(GAS))
    before = await store.kept(mix_name("FR", MARCH))

    await kept_in(store).put(mixes(GAS, fetched_at=FETCHED + timedelta(hours=1)))

    assert await store.kept(mix_name("FR", MARCH)) == before


async def test_a_month_that_cannot_be_understood_counts_as_not_held_and_is_mended_by_the_next_put(store: SqliteStore) -> None:
    await store.keep(mix_name("FR", MARCH), b"GGMX\x01 something else", KEPT_SECONDS)
    with structlog.testing.capture_logs() as logs:
        assert told(await kept_in(store).read("FR", FIRST, FIRST + 3)) == []
        assert await kept_in(store).put(mixes(GAS))

    assert {entry["event"] for entry in logs} == {"store.mix_dropped"}
    assert len(told(await kept_in(store).read("FR", FIRST, FIRST + 3))) == 1


class Held(SqliteStore):
    """A store that holds back what it has read, once, until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.has_read, self.may_go = asyncio.Event(), asyncio.Event()

    async def kept(self, name: str) -> bytes | None:
        found = await super().kept(name)
        if not self.has_read.is_set():
            self.has_read.set()
            await self.may_go.wait()
        return found


async def test_a_read_that_began_before_hours_were_put_does_not_hide_them_when_it_ends_after(tmp_path: Path) -> None:
    store = Held(tmp_path / "series.db")
    mine = kept_in(store)
    early = asyncio.create_task(mine.read("FR", FIRST, FIRST + 1))
    await store.has_read.wait()
    await mine.put(mixes(GAS))
    store.may_go.set()

    assert [mix for _, mix, *_ in told(await early)] == [GAS]
    assert [mix for _, mix, *_ in told(await mine.read("FR", FIRST, FIRST + 1))] == [GAS]
    await store.close()


async def test_a_read_that_began_before_another_process_wrote_is_not_taken_for_a_look_after_it(store: SqliteStore, tmp_path: Path) -> None:
    held = Held(tmp_path / "series.db")
    mine = kept_in(held)
    early = asyncio.create_task(mine.read("FR", FIRST, FIRST + 1))
    await held.has_read.wait()
    await kept_in(store).put(mixes(GAS))
    mine.look_again()
    held.may_go.set()
    await early

    assert [mix for _, mix, *_ in told(await mine.read("FR", FIRST, FIRST + 1))] == [GAS]
    await held.close()


class Away:
    """A store that is away."""

    async def kept(self, name: str) -> bytes | None:
        raise StoreError(f"The store is away, {name} too.")

    async def swap(self, name: str, before: bytes | None, body: bytes, seconds: float) -> bool:
        del before, body, seconds
        raise StoreError(f"The store is away, {name} too.")


async def test_while_the_store_is_away_what_was_seen_and_what_comes_is_told(store: SqliteStore) -> None:
    failures: list[StoreError] = []
    mine = KeptMixes(store, failures.append, heedless)
    await mine.put(mixes(GAS))
    mine.store = Away()  # type: ignore[assignment]  # of the store only these two are asked
    mine.look_again()

    assert not await mine.put(mixes(WIND, first_hour=FIRST + 1))

    assert [mix for _, mix, *_ in told(await mine.read("FR", FIRST, FIRST + 2))] == [GAS, WIND]
    assert await mine.read("DE", FIRST, FIRST + 2) is not None
    assert failures


async def test_a_month_that_the_store_lost_is_told_so_that_it_is_asked_for_again(store: SqliteStore) -> None:
    lost: list[tuple[str, Month]] = []
    mine = KeptMixes(store, heedless, lambda zone, month: lost.append((zone, month)))
    await mine.put(mixes(GAS))
    await store.keep(mix_name("FR", MARCH), b"", 0.01)
    await asyncio.sleep(0.02)
    mine.look_again()

    assert told(await mine.read("FR", FIRST, FIRST + 1)) == []
    assert lost == [("FR", MARCH)]
