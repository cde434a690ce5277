"""Every command and example of the README and the documents is run: here, or by the test that the table names for its page."""

from __future__ import annotations

import ast
import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from pyarrow import csv, parquet
from typer.testing import CliRunner

from providers.base import Provider
from service.cli import app
from service.keys import read_keys
from service.settings import PREFIX, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[1]
HOST = "http://127.0.0.1:8080"
BEGINS_SOMETHING = ("make ", "docker ")
"""What sets up, builds, or serves until it is told to stop: looked at and not begun."""
ELSEWHERE = {
    "docs/backfill-cluster.md": "tests/test_backfill_dask.py",
    "docs/backfill-http.md": "tests/test_backfills_http.py",
    "docs/backfill.md": "tests/test_backfill_formats.py",
    "docs/cli.md": "tests/test_cli.py",
    "docs/footprint.md": "tests/test_footprint_report.py",
    "docs/mix.md": "tests/test_mixes.py",
    "docs/readers.md": "tests/test_readers_page.py",
    "docs/runs.md": "tests/test_runs_page.py",
    "docs/schedule.md": "tests/test_schedule_commands.py",
    "docs/settings.md": "tests/test_settings.py",
    "docs/store.md": "tests/test_redis_store.py",
}
"""The tests that run the examples of a page; the recipes are run by tests/test_recipes.py, which says so itself."""
HOURS = "zone,start,g_per_kwh\nFR,2024-03-11T00:00:00Z,31\nFR,2024-03-11T01:00:00Z,29\n"
JOB = {"location": "FR", "energy": {"start": "2024-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}}


@dataclass(frozen=True, slots=True)
class Block:
    """One example as it stands."""

    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its commands, one each, with the lines that belong together."""
        found: list[str] = []
        for line in self.text.splitlines():
            if found and not _is_whole(found[-1]):
                found[-1] += f"\n{line}"
            elif line.strip():
                found.append(line)
        return found


def _is_whole(command: str) -> bool:
    with suppress(ValueError):
        shlex.split(command)
        return not command.endswith("\\")
    return False


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [Block(name, language, body) for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HERE = [block for page in PAGES for block in blocks(page) if block.page not in ELSEWHERE]


def of_language(*languages: str) -> list[pytest.ParameterSet]:
    chosen = [block for block in HERE if block.language in languages]
    return [pytest.param(block, id=f"{Path(block.page).stem}-{number}") for number, block in enumerate(chosen)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files that the examples name, and none of this user's settings."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in {"OFFLINE": "1", "STORE": f"sqlite:///{tmp_path / 'series.sqlite'}"}.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hours.csv").write_text(HOURS)
    (tmp_path / "hours.csv.gz").write_bytes(gzip.compress(HOURS.encode(), mtime=0))
    (tmp_path / "theirs.csv").write_text("zone,utc,g,kind\nDE,2024-03-11 05:00,321.5,lifecycle\n")
    parquet.write_table(csv.read_csv(tmp_path / "theirs.csv"), tmp_path / "hours.parquet")
    (tmp_path / "jobs.csv").write_text("location,start,end,energy_kwh\nFR,2024-03-11T00:10:00Z,2024-03-11T05:00:00Z,12.5\n")
    (tmp_path / "jobs.ndjson").write_text(f"{json.dumps(JOB)}\n{json.dumps(JOB)}\n")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    logging_was = structlog.get_config()
    yield tmp_path
    structlog.configure(**logging_was)


def run_command(command: str, service: RunningService) -> str:
    """What a command prints; ours run in this process, which is quicker, all others in a shell."""
    words = shlex.split(command, comments=True)
    if Path(words[0]).name == "gridgram":
        outcome = CliRunner().invoke(app, words[1:])
        assert outcome.exit_code == 0, f"{command}: {outcome.output}"
        return outcome.stdout
    shell = subprocess.run(
        ["/bin/bash", "-euc", command.replace(HOST, service.address)], capture_output=True, text=True, check=False, timeout=30
    )
    assert shell.returncode == 0, f"{command}: {shell.stderr}"
    return shell.stdout


# --- who runs what


def test_every_page_with_examples_is_run_here_or_by_a_test_that_reads_it() -> None:
    with_examples = {page.relative_to(ROOT).as_posix() for page in PAGES if blocks(page)}

    assert ELSEWHERE.keys() <= with_examples
    assert [page for page, test in ELSEWHERE.items() if f'"{Path(page).name}"' not in (ROOT / test).read_text(encoding="utf-8")] == []


def test_no_example_that_is_run_here_is_of_a_language_that_nobody_runs() -> None:
    assert {block.language for block in HERE} <= {"sh", "json", "python", "text", "", "toml"}


def test_what_is_begun_by_make_is_a_target_and_what_is_begun_by_docker_is_the_image() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    begun = [command for block in HERE if block.language == "sh" for command in block.commands if command.startswith(BEGINS_SOMETHING)]

    for command in begun:
        program, *words = shlex.split(command, comments=True)
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), command
        else:
            assert f"#   {command}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert len(begun) > 3


# --- run


@pytest.mark.parametrize("block", of_language("sh"))
@pytest.mark.usefixtures("home")
def test_every_command_works(block: Block, service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in block.commands:
        if command.startswith(BEGINS_SOMETHING):
            continue
        if command.endswith("gridgram serve"):
            (assignment,) = shlex.split(command)[:-2]
            monkeypatch.setenv(*assignment.split("=", 1))
            assert load_settings().refresh_zones
            continue
        told = run_command(command, service)
        assert told or "printf" in command
        if " | " not in command and command.startswith("curl") and not command.endswith(("jobs.ndjson", "/metrics")):
            assert "detail" not in json.loads(told)


@pytest.mark.parametrize("block", of_language("python"))
def test_every_piece_of_python_does_what_it_says(block: Block, service: RunningService) -> None:
    if "OfflineEmissionsTracker" in block.text:
        other = (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")
        assert block.text.strip() in other  # that one is run with the real client, by tests/test_runs_codecarbon.py
    elif block.page == "docs/adding-a-provider.md":
        (given,) = [node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Provider"]
        needed = {part.name for part in fields(Provider) if part.default is MISSING and part.default_factory is MISSING}
        assert {part.arg for part in given.keywords} == needed
    else:
        text = block.text.replace(HOST, service.address)
        told = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=30)
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout == "80.6 g, between 46.8 and 117.6; {'typical': 1.0}\n"


@pytest.mark.usefixtures("home")
def test_the_quickstart_prints_what_it_shows_and_answers_from_the_file_that_it_imports(service: RunningService) -> None:
    shown = blocks(ROOT / "docs" / "quickstart.md")
    commands = [command for block in shown if block.language == "sh" for command in block.commands if "gridgram " in command]
    (printed,) = [block.text for block in shown if block.language == "text"]
    ours = [command for command in commands if command.startswith((".venv", "printf"))]

    told = [run_command(command, service) for command in ours]

    assert told[0] == printed
    assert told[-1].startswith("60.4 g CO2e")
    assert "100.0% measured from file" in told[-1]


def test_the_line_of_the_log_has_the_fields_of_its_table() -> None:
    page = ROOT / "docs" / "observability.md"
    (line,) = [json.loads(block.text) for block in blocks(page) if block.language == "json"]

    told = {
        name
        for row in re.findall(r"^\| (`.*?`) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert line.keys() - told == {"event", "level", "timestamp"}


def test_the_lines_of_the_keys_are_keys_and_the_headers_are_those_that_are_read() -> None:
    lines, headers = [block.text for block in blocks(ROOT / "docs" / "security.md") if not block.language]

    assert set(read_keys(lines, "the page")) == {"tracker", "prometheus"}
    assert [line.partition(":")[0] for line in headers.splitlines()] == ["Authorization", "X-API-Key", "auth-token"]
