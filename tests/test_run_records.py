"""Every store of records keeps the same contract: SQLite, and a real PostgreSQL server of the tests' own where it is installed."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest

from gridgram.errors import InvalidInput, StoreError
from gridgram.run_energy import Counting, Sample
from service.runs.postgres_records import PostgresRecords
from service.runs.records import Cursor, Entry, NewSample, UnknownRun
from service.runs.sqlite_records import SqliteRecords
from tests.runs import postgres_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from service.runs.records import Records

HOUR = 3_600_000_000
NOW = 1_700_000_000_000_000


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    kept = open_records(request, tmp_path)
    yield kept
    await kept.close()


def open_records(request: pytest.FixtureRequest, folder: Path) -> Records:
    if request.param == "sqlite":
        return SqliteRecords(folder / "records.sqlite")
    return PostgresRecords(request.getfixturevalue("postgres_url"), "postgresql://127.0.0.1/postgres")


def owner() -> str:
    """An owner of its own for every test, as they share a server."""
    return secrets.token_hex(8)


def delta(kwh: float = 1.0, hour: int = 0, key: str = "") -> NewSample:
    return NewSample(key or f"span {hour}", Counting.DELTA, Sample(hour * HOUR, (hour + 1) * HOUR, kwh, kwh * 50))


def total(kwh: float, hours: float, key: str = "") -> NewSample:
    return NewSample(key or f"total {hours}", Counting.TOTAL, Sample(0, round(hours * HOUR), kwh), is_content=True)


def entry(who: str, *samples: NewSample, run: str = "ab" * 16, tracker: str = "energy", location: str = "FR", at: int = NOW) -> Entry:
    return Entry(who, run, tracker, at, samples, location=location, name="bloom")


async def test_what_was_kept_is_read_back_to_the_bit(records: Records) -> None:
    who = owner()
    kept = await records.keep(entry(who, delta(0.1 + 0.2), delta(1e-17, 1)))

    run = await records.run(who, kept.run)

    assert (run.name, run.location, run.tracker, run.created_at) == ("bloom", "FR", "energy", NOW)
    assert sorted(await records.samples(who, kept.run)) == [
        (Counting.DELTA, Sample(0, HOUR, 0.1 + 0.2, (0.1 + 0.2) * 50)),
        (Counting.DELTA, Sample(HOUR, 2 * HOUR, 1e-17, 1e-17 * 50)),
    ]
    assert kept.new == 2
    assert all(len(each) == 32 for each in kept.samples)


async def test_the_same_record_again_has_the_same_id_and_counts_once(records: Records) -> None:
    who = owner()
    first = await records.keep(entry(who, delta()))
    again = await records.keep(entry(who, delta(), delta(2.0, 1)))

    assert again.samples[0] == first.samples[0]
    assert again.new == 1
    assert len(await records.samples(who, first.run)) == 2


async def test_many_that_bring_the_same_at_once_get_one_id(records: Records) -> None:
    who = owner()

    kept = await asyncio.gather(*(records.keep(entry(who, delta())) for _ in range(20)))

    assert len({each.samples for each in kept}) == 1
    assert sum(each.new for each in kept) == 1


async def test_a_record_is_never_changed(records: Records) -> None:
    who = owner()
    await records.keep(entry(who, delta(1.0)))

    with pytest.raises(InvalidInput, match="never changed"):
        await records.keep(entry(who, delta(2.0)))
    assert await records.samples(who, "ab" * 16) == [(Counting.DELTA, Sample(0, HOUR, 1.0, 50.0))]


async def test_an_entry_that_is_refused_leaves_nothing_and_disturbs_no_other(records: Records) -> None:
    who = owner()
    await records.keep(entry(who, delta(1.0)))

    bad, good = await asyncio.gather(
        records.keep(entry(who, delta(5.0, 7), delta(2.0))), records.keep(entry(who, delta(3.0, 1))), return_exceptions=True
    )

    assert isinstance(bad, InvalidInput)
    assert not isinstance(good, BaseException)
    assert sorted(sample.kwh for _, sample in await records.samples(who, "ab" * 16)) == [1.0, 3.0]


async def test_a_run_is_its_owners_alone(records: Records) -> None:
    who, other = owner(), owner()
    await records.keep(entry(who, delta(1.0)))
    await records.keep(entry(other, delta(2.0)))

    assert [sample.kwh for _, sample in await records.samples(who, "ab" * 16)] == [1.0]
    assert [run.owner for run in await records.runs(other, None, 10)] == [other]
    with pytest.raises(UnknownRun):
        await records.run(owner(), "ab" * 16)


async def test_a_sample_of_a_run_that_must_be_there_begins_none(records: Records) -> None:
    who = owner()

    with pytest.raises(UnknownRun):
        await records.keep(Entry(who, "cd" * 16, "codecarbon-api", NOW, (delta(),), may_begin=False))
    assert await records.runs(who, None, 10) == []


async def test_energy_of_two_trackers_or_two_places_is_not_one_run(records: Records) -> None:
    who = owner()
    await records.keep(entry(who, delta()))

    with pytest.raises(InvalidInput, match="count twice"):
        await records.keep(entry(who, total(1.0, 1), tracker="codecarbon-http"))
    with pytest.raises(InvalidInput, match="another run"):
        await records.keep(entry(who, delta(1.0, 1), location="DE"))


async def test_a_total_that_falls_is_refused(records: Records) -> None:
    who = owner()
    await records.keep(entry(who, total(2.0, 1), tracker="codecarbon-http"))

    with pytest.raises(InvalidInput, match="fell"):
        await records.keep(entry(who, total(1.0, 2), tracker="codecarbon-http"))
    late = await records.keep(entry(who, total(1.0, 0.5), tracker="codecarbon-http"))
    assert late.new == 1


async def test_a_run_without_a_name_goes_on_while_its_counter_does(records: Records) -> None:
    who = owner()

    def unnamed(kwh: float, hours: float, started: int = 0) -> Entry:
        return Entry(who, "", "codecarbon-http", NOW, (total(kwh, hours),), origin="one machine", started=started)

    first = await records.keep(unnamed(1.0, 1))
    goes_on = await records.keep(unnamed(2.0, 2, started=900_000))
    again = await records.keep(unnamed(1.0, 1, started=7 * HOUR))  # the same record, its clock read otherwise
    neighbour = await records.keep(unnamed(1.9, 2.0001))
    later = await records.keep(unnamed(3.0, 3, started=HOUR))

    assert first.run == goes_on.run == again.run
    assert again.new == 0
    assert len({first.run, neighbour.run, later.run}) == 3


async def test_pages_hold_every_run_once_while_new_ones_come(records: Records) -> None:
    who = owner()
    for number in range(7):
        await records.keep(entry(who, delta(), run=f"{number:032x}", at=NOW + number // 2))

    seen, cursor = [], None
    while page := await records.runs(who, cursor, 3):
        seen += [run.run for run in page]
        cursor = Cursor(page[-1].created_at, page[-1].run)
        await records.keep(entry(who, delta(), run=f"{len(seen) + 100:032x}", at=NOW + 1_000 + len(seen)))

    assert seen == [f"{number:032x}" for number in reversed(range(7))]


async def test_of_two_that_price_a_run_one_is_told_to_look_again(records: Records) -> None:
    who = owner()
    kept = await records.keep(entry(who, delta()))
    run = await records.run(who, kept.run)

    assert await records.reprice(run, "first", '{"a": 1}')
    assert not await records.reprice(run, "second", '{"b": 2}')
    assert (await records.run(who, kept.run)).prices == "first"
    assert await records.revisions(who, kept.run) == ['{"a": 1}']


async def test_runs_that_told_something_lately_are_found_whoever_owns_them(records: Records) -> None:
    who = owner()
    await records.keep(entry(who, delta(), run="11" * 16, at=NOW))
    await records.keep(entry(who, delta(), run="22" * 16, at=NOW + 5 * HOUR))

    found = [run.run for run in await records.seen_since(NOW + HOUR, 100) if run.owner == who]

    assert found == ["22" * 16]


@pytest.mark.parametrize("records", ["sqlite", "postgres"], indirect=True)
async def test_what_two_processes_keep_lies_side_by_side(records: Records, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    who = owner()
    url = request.getfixturevalue("postgres_url") if isinstance(records, PostgresRecords) else ""
    other = PostgresRecords(url, "the same") if url else SqliteRecords(tmp_path / "records.sqlite")

    await asyncio.gather(*((records, other)[hour % 2].keep(entry(who, delta(1.0, hour))) for hour in range(20)))
    await other.close()

    assert len(await records.samples(who, "ab" * 16)) == 20


async def test_a_server_that_is_not_there_is_a_store_error(tmp_path: Path) -> None:
    away = PostgresRecords("postgresql://gridgram:hidden@127.0.0.1:1/none", "postgresql://127.0.0.1:1/none")

    with pytest.raises(StoreError) as refused:
        await away.keep(entry("", delta()))
    assert "hidden" not in str(refused.value)

    blocked = tmp_path / "file"
    blocked.write_text("in the way of a folder")
    records = SqliteRecords(blocked / "records.sqlite")
    with pytest.raises(StoreError):
        await records.keep(entry("", delta()))
    await records.close()


async def test_a_disk_that_is_full_acknowledges_nothing(tmp_path: Path) -> None:
    records = SqliteRecords(tmp_path / "records.sqlite")
    await records.keep(entry("", delta()))
    await records._file.run(lambda: records._file.connection().execute("PRAGMA max_page_count = 1"))  # what SQLite says then is SQLITE_FULL
    acknowledged = 1

    async def fill() -> None:
        nonlocal acknowledged
        for hour in range(1, 10_000):
            await records.keep(entry("", delta(1.0, hour)))
            acknowledged += 1

    with pytest.raises(StoreError, match="full"):
        await fill()
    await records.close()

    again = SqliteRecords(tmp_path / "records.sqlite")
    assert len(await again.samples("", "ab" * 16)) == acknowledged
    await again.close()
