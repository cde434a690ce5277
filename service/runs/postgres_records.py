"""Records in PostgreSQL, for many replicas: a small pool, and a commit that is on disk before it is answered."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from functools import lru_cache
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from gridgram.errors import SettingsError, StoreError
from service.runs import statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asyncpg import Connection, Pool

    from gridgram.run_energy import Counting, Sample
    from service.runs.records import Cursor, Entry, Kept, Run
    from service.runs.statements import Work

CONNECTIONS: Final = 4
CONNECT_SECONDS: Final = 2.0
STATEMENT_SECONDS: Final = 10.0
SCHEMA_LOCK: Final = 0x47475252
"""The advisory lock under which tables are made, "GGRR"."""
VERSION: Final = 1


class PostgresRecords:
    """A `service.runs.records.Records` in a database, reached at the first use; its tables are made then, in the schema `gridgram`."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self.name = name
        self._pool: Pool[Any] | None = None
        self._opening = asyncio.Lock()

    async def keep(self, entry: Entry) -> Kept:
        """Keep what came; on disk when this returns. Of two that tell of one run at once, one waits for the other."""
        kept: Kept = await self._do(statements.keep(entry), f"{entry.owner}\n{entry.run or entry.origin}")
        return kept

    async def runs(self, owner: str, before: Cursor | None, most: int) -> list[Run]:
        """Runs of an owner, newest first."""
        found: list[Run] = await self._do(statements.runs(owner, before, most))
        return found

    async def run(self, owner: str, run: str) -> Run:
        """One run. Raises UnknownRun."""
        found: Run = await self._do(statements.run(owner, run))
        return found

    async def samples(self, owner: str, run: str) -> list[tuple[Counting, Sample]]:
        """All samples of a run."""
        found: list[tuple[Counting, Sample]] = await self._do(statements.samples(owner, run))
        return found

    async def revisions(self, owner: str, run: str) -> list[str]:
        """How its figure changed."""
        found: list[str] = await self._do(statements.revisions(owner, run))
        return found

    async def reprice(self, run: Run, prices: str, revision: str | None) -> bool:
        """Keep new prices unless another was quicker."""
        is_kept: bool = await self._do(statements.reprice(run, prices, revision))
        return is_kept

    async def seen_since(self, instant: int, most: int) -> list[Run]:
        """Runs of all owners that told something since then."""
        found: list[Run] = await self._do(statements.seen_since(instant, most))
        return found

    async def close(self) -> None:
        """Finish what is under way, and let go."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _do(self, work: Work, lock: str = "") -> Any:  # noqa: ANN401 - what the work gives
        """Run the work in one transaction; `lock` is what no other may work on meanwhile."""
        async with self._connection() as connection, connection.transaction():
            if lock:
                number = int.from_bytes(sha256(lock.encode()).digest()[:8], signed=True)
                await connection.execute("SELECT pg_advisory_xact_lock($1)", number)
            try:
                statement, values = next(work)
                while True:
                    rows = await connection.fetch(_numbered(statement), *values)
                    statement, values = work.send([tuple(row) for row in rows])
            except StopIteration as done:
                return done.value

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection[Any]]:
        import asyncpg  # noqa: PLC0415 - an extra, and only for this store

        try:
            pool = await self._open()
            async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
                yield connection
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise StoreError(
                f"The records at {self.name} cannot be used: {type(error).__name__}; look whether the server answers."
            ) from error

    async def _open(self) -> Pool[Any]:
        import asyncpg  # noqa: PLC0415 - as above

        async with self._opening:
            if self._pool is None:
                pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=CONNECTIONS,
                    timeout=CONNECT_SECONDS,
                    command_timeout=STATEMENT_SECONDS,
                    server_settings={"application_name": "gridgram", "search_path": "gridgram", "synchronous_commit": "on"},
                )
                try:
                    async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
                        await _make_tables(connection, self.name)
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
        return self._pool


async def _make_tables(connection: Connection[Any], name: str) -> None:
    """Make the schema and its tables unless they are there. Raises SettingsError for tables of another version."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
        if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = 'gridgram'"):
            await connection.execute("CREATE SCHEMA gridgram")
        if await connection.fetchval("SELECT to_regclass('gridgram.schema_version')") is None:
            await connection.execute(f"{statements.TABLES}; CREATE TABLE schema_version (version BIGINT NOT NULL)")
            await connection.execute("INSERT INTO schema_version VALUES ($1)", VERSION)
        version = await connection.fetchval("SELECT version FROM schema_version")
    if version != VERSION:
        raise SettingsError(
            f"The records at {name} have schema {version} and this Gridgram needs {VERSION}; use the Gridgram that made them."
        )


@lru_cache(maxsize=64)
def _numbered(statement: str) -> str:
    """The statement with `$1`, `$2` for its `?`."""
    numbers = count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", statement)
