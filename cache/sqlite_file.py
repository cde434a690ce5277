"""One SQLite file in WAL mode, safe with several processes, and the one thread that asks it.

It is opened at the first use; its folder is made then, for this user alone. What is committed survives a power cut
(`synchronous=FULL`). All that SQLite and the file system say becomes a StoreError that names the file and the mend.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from gridgram.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS: Final = 5.0
"""How long a write waits for another process to finish its own."""
RETRY_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a file, and how it is known as ours: no other program's database is written to."""

    application_id: int
    version: int
    tables: str
    added: tuple[str, ...] = ()
    """What each version after the first added, in order; part of an empty file's making too."""

    def statements(self, version: int) -> list[str]:
        """What makes the tables in an empty file (version 0), or adds to an older one what it lacks."""
        tables = [] if version else self.tables.split(";")
        marks = [f"PRAGMA application_id = {self.application_id}", f"PRAGMA user_version = {self.version}"]
        return [*tables, *(statement for added in self.added[max(0, version - 1) :] for statement in added.split(";")), *marks]


class SqliteFile:
    """The file and its thread: `run` puts work on the thread, and the work asks for the `connection` there."""

    def __init__(self, path: Path, schema: Schema, thread_name: str) -> None:
        self.path = path
        self._schema = schema
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=thread_name)
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work on the file's thread. Raises StoreError for what the file refuses."""
        if self._is_closed:
            raise StoreError(f"The store {self.path} is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: self._told(work, *args, **kwargs))

    async def close(self) -> None:
        """Wait for what is under way, then close the file and the thread."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
            self._thread.shutdown()

    def connection(self) -> sqlite3.Connection:
        """The open connection, for work on the file's thread; statements commit by themselves outside `transaction`."""
        if self._connection is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                _prepare_in_turn(connection, self.path, self._schema)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection inside one write transaction: all of it is committed, or none."""
        connection = self.connection()
        with _transaction(connection):
            yield connection

    def _told(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except (sqlite3.Error, sqlite3.Warning, OSError) as error:
            raise StoreError(f"The store {self.path} {_complaint(error)} ({error}).") from error

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _prepare_in_turn(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Prepare the connection, again while others who open a new file do: to change the journal's mode SQLite does not always wait."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return _prepare(connection, path, schema)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(RETRY_SECONDS)


def _prepare(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Set the connection up and make the tables in an empty file; refuse a database that is not ours or of another version."""
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.execute("PRAGMA synchronous = FULL")
    if _version(connection, path, schema) == schema.version:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with _transaction(connection):
        version = _version(connection, path, schema)
        if version != schema.version:
            for statement in schema.statements(version):
                connection.execute(statement)


def _version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    """Which version of our tables the file holds; 0 for an empty one. Raises StoreError for any that cannot be made ours."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:  # asked first: another process may be making them, and what it then finished is all there
        return 0
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.application_id:
        raise StoreError(f"The store {path} is another program's database; name another file.")
    if not schema.version - len(schema.added) <= version <= schema.version:
        raise StoreError(
            f"The store {path} has schema {version} and this Gridgram needs {schema.version}; move the file away and a new one is made.",
        )
    return int(version)


def _complaint(error: Exception) -> str:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return "is damaged or is not a store; move the file away and a new one is made"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return "cannot be written; give this user the right to write the file and its folder, or name another file"
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return "cannot be written or read; look whether the disk is full"
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return f"was locked by another process for more than {BUSY_SECONDS:g} s; try again when its import is done"
    return "cannot be opened; look whether its folder exists and this user may write there, or name another file"
