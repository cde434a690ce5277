"""The README tells the truth: its request gives its answer, its links lead somewhere, its version is ours."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import orjson

from service import PACKAGE_VERSION
from service.app import build_gridgram
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


async def test_the_request_of_the_readme_gives_the_answer_of_the_readme(tmp_path: Path) -> None:
    request = re.search(r"-d '(\{.*?\})'", README, re.DOTALL)
    answer = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert request
    assert answer
    gridgram = build_gridgram(Settings(store=f"sqlite:///{tmp_path / 'series.sqlite'}"))

    given = await gridgram.emissions(gridgram.read_job(orjson.loads(request[1])))
    await gridgram.intensity.store.close()

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
