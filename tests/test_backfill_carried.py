"""The file's own columns come out as they went in: their pages are copied where the row groups are kept whole, written anew elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from gridgram.errors import InvalidInput
from service.backfill import carried
from service.backfill.carried import Carried
from service.backfill.footer import CREATED_BY, MAGIC, NUM_ROWS, ROW_GROUPS, split_parquet
from service.backfill.parquet_table import ParquetTable
from service.backfill.thrift import BINARY, I64, LIST, STRUCT, members_of, read_structure, with_content, write_structure
from tests.backfill import backfilled, job_table

if TYPE_CHECKING:
    from pathlib import Path


def rich_table(rows: int) -> pa.Table:
    """Jobs with columns of all sorts beside those that we read, some cells absent, some rows bad."""
    random = np.random.default_rng(5)
    table = job_table(rows)
    energy = table["energy_kwh"].to_numpy().copy()
    energy[::11] = -1
    table = table.set_column(3, "energy_kwh", pa.array(energy))
    numbers = random.integers(0, 9, rows)
    return (
        table.append_column("notes", pa.array([None if number < 3 else f"note {number} é" for number in numbers]))
        .append_column("gpus", pa.array([None if number == 4 else list(range(number)) for number in numbers], pa.list_(pa.int16())))
        .append_column("node", pa.array([{"name": f"n{number}", "cores": int(number)} for number in numbers]))
        .append_column("is_test", pa.array(numbers > 5))
        .append_column("queue", pa.array([f"q{number}" for number in numbers]).dictionary_encode())
        .append_column("memory", pa.array(random.random(rows).astype(np.float32)))
    )


def write(path: Path, table: pa.Table, **how: Any) -> Path:
    parquet.write_table(table, path, **({"row_group_size": 300} | how))
    return path


def with_footer(path: Path, number: int, kind: int, content: Any) -> Path:
    """The same file with something else in a field of its footer."""
    _, footer = split_parquet(path.read_bytes())
    return with_footer_bytes(path, write_structure(with_content(read_structure(footer), number, kind, content)))


def with_footer_bytes(path: Path, footer: bytes) -> Path:
    """The same pages under another footer."""
    pages, _ = split_parquet(path.read_bytes())
    path.write_bytes(MAGIC + bytes(pages) + footer + len(footer).to_bytes(4, "little") + MAGIC)
    return path


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"use_dictionary": False, "write_statistics": False, "compression": "none"},
        {"write_page_index": True, "write_page_checksum": True, "store_schema": False},
        {"row_group_size": 77, "sorting_columns": [parquet.SortingColumn(1)]},
    ],
)
def test_own_columns_are_carried_as_they_are_however_they_were_written(tmp_path: Path, how: dict[str, Any]) -> None:
    source = write(tmp_path / "jobs.parquet", rich_table(1_000), **how)

    told = backfilled(source, tmp_path / "out.parquet", part_rows=200)

    own, out = parquet.ParquetFile(source), parquet.ParquetFile(tmp_path / "out.parquet", page_checksum_verification=True)
    table = out.read()
    table.validate(full=True)
    assert table.select(own.schema_arrow.names).equals(own.read())
    assert [out.metadata.row_group(number).num_rows for number in range(out.num_row_groups)] == [
        own.metadata.row_group(number).num_rows for number in range(own.num_row_groups)
    ]
    for number in range(own.metadata.row_group(1).num_columns):
        before, after = own.metadata.row_group(1).column(number), out.metadata.row_group(1).column(number)
        assert (after.path_in_schema, after.compression, after.total_compressed_size) == (
            before.path_in_schema,
            before.compression,
            before.total_compressed_size,
        )
        assert not after.has_column_index
    grams = table["emissions_g"].to_numpy(zero_copy_only=False)
    assert told["rows_quarantined"] == np.isnan(grams).sum() == table.num_rows - table["error"].null_count == 91
    assert np.nansum(grams) == pytest.approx(told["emissions_g"], rel=1e-12)


def test_row_groups_too_long_to_be_kept_are_written_anew_with_the_same_rows(tmp_path: Path) -> None:
    source = write(tmp_path / "jobs.parquet", rich_table(1_000), row_group_size=1_000)

    backfilled(source, tmp_path / "anew.parquet", part_rows=249)
    backfilled(source, tmp_path / "kept.parquet", part_rows=250)

    anew, kept = (parquet.ParquetFile(tmp_path / name) for name in ("anew.parquet", "kept.parquet"))
    assert (anew.num_row_groups, kept.num_row_groups) == (5, 1)
    assert anew.read().equals(kept.read())
    assert kept.schema_arrow.equals(anew.schema_arrow, check_metadata=True)


def test_a_column_of_one_number_is_the_same_whichever_row_group_it_stands_in(tmp_path: Path) -> None:
    table = job_table(1_000).set_column(3, "energy_kwh", pa.array([5.0] * 300 + [-1.0] * 300 + [0.0] * 400))
    source = write(tmp_path / "jobs.parquet", table, row_group_size=200)

    backfilled(source, tmp_path / "kept.parquet", part_rows=200)
    backfilled(source, tmp_path / "anew.parquet", part_rows=49)

    kept = parquet.read_table(tmp_path / "kept.parquet")
    assert kept.equals(parquet.read_table(tmp_path / "anew.parquet"))
    assert kept["coverage_measured"].null_count == kept["emissions_g"].null_count == 300


def test_minima_and_maxima_are_believed_of_our_own_writer_only(tmp_path: Path) -> None:
    source = write(tmp_path / "jobs.parquet", job_table(400))
    backfilled(source, tmp_path / "ours.parquet")
    with_footer(source, CREATED_BY, BINARY, b"another writer 1.0")
    backfilled(source, tmp_path / "theirs.parquet")

    ours, theirs = (parquet.ParquetFile(tmp_path / name) for name in ("ours.parquet", "theirs.parquet"))

    assert ours.metadata.row_group(0).column(3).is_stats_set
    assert not theirs.metadata.row_group(0).column(3).is_stats_set
    assert ours.read().equals(theirs.read())


def test_a_file_that_forgot_the_dictionary_in_its_sizes_is_written_anew(tmp_path: Path) -> None:
    source = write(tmp_path / "jobs.parquet", job_table(400))
    assert Carried.of(ParquetTable(source), 1_000) is not None

    with_footer(source, CREATED_BY, BINARY, b"parquet-mr version 1.2.8")

    assert Carried.of(ParquetTable(source), 1_000) is None


@pytest.mark.parametrize(
    "field",
    [b"\x8b\x00", b"\x8d" + bytes(16), b"\x05\x0c\x02"],
    ids=["a map", "a uuid", "its writer as a number"],
)
def test_a_footer_with_what_only_other_readers_pass_over_is_no_obstacle(tmp_path: Path, field: bytes) -> None:
    source = write(tmp_path / "jobs.parquet", job_table(400))
    _, footer = split_parquet(source.read_bytes())
    if field[0] == 0x05:  # in place of the text that stands there
        footer = write_structure([one for one in read_structure(footer) if one[0] != CREATED_BY])
    with_footer_bytes(source, footer[:-1] + field + b"\x00")

    backfilled(source, tmp_path / "out.parquet")

    own = parquet.read_table(source)
    assert parquet.read_table(tmp_path / "out.parquet").select(own.schema.names).equals(own)


def test_of_row_groups_that_are_told_twice_the_jobs_keep_their_own_numbers(tmp_path: Path) -> None:
    source = write(tmp_path / "jobs.parquet", job_table(600))
    backfilled(source, tmp_path / "once.parquet")
    fields = read_structure(split_parquet(source.read_bytes())[1])
    place = [field[0] for field in fields].index(ROW_GROUPS)
    backwards = [ROW_GROUPS, LIST, (STRUCT, members_of(fields, ROW_GROUPS)[::-1])]
    with_footer_bytes(source, write_structure([*fields[:place], backwards, *fields[place:]]))

    backfilled(source, tmp_path / "twice.parquet")

    assert parquet.read_table(tmp_path / "twice.parquet").equals(parquet.read_table(tmp_path / "once.parquet"))


def test_a_part_of_output_stays_small_enough_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = ParquetTable(write(tmp_path / "jobs.parquet", job_table(400)))
    monkeypatch.setattr(carried, "MAX_GROUP_BYTES", 300 * 8 * 6 - 1)

    assert Carried.of(table, 1_000) is None


def test_pages_that_the_file_does_not_hold_are_told(tmp_path: Path) -> None:
    table = ParquetTable(write(tmp_path / "jobs.parquet", job_table(400)))
    found = Carried.of(table, 1_000)
    assert found is not None
    whole = (tmp_path / "jobs.parquet").read_bytes()
    (tmp_path / "jobs.parquet").write_bytes(whole[: len(whole) // 3])

    with pytest.raises(InvalidInput, match="damaged or cut"):
        found.groups(0, 2)


def test_structures_come_back_as_they_were(tmp_path: Path) -> None:
    _, footer = split_parquet(write(tmp_path / "jobs.parquet", rich_table(50)).read_bytes())

    assert write_structure(read_structure(footer)) == footer
    assert read_structure(write_structure(with_content(read_structure(footer), NUM_ROWS, I64, 7)))[2] == [NUM_ROWS, I64, 7]
