"""What goes in and what comes out: every way to write jobs of our own columns, and every row kept in its place with its reason."""

from __future__ import annotations

import gzip
import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from gridgram.errors import InvalidInput
from gridgram.quality import Quality
from service.backfill.convert import output_columns
from service.cli import app
from tests.backfill import HEADER, backfilled, job_table, quarantined, rows_of, written

JOB = "FR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5\n"
ONE_G = 1045.7649926720153
GRAMS = pytest.approx(ONE_G, rel=1e-12)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "ndjson"])
def test_every_row_keeps_its_place_and_a_bad_one_says_why(tmp_path: Path, suffix: str) -> None:
    lines = [
        JOB,
        "Atlantis,2022-03-11T00:00:00Z,2022-03-12T00:00:00Z,1\n",
        "FR,2022-03-11T00:00:00Z,2022-03-11T00:00:00Z,1\n",
        "FR,yesterday,2022-03-11T00:00:00Z,1\n",
        "FR,2022-03-11T00:00:00,2022-03-12T00:00:00Z,1\n",
        "FR,2022-03-11T00:00:00Z,2022-03-12T00:00:00Z,-1\n",
        "FR,2022-03-11T00:00:00Z,2022-03-12T00:00:00Z,\n",
        "FR,2022-03-11T00:00:00Z,2022-03-12T00:00:00Z,nan\n",
        "FR,1999-03-11T00:00:00Z,2022-03-12T00:00:00Z,1\n",
        ",2022-03-11T00:00:00Z,2022-03-12T00:00:00Z,1\n",
        "FR,2022-03-11T00:00:00Z\n",
        "\n",
        JOB,
    ]
    source = written(tmp_path / "jobs.csv", HEADER + "".join(lines))

    told = backfilled(source, output := tmp_path / f"out.{suffix}")

    rows = rows_of(output)
    assert [row.get("emissions_g") for row in rows] == [GRAMS, *[None] * 9, GRAMS]
    assert [row["location"] or "" for row in rows] == ["FR", "Atlantis", *["FR"] * 7, "", "FR"]
    assert [bool(row.get("error")) for row in rows] == [False, *[True] * 9, False]
    reasons = {entry["line"]: entry["reason"] for entry in quarantined(output)}
    assert list(reasons) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    for line, words in {
        3: "Atlantis",
        4: "not after the start",
        5: "'yesterday' is not a time",
        6: "--tz",
        7: "-1 kWh",
        8: "energy is missing",
        9: "'nan' is not a number",
        10: "before 2000",
        11: "--location",
        12: "2 cells and the header 4",
    }.items():
        assert words in reasons[line], reasons[line]
    assert (told["rows"], told["jobs"], told["rows_quarantined"]) == (12, 2, 10)
    assert told["emissions_g"] == pytest.approx(2 * ONE_G, rel=1e-12)


def test_no_output_holds_nan(tmp_path: Path) -> None:
    table = job_table(1_000).set_column(3, "energy_kwh", pa.array([1.0, np.nan, None, np.inf] * 250))
    parquet.write_table(table, tmp_path / "jobs.parquet")

    told = backfilled(tmp_path / "jobs.parquet", tmp_path / "out.parquet")

    out = parquet.read_table(tmp_path / "out.parquet")
    for name in out.column_names[table.num_columns :]:
        if pa.types.is_floating(out.schema.field(name).type):
            assert not np.isnan(out[name].drop_null().to_numpy()).any(), name
            assert out[name].null_count == 750
    assert told["jobs"] == 250
    assert {entry["reason"] for entry in quarantined(tmp_path / "out.parquet")} == {
        "column energy_kwh: the energy is missing",
        "the energy is unknown",
        "the energy inf kWh is not from 0 to 1e+12 kWh",
    }


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_time_means_the_same_in_every_unit(tmp_path: Path, unit: str, zone: str) -> None:
    kind = pa.timestamp(unit, zone)
    start, end = (pa.array([moment], pa.timestamp("s", "UTC")).cast(kind) for moment in (1_646_957_400, 1_647_068_401))
    table = pa.table({"location": ["FR"], "start": start, "end": end, "energy_kwh": [12.5]})
    parquet.write_table(table, tmp_path / "jobs.parquet")

    backfilled(tmp_path / "jobs.parquet", tmp_path / "out.parquet")

    out = parquet.read_table(tmp_path / "out.parquet")
    assert out["emissions_g"].to_pylist() == [GRAMS]
    assert out.column_names[:4] == table.column_names
    assert out["start"].to_pylist() == table["start"].to_pylist()


def test_naive_times_belong_to_the_zone_that_is_named(tmp_path: Path) -> None:
    table = pa.table(
        {
            "location": ["FR"],
            "start": pa.array([1_646_957_400 + 3_600], pa.timestamp("s")),
            "end": pa.array([1_647_068_401 + 3_600], pa.timestamp("s")),
            "energy_kwh": [12.5],
        }
    )
    parquet.write_table(table, tmp_path / "jobs.parquet")
    text = HEADER + "FR,2022-03-11 01:10:00,2022-03-12 08:00:01,12.5\n"

    backfilled(tmp_path / "jobs.parquet", tmp_path / "one.parquet", time_zone="Europe/Paris")
    backfilled(written(tmp_path / "jobs.csv", text), tmp_path / "two.parquet", time_zone="Europe/Paris")

    for name in ("one.parquet", "two.parquet"):
        assert [row["emissions_g"] for row in rows_of(tmp_path / name)] == [GRAMS]


