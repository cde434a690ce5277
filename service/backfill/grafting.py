"""Parts of Parquet of which only our own columns are encoded: the file's are carried beside them as they are.

A column that holds one number throughout, such as the share of a quality that no hour has, is encoded once and copied from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.backfill.carried import Chunk
from service.backfill.footer import (
    COLUMN_ORDERS,
    COLUMNS,
    GROUP_COMPRESSED,
    GROUP_OFFSET,
    GROUP_ROWS,
    MAGIC,
    META_DATA,
    NUM_ROWS,
    ORDINAL,
    ROW_GROUPS,
    SCHEMA,
    TOTAL_BYTES,
    UNCOMPRESSED,
    move_chunk,
    place_of_chunk,
    split_parquet,
)
from service.backfill.thrift import (
    I16,
    I32,
    I64,
    LIST,
    STRUCT,
    Fields,
    content_of,
    members_of,
    read_structure,
    with_content,
    write_structure,
)
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.backfill.carried import Carried

_CHILDREN: Final = 5
"""In an element of a schema: how many follow that are inside it."""
MAX_KEPT: Final = 64
"""So many columns of one number are kept encoded; row groups of many lengths would be too many."""

Encode = Any
"""Encodes a table as a whole Parquet file, in row groups of so many rows each."""


class Grafter:
    """Makes parts of carried columns and ours. `empty` is a file of our columns without rows, `encode` makes one with rows."""

    def __init__(self, carried: Carried, empty: bytes | memoryview, encode: Callable[[Any, Sequence[int]], memoryview]) -> None:
        self._carried = carried
        self._encode = encode
        self._kept: dict[tuple[str, int, float | None], Chunk] = {}
        footer = read_structure(split_parquet(empty)[1])
        own, ours = carried.elements, members_of(footer, SCHEMA)
        root = with_content(own[0], _CHILDREN, I32, content_of(own[0], _CHILDREN) + content_of(ours[0], _CHILDREN))
        leaves = sum(content_of(element, _CHILDREN) is None for element in [*own[1:], *ours[1:]])
        orders = members_of(footer, COLUMN_ORDERS)[:1] * leaves
        footer = with_content(footer, SCHEMA, LIST, (STRUCT, [root, *own[1:], *ours[1:]]))
        self._footer = with_content(footer, COLUMN_ORDERS, LIST, (STRUCT, orders))

    def part(self, table: Any, first: int, end: int) -> tuple[list[Any], bytes]:  # noqa: ANN401 - an Arrow table
        """The bytes of a part and its footer, as of a file: some row groups of the file, and beside them our columns, in `table`."""
        rows = self._carried.rows[first:end]
        if sum(rows) != table.num_rows:
            raise refused("file", f"is damaged: it holds {table.num_rows:,} rows where its footer tells of {sum(rows):,}")
        written: list[Any] = []
        groups: list[Fields] = []
        at = len(MAGIC)
        for own, ours in zip(self._carried.groups(first, end), self._encoded(table, rows), strict=True):
            group, length = _row_group([*own, *ours], rows[len(groups)], at, len(groups))
            groups.append(group)
            written += [chunk.pages for chunk in (*own, *ours)]
            at += length
        footer = with_content(self._footer, NUM_ROWS, I64, sum(rows))
        return written, write_structure(with_content(footer, ROW_GROUPS, LIST, (STRUCT, groups)))

    def _encoded(self, table: Any, rows: Sequence[int]) -> list[list[Chunk]]:  # noqa: ANN401 - an Arrow table
        """Our columns of each row group."""
        kept: list[dict[str, Chunk]] = []
        at = 0
        for count in rows:
            kept.append(self._constant(table.slice(at, count)))
            at += count
        varied = [name for name in table.schema.names if not all(name in of_group for of_group in kept)]
        fresh = _chunks(self._encode(table.select(varied), rows))
        return [
            [of_group[name] if name in of_group else encoded[varied.index(name)] for name in table.schema.names]
            for of_group, encoded in zip(kept, fresh, strict=True)
        ]

    def _constant(self, table: Any) -> dict[str, Chunk]:  # noqa: ANN401 - an Arrow table
        """The columns of a row group that hold one number in all rows, or nothing in any."""
        found = {}
        for name, column in zip(table.schema.names, table.columns, strict=True):
            number = _only_number(column)
            if number is not _VARIED:
                found[name] = self._kept_chunk(name, column.type, table.num_rows, number)
        return found

    def _kept_chunk(self, name: str, kind: Any, rows: int, number: Any) -> Chunk:  # noqa: ANN401 - an Arrow type
        import pyarrow as pa  # noqa: PLC0415 - heavy

        key = name, rows, number
        if key not in self._kept:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            cells = pa.nulls(rows, kind) if number is None else pa.repeat(pa.scalar(number, kind), rows)
            ((self._kept[key],),) = _chunks(self._encode(pa.table([cells], names=[name]), [rows]))
        return self._kept[key]


_VARIED: Final = object()


def _only_number(column: Any) -> Any:  # noqa: ANN401 - an Arrow column
    """The one number of a column, None when it holds nothing, `_VARIED` for all else."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import compute  # noqa: PLC0415 - heavy

    if pa.types.is_dictionary(column.type):
        return _VARIED
    if column.null_count:
        return None if column.null_count == len(column) else _VARIED
    if not pa.types.is_floating(column.type):
        return _VARIED
    first = column[0].as_py()
    return first if first == column[-1].as_py() and compute.all(compute.equal(column, first)).as_py() else _VARIED


def _chunks(parquet: memoryview) -> list[list[Chunk]]:
    """The column chunks of a whole file, by row group."""
    footer = read_structure(split_parquet(parquet)[1])
    found: list[list[Chunk]] = []
    for group in members_of(footer, ROW_GROUPS):
        found.append([])
        for told in members_of(group, COLUMNS):
            start, length = place_of_chunk(told)
            move_chunk(told, len(MAGIC) - start)
            found[-1].append(Chunk(told, parquet[start : start + length]))
    return found


def _row_group(chunks: Sequence[Chunk], rows: int, offset: int, ordinal: int) -> tuple[Fields, int]:
    """What a footer says of a row group whose chunks lie one behind the other from an offset on, and how many bytes they take."""
    at, uncompressed = offset, 0
    columns: list[Fields] = []
    for chunk in chunks:
        columns.append(chunk.at(at))
        uncompressed += content_of(content_of(chunk.told, META_DATA), UNCOMPRESSED)
        at += len(chunk.pages)
    group: Fields = [
        [COLUMNS, LIST, (STRUCT, columns)],
        [TOTAL_BYTES, I64, uncompressed],
        [GROUP_ROWS, I64, rows],
        [GROUP_OFFSET, I64, offset],
        [GROUP_COMPRESSED, I64, at - offset],
        [ORDINAL, I16, ordinal],
    ]
    return group, at - offset
