"""Writers that import revision after revision into one store, two services that are asked meanwhile, and all that breaks between them.

Whatever is answered was once imported for that very hour, no service goes back to an older revision, every number says where it is from,
and once all is mended the last revision that was acknowledged is what both answer.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.history import Read, Write, backwards, last_known, unborn
from tests.faults.load import client, tell
from tests.faults.test_redis import FAULTS
from tests.faults.truth import HOURS, Job, faults_of, import_rows, revision_of, write_rows
from tests.faults.writing import WRITTEN, cells_of
from tests.redis_proxy import proxy_on_a_thread
from tests.redis_server import redis_server
from tests.running import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.redis_proxy import Proxy
    from tests.redis_server import RedisServer
    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[2]
WRITERS = 3
READERS = 3
"""So many ask each of the services at a time."""
SEEN_SECONDS = 2.5
"""Until a service that was without its store has found it, and has looked whether somebody wrote."""
WRITER_OF = {cell: number for number in range(WRITERS) for cell in cells_of(number, WRITERS)}
JOBS = sorted({(zone, hour - hour % HOURS) for zone, hour in WRITTEN})


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


@dataclass(slots=True)
class Writer:
    """A process that writes; `ended` gives what it did."""

    number: int
    process: subprocess.Popen[str]

    def ended(self) -> list[Write]:
        lines, _ = self.process.communicate("end\n", 60)
        assert self.process.returncode == 0
        rows = [line.split() for line in lines.splitlines()]
        return [Write(self.number, int(row[0]), float(row[1]), float(row[2]), is_known=row[3] == "1") for row in rows]


@contextmanager
def writers(url: str, folder: Path) -> Iterator[list[Writer]]:
    with ExitStack() as stack:
        started = []
        for number in range(WRITERS):
            command = [sys.executable, "-m", "tests.faults.writing", url, str(number), str(WRITERS), str(folder / f"writer-{number}.csv")]
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(process.kill)
            started.append(Writer(number, process))
        yield started


@dataclass(slots=True)
class Readers:
    """Ask the services all the time, and keep what each answered: an import is told whole or not at all, so a read an import is enough."""

    services: dict[str, RunningService]
    pause_seconds: float
    reads: list[Read] = field(default_factory=list)
    answers: int = 0
    wrong: list[str] = field(default_factory=list)

    async def read(self, seconds: float) -> None:
        """Ask for so long."""
        async with client() as session, asyncio.TaskGroup() as tasks:
            for name in self.services:
                for number in range(READERS):
                    tasks.create_task(self._read_on(session, name, random.Random(number), time.monotonic() + seconds))  # noqa: S311

    async def _read_on(self, session: aiohttp.ClientSession, name: str, randomness: random.Random, until: float) -> None:
        while time.monotonic() < until:
            await self.ask(session, name, *randomness.choice(JOBS))
            await asyncio.sleep(self.pause_seconds)

    async def ask(self, session: aiohttp.ClientSession, name: str, zone: str, first_hour: int) -> list[Read]:
        """Ask one service for one day."""
        job = Job(zone, first_hour, tuple(1.0 + hour for hour in range(HOURS)))
        began = time.monotonic()
        async with session.post(f"{self.services[name].address}/v1/emissions", json=job.request) as response:
            answer = await response.json()
        ended = time.monotonic()
        self.answers += 1
        self.wrong += [str(answer)] if response.status != 200 else faults_of(job, answer)
        told: dict[int, set[int | None]] = {number: set() for number in range(WRITERS)}
        for cell, hour in zip(job.cells, answer["hours"], strict=True):
            told[WRITER_OF[cell]].add(revision_of(cell, hour["g_per_kwh"]) if hour["provider"] == "file" else None)
        self.wrong += [f"half an import is told: {revisions}" for revisions in told.values() if len(revisions) > 1]
        reads = [Read(name, (zone, first_hour + number), *told[number], began, ended) for number in range(WRITERS)]  # type: ignore[misc, arg-type]
        self.reads += reads
        return reads


async def break_things(server: RedisServer, proxy: Proxy, seconds: float) -> list[str]:
    """One fault after another, each for a moment, in an order of chance; what was done."""
    randomness, until, done = random.Random(int(seconds)), time.monotonic() + seconds, []  # noqa: S311
    names = [name for name in FAULTS if name != "read-only replica"]
    place = type("Broken", (), {"server": server, "proxy": proxy})
    while time.monotonic() < until:
        order = randomness.sample(names, len(names))
        for name in order[: max(1, int((until - time.monotonic()) / 0.8))]:
            FAULTS[name].begin(place)  # type: ignore[arg-type]  # all that a fault needs of a place
            await asyncio.sleep(randomness.uniform(0.1, 0.8))
            FAULTS[name].mend(place)  # type: ignore[arg-type]
            done.append(name)
            await asyncio.sleep(randomness.uniform(0.1, 0.6))
    return done


async def nothing_impossible_is_read(folder: Path, seconds: float) -> None:
    with redis_server(folder / "redis") as server, proxy_on_a_thread(server.port) as proxy, ExitStack() as stack:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        write_rows(folder / "first.csv", WRITTEN)
        await import_rows(url, folder / "first.csv")
        services = {
            name: stack.enter_context(running_service(folder / name, {"GRIDGRAM_STORE": url, "GRIDGRAM_MEMORY_MIB": memory}))
            for name, memory in (("one", "64"), ("two", "1"))
        }
        readers = Readers(services, 0.005 if seconds < 60 else 0.05)
        with writers(url, folder) as writing:
            _, done = await asyncio.gather(readers.read(seconds + 1.0), break_things(server, proxy, seconds))
            await asyncio.sleep(SEEN_SECONDS)
            writes = [write for writer in writing for write in await asyncio.to_thread(writer.ended)]
        await asyncio.sleep(SEEN_SECONDS)
        async with client() as session:
            final = [read for name in services for job in JOBS for read in await readers.ask(session, name, *job)]

    tell(f"{len(done)} faults, {len(writes)} writes ({sum(write.is_known for write in writes)} acknowledged), {readers.answers} answers")
    assert readers.wrong == []
    assert unborn(writes, readers.reads, WRITER_OF) == []
    assert backwards(readers.reads) == []
    for read_at_last in final:
        known = last_known(writes, WRITER_OF[read_at_last.cell])
        assert read_at_last.revision is not None
        assert read_at_last.revision >= known.revision
    assert len({read_at_last.revision for read_at_last in final if read_at_last.process == "one"}) <= WRITERS
    assert any(read.revision for read in readers.reads)


async def test_no_service_ever_tells_what_was_not_so_while_its_store_breaks(tmp_path: Path) -> None:
    await nothing_impossible_is_read(tmp_path, 6.0)


@pytest.mark.soak
async def test_for_half_an_hour_no_service_tells_what_was_not_so(tmp_path: Path) -> None:
    await nothing_impossible_is_read(tmp_path, 1_800.0)