def test_a_local_time_that_the_clock_skipped_or_showed_twice_is_not_guessed(tmp_path: Path) -> None:
    lines = [
        "FR,2022-03-27 01:59:59,2022-03-27 03:00:00,1\n",
        "FR,2022-03-27 02:30:00,2022-03-27 04:00:00,1\n",
        "FR,2022-10-30 01:00:00,2022-10-30 02:30:00,1\n",
        "FR,2022-10-30 02:30:00+02:00,2022-10-30 02:30:00+01:00,1\n",
        "FR,2022-10-30 01:00:00,2022-10-30 03:00:00,1\n",
    ]

    backfilled(written(tmp_path / "jobs.csv", HEADER + "".join(lines)), tmp_path / "out.parquet", time_zone="Europe/Paris")

    assert [row["emissions_g"] is not None for row in rows_of(tmp_path / "out.parquet")] == [True, False, False, True, True]
    assert {entry["line"] for entry in quarantined(tmp_path / "out.parquet")} == {3, 4}


def test_tsv_bars_semicolons_and_gzip_are_read_as_csv_is(tmp_path: Path) -> None:
    for number, separator in enumerate("\t|;"):
        source = written(tmp_path / f"jobs{number}.txt", (HEADER + JOB).replace(",", separator))
        backfilled(source, tmp_path / f"out{number}.parquet")
        assert rows_of(tmp_path / f"out{number}.parquet")[0]["emissions_g"] == GRAMS
    (tmp_path / "jobs.csv.gz").write_bytes(gzip.compress((HEADER + JOB).encode()))
    backfilled(tmp_path / "jobs.csv.gz", tmp_path / "out.csv")

    assert rows_of(tmp_path / "out.csv")[0]["emissions_g"] == GRAMS


def test_cells_in_quotes_keep_their_commas_and_a_quote_left_open_harms_its_line_alone(tmp_path: Path) -> None:
    text = 'location,start,end,energy_kwh,note\n"FR",2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5,"a, ""b"""\n'
    text += 'FR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5,"open\nFR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5,c\n'

    backfilled(written(tmp_path / "jobs.csv", text), tmp_path / "out.csv")

    assert [(row["note"], row["emissions_g"]) for row in rows_of(tmp_path / "out.csv")] == [('a, "b"', GRAMS), ("c", GRAMS)]
    assert [entry["line"] for entry in quarantined(tmp_path / "out.csv")] == [3]


def test_ndjson_keeps_kinds_and_takes_lists_of_steps(tmp_path: Path) -> None:
    lines = [
        '{"location": "FR", "start": "2022-03-11T00:30:00Z", "kwh": [1, 2.5, 0.5], "step": "PT30M", "id": 7, "tags": {"a": 1}}',
        "[1, 2]",
        '{"location": "FR", "start": "2022-03-11T00:30:00Z", "kwh": [], "id": 8}',
        '{"location": "FR", "start": "2022-03-11T00:00:00Z", "kwh": [1, -1], "id": 9}',
        '{"location": "FR", "start": "2022-03-11T00:00:00Z", "kwh": [4], "id": 10}',
    ]

    backfilled(written(tmp_path / "jobs.ndjson", "\n".join(lines)), tmp_path / "out.ndjson")

    rows = rows_of(tmp_path / "out.ndjson")
    assert [row["id"] for row in rows] == [7, 8, 9, 10]
    assert [round(row.get("emissions_g", 0), 6) > 0 for row in rows] == [True, False, False, True]
    assert rows[0]["tags"] == '{"a":1}'
    assert [entry["line"] for entry in quarantined(tmp_path / "out.ndjson")] == [2, 3, 4]


def test_power_samples_are_energy_by_their_step(tmp_path: Path) -> None:
    start = pa.array(["2022-03-11T00:30:00Z"] * 2)
    common = {"location": ["FR", "FR"], "start": start, "step": ["PT30M", "PT1H"]}
    parquet.write_table(pa.table(common | {"power_w": [[2_000.0, 4_000.0], [500.0]]}), tmp_path / "power.parquet")
    parquet.write_table(pa.table(common | {"kwh": [[1.0, 2.0], [0.5]]}), tmp_path / "energy.parquet")

    backfilled(tmp_path / "power.parquet", tmp_path / "one.parquet")
    backfilled(tmp_path / "energy.parquet", tmp_path / "two.csv")

    grams = [[row["emissions_g"] for row in rows_of(tmp_path / name)] for name in ("one.parquet", "two.csv")]
    assert grams[0] == pytest.approx(grams[1], rel=1e-12)


