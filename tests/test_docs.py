"""The README tells the truth: its request gives its answer, its links lead somewhere, its version is ours."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import orjson

from providers.registry import load_providers
from service import PACKAGE_VERSION, limits
from service.app import build_gridgram
from service.operations import OPERATIONS
from service.pages import providers_page
from service.problems import PROBLEM_TYPES
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


async def test_the_request_of_the_readme_gives_the_answer_of_the_readme(tmp_path: Path) -> None:
    request = re.search(r"-d '(\{.*?\})'", README, re.DOTALL)
    answer = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert request
    assert answer
    gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{tmp_path / 'series.sqlite'}"))

    given = await gridgram.emissions(gridgram.read_job(orjson.loads(request[1])))
    await gridgram.intensity.close()

    assert given == orjson.loads(answer[1])


def test_every_link_of_the_documents_leads_to_a_file() -> None:
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]

    dead = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]

    assert dead == []


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == PACKAGE_VERSION


def test_the_readme_opens_with_a_command_that_make_knows() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"`?make (\w+)`?", README)

    assert commands[0] == "run"
    assert all(re.search(rf"^{command}:", makefile, re.MULTILINE) for command in commands)


def test_every_operation_stands_in_the_documents() -> None:
    api = (ROOT / "docs" / "api.md").read_text()

    assert [name for operation in OPERATIONS if (name := f"`{operation.method} {operation.path}`") not in api] == []


def test_the_page_about_sources_is_what_they_say_of_themselves() -> None:
    assert (ROOT / "docs" / "providers.md").read_text() == providers_page(load_providers())


def test_every_problem_and_every_limit_stands_in_the_documents_as_it_is() -> None:
    api = (ROOT / "docs" / "api.md").read_text()

    assert problems_table() in api
    assert limits_table() in api


def problems_table() -> str:
    rows = [f"| `{kind.code}` | {kind.status} | {kind.title}. | {kind.mend} |" for kind in PROBLEM_TYPES.values()]
    return "\n".join(["| code | status | what | what to do |", "|---|---|---|---|", *rows])


def limits_table() -> str:
    rows = [
        ("a JSON body, inflated", f"{limits.MAX_BODY_BYTES:,} bytes"),
        (
            "a batch, inflated",
            f"{limits.MAX_BATCH_BYTES:,} bytes, {limits.MAX_BATCH_LINES:,} lines",
        ),
        ("a line of a batch", f"{limits.MAX_LINE_BYTES:,} bytes"),
        ("nesting of JSON", "some 1,000 levels"),
        ("objects and lists in a body, fields of one", f"{limits.MAX_OBJECTS:,} and {limits.MAX_FIELDS}"),
        ("steps, powers or intervals of one job", f"{limits.MAX_POINTS:,}"),
        ("span of one job or series", f"{limits.MAX_SPAN_DAYS} days"),
        ("past days for which one schedule asks sources, over all its zones", f"{limits.MAX_ASKED_ZONE_DAYS:,}"),
        ("one value of energy", f"{limits.MAX_ENERGY_KWH:g} kWh"),
        ("one value of power", f"{limits.MAX_POWER_W:g} W"),
        ("`pue`", f"1 to {limits.MAX_PUE:g}"),
        ("`intensity_g_per_kwh`", f"0 to {limits.MAX_INTENSITY_G_PER_KWH:,.0f} g/kWh"),
        ("a location", f"{limits.MAX_LOCATION_CHARACTERS} characters"),
        (
            "locations of one schedule or ranking, options told",
            (
                f"{limits.MAX_SCHEDULE_LOCATIONS} and {limits.MAX_SCHEDULE_OPTIONS}; "
                f"a list in a query {limits.MAX_LOCATION_LIST_CHARACTERS:,} characters"
            ),
        ),
        ("steps of a scheduled job", f"{limits.MAX_SCHEDULE_STEPS:,}"),
        (
            "pauses that a schedule weighs (steps of the window x steps run)",
            f"{limits.MAX_PLAN_CELLS:,} a location, {limits.MAX_PLAN_CELLS_IN_ALL:,} in all",
        ),
        ("faults told of one request", f"{limits.MAX_FAULTS}, the rest is counted as far as it was read"),
    ]
    return "\n".join(["| what | at most |", "|---|---|", *(f"| {what} | {most} |" for what, most in rows)])
