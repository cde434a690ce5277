"""Who writes and who reads while things break: processes that import, which can be frozen and killed, and readers of the services."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.history import Read, Write
from tests.faults.load import client
from tests.faults.truth import HOURS, Job, faults_of, revision_of
from tests.faults.writing import WRITTEN, cells_of
from tests.running import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[2]
WRITERS = 3
BEGIN_SECONDS = 30.0
READERS = 3
"""So many ask each of the services at a time."""
WRITER_OF = {cell: number for number in range(WRITERS) for cell in cells_of(number, WRITERS)}
JOBS = sorted({(zone, hour - hour % HOURS) for zone, hour in WRITTEN})


@dataclass(slots=True)
class Writer:
    """A process that imports revision after revision of its hours."""

    number: int
    url: str
    folder: Path
    writes: list[Write] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Let it write, from the revision after the last one that it began."""
        revision = max((write.revision for write in self.writes), default=0) + 1
        file = str(self.folder / f"writer-{self.number}.csv")
        command = [sys.executable, "-m", "tests.faults.writing", self.url, str(self.number), str(WRITERS), file, str(revision)]
        with self.told.open("a") as told:
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=told, text=True)

    @property
    def told(self) -> Path:
        """The file in which it tells what it does."""
        return self.folder / f"writer-{self.number}.txt"

    @property
    def has_begun(self) -> bool:
        """Whether it has done its first import."""
        return "done" in self.told.read_text()

    def freeze(self) -> None:
        """Let it stand still, whatever it holds."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it in the middle of what it does."""
        assert self.process
        self.process.kill()
        self.process.communicate(timeout=60)
        self._learn()

    def end(self) -> None:
        """Let it end its last write, which must be done."""
        assert self.process
        self.process.communicate("end\n", timeout=60)
        self._learn()
        assert self.process.returncode == 0

    def _learn(self) -> None:
        began, ended = {}, {}
        for what, revision, moment in (line.split() for line in self.told.read_text().splitlines()):
            if what == "began":
                began[int(revision)] = float(moment)
            else:
                ended[int(revision)] = (float(moment), what == "done")
        self.writes = [
            Write(self.number, revision, moment, *ended.get(revision, (float("inf"), False))) for revision, moment in began.items()
        ]


@contextmanager
def running_writers(url: str, folder: Path) -> Iterator[list[Writer]]:
    """Writers that write until they are told to end, or the block ends."""
    writers = [Writer(number, url, folder) for number in range(WRITERS)]
    with ExitStack() as stack:
        for writer in writers:
            writer.start()
            stack.callback(lambda writer=writer: writer.process.kill())
        wait_until(lambda: all(writer.has_begun for writer in writers), BEGIN_SECONDS)
        yield writers


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
