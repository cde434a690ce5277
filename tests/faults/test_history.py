"""Writers that import revision after revision into one store, two services that are asked meanwhile, and all that breaks between them.

Whatever is answered was once imported for that very hour, no service goes back to an older revision, every number says where it is from,
and once all is mended the last revision that was acknowledged is what both answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.faults.history import Read, Write, backwards, last_known, unborn
from tests.faults.load import client
from tests.faults.test_redis import FAULTS
from tests.faults.truth import import_rows, write_rows
from tests.faults.watching import JOBS, WRITER_OF, Readers, running_writers
from tests.faults.writing import WRITTEN
from tests.redis_proxy import proxy_on_a_thread
from tests.redis_server import redis_server
from tests.running import running_service, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.faults.watching import Writer
    from tests.redis_proxy import Proxy
    from tests.redis_server import RedisServer

SEEN_SECONDS = 2.5
"""Until a service that was without its store has found it, and has looked whether somebody wrote."""


# --- the checker finds what is wrong


CELL = WRITTEN[0]


def read(revision: int | None, began: float, ended: float, process: str = "one") -> Read:
    return Read(process, CELL, revision, began, ended)


def test_a_revision_that_nobody_had_begun_to_write_is_found() -> None:
    writes = [Write(WRITER_OF[CELL], 1, 1.0, 2.0, is_known=True), Write(WRITER_OF[CELL], 2, 5.0, 6.0, is_known=False)]
    right = [read(0, 0.0, 0.1), read(1, 0.9, 1.1), read(None, 3.0, 3.1), read(2, 5.0, 5.1)]
    early, invented = read(2, 3.0, 4.0), read(3, 9.0, 9.1)

    assert unborn(writes, [*right, early, invented], WRITER_OF) == [early, invented]


def test_a_process_that_goes_back_is_found_and_reads_at_the_same_time_may_be_either() -> None:
    new, old = read(2, 1.0, 2.0), read(1, 3.0, 4.0)
    right = [read(1, 1.5, 2.5), read(1, 3.0, 4.0, process="other"), read(None, 5.0, 6.0), read(2, 7.0, 8.0)]

    assert backwards([new, old, *right]) == [(new, old)]


# --- the run


@dataclass(frozen=True, slots=True)
class Breakage:
    """Something that is done to the store or to a writer, and undone."""

    name: str
    begin: Callable[[], object]
    mend: Callable[[], object]


def of_the_server(server: RedisServer, proxy: Proxy) -> list[Breakage]:
    """What breaks in Redis and on the way to it."""
    place = SimpleNamespace(server=server, proxy=proxy)
    names = [name for name in FAULTS if name != "read-only replica"]
    return [Breakage(name, partial(FAULTS[name].begin, place), partial(FAULTS[name].mend, place)) for name in names]  # type: ignore[arg-type]  # all that these need of a place


def of_the_writers(writers: Sequence[Writer]) -> list[Breakage]:
    """Writers that stand still or are gone, in the middle of a write."""
    frozen = [Breakage("writer frozen", writer.freeze, writer.thaw) for writer in writers]
    return frozen + [Breakage("writer killed", writer.kill, writer.start) for writer in writers]


async def break_things(breakages: Sequence[Breakage], seconds: float) -> int:
    """One after another, each for a moment, in an order of chance; how many."""
    randomness, until, count = random.Random(seconds), time.monotonic() + seconds, 0  # noqa: S311 - faults, not secrets
    while True:
        for breakage in randomness.sample(breakages, len(breakages)):
            if time.monotonic() >= until:
                return count
            breakage.begin()
            await asyncio.sleep(randomness.uniform(0.1, 0.6))
            breakage.mend()
            count += 1
            await asyncio.sleep(randomness.uniform(0.1, 0.4))


@dataclass(frozen=True, slots=True)
class Run:
    """Two services on one store, one of which keeps little in memory; what breaks between them and the store for so long. [s]"""

    folder: Path
    url: str
    breakages: Sequence[Breakage]
    seconds: float

    async def nothing_impossible_is_read(self) -> None:
        write_rows(self.folder / "first.csv", WRITTEN)
        await import_rows(self.url, self.folder / "first.csv")
        with ExitStack() as stack:
            services = {
                name: stack.enter_context(running_service(self.folder / name, {"GRIDGRAM_STORE": self.url, "GRIDGRAM_MEMORY_MIB": memory}))
                for name, memory in (("one", "64"), ("two", "1"))
            }
            readers = Readers(services, 0.005 if self.seconds < 60 else 0.05)
            with running_writers(self.url, self.folder) as writers:
                breakages = [*self.breakages, *of_the_writers(writers)]
                reading = asyncio.ensure_future(readers.read(self.seconds + 1.0))
                count = await break_things(breakages, self.seconds)
                await reading
                await asyncio.sleep(SEEN_SECONDS)  # each writes once more, and nothing breaks
                for writer in writers:
                    await asyncio.to_thread(writer.end)
            await asyncio.sleep(SEEN_SECONDS)
            async with client() as session:
                final = [read for name in services for job in JOBS for read in await readers.ask(session, name, *job)]

        writes = [write for writer in writers for write in writer.writes]
        acknowledged = sum(write.is_known for write in writes)
        tell(f"{count} faults, {len(writes)} imports ({acknowledged} acknowledged), {readers.answers} answers, {len(readers.wrong)} wrong")
        assert readers.wrong == []
        assert unborn(writes, readers.reads, WRITER_OF) == []
        assert backwards(readers.reads) == []
        assert any(read.revision for read in readers.reads)
        for read in final:
            assert read.revision is not None
            assert read.revision >= last_known(writes, WRITER_OF[read.cell]).revision


async def run_over_redis(folder: Path, seconds: float) -> None:
    with redis_server(folder / "redis") as server, proxy_on_a_thread(server.port) as proxy:
        run = Run(folder, f"redis://127.0.0.1:{proxy.port}/0", of_the_server(server, proxy), seconds)
        await run.nothing_impossible_is_read()


async def test_no_service_ever_tells_what_was_not_so_while_redis_breaks(tmp_path: Path) -> None:
    await run_over_redis(tmp_path, 5.0)


@pytest.mark.soak
async def test_no_service_ever_tells_what_was_not_so_while_writers_of_one_file_are_killed(tmp_path: Path) -> None:
    await Run(tmp_path, f"sqlite:///{tmp_path / 'series.sqlite'}", [], 2.0).nothing_impossible_is_read()


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["redis", "sqlite"])
async def test_for_long_no_service_tells_what_was_not_so(tmp_path: Path, kind: str) -> None:
    if kind == "redis":
        await run_over_redis(tmp_path, 1_800.0)
    else:
        await Run(tmp_path, f"sqlite:///{tmp_path / 'series.sqlite'}", [], 300.0).nothing_impossible_is_read()
