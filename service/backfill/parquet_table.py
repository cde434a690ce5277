"""Parquet of jobs as batches of Arrow columns; its row groups can be read by themselves, in any order."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from service.backfill.jobs import BATCH_ROWS
from service.backfill.table import Rows
from service.importing.csv_file import PARQUET_MAGIC
from service.importing.faults import refused
from service.importing.parquet_file import check_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.backfill.remote import Remote

_BUFFER_BYTES: Final = 1 << 20
_TAIL_BYTES: Final = 8
"""The length of the footer and the magic word."""
_WIDTHS: Final = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}
"""Bytes of a number of each physical type."""
_TEXTS: Final = frozenset({"string", "large_string"})
PIECE_ROWS: Final = 1_000_000
"""Small row groups are read together until they are about so many rows."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Row groups that are read together: the first, the one after the last, and the rows before them."""

    first_group: int
    end_group: int
    first_row: int


class ParquetTable:
    """An open Parquet file; its footer has been read. Raises InvalidInput for a file that is not Parquet."""

    unit = "row"

    def __init__(self, path: Path | Remote) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import parquet  # noqa: PLC0415 - heavy

        self._path = path
        self._errors = (pa.ArrowException, OSError, MemoryError, ValueError, KeyError)
        try:
            with parquet.ParquetFile(self._source()) as file:
                self.metadata = file.metadata
                self.schema = file.schema_arrow.remove_metadata()
                check_names(self.schema)
        except self._errors as error:
            raise refused("file", f"{path.name} is not a sound Parquet file: {error}") from error
        # Words stay a dictionary: a long one that a million rows point at is held once.
        plain = self.plain_columns()
        self._words = [field.name for field in self.schema if str(field.type) in _TEXTS and field.name not in plain]

    def _source(self) -> Any:  # noqa: ANN401 - what pyarrow reads from
        return self._path if isinstance(self._path, Path) else self._path.open()

    def plain_columns(self) -> list[str]:
        """The flat columns that a dictionary does not shorten, by what it did for the first row group."""
        if not self.metadata.num_row_groups:
            return []
        group = self.metadata.row_group(0)
        plain = []
        for column in (group.column(place) for place in range(group.num_columns)):
            width = _WIDTHS.get(column.physical_type)
            is_short = width is None or column.total_uncompressed_size < 0.5 * width * column.num_values
            if "." not in column.path_in_schema and not (column.has_dictionary_page and is_short):
                plain.append(column.path_in_schema)
        return plain

    def rows(self) -> Iterator[Rows]:
        """All rows."""
        for piece in self.pieces():
            yield from self.piece_rows(piece)

    def pieces(self) -> list[Piece]:
        """The file's row groups, small ones together."""
        found: list[Piece] = []
        first_group = first_row = held = 0
        for group in range(self.metadata.num_row_groups):
            rows = self.metadata.row_group(group).num_rows
            if held and held + rows > PIECE_ROWS:
                found.append(Piece(first_group, group, first_row))
                first_group, first_row, held = group, first_row + held, 0
            held += rows
        return [*found, Piece(first_group, self.metadata.num_row_groups, first_row)] if held else found

    def whole_groups(self, piece: Piece, rows: int) -> list[Piece]:
        """A piece in parts of whole row groups: as many as hold at most so many rows, or one."""
        found: list[Piece] = []
        first_group, first_row, held = piece.first_group, piece.first_row, 0
        for group in range(piece.first_group, piece.end_group):
            count = self.metadata.row_group(group).num_rows
            if held and held + count > rows:
                found.append(Piece(first_group, group, first_row))
                first_group, first_row, held = group, first_row + held, 0
            held += count
        return [*found, Piece(first_group, piece.end_group, first_row)]

    def footer(self) -> tuple[bytes, int]:
        """The footer as it is in the file, and the length of the file without what stands behind it. Raises InvalidInput."""
        with self._opened() as file:
            end = file.seek(-_TAIL_BYTES, os.SEEK_END)
            length = int.from_bytes(file.read(4), "little")
            file.seek(end - length)
            return file.read(length), end

    def pages(self, places: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes at these places: where each starts, and how many. Raises InvalidInput where they are not there."""
        found = []
        with self._opened() as file:
            for start, size in places:
                file.seek(start)
                found.append(read := file.read(size))
                if len(read) != size:
                    raise EOFError("it ends too early")
        return found

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            with self._path.open("rb") if isinstance(self._path, Path) else self._path.open() as file:
                yield file
        except (OSError, EOFError) as error:
            raise refused("file", f"{self._path.name} is damaged or cut: {error}") from error

    def piece_rows(self, piece: Piece, columns: Sequence[str] | None = None) -> Iterator[Rows]:
        """The rows of a piece; only some of the columns if told so. Raises InvalidInput where the file is damaged."""
        from pyarrow import parquet  # noqa: PLC0415 - heavy

        row = piece.first_row + 1
        groups = list(range(piece.first_group, piece.end_group))
        try:
            with parquet.ParquetFile(
                self._source(),
                metadata=self.metadata,
                read_dictionary=self._words,
                buffer_size=_BUFFER_BYTES,
                pre_buffer=False,
                page_checksum_verification=True,  # where pages have one
            ) as file:
                for batch in file.iter_batches(BATCH_ROWS, groups, columns=columns):
                    self._check(batch)
                    yield Rows(np.arange(row, row + batch.num_rows), batch)
                    row += batch.num_rows
        except self._errors as error:
            raise refused("file", f"{self._path.name} is damaged or cut: {error}") from error

    def _check(self, batch: Any) -> None:  # noqa: ANN401 - pyarrow ships no types
        """Raise ValueError where text is not UTF-8: reading alone does not look."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name in self._words:
                column.dictionary.validate(full=True)
            elif str(column.type) in _TEXTS:
                column.validate(full=True)


def is_parquet(start: bytes) -> bool:
    """Whether a file that starts like this is Parquet."""
    return start.startswith(PARQUET_MAGIC)
