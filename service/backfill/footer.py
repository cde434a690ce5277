"""Joining Parquet files without decoding them: pages are copied as they are, footers are merged with their offsets moved.

Of a footer (Apache Parquet, parquet.thrift) only the fields that hold offsets, sizes, row counts and row groups have a meaning here; all
others pass through as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.backfill.thrift import I64, LIST, STRUCT, Fields, content_of, members_of, read_structure, with_content, write_structure

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC: Final = b"PAR1"
SCHEMA, NUM_ROWS, ROW_GROUPS, CREATED_BY, COLUMN_ORDERS = 2, 3, 4, 6, 7
"""Of a file."""
COLUMNS, TOTAL_BYTES, GROUP_ROWS, GROUP_OFFSET, GROUP_COMPRESSED, ORDINAL = 1, 2, 3, 5, 6, 7
"""Of a row group."""
FILE_PATH, CHUNK_OFFSET, META_DATA, OFFSET_INDEX, COLUMN_INDEX, CRYPTO = 1, 2, 3, 4, 6, 8
"""Of a column chunk: the pages of one column of one row group."""
PATH, UNCOMPRESSED, COMPRESSED, DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, STATISTICS, BLOOM_FILTER = 3, 6, 7, 9, 10, 11, 12, 14
"""Of what is told of a column chunk."""
_CHUNK_OFFSETS: Final = (CHUNK_OFFSET, OFFSET_INDEX, COLUMN_INDEX)
_META_OFFSETS: Final = (DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, BLOOM_FILTER)
_MAX_ORDINAL: Final = (1 << 15) - 1


def split_parquet(parquet: bytes | memoryview) -> tuple[memoryview, bytes]:
    """The pages of a whole Parquet file, without magic, and its footer. Raises ValueError for anything else."""
    view = memoryview(parquet)
    if bytes(view[:4]) != MAGIC or bytes(view[-4:]) != MAGIC:
        raise ValueError("not a Parquet file")
    length = int.from_bytes(view[-8:-4], "little")
    return view[4 : -8 - length], bytes(view[-8 - length : -8])


def merged_footer(footers: Sequence[bytes], starts: Sequence[int]) -> bytes:
    """The end of a file that holds the pages of several files, each from the offset in `starts`: footer, length and magic.

    All have one schema; what else a footer says is taken from the first.
    """
    merged = read_structure(footers[0])
    groups: list[Fields] = []
    rows = 0
    for footer, start in zip(footers, starts, strict=True):
        fields = read_structure(footer)
        rows += content_of(fields, NUM_ROWS)
        for group in members_of(fields, ROW_GROUPS):
            _move_group(group, start - len(MAGIC), len(groups))
            groups.append(group)
    merged = with_content(with_content(merged, NUM_ROWS, I64, rows), ROW_GROUPS, LIST, (STRUCT, groups))
    out = write_structure(merged)
    return out + len(out).to_bytes(4, "little") + MAGIC


def move_chunk(chunk: Fields, offset: int) -> None:
    """Say of a column chunk that it lies so many bytes further on."""
    for field in chunk:
        if field[0] in _CHUNK_OFFSETS and field[1] == I64 and field[2]:
            field[2] += offset
        elif field[0] == META_DATA:
            for inner in field[2]:
                if inner[0] in _META_OFFSETS and inner[2]:
                    inner[2] += offset


def place_of_chunk(chunk: Fields) -> tuple[int, int]:
    """Where the pages of a column chunk start, and how many bytes they take."""
    told = content_of(chunk, META_DATA)
    starts = [start for number in (DATA_PAGE, DICTIONARY_PAGE) if (start := content_of(told, number, 0)) > 0]
    return min(starts, default=0), content_of(told, COMPRESSED)


def _move_group(group: Fields, offset: int, ordinal: int) -> None:
    for field in group:
        if field[0] == GROUP_OFFSET and field[2]:
            field[2] += offset
        elif field[0] == ORDINAL:
            field[2] = min(ordinal, _MAX_ORDINAL)
    for chunk in members_of(group, COLUMNS):
        move_chunk(chunk, offset)
