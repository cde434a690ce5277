"""Runs on a cluster of Dask: the same as on one machine, whatever dies meanwhile. Scheduler and workers are processes of their own."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import dataset, parquet

from gridgram.errors import InvalidInput, SettingsError
from service.backfill import cluster
from service.backfill.remote import listed, place_of
from tests.backfill import HEADER, PLACES, backfilled, job_table, written
from tests.running import COMMAND, environment, gridgram, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PIECE, PIECES = 500_001, 4
"""Two such row groups are too many rows for one piece."""
FILES, FILE_ROWS = 24, 20_000


class Cluster:
    """A scheduler and its workers, in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def begin(self) -> None:
        """Start the scheduler."""
        self._begin("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        wait_until(lambda: self.file.exists() and self.file.read_bytes().rstrip().endswith(b"}"), 30)
        self.address = json.loads(self.file.read_bytes())["address"]

    def _begin(self, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", str(self.file), *arguments]
        with (self.home / f"{kind}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.home, env=environment(self.home) | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start one more worker, of one thread."""
        worker = self._begin("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        self.workers.append(worker)
        return worker

    def end(self) -> None:
        """End all processes."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@contextmanager
def running_cluster(home: Path, workers: int = 2) -> Iterator[Cluster]:
    home.mkdir()
    held = Cluster(home)
    try:
        held.begin()
        for _ in range(workers):
            held.add_worker()
        yield held
    finally:
        held.end()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of several pieces, with some bad rows, and the output of a run on one machine beside it."""
    home = tmp_path_factory.mktemp("many")
    chance = np.random.default_rng(3)
    kind = pa.timestamp("us", "UTC")
    with parquet.ParquetWriter(home / "jobs.parquet", schema(), compression="zstd") as writer:
        for _ in range(PIECES):
            start = 1_640_995_200_000_000 + chance.integers(0, 700 * 86_400_000_000, PIECE)
            end = start + chance.integers(1, 3_600_000_000 * 60, PIECE)
            energy = chance.uniform(0, 100, PIECE)
            energy[::9_973] = -1
            names = pa.DictionaryArray.from_arrays(chance.integers(0, len(PLACES), PIECE).astype(np.int32), list(PLACES))
            columns = [names, pa.array(start).cast(kind), pa.array(end).cast(kind), pa.array(energy)]
            writer.write_table(pa.table(columns, schema=schema()), row_group_size=PIECE)
    backfilled(home / "jobs.parquet", home / "whole.parquet")
    return home / "jobs.parquet"


def schema() -> pa.Schema:
    times = [(name, pa.timestamp("us", "UTC")) for name in ("start", "end")]
    return pa.schema([("location", pa.dictionary(pa.int32(), pa.string())), *times, ("energy_kwh", pa.float64())])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many small files, and beside it one file of the same rows with the output of a run on one machine."""
    home = tmp_path_factory.mktemp("files")
    (home / "jobs").mkdir()
    tables = [job_table(FILE_ROWS, number) for number in range(FILES)]
    for number, table in enumerate(tables):
        parquet.write_table(table, home / "jobs" / f"day-{number:02}.parquet")
    parquet.write_table(pa.concat_tables(tables), home / "all.parquet")
    backfilled(home / "all.parquet", home / "whole.parquet")
    return home


def command(cluster_: Cluster, source: object, output: object, *more: str) -> list[str]:
    return ["backfill", str(source), "-o", str(output), "--dask", cluster_.address, "--json", *more]


def journal_lines(output: Path) -> int:
    journal = output.parent / f".{output.name}.gridgram" / "journal.ndjson"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def started(arguments: list[str], home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *arguments], env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def check_same(many: Path, output: Path) -> None:
    whole = many.parent / "whole.parquet"
    assert output.read_bytes() == whole.read_bytes()
    beside = [path.with_name(f"{path.name}.quarantine.ndjson").read_bytes() for path in (output, whole)]
    assert beside[0] == beside[1]


def rows_in(folder: Path) -> pa.Table:
    names = [entry["file"] for entry in json.loads((folder / "manifest.json").read_bytes())["files"]]
    return dataset.dataset([str(folder / name) for name in names]).to_table()


def test_one_file_is_the_same_to_the_last_byte_when_a_worker_and_then_the_client_are_killed(tmp_path: Path, many: Path) -> None:
    output = tmp_path / "out.parquet"
    with running_cluster(tmp_path / "cluster") as held:
        first = started(command(held, many, output), tmp_path)
        wait_until(lambda: journal_lines(output) > 0, 60)
        held.workers[0].kill()
        first.kill()
        first.communicate()
        assert not output.exists()
        parts = journal_lines(output)
        held.add_worker()
        last = started(command(held, many, output), tmp_path)
        wait_until(lambda: journal_lines(output) > parts, 60)
        held.workers[1].kill()
        told, errors = last.communicate(timeout=120)

    assert last.returncode == 1, errors
    check_same(many, output)
    assert json.loads(told)["rows"] == PIECE * PIECES
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_holds_the_same_rows_when_all_workers_die_and_others_come(tmp_path: Path, files: Path) -> None:
    output = tmp_path / "out"
    with running_cluster(tmp_path / "cluster") as held:
        process = started(command(held, files / "jobs", output), tmp_path)
        wait_until(lambda: bool(list(output.glob("part-*.parquet"))), 60)
        for worker in held.workers:
            worker.kill()
        assert not (output / "manifest.json").exists()
        held.add_worker()
        told, errors = process.communicate(timeout=120)

    assert process.returncode == 0, errors
    assert rows_in(output).equals(parquet.read_table(files / "whole.parquet"))
    manifest = json.loads((output / "manifest.json").read_bytes())
    assert [entry["rows"] for entry in manifest["files"]] == [FILE_ROWS] * FILES
    assert manifest["summary"] == json.loads(told)
    assert sorted(path.name for path in output.iterdir()) == ["manifest.json", *(f"part-{number:06}.parquet" for number in range(FILES))]


def test_files_by_url_and_by_pattern_are_read_and_wrong_ones_are_told(tmp_path: Path, files: Path) -> None:
    with running_cluster(tmp_path / "cluster", workers=1) as held:
        source, output = f"local://{files}/jobs/day-0[0-2].parquet", f"local://{tmp_path}/out"
        done = gridgram(command(held, source, output), tmp_path)
        again = gridgram(command(held, source, output), tmp_path)
        other = gridgram(command(held, files / "jobs", tmp_path / "one.parquet"), tmp_path)
        text = written(tmp_path / "jobs.csv", HEADER)
        no_parquet = gridgram(command(held, text, tmp_path / "two.parquet"), tmp_path)
        mixed = tmp_path / "mixed"
        mixed.mkdir()
        parquet.write_table(job_table(10), mixed / "a.parquet")
        parquet.write_table(job_table(10).drop(["project"]), mixed / "b.parquet")
        unlike = gridgram(command(held, mixed, tmp_path / "three"), tmp_path)

    assert done.returncode == 0, done.stderr
    assert rows_in(tmp_path / "out").equals(parquet.read_table(files / "whole.parquet").slice(0, 3 * FILE_ROWS))
    assert (again.returncode, "holds a finished run" in again.stderr) == (2, True)
    assert (other.returncode, "name a folder" in other.stderr) == (2, True)
    assert (no_parquet.returncode, "is not a sound Parquet file" in no_parquet.stderr) == (2, True)
    assert (unlike.returncode, "has other columns" in unlike.stderr) == (2, True)
    assert "Traceback" not in again.stderr + other.stderr + no_parquet.stderr + unlike.stderr


def test_the_commands_of_the_page_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "backfill-cluster.md").read_text()
    commands = re.findall(r"^gridgram (backfill .*)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    parquet.write_table(job_table(100), "jobs.parquet")
    Path("jobs").mkdir()
    parquet.write_table(job_table(100), "jobs/one.parquet")

    with running_cluster(tmp_path / "cluster", workers=1) as held:
        for command_ in commands:
            done = gridgram(shlex.split(command_.replace("tcp://scheduler.example:8786", held.address)), tmp_path)
            assert done.returncode == 0, done.stderr

    assert len(commands) == 2
    assert rows_in(tmp_path / "jobs-emissions").equals(parquet.read_table("jobs-emissions.parquet"))


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)

    with pytest.raises(SettingsError, match="there is no scheduler at tcp"):
        cluster.convert_on_cluster("tcp://127.0.0.1:1", asked(files), unread, lambda *_: None, restart=False, overwrite=False)


def asked(files: Path) -> cluster.Asked:
    from service.backfill.output import OutputFormat  # noqa: PLC0415 - only here
    from service.backfill.spec import Spec  # noqa: PLC0415
    from tests.backfill import NOW  # noqa: PLC0415

    spec = Spec(files / "all.parquet", files / "out.parquet", OutputFormat.PARQUET, NOW)
    return cluster.asked_of(spec, str(files / "all.parquet"), str(files / "out.parquet"))


def unread(*_: Any) -> Any:
    raise AssertionError("no hours are read")


@pytest.mark.parametrize(
    ("flags", "words"),
    [(["--workers", "2"], "--workers"), (["--dry-run"], "--dry-run"), (["--format", "codecarbon"], "format"), (["-o", "x.csv"], "Parquet")],
)
def test_what_does_not_go_together_with_a_cluster_is_refused(tmp_path: Path, files: Path, flags: list[str], words: str) -> None:
    done = gridgram(
        ["backfill", str(files / "all.parquet"), "-o", str(tmp_path / "o.parquet"), "--dask", "tcp://127.0.0.1:1", *flags], tmp_path
    )

    assert done.returncode == 2, done.stderr
    assert words in done.stderr


def test_places_are_urls_or_whole_paths(tmp_path: Path) -> None:
    assert place_of("s3://bucket/jobs/") == "s3://bucket/jobs"
    assert place_of(f"file://{tmp_path}") == tmp_path
    assert place_of("jobs") == Path.cwd() / "jobs"
    for name in ("b.parquet", "a.parquet", "_metadata.parquet", ".c.parquet", "notes.txt"):
        (tmp_path / name).touch()
    assert [Path(path).name for path in listed(tmp_path)] == ["a.parquet", "b.parquet"]
    with pytest.raises(InvalidInput, match="no Parquet files"):
        listed(tmp_path / "*.pq")
