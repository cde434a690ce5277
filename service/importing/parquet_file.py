"""Parquet of hours as blocks of Arrow columns with row numbers, read a batch at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.importing.csv_file import MAX_COLUMNS, MAX_INFLATED_BYTES, MAX_ROWS, Block
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from service.importing.faults import Faults

MAX_ROW_GROUPS: Final = 100_000
MAX_FOOTER_BYTES: Final = 64 << 20

_BATCH_ROWS: Final = 262_144


class ParquetFile:
    """An open Parquet file; its footer has been read. Raises InvalidInput for a file that is not Parquet or beyond the bounds."""

    unit = "row"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import parquet  # noqa: PLC0415 - heavy

        self._name = path.name
        self._errors = (pa.ArrowException, OSError, MemoryError, ValueError, KeyError)
        self._open = partial(
            parquet.ParquetFile,
            path,
            thrift_string_size_limit=MAX_FOOTER_BYTES,
            thrift_container_size_limit=1_000_000,
        )
        self._check_footer(path)
        try:
            self._file = self._open()
            check_names(self._file.schema_arrow)
            self.header: list[str] = list(self._file.schema_arrow.names)
        except self._errors as error:
            raise refused("file", f"{self._name} is not a sound Parquet file: {error}") from error
        self._check_bounds()

    def blocks(self, columns: Sequence[str], faults: Faults) -> Iterator[Block]:  # noqa: ARG002 - its rows are all whole
        """The rows, with the columns asked for, in batches. Raises InvalidInput where the file is damaged."""
        first = 1
        kinds = {name: self._file.schema_arrow.field(name).type for name in columns}
        # Words stay a dictionary: a long one that a million rows point at is held once.
        words = [name for name, kind in kinds.items() if str(kind) in {"string", "large_string"}]
        try:
            with self._file, self._open(read_dictionary=words) as file:
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
                    batch.validate(full=True)  # reading alone does not look whether the text is UTF-8
                    for name in words:
                        batch.column(name).dictionary.validate(full=True)
                    lines = np.arange(first, first + batch.num_rows)
                    first += batch.num_rows
                    yield Block(lines, {name: batch.column(name) for name in columns})
        except self._errors as error:
            raise refused("file", f"{self._name} is damaged or cut: {error}") from error

    def _check_footer(self, path: Path) -> None:
        """Refuse a footer that is larger than any real one before it is parsed."""
        with path.open("rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - 8))
            tail = file.read(8)
        footer = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or footer > min(size, MAX_FOOTER_BYTES):
            raise refused("file", f"{self._name} is damaged or cut: it does not end as a Parquet file of its size does")

    def _check_bounds(self) -> None:
        metadata = self._file.metadata
        if metadata.num_rows > MAX_ROWS or metadata.num_row_groups > MAX_ROW_GROUPS or metadata.num_columns > MAX_COLUMNS:
            raise refused(
                "file",
                f"{self._name} has {metadata.num_rows:,} rows in {metadata.num_row_groups:,} row groups and {metadata.num_columns:,} "
                f"columns; at most {MAX_ROWS:,}, {MAX_ROW_GROUPS:,} and {MAX_COLUMNS:,} are read",
            )
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > MAX_INFLATED_BYTES:
            raise refused("file", f"{self._name} holds more than {MAX_INFLATED_BYTES:,} bytes; split it")


def check_names(schema: Any) -> None:  # noqa: ANN401 - pyarrow ships no types
    """Raise ValueError where the name of a column or of a time zone is not UTF-8: pyarrow decodes them only when they are asked for."""
    for field in schema:
        _ = field.name, getattr(field.type, "tz", None)
