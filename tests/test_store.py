"""What every series store must do, and what the embedded one must survive."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import structlog

from cache.contract import Bucket, Held, SeriesStore
from cache.memory import ChunkMemory
from cache.redis_link import RedisLink
from cache.redis_store import RedisStore
from cache.redis_url import read_redis_url
from cache.sqlite import SqliteStore
from gridgram.errors import StoreError
from gridgram.interval import Month
from gridgram.quality import Signal
from gridgram.sums import MonthChunk
from tests.months import MARCH, facts, hours, source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from numpy.typing import NDArray

    OpenStore = Callable[[Path], SeriesStore]

ROOT = Path(__file__).resolve().parents[1]
APRIL = Month(2024, 4)

BUSY_MACHINE_SECONDS = 5.0
"""How long the tests of what is stored wait for a server; how long it may take is tested elsewhere."""

STORES: dict[str, OpenStore] = {
    "sqlite": lambda folder: SqliteStore(folder / "cache" / "series.db"),
    "redis": lambda folder: redis_store(os.environ["REDIS_URL_OF_TESTS"], folder),
    "redis_cluster": lambda folder: redis_store(os.environ["REDIS_CLUSTER_URL_OF_TESTS"], folder),
}
"""Each store by name, opened so that two of one folder share what they hold. Another store joins the contract here."""


def redis_store(url: str, folder: Path) -> RedisStore:
    """A store in a Redis that tests share: what the folder is to a file, a prefix is to it."""
    return RedisStore(
        RedisLink(read_redis_url(url), answer_seconds=BUSY_MACHINE_SECONDS), f"t{blake2b(bytes(folder), digest_size=8).hexdigest()}:"
    )


@pytest.fixture(params=list(STORES))
def open_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    if request.param != "sqlite":
        monkeypatch.setenv(f"{request.param.upper()}_URL_OF_TESTS", request.getfixturevalue(f"{request.param}_url"))
    return STORES[request.param]


@asynccontextmanager
async def opened(open_store: OpenStore, folder: Path) -> AsyncIterator[SeriesStore]:
    store = open_store(folder)
    try:
        yield store
    finally:
        await store.close()


async def test_an_empty_store_holds_nothing(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        assert await store.read("FR", Signal.LIFECYCLE, [MARCH, APRIL]) == [None, None]
        assert await store.read("FR", Signal.LIFECYCLE, []) == []
        assert await store.held() == []
        assert await store.merge([]) == 0


async def test_what_was_merged_is_read_back_as_whole_months_with_holes(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        assert await store.merge([hours([10.0, 20.0], first=743)]) == 2

        march, february, april = await store.read("FR", Signal.LIFECYCLE, [MARCH, Month(2024, 2), APRIL])

        assert february is None
        assert march is not None
        assert april is not None
        assert (march.first_hour, march.end_hour) == (MARCH.first_hour, APRIL.first_hour)
        assert [hour[1] for hour in facts(march)] == [10.0]
        assert [hour[1] for hour in facts(april)] == [20.0]
        assert np.isnan(march.g_per_kwh[:743]).all()


async def test_zones_and_signals_are_kept_apart(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        await store.merge([hours(1.0), hours(2.0, zone="DE"), replace(hours(3.0), signal=Signal.DIRECT)])

        found = [
            await store.read(zone, kind, [MARCH])
            for zone, kind in [("FR", Signal.LIFECYCLE), ("DE", Signal.LIFECYCLE), ("FR", Signal.DIRECT)]
        ]

        assert [series.g_per_kwh[0] for (series,) in found if series] == [1.0, 2.0, 3.0]
        assert await store.read("FR", Signal.MARGINAL, [MARCH]) == [None]


async def test_a_merge_lays_new_hours_over_old_ones(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        await store.merge([hours([1.0, 2.0, 3.0], origin=source("file"))])

        assert await store.merge([hours([7.0], first=1)]) == 0
        assert await store.merge([hours([7.0, 8.0], first=1, origin=source("file"))]) == 2

        (march,) = await store.read("FR", Signal.LIFECYCLE, [MARCH])
        assert march is not None
        assert [hour[1] for hour in facts(march)] == [1.0, 7.0, 8.0]


async def test_two_parts_of_one_month_in_one_merge_both_arrive(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        assert await store.merge([hours([1.0]), hours([2.0], first=1), hours([1.0])]) == 2


async def test_the_same_merge_again_changes_nothing_and_no_generation(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        assert await store.merge([hours(56.0)]) == 744
        before = await store.generation()

        assert await store.merge([hours(56.0)]) == 0
        assert await store.generation() == before


async def test_held_names_the_span_and_counts_the_hours(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        await store.merge([hours([1.0, 2.0], first=10), hours([3.0], month=APRIL), hours([1.0], zone="DE")])

        assert await store.held() == [
            Held("DE", Signal.LIFECYCLE, MARCH.first_hour, MARCH.first_hour + 1, 1),
            Held("FR", Signal.LIFECYCLE, MARCH.first_hour + 10, APRIL.first_hour + 1, 3),
        ]


async def test_generation_changes_with_ones_own_and_with_anothers_write(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        await other.merge([hours([9.0])])
        start = await mine.generation()
        assert await mine.generation() == start

        await mine.merge([hours([1.0])])
        after_mine = await mine.generation()
        await other.merge([hours([2.0], first=1)])
        after_other = await mine.generation()

        assert len({start, after_mine, after_other}) == 3
        assert await mine.generation() == after_other


async def test_a_series_that_cannot_be_packed_leaves_the_others_of_its_merge_out_too(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        with pytest.raises(StoreError):
            await store.merge([hours(56.0), hours(float("nan"), zone="DE")])

        assert await store.held() == []


async def test_a_closed_store_says_so_and_closing_twice_is_fine(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.merge([hours([1.0])])
    await store.close()
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.read("FR", Signal.LIFECYCLE, [MARCH])


async def test_a_store_that_was_never_used_closes(open_store: OpenStore, tmp_path: Path) -> None:
    await open_store(tmp_path).close()


async def test_many_callers_at_once_each_get_their_own_answer(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        await store.merge([hours([float(number)], zone=f"Z{number}") for number in range(100)])

        found = await asyncio.gather(*(store.read(f"Z{number % 100}", Signal.LIFECYCLE, [MARCH]) for number in range(1000)))

        assert [series.g_per_kwh[0] for (series,) in found if series] == [float(number % 100) for number in range(1000)]


async def test_cancelled_callers_leave_the_others_with_their_own_answer(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        await store.merge([hours([float(number)], zone=f"Z{number}") for number in range(50)])
        tasks = [asyncio.create_task(store.read(f"Z{number % 50}", Signal.LIFECYCLE, [MARCH])) for number in range(500)]
        for task in tasks[::2]:
            await asyncio.sleep(0)
            task.cancel()

        found = await asyncio.gather(*tasks, return_exceptions=True)

        for number, answer in enumerate(found):
            if not isinstance(answer, BaseException) and answer[0] is not None:
                assert answer[0].g_per_kwh[0] == float(number % 50)
        assert sum(isinstance(answer, BaseException) for answer in found) <= 250


MERGE_MANY = """
import asyncio, sys
from pathlib import Path
from tests.months import hours
from tests.test_store import STORES

