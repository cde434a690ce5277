"""Records in one SQLite file: WAL, `synchronous=FULL`, and one commit for all that came in while the last one went to disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from cache.sqlite_file import Schema, SqliteFile
from gridgram.errors import GridgramError
from service.runs import statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from gridgram.run_energy import Counting, Sample
    from service.runs.records import Cursor, Entry, Kept, Run
    from service.runs.statements import Work

SCHEMA: Final = Schema(application_id=0x47475252, version=1, tables=statements.TABLES)  # "GGRR"
MOST_AT_ONCE: Final = 500
"""Entries in one commit."""

Waiting = tuple["Entry", "asyncio.Future[Kept]"]


class SqliteRecords:
    """A `service.runs.records.Records` in a file, opened at the first use; its folder is made then, for this user alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SqliteFile(path, SCHEMA, "gridgram-records")
        self._reading = SqliteFile(path, SCHEMA, "gridgram-records-read")  # of its own: a long run that is read keeps no tracker waiting
        self._waiting: list[Waiting] = []
        self._committing: asyncio.Task[None] | None = None

    async def keep(self, entry: Entry) -> Kept:
        """Keep what came; on disk when this returns."""
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, kept))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        return await kept

    async def runs(self, owner: str, before: Cursor | None, most: int) -> list[Run]:
        """Runs of an owner, newest first."""
        found: list[Run] = await self._reading.run(self._read, statements.runs(owner, before, most))
        return found

    async def run(self, owner: str, run: str) -> Run:
        """One run. Raises UnknownRun."""
        found: Run = await self._reading.run(self._read, statements.run(owner, run))
        return found

    async def samples(self, owner: str, run: str) -> list[tuple[Counting, Sample]]:
        """All samples of a run."""
        found: list[tuple[Counting, Sample]] = await self._reading.run(self._read, statements.samples(owner, run))
        return found

    async def revisions(self, owner: str, run: str) -> list[str]:
        """How its figure changed."""
        found: list[str] = await self._reading.run(self._read, statements.revisions(owner, run))
        return found

    async def reprice(self, run: Run, prices: str, revision: str | None) -> bool:
        """Keep new prices unless another was quicker."""
        is_kept: bool = await self._file.run(self._do, statements.reprice(run, prices, revision))
        return is_kept

    async def seen_since(self, instant: int, most: int) -> list[Run]:
        """Runs of all owners that told something since then."""
        found: list[Run] = await self._reading.run(self._read, statements.seen_since(instant, most))
        return found

    async def close(self) -> None:
        """Finish what is under way, then close the file."""
        if self._committing is not None:
            await self._committing
        await self._file.close()
        await self._reading.close()

    async def _commit(self) -> None:
        """Commit what waits until nothing does."""
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            try:
                outcomes: Sequence[Kept | GridgramError] = await self._file.run(self._keep_all, [entry for entry, _ in batch])
            except GridgramError as error:
                outcomes = [error] * len(batch)
            for (_, kept), outcome in zip(batch, outcomes, strict=True):
                if kept.done():  # whoever waited has gone; the record is kept all the same
                    continue
                if isinstance(outcome, GridgramError):
                    kept.set_exception(outcome)
                else:
                    kept.set_result(outcome)
        self._committing = None

    def _keep_all(self, entries: Sequence[Entry]) -> list[Kept | GridgramError]:
        """One transaction; an entry that is refused leaves nothing of itself and does not disturb the others."""
        outcomes: list[Kept | GridgramError] = []
        with self._file.transaction() as connection:
            for entry in entries:
                connection.execute("SAVEPOINT entry")
                try:
                    outcomes.append(_drive(connection, statements.keep(entry)))
                except GridgramError as error:
                    connection.execute("ROLLBACK TO entry")
                    outcomes.append(error)
                connection.execute("RELEASE entry")
        return outcomes

    def _do(self, work: Work) -> Any:  # noqa: ANN401 - what the work gives
        with self._file.transaction() as connection:
            return _drive(connection, work)

    def _read(self, work: Work) -> Any:  # noqa: ANN401 - as above
        return _drive(self._reading.connection(), work)


def _drive(connection: sqlite3.Connection, work: Work) -> Any:  # noqa: ANN401 - what the work gives
    try:
        statement, values = next(work)
        while True:
            statement, values = work.send(connection.execute(statement, values).fetchall())
    except StopIteration as done:
        return done.value
