"""The footprint as it is asked for and read: over HTTP, on the command line, as a report, as a model card, from CodeCarbon's file."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
import yaml
from typer.testing import CliRunner

from gridgram.hardware import devices
from service.cli import app
from service.footprint.picture import picture
from service.footprint.report import html, markdown
from service.footprint.tables import NUMBERS
from service.settings import PREFIX
from tests.footprints import component, footprint
from tests.wire import check_problem, post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[1]
BLOOM = ROOT / "examples" / "bloom.json"
SCRIPT = "<script>alert(1)</script>"
HOSTILE = {
    "name": f"{SCRIPT}|`x`\n# not a heading",
    "training": [{"name": SCRIPT, "energy_kwh": 1, "intensity_g_per_kwh": 57, "intensity_source": '"\n: {[&*!'}],
    "hardware_used": 'x"\n  emissions: 0',
}
PATH = "/v1/footprint"


@pytest.fixture(scope="module")
def bloom(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return footprint(tmp_path_factory.mktemp("report"), json.loads(BLOOM.read_text()))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of this test's own, no settings; logging is put back as it was."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GRIDGRAM_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    logging_was = structlog.get_config()
    yield tmp_path
    structlog.configure(**logging_was)


def run(*arguments: str) -> Result:
    """Run the command inside this process."""
    return CliRunner().invoke(app, ["footprint", *arguments])


# Over HTTP.


def test_blooms_table_comes_over_http_as_from_the_command_line(service: RunningService, bloom: Any) -> None:
    answer = post(service, json.loads(BLOOM.read_text()), path=PATH)

    assert answer.status == 200
    assert answer.json == bloom
    assert json.loads(run(str(BLOOM), "--json").stdout) == bloom


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid-body"),
        (b'{"training":[{"energy_kwh":NaN,"intensity_g_per_kwh":1}]}', 400, "invalid-body"),
        (b'{"training":[{"energy_kwh":1e308,"intensity_g_per_kwh":1}]}', 422, "invalid-input"),
        (b'{"training":[{"energy_kwh":-1,"intensity_g_per_kwh":1}]}', 422, "invalid-input"),
        (b'{"training":[{"energy_kwh":"1","intensity_g_per_kwh":1}]}', 422, "invalid-input"),
        (b'{"training":{"energy_kwh":1}}', 422, "invalid-input"),
        (b"[]", 422, "invalid-input"),
        (b'{"training":null}', 422, "invalid-input"),
        (b'{"hardware":[{"device":"b200","device_hours":1e300}]}', 422, "invalid-input"),
        (b'{"hardware":[{"device":"b200","count":1e300,"hours":1}]}', 422, "invalid-input"),
        (b'{"hardware":[{"device":"b200","device_hours":1,"utilisation":0}]}', 422, "invalid-input"),
        (b'{"hardware":[{"device":"b200","device_hours":1,"lifetime_years":0}]}', 422, "invalid-input"),
        (b'{"deployment":[{"energy_kwh":1,"intensity_g_per_kwh":1,"requests":1e-320}]}', 422, "invalid-input"),
        (b'{"deployment":[' + b",".join([b'{"energy_kwh":1,"intensity_g_per_kwh":1}'] * 30_000) + b"]}", 422, "invalid-input"),
        (b'{"hardware":[' + b",".join([b"{}"] * 100_000) + b"]}", 422, "invalid-input"),
        (b'{"hardware":[' + b",".join([b"{}"] * 200_000) + b"]}", 400, "invalid-body"),
        (b'{"compare_locations":[' + b",".join([b'"FR"'] * 100_000) + b"]}", 422, "invalid-input"),
        (b'{"training":[{"energy_kwh":1,"intensity_g_per_kwh":1,"location":"Atlantis"}]}', 404, "unknown-location"),
    ],
    ids=lambda part: part[:70].decode() if isinstance(part, bytes) else None,
)
def test_hostile_footprints_are_refused_in_time_with_a_problem(service: RunningService, body: bytes, status: int, code: str) -> None:
    answer = post(service, body, path=PATH)

    check_problem(answer, status, code)
    assert answer.seconds < 1
    assert len(answer.body) < 40_000


def test_the_most_entries_that_are_taken_are_answered_within_a_second(service: RunningService) -> None:
    span = {"start": "2022-03-11T00:00:00Z", "end": "2022-07-07T00:00:00Z"}
    use = {"location": "FR", "energy_kwh": 10, **span}

    answer = post(service, {"training": [use] * 500, "hardware": [{"device": "b200", "device_hours": 1}] * 500}, path=PATH)

    assert answer.status == 200
    assert answer.json["total"]["emissions_g"] > 0
    assert answer.seconds < 2


def test_extreme_numbers_that_are_taken_give_finite_answers(service: RunningService) -> None:
    use = {"energy_kwh": 1e12, "energy_low_kwh": 0, "pue": 10, "host_factor": 10, "intensity_g_per_kwh": 5000, "intensity_low_g_per_kwh": 0}
    tiny = {"energy_kwh": 5e-324, "energy_high_kwh": 1e12, "intensity_g_per_kwh": 5e-324, "intensity_high_g_per_kwh": 5000}
    steel = {"embodied_kg": 1e9, "lifetime_years": 0.01, "utilisation": 1e-6, "device_hours": 1e12, "share": 1}
    units = [{"unit": "x", "count": 1e-6}, {"unit": "y", "count": 1e18}]

    for part in (use, tiny):
        answer = post(
            service, {"deployment": [part | {"requests": 1e-6, "days": 0.01}], "hardware": [steel], "functional_units": units}, path=PATH
        )
        alone = post(service, {"training": [part]}, path=PATH)

        assert (answer.status, alone.status) == (200, 200)
        assert b"null" not in answer.body + alone.body
        assert b"-0.0" not in answer.body + alone.body


# On the command line.


def test_the_command_writes_every_format_to_a_file_or_to_standard_output(home: Path) -> None:
    starts = {
        "table": "BLOOM 176B",
        "json": "{",
        "markdown": "# Footprint of BLOOM",
        "html": "<!doctype html>",
        "card": "co2_eq_emissions:",
    }
    for name, start in starts.items():
        if name == "table":
            continue
        written = run(str(BLOOM), "--format", name, "-o", str(home / name))
        assert (written.exit_code, written.stdout, written.stderr) == (0, "", "")
        assert (home / name).read_text().startswith(start)
    table = run(str(BLOOM)).stdout
    assert table.startswith("BLOOM 176B: 50.87 t CO2e")
    assert re.search(r"training +24\.69 t", table)


def test_a_fault_on_the_command_line_is_one_line_and_a_file_that_cannot_be_written_is_told(home: Path) -> None:
    (home / "bad.json").write_text('{"training": [{"energy_kwh": 1}]}')

    bad = run(str(home / "bad.json"))
    unwritable = run(str(BLOOM), "--format", "html", "-o", str(home / "no" / "where.html"))

    assert (bad.exit_code, bad.stdout) == (2, "")
    assert bad.stderr == "gridgram: /training/0: give a location, or intensity_g_per_kwh\n"
    assert run(str(BLOOM), "--json", "--format", "card").exit_code == 2
    assert unwritable.exit_code == 4
    assert "No such file" in unwritable.stderr


# Reports.


class Tags(HTMLParser):
    """The tags of a page, and whether each that was opened was closed."""

    EMPTY = frozenset({"meta", "rect", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in attrs)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def test_the_page_is_whole_without_script_and_shows_the_picture(bloom: Any) -> None:
    page = html(bloom)
    tags = Tags()
    tags.feed(page)

    assert tags.open == []
    assert "script" not in tags.seen
    assert "svg" in tags.seen
    assert "prefers-color-scheme:dark" in page
    assert "50.87 t" in page
    assert "Content-Security-Policy" in page
    for step in bloom["steps"]:
        assert step["name"] in page


def test_the_picture_stacks_the_components_and_draws_low_to_high(bloom: Any) -> None:
    drawing = ET.fromstring(picture(bloom))  # noqa: S314 - our own drawing
    space = {"svg": "http://www.w3.org/2000/svg"}
    stacked = [rect for rect in drawing.findall("svg:rect", space) if rect.get("y") == "40"]
    lines = {line.get("class"): line for line in drawing.findall("svg:line", space)}

    assert [rect.get("class") for rect in stacked] == ["training", "idle", "embodied", "deployment"]
    widths = [float(rect.get("width") or 0) for rect in stacked]
    shares = [one["total_share"] for one in bloom["components"]]
    assert [width / sum(widths) for width in widths] == pytest.approx(shares, abs=1e-3)
    assert set(lines) == {"all", "training", "idle", "embodied", "deployment"}
    embodied = component(bloom, "embodied")
    drawn = float(lines["embodied"].get("x2") or 0) - float(lines["embodied"].get("x1") or 0)
    scale = sum(widths) / bloom["total"]["emissions_g"]
    assert drawn == pytest.approx((embodied["emissions_high_g"] - embodied["emissions_low_g"]) * scale, abs=0.05)


def test_markdown_holds_components_places_arithmetic_and_sources(bloom: Any) -> None:
    text = markdown(bloom)

    assert "| training | 24.69 t | 24.69 t | 24.69 t | 48.5% |" in text
    assert "60.65 passenger flight" in text
    assert "arXiv 2211.02001" in text
    assert all(heading in text for heading in ("## Components", "## Arithmetic", "## Serving", "## What this is and is not"))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in lines)


def test_the_table_says_what_the_total_equals_and_all_of_it_what_each_phase_does() -> None:
    short, whole = run(str(BLOOM)).stdout, run(str(BLOOM), "--all").stdout
    one_phase = run(str(ROOT / "examples" / "gpt3.json")).stdout

    assert ("total, 50.8" in short, "training phase" in short, "Arithmetic" in short) == (True, False, False)
    assert ("total, 50.8" in whole, "training phase" in whole, "Arithmetic" in whole) == (True, True, True)
    assert "In other terms" in one_phase
    refused = run(str(BLOOM), "--all", "--format", "markdown")
    assert (refused.exit_code, "every other form tells all" in refused.stderr) == (2, True)


def test_hostile_names_stay_text_in_every_report(tmp_path: Path) -> None:
    answer = footprint(tmp_path, HOSTILE)

    assert SCRIPT not in html(answer)
    assert SCRIPT not in picture(answer)
    assert SCRIPT not in markdown(answer)
    assert "\n# not a heading" not in markdown(answer)
    tags = Tags()
    tags.feed(html(answer))
    assert "script" not in tags.seen


def test_the_card_is_yaml_in_grams_of_the_electricity_of_training(home: Path) -> None:
    told = yaml.safe_load(run(str(BLOOM), "--format", "card").stdout)["co2_eq_emissions"]

    assert told["emissions"] == pytest.approx(24_692_172)
    assert told["training_type"] == "pre-training"
    assert told["geographical_location"] == "FR"
    assert "A100" in told["hardware_used"]
    assert "location-based" in told["source"]
    (home / "hostile.json").write_text(json.dumps(HOSTILE))
    hostile = yaml.safe_load(run(str(home / "hostile.json"), "--format", "card").stdout)["co2_eq_emissions"]
    assert (hostile["emissions"], hostile["hardware_used"]) == (57.0, HOSTILE["hardware_used"])


def test_the_columns_of_numbers_are_columns_of_the_report(bloom: Any) -> None:
    from service.footprint.report import tables  # noqa: PLC0415 - only here

    columns = {column for _, names, _ in tables(bloom) for column in names}
    assert NUMBERS - columns == {"mean g/kWh"}  # that of a comparison


# The page.


def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "footprint.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]

    for command in commands:
        done = run(*command.removeprefix("gridgram footprint ").split())
        assert (done.exit_code, done.stderr) == (0, ""), command
    assert len(commands) == 4
    assert (tmp_path / "bloom.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["bloom", "gpt3", "small-model"])
def test_every_example_is_answered(name: str) -> None:
    done = run(str(ROOT / "examples" / f"{name}.json"), "--json")

    answer = json.loads(done.stdout)
    assert answer["total"]["emissions_g"] > 0
    if name == "gpt3":
        assert answer["total"]["emissions_g"] / 1e6 == pytest.approx(552.1, rel=0.003)


def test_the_page_lists_the_devices_as_they_are() -> None:
    page = (ROOT / "docs" / "footprint.md").read_text()
    rows = [
        f"| `{one.key}` | {one.title} | {one.embodied_kg.middle:,g} | {one.embodied_kg.low:,g} | {one.embodied_kg.high:,g} "
        f"| {one.lifetime_years:g} | {one.utilisation:g} | {one.boundary} | {one.source} |"
        for one in devices().values()
    ]

    assert "\n".join(rows) in page


def test_the_numbers_of_the_page_are_those_of_its_example(bloom: Any) -> None:
    page = (ROOT / "docs" / "footprint.md").read_text()
    for one in bloom["components"]:
        masses = " | ".join(f"{grams / 1e6:.2f}" for grams in (one["emissions_g"], one["emissions_low_g"], one["emissions_high_g"]))
        assert f"| {one['component']} | {masses} |" in page