async def main(name, folder, worker, count):
    store = STORES[name](Path(folder))
    for number in range(count):
        await store.merge([hours([float(worker)], first=worker * count + number), hours([1.0], zone=f"W{worker}", first=number)])
        print(number, flush=True)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def start_writer(name: str, folder: Path, worker: int, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", MERGE_MANY, name, str(folder), str(worker), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


async def test_several_processes_that_merge_at_once_lose_no_hour(
    open_store: OpenStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["open_store"]
    writers = [start_writer(name, tmp_path, worker, 150) for worker in range(4)]
    for writer in writers:
        writer.communicate(timeout=25)

    assert [writer.returncode for writer in writers] == [0] * 4
    async with opened(open_store, tmp_path) as store:
        (march,) = await store.read("FR", Signal.LIFECYCLE, [MARCH])
        assert march is not None
        assert [hour[1] for hour in facts(march)] == [float(place // 150) for place in range(600)]
        assert [held.hours for held in await store.held()] == [600, 150, 150, 150, 150]


async def test_killing_a_writer_loses_nothing_that_it_reported(
    open_store: OpenStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    writer = start_writer(request.node.callspec.params["open_store"], tmp_path, 0, 600)
    assert writer.stdout is not None
    reported = [int(writer.stdout.readline()) for _ in range(40)]
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate(timeout=10)
    reported += [int(line) for line in rest.split()]

    async with opened(open_store, tmp_path) as store:
        (march,) = await store.read("FR", Signal.LIFECYCLE, [MARCH])
        assert march is not None
        assert march.quality[: len(reported)].all()
        await store.merge([hours([5.0], first=700)])


# What processes that share a store tell each other.


async def until_so(is_so: Callable[[], Awaitable[object]]) -> None:
    """Ask again and again until it is so, at most some seconds."""
    async with asyncio.timeout(5):
        while not await is_so():  # noqa: ASYNC110 - it is the store that changes, and nobody tells
            await asyncio.sleep(0.005)


async def test_one_has_a_claim_at_a_time_whoever_asks(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        claimed = [token for store in (mine, other, mine) if (token := await store.claim("fetch/FR", 30.0))]
        elsewhere = await other.claim("fetch/DE", 30.0)

        assert len(claimed) == 1
        assert elsewhere not in {None, claimed[0]}


async def test_of_many_who_claim_at_once_one_succeeds(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        tokens = await asyncio.gather(*((mine, other)[number % 2].claim("fetch/FR", 30.0) for number in range(100)))

        assert sum(token is not None for token in tokens) == 1


async def test_a_claim_can_be_taken_again_once_it_is_given_back_or_has_run_out(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        token = await mine.claim("fetch/FR", 30.0)
        assert token is not None
        await mine.release("fetch/FR", token)
        assert await other.claim("fetch/FR", 0.05) is not None
        assert await mine.claim("fetch/FR", 30.0) is None

        await until_so(lambda: mine.claim("fetch/FR", 30.0))


async def test_a_claim_that_ran_out_cannot_take_back_the_one_that_followed(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        late = await mine.claim("fetch/FR", 0.02)
        assert late is not None
        await until_so(lambda: other.claim("fetch/FR", 30.0))

        await mine.release("fetch/FR", late)

        assert await mine.claim("fetch/FR", 30.0) is None


async def test_a_pause_is_known_to_all_and_the_longer_one_stays(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        assert await other.pauses() == {}
        await mine.pause("eia", 60.0)
        await mine.pause("rte", 0.05)
        await other.pause("eia", 1.0)

        assert 59.0 < (await other.pauses())["eia"] <= 60.0
        await mine.pause("eia", 120.0)
        assert 119.0 < (await other.pauses())["eia"] <= 120.0

        async def only_eia() -> bool:
            return set(await other.pauses()) == {"eia"}

        await until_so(only_eia)


async def test_what_is_kept_is_read_back_by_all_until_its_time_is_over(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        body = bytes(range(256)) * 1000
        assert await other.kept("models/FR/lifecycle") is None
        await mine.keep("models/FR/lifecycle", b"an older one", 60.0)
        await mine.keep("models/FR/lifecycle", body, 60.0)
        await mine.keep("models/DE/lifecycle", b"", 60.0)
        await mine.keep("forecasts/FR/lifecycle/2026-11-24", b"soon gone", 0.05)

        assert await other.kept("models/FR/lifecycle") == body
        assert await other.kept("models/DE/lifecycle") == b""

        async def is_gone() -> bool:
            return await other.kept("forecasts/FR/lifecycle/2026-11-24") is None

        await until_so(is_gone)


async def test_what_is_kept_is_swapped_only_for_what_was_read(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        assert await mine.swap("mix/FR/2024-03", None, b"first", 60.0)
        assert not await other.swap("mix/FR/2024-03", None, b"in vain", 60.0)
        assert not await other.swap("mix/FR/2024-03", b"else", b"in vain", 60.0)
        assert await other.kept("mix/FR/2024-03") == b"first"

        assert await other.swap("mix/FR/2024-03", b"first", b"second", 0.05)
        assert await mine.kept("mix/FR/2024-03") in {b"second", None}

        async def is_gone() -> bool:
            return await mine.kept("mix/FR/2024-03") is None

        await until_so(is_gone)
        assert not await mine.swap("mix/FR/2024-03", b"second", b"in vain", 60.0)
        assert await mine.swap("mix/FR/2024-03", None, b"", 60.0)
        assert await other.swap("mix/FR/2024-03", b"", b"third", 60.0)


async def test_many_who_swap_at_once_lose_nothing_of_each_other(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:

        async def add(store: SeriesStore, letter: bytes) -> None:
            is_added = False
            while not is_added:
                before = await store.kept("letters")
                is_added = await store.swap("letters", before, (before or b"") + letter, 60.0)

        await asyncio.gather(*(add((mine, other)[place % 2], bytes([65 + place])) for place in range(16)))

        assert sorted(await mine.kept("letters") or b"") == list(range(65, 81))


async def test_all_draw_from_one_bucket_and_never_more_than_it_holds(open_store: OpenStore, tmp_path: Path) -> None:
    slow = Bucket("requests/tracker", 100, 86_400.0)
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        drawn = await asyncio.gather(*(store.draw(slow, 7) for _ in range(10) for store in (mine, other)))
        nothing = await mine.draw(slow, 1)
        given_back = await other.draw(slow, -30)
        last = await mine.draw(slow, 50)
        elsewhere = await mine.draw(Bucket("requests/other", 5, 60.0), 3)

    assert sum(one.taken for one in drawn) == 100
    assert nothing.taken == 0
    assert 0 <= nothing.left < 1
    assert given_back.taken == -30
    assert given_back.left == pytest.approx(30, abs=0.5)
    assert (last.taken, elsewhere.taken) == (30, 3)
    assert elsewhere.left == pytest.approx(2, abs=0.1)


async def test_a_bucket_refills_evenly_and_holds_no_more_than_it_is_large(open_store: OpenStore, tmp_path: Path) -> None:
    quick = Bucket("requests/tracker", 50, 0.5)
    async with opened(open_store, tmp_path) as store:
        assert (await store.draw(quick, 50)).taken == 50

        async def is_half_full() -> bool:
            return (await store.draw(quick, 0)).left > 25

        await until_so(is_half_full)
        await until_so(lambda: is_full(store, quick))
        assert (await store.draw(quick, -100)).left == 50
        assert (await store.draw(quick, 100)).taken == 50


async def is_full(store: SeriesStore, bucket: Bucket) -> bool:
    return (await store.draw(bucket, 0)).left == bucket.capacity


async def test_a_bucket_that_does_not_refill_stays_empty_until_it_is_forgotten(open_store: OpenStore, tmp_path: Path) -> None:
    lasting, short = Bucket("calls/tracker/2026-11-24", 3, 60.0, refills=False), Bucket("calls/tracker/2026-11-25", 3, 0.05, refills=False)
    async with opened(open_store, tmp_path) as store:
        assert [(await store.draw(lasting, 2)).taken for _ in range(3)] == [2, 1, 0]
        await store.draw(short, 3)
        await until_so(lambda: is_full(store, short))

        assert await store.draw(lasting, 1) == (0, 0.0)


async def test_what_processes_tell_each_other_changes_no_generation_of_the_hours(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as mine, opened(open_store, tmp_path) as other:
        await mine.merge([hours([1.0])])
        before = await mine.generation()

        await other.claim("fetch/FR", 30.0)
        await other.pause("eia", 60.0)
        await other.keep("models/FR/lifecycle", b"model", 60.0)
        await other.swap("mix/FR/2024-03", None, b"mix", 60.0)
        await other.draw(Bucket("requests/tracker", 5, 60.0), 1)

        assert await mine.generation() == before


@pytest.mark.parametrize("name", ["", "models/FR lifecycle", "é", "a\n", "n" * 201])
async def test_a_name_that_not_every_store_could_keep_is_refused(open_store: OpenStore, tmp_path: Path, name: str) -> None:
    async with opened(open_store, tmp_path) as store:
        with pytest.raises(StoreError, match="no name for the store"):
            await store.keep(name, b"body", 60.0)
        with pytest.raises(StoreError, match="no name for the store"):
            await store.claim(name, 60.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
async def test_a_time_that_is_none_is_refused(open_store: OpenStore, tmp_path: Path, seconds: float) -> None:
    async with opened(open_store, tmp_path) as store:
        with pytest.raises(StoreError, match="cannot keep anything for"):
            await store.pause("eia", seconds)


async def test_a_very_long_time_is_kept_as_ten_years(open_store: OpenStore, tmp_path: Path) -> None:
    async with opened(open_store, tmp_path) as store:
        await store.pause("eia", float("inf"))

        assert 3.1e8 < (await store.pauses())["eia"] < 3.2e8


# What follows is the embedded store's alone.


def database(folder: Path) -> Path:
    return folder / "cache" / "series.db"


def shared(folder: Path) -> Path:
    return folder / "cache" / "series.db-shared"


async def one_hour_in(folder: Path) -> None:
    async with opened(STORES["sqlite"], folder) as store:
        await store.merge([hours(56.0), hours(57.0, month=APRIL)])


def changed_by_hand(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


async def test_making_a_store_touches_nothing_and_opening_makes_a_private_folder(tmp_path: Path) -> None:
    store = SqliteStore(database(tmp_path))
    assert not database(tmp_path).parent.exists()

    await store.generation()
    await store.close()

    assert database(tmp_path).parent.stat().st_mode & 0o777 == 0o700


async def test_several_that_open_a_new_store_at_once_all_open_it(tmp_path: Path) -> None:
    for number in range(20):
        stores = [SqliteStore(tmp_path / str(number) / "series.db") for _ in range(4)]

        tokens = await asyncio.gather(*(store.claim("fetch/FR", 30.0) for store in stores))
        await asyncio.gather(*(store.generation() for store in stores))

        assert sum(token is not None for token in tokens) == 1
        await asyncio.gather(*(store.close() for store in stores))


async def test_the_file_is_in_wal_mode_and_sound_after_use(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    connection = sqlite3.connect(database(tmp_path))
    try:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()


@pytest.mark.parametrize("garbage", [b"", b"\x80\x04garbage", "text instead of bytes", None])
async def test_a_corrupt_chunk_is_not_held_logged_once_and_deleted(tmp_path: Path, garbage: object) -> None:
    await one_hour_in(tmp_path)
    changed_by_hand(database(tmp_path), "UPDATE chunks SET packed = coalesce(?, substr(packed, 1, 900)) WHERE month = 202403", garbage)

    async with opened(STORES["sqlite"], tmp_path) as store:
        before = await store.generation()
        with structlog.testing.capture_logs() as logs:
            march, april = await store.read("FR", Signal.LIFECYCLE, [MARCH, APRIL])
            again = await store.read("FR", Signal.LIFECYCLE, [MARCH, APRIL])

        assert march is None
        assert april is not None
        assert again[0] is None
        assert [(entry["event"], entry["month"]) for entry in logs] == [("store.chunk_dropped", "2024-03")]
        assert [held.hours for held in await store.held()] == [APRIL.hours]
        assert await store.generation() != before


async def test_a_merge_over_a_corrupt_chunk_mends_it(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    changed_by_hand(database(tmp_path), "UPDATE chunks SET packed = zeroblob(100) WHERE month = 202403")

    async with opened(STORES["sqlite"], tmp_path) as store:
        with structlog.testing.capture_logs():
            assert await store.merge([hours([5.0], first=3)]) == 1
        (march,) = await store.read("FR", Signal.LIFECYCLE, [MARCH])
        assert march is not None
        assert [hour[1] for hour in facts(march)] == [5.0]


async def test_a_chunk_moved_under_another_zone_is_not_believed(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    changed_by_hand(database(tmp_path), "UPDATE chunks SET zone = 'PL'")

    async with opened(STORES["sqlite"], tmp_path) as store:
        with structlog.testing.capture_logs():
            assert await store.read("PL", Signal.LIFECYCLE, [MARCH, APRIL]) == [None, None]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"not a database at all, but long enough to be looked at" * 40, "is damaged or is not a store; move the file away")],
)
async def test_a_file_that_is_no_database_is_named_with_the_mend(tmp_path: Path, content: bytes, sentence: str) -> None:
    database(tmp_path).parent.mkdir()
    database(tmp_path).write_bytes(content)

    async with opened(STORES["sqlite"], tmp_path) as store:
        with pytest.raises(StoreError, match=sentence) as refusal:
            await store.held()

        assert str(database(tmp_path)) in str(refusal.value)
    assert database(tmp_path).read_bytes() == content


async def test_a_database_torn_in_the_middle_is_a_store_error_and_no_number(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    content = bytearray(database(tmp_path).read_bytes())
    content[4096:12288] = os.urandom(8192)
    database(tmp_path).write_bytes(content)

    async with opened(STORES["sqlite"], tmp_path) as store:
        with structlog.testing.capture_logs(), pytest.raises(StoreError, match="damaged"):
            await store.read("FR", Signal.LIFECYCLE, [MARCH])


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    database(tmp_path).parent.mkdir()
    changed_by_hand(database(tmp_path), "CREATE TABLE precious (thing)")
    before = database(tmp_path).read_bytes()

    async with opened(STORES["sqlite"], tmp_path) as store:
        with pytest.raises(StoreError, match="another program's database"):
            await store.merge([hours(56.0)])
    assert database(tmp_path).read_bytes() == before


async def test_another_schema_version_is_refused_with_the_mend(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    changed_by_hand(database(tmp_path), "PRAGMA user_version = 99")

    async with opened(STORES["sqlite"], tmp_path) as store:
        with pytest.raises(StoreError, match="has schema 99 and this Gridgram needs 2; move the file away"):
            await store.held()


async def test_a_folder_in_place_of_the_file_is_a_clear_store_error(tmp_path: Path) -> None:
    database(tmp_path).mkdir(parents=True)

    async with opened(STORES["sqlite"], tmp_path) as store:
        with pytest.raises(StoreError, match="cannot be opened; look whether its folder exists"):
            await store.held()


async def test_a_store_that_failed_to_open_opens_once_the_cause_is_gone(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")

    async with opened(STORES["sqlite"], tmp_path) as store:
        with pytest.raises(StoreError, match="cannot be opened"):
            await store.held()
        (tmp_path / "cache").unlink()

        assert await store.merge([hours([1.0])]) == 1


@pytest.mark.parametrize("garbage", [b"", b"\x80\x04garbage", "text instead of bytes", None])
async def test_a_kept_thing_that_is_damaged_is_not_kept_logged_once_and_deleted(tmp_path: Path, garbage: object) -> None:
    async with opened(STORES["sqlite"], tmp_path) as store:
        await store.keep("models/FR/lifecycle", b"model", 60.0)
        changed_by_hand(shared(tmp_path), "UPDATE kept SET packed = coalesce(?, substr(packed, 1, 23))", garbage)

        with structlog.testing.capture_logs() as logs:
            assert [await store.kept("models/FR/lifecycle") for _ in range(2)] == [None, None]

        assert [(entry["event"], entry["name"]) for entry in logs] == [("store.kept_dropped", "models/FR/lifecycle")]
        await store.keep("models/FR/lifecycle", b"model", 60.0)
        assert await store.kept("models/FR/lifecycle") == b"model"


async def test_a_kept_thing_moved_under_another_name_is_not_believed(tmp_path: Path) -> None:
    async with opened(STORES["sqlite"], tmp_path) as store:
        await store.keep("models/FR/lifecycle", b"model", 60.0)
        changed_by_hand(shared(tmp_path), "UPDATE kept SET name = 'models/DE/lifecycle'")

        with structlog.testing.capture_logs():
            assert await store.kept("models/DE/lifecycle") is None


async def test_a_clock_that_was_set_back_makes_no_claim_or_pause_longer(tmp_path: Path) -> None:
    async with opened(STORES["sqlite"], tmp_path) as store:
        await store.claim("fetch/FR", 60.0)
        await store.pause("eia", 60.0)
        changed_by_hand(shared(tmp_path), "UPDATE claims SET since = since + 86400, until = until + 86400")
        changed_by_hand(shared(tmp_path), "UPDATE pauses SET since = since + 86400, until = until + 86400")

        assert await store.pauses() == {}
        assert await store.claim("fetch/FR", 60.0) is not None


async def test_a_long_merge_of_another_process_keeps_no_claim_waiting(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    connection = sqlite3.connect(database(tmp_path), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")

    async with opened(STORES["sqlite"], tmp_path) as store:
        async with asyncio.timeout(2):
            assert await store.claim("fetch/FR", 60.0) is not None
    connection.close()


async def test_a_long_merge_of_another_process_keeps_no_read_waiting(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    async with opened(STORES["sqlite"], tmp_path) as store:
        generation = await store.generation()
        connection = sqlite3.connect(database(tmp_path), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        merging = asyncio.create_task(store.merge([hours([99.0], first=3)]))
        await asyncio.sleep(0.1)

        async with asyncio.timeout(1):
            (march,) = await store.read("FR", Signal.LIFECYCLE, [MARCH])
            assert await store.generation() == generation
            assert len(await store.held()) == 1
        assert march is not None
        assert march.g_per_kwh[3] == 56.0
        assert not merging.done()

        connection.close()
        assert await merging == 1
        assert await store.generation() == generation + 1


async def test_another_write_beside_ones_own_shows_in_the_generation(tmp_path: Path) -> None:
    async with opened(STORES["sqlite"], tmp_path) as mine, opened(STORES["sqlite"], tmp_path) as other:
        start = await mine.generation()
        await other.merge([hours([1.0])])
        await mine.merge([hours([2.0], first=1)])

        assert await mine.generation() == start + 2


async def test_a_file_of_the_version_before_is_read_on(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    changed_by_hand(database(tmp_path), "DROP TABLE writes")
    changed_by_hand(database(tmp_path), "PRAGMA user_version = 1")

    async with opened(STORES["sqlite"], tmp_path) as store:
        (march,) = await store.read("FR", Signal.LIFECYCLE, [MARCH])
        assert march is not None
        before = await store.generation()
        assert await store.merge([hours([57.0])]) == 1
        assert await store.generation() == before + 1


async def test_what_was_kept_by_the_version_before_is_kept_on(tmp_path: Path) -> None:
    async with opened(STORES["sqlite"], tmp_path) as store:
        await store.keep("models/FR/lifecycle", b"model", 60.0)
    for statement in ("DROP TABLE buckets", "DROP INDEX kept_until", "DROP INDEX kept_since", "PRAGMA user_version = 1"):
        changed_by_hand(shared(tmp_path), statement)

    async with opened(STORES["sqlite"], tmp_path) as store:
        assert await store.kept("models/FR/lifecycle") == b"model"
        assert await store.swap("models/FR/lifecycle", b"model", b"another", 60.0)


READ_THEN_WRITE = """
import asyncio, os, resource, signal, sys
from pathlib import Path
from cache.sqlite import SqliteStore
from gridgram.errors import StoreError
from gridgram.quality import Signal
from tests.months import MARCH, hours

async def main(path):
    store = SqliteStore(Path(path))
    try:
        print("read", (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None)
    except StoreError as error:
        print("read", error)
    try:
        for number in range(2000):
            await store.merge([hours(float(number), zone=f"Z{number}")])
        print("merge worked")
    except StoreError as error:
        print("merge", error)
    await store.close()

if sys.argv[2] == "rights" and os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
if sys.argv[2] == "room":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
asyncio.run(main(sys.argv[1]))
"""


def read_then_write(folder: Path, narrowed: str) -> str:
    """What a process of its own reports after it has narrowed what it may do."""
    command = [sys.executable, "-c", READ_THEN_WRITE, str(database(folder)), narrowed]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=20, check=True).stdout


async def test_a_store_that_may_not_be_written_says_so_and_what_to_do(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    database(tmp_path).chmod(0o444)
    database(tmp_path).parent.chmod(0o555)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)

    said = read_then_write(tmp_path, "rights")
    database(tmp_path).parent.chmod(0o755)

    assert f"merge The store {database(tmp_path)} cannot be" in said
    assert "this user" in said


async def test_a_full_disk_is_a_store_error_and_what_was_held_stays_readable(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)

    said = read_then_write(tmp_path, "room")

    assert "read True" in said
    assert "look whether the disk is full" in said
    async with opened(STORES["sqlite"], tmp_path) as store:
        assert (await store.read("FR", Signal.LIFECYCLE, [MARCH]))[0] is not None
        assert await store.merge([hours([1.0], zone="DE")]) == 1


async def test_a_writer_that_holds_the_lock_is_waited_for(tmp_path: Path) -> None:
    await one_hour_in(tmp_path)
    connection = sqlite3.connect(database(tmp_path), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")

    async with opened(STORES["sqlite"], tmp_path) as store:
        merging = asyncio.create_task(store.merge([hours([1.0], zone="DE")]))
        await asyncio.wait([merging], timeout=0.2)
        assert not merging.done()
        connection.execute("COMMIT")
        connection.close()

        assert await merging == 1


async def test_a_long_merge_leaves_the_event_loop_free(tmp_path: Path) -> None:
    async with opened(STORES["sqlite"], tmp_path) as store:
        merging = asyncio.create_task(store.merge([hours(float(number), zone=f"Z{number}") for number in range(1500)]))
        lags = []
        while not merging.done():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - before - 0.001)

        assert await merging == 1500 * MARCH.hours
        assert len(lags) > 10
        assert max(lags) < 0.2


# The chunks in memory.


def test_memory_lets_the_least_recently_used_go_first() -> None:
    chunks = [MonthChunk(hours(1.0, zone=zone)) for zone in "ABC"]
    memory = ChunkMemory(2 * chunks[0].nbytes)
    memory.put(chunks[0])
    memory.put(chunks[1])
    memory.get("A", Signal.LIFECYCLE, MARCH)

    memory.put(chunks[2])

    assert memory.get("B", Signal.LIFECYCLE, MARCH) is None
    assert memory.get("A", Signal.LIFECYCLE, MARCH) is chunks[0]
    assert memory.nbytes == 2 * chunks[0].nbytes


def test_memory_stays_inside_its_bound_and_counts_right() -> None:
    memory = ChunkMemory(100_000)
    for number in range(200):
        memory.put(MonthChunk(hours(1.0, zone=f"Z{number % 30}", band=float(number % 2))))
        assert memory.nbytes <= 100_000
    assert len(memory) > 1

    for number in range(30):
        memory.drop(f"Z{number}", Signal.LIFECYCLE, MARCH)

    assert (len(memory), memory.nbytes) == (0, 0)


def test_a_chunk_larger_than_the_bound_is_not_kept_and_replaces_nothing_by_itself() -> None:
    memory = ChunkMemory(1_000)

    memory.put(MonthChunk(hours(1.0)))

    assert (len(memory), memory.nbytes) == (0, 0)


def test_the_running_sums_are_inside_the_counted_bytes() -> None:
    chunk = MonthChunk(hours(1.0, band=1.0))
    series = chunk.series
    arrays: list[NDArray[Any]] = [chunk.running_g_per_kwh, chunk.running_low, chunk.running_high]
    arrays += [series.g_per_kwh, series.low, series.high, series.quality, series.source]

    assert sum(array.nbytes for array in arrays) <= chunk.nbytes
