"""Columns of a Parquet file that are carried to another as they are: their pages are copied, nobody encodes them again.

That needs row groups that are kept whole, pages that lie where the footer says, and a footer that we understand as others do. A file of
which any of these does not hold is written anew instead, which takes longer and gives the same columns.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from service.backfill.footer import (
    BLOOM_FILTER,
    COLUMN_INDEX,
    COLUMNS,
    CREATED_BY,
    CRYPTO,
    FILE_PATH,
    GROUP_ROWS,
    MAGIC,
    META_DATA,
    OFFSET_INDEX,
    ROW_GROUPS,
    SCHEMA,
    STATISTICS,
    move_chunk,
    place_of_chunk,
)
from service.backfill.thrift import STRUCT, Fields, content_of, members_of, read_structure, with_content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.backfill.parquet_table import ParquetTable

WHOLE_PARTS: Final = 4
"""A row group is kept whole when it has at most so many times the rows of a part."""
MAX_GROUP_BYTES: Final = 256 << 20
"""Nor more bytes than this once decoded: a part of output is held in memory."""
MAX_CHUNKS: Final = 50_000
"""A footer that tells of more column chunks takes longer to understand than their pages to be encoded."""
_SAME_WRITER: Final = b"parquet-cpp-arrow"
"""Others' minima and maxima may follow another order: those are left out."""
_WRONG_SIZES: Final = b"parquet-mr version 1.2"
"""This one forgot the dictionary in its sizes (PARQUET-816)."""
_DROPPED: Final = (OFFSET_INDEX, OFFSET_INDEX + 1, COLUMN_INDEX, COLUMN_INDEX + 1)
_DROPPED_META: Final = (BLOOM_FILTER, BLOOM_FILTER + 1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The pages of one column in one row group, and what a footer says of them but for where they lie: as if at the start of a file."""

    told: Fields
    pages: Any

    def at(self, offset: int) -> Fields:
        """What a footer says of the chunk when its pages lie there."""
        told = deepcopy(self.told)
        move_chunk(told, offset - len(MAGIC))
        return told


class Carried:
    """The column chunks of an open file. `elements` is its schema as Parquet writes it, the root first; `rows` those of its row groups."""

    def __init__(self, table: ParquetTable, footer: Fields) -> None:
        self._table = table
        self._groups: list[Fields] = members_of(footer, ROW_GROUPS)
        self._keeps_statistics = content_of(footer, CREATED_BY, b"").startswith(_SAME_WRITER)
        self.elements: list[Fields] = members_of(footer, SCHEMA)
        self.rows: list[int] = [content_of(group, GROUP_ROWS) for group in self._groups]

    @classmethod
    def of(cls, table: ParquetTable, part_rows: int) -> Carried | None:
        """What is carried of this file when parts have so many rows; None when it has to be written anew."""
        metadata = table.metadata
        if metadata.num_row_groups * metadata.num_columns > MAX_CHUNKS:
            return None
        row_bytes = 8 * metadata.num_columns
        for group in (metadata.row_group(number) for number in range(metadata.num_row_groups)):
            most_rows = min(WHOLE_PARTS * part_rows, MAX_GROUP_BYTES // row_bytes)
            if not 0 < group.num_rows <= most_rows or group.total_byte_size > MAX_GROUP_BYTES:
                return None
        footer, size = table.footer()
        try:
            fields = read_structure(footer)
            return cls(table, fields) if _lies_as_told(fields, size - len(footer)) else None
        except (ValueError, TypeError, AttributeError):  # a field of another type than the format's is as good as absent to other readers
            return None

    def groups(self, first: int, end: int) -> list[list[Chunk]]:
        """The column chunks of some row groups, in order. Raises InvalidInput where the file cannot be read."""
        chunks = [chunk for group in self._groups[first:end] for chunk in members_of(group, COLUMNS)]
        pages = self._table.pages([place_of_chunk(chunk) for chunk in chunks])
        carried = [Chunk(self._told(chunk), page) for chunk, page in zip(chunks, pages, strict=True)]
        width = len(carried) // (end - first)
        return [carried[at : at + width] for at in range(0, len(carried), width)]

    def _told(self, chunk: Fields) -> Fields:
        dropped = _DROPPED_META if self._keeps_statistics else (*_DROPPED_META, STATISTICS)
        meta = [field for field in content_of(chunk, META_DATA) if field[0] not in dropped]
        told = deepcopy(with_content([field for field in chunk if field[0] not in _DROPPED], META_DATA, STRUCT, meta))
        move_chunk(told, len(MAGIC) - place_of_chunk(chunk)[0])
        return told


def _lies_as_told(footer: Fields, end: int) -> bool:
    """Whether all pages lie in the file itself, before its footer, and their sizes can be believed."""
    if content_of(footer, CREATED_BY, b"").startswith(_WRONG_SIZES):
        return False
    chunks: Sequence[Fields] = [chunk for group in members_of(footer, ROW_GROUPS) for chunk in members_of(group, COLUMNS)]
    for chunk in chunks:
        if content_of(chunk, FILE_PATH) is not None or content_of(chunk, CRYPTO) is not None or content_of(chunk, META_DATA) is None:
            return False
        start, size = place_of_chunk(chunk)
        if start < len(MAGIC) or size <= 0 or start + size > end:
            return False
    return True
