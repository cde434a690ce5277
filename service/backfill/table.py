"""What any table of jobs is read as, before its columns get a meaning: batches of the file's own columns with their line numbers."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from service.backfill.jobs import Head
from service.importing.csv_file import GZIP_MAGIC, PARQUET_MAGIC, open_source
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from service.backfill.jobs import Torn

HEAD_BYTES: Final = 64 * 1024
SEPARATORS: Final = ",\t|;"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of a file: the number of each from 1, their cells as an Arrow record batch, and the lines among them that are no rows."""

    lines: NDArray[np.int64]
    batch: Any
    torn: Sequence[Torn] = ()


class Table(Protocol):
    """An open table. `unit` is what its numbers count: "line" or "row"; `schema` that of every batch."""

    unit: str
    schema: Any

    def rows(self) -> Iterator[Rows]:
        """All rows from the first, in batches of at most BATCH_ROWS; twice the same file gives twice the same batches."""
        ...


def head_of(path: Path) -> Head:
    """The start of a file of jobs. Raises InvalidInput for a file that cannot be read, or of a kind that is never read."""
    first = open_source(path)
    if first.startswith(PARQUET_MAGIC):
        from service.backfill.parquet_table import ParquetTable  # noqa: PLC0415 - pyarrow is loaded where it is used

        return Head(first, tuple(ParquetTable(path).schema.names))
    start = _start_of(path, is_gzip=first.startswith(GZIP_MAGIC)).removeprefix(b"\xef\xbb\xbf")
    line = next((line for line in start.splitlines() if line.strip()), b"")
    if not line:
        raise refused("file", f"{path.name} is empty")
    if line.lstrip().startswith((b"{", b"[")):
        return Head(start)
    text = line.decode("utf-8", "replace")
    separator = max(SEPARATORS, key=text.count)
    return Head(start, tuple(cell.strip().strip('"').strip() for cell in text.split(separator)), separator)


def _start_of(path: Path, *, is_gzip: bool) -> bytes:
    try:
        with gzip.open(path) if is_gzip else path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (EOFError, OSError, zlib.error) as error:
        raise refused("file", f"{path.name} cannot be read: {error}") from error