def test_columns_and_locations_can_be_named(tmp_path: Path) -> None:
    text = "begin,finish,used,zone\n2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5,\n2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5,FR\n"
    names = {"start": "begin", "end": "finish", "energy_kwh": "used", "location": "zone"}

    backfilled(written(tmp_path / "jobs.csv", text), tmp_path / "out.csv", columns=names, location="FR", pue=2.0)

    rows = rows_of(tmp_path / "out.csv")
    assert [row["gridgram_zone"] for row in rows] == ["FR", "FR"]
    assert [row["emissions_g"] for row in rows] == pytest.approx([2 * ONE_G] * 2, rel=1e-12)


def test_each_row_may_ask_for_a_signal_of_its_own(tmp_path: Path) -> None:
    text = "location,start,end,energy_kwh,signal\n" + "".join(JOB.strip() + f",{signal}\n" for signal in ("", "direct", "heat"))

    backfilled(written(tmp_path / "jobs.csv", text), tmp_path / "out.csv")

    rows = rows_of(tmp_path / "out.csv")
    assert rows[0]["emissions_g"] == GRAMS
    assert 0 < rows[1]["emissions_g"] < 0.9 * ONE_G
    assert "is no signal" in rows[2]["error"]


def test_hours_worse_than_asked_for_leave_a_row_without_numbers(tmp_path: Path) -> None:
    told = backfilled(written(tmp_path / "jobs.csv", HEADER + JOB), tmp_path / "out.csv", min_quality=Quality.MEASURED)

    assert told["jobs"] == 0
    assert "quality measured or better" in rows_of(tmp_path / "out.csv")[0]["error"]


def test_the_types_of_the_file_come_out_as_they_went_in(tmp_path: Path) -> None:
    table = job_table(50)
    table = table.append_column("shape", pa.array([[1, 2]] * 50, pa.list_(pa.int16())))
    table = table.append_column("kind", pa.array(["a", "b"] * 25).dictionary_encode()).append_column("flag", pa.array([True, None] * 25))
    parquet.write_table(table, tmp_path / "jobs.parquet")

    backfilled(tmp_path / "jobs.parquet", tmp_path / "out.parquet")

    out = parquet.read_table(tmp_path / "out.parquet")
    assert out.schema.types[: table.num_columns] == parquet.read_table(tmp_path / "jobs.parquet").schema.types
    assert out.select(table.column_names).to_pylist() == table.to_pylist()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("jobs.csv", "", "empty"),
        ("jobs.csv", HEADER, "no jobs"),
        ("jobs.csv", "a,b\n1,2\n", "--format"),
        ("jobs.csv", "start,energy_kwh\n1,2\n", "location"),
        ("jobs.csv", HEADER.replace("energy_kwh", "energy_kwh,porject") + JOB.replace("\n", ",x\n"), "did you mean project"),
        ("jobs.parquet", HEADER, "does not start as a Parquet file"),
        ("jobs.ndjson", "{}\n", "no JSON object"),
    ],
)
def test_a_file_that_cannot_be_jobs_is_refused_with_what_to_do(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        backfilled(written(tmp_path / name, text), tmp_path / "out.csv")

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("out", ".out"))] == []


def test_a_cut_parquet_file_is_refused_and_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    parquet.write_table(job_table(1_000), tmp_path / "whole.parquet")
    body = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "jobs.parquet").write_bytes(body[:100] + bytes(200) + body[300:])

    with pytest.raises(InvalidInput, match="damaged"):
        backfilled(tmp_path / "jobs.parquet", tmp_path / "out.parquet")

    assert not (tmp_path / "out.parquet").exists()


def test_the_commands_of_the_page_work_on_the_file_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "backfill.md").read_text()
    blocks = re.findall(r"```(sh|csv)\n(.*?)```", page, re.DOTALL)
    commands = [line for kind, block in blocks if kind == "sh" for line in block.splitlines()]
    (jobs,) = [block for kind, block in blocks if kind == "csv"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GRIDGRAM_OFFLINE", "1")
    written(tmp_path / "jobs.csv", jobs)

    for command in commands:
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0, (command, done.output)

    assert len(commands) == 4
    assert [row["emissions_g"] for row in rows_of(tmp_path / "jobs-emissions.parquet")] == pytest.approx(
        [ONE_G, 55149.235865030016], rel=1e-12
    )


def test_every_column_of_the_output_stands_on_the_page() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "backfill.md").read_text()

    assert [name for name in output_columns([], tells_energy=True) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("damage", ["cut", "zeroed", "head"])
def test_a_damaged_gzip_is_refused(tmp_path: Path, damage: str) -> None:
    whole = gzip.compress((HEADER + JOB * 50_000).encode())
    middle = len(whole) // 2
    bodies = {"cut": whole[:middle], "zeroed": whole[:middle] + bytes(200) + whole[middle + 200 :], "head": whole[:12] + b"\xff" * 40}
    (tmp_path / "jobs.csv.gz").write_bytes(bodies[damage])

    with pytest.raises(InvalidInput, match=r"damaged|cannot be read"):
        backfilled(tmp_path / "jobs.csv.gz", tmp_path / "out.csv")

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("out", "."))] == []
