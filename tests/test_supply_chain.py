"""What the service is made of: no version with known faults, a list of all parts, and a wheel that anybody can build again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-test.lock")
FILES = ("dependency-floors.toml", "pyproject.toml", *LOCKS)


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_no_lock_bound_or_installed_package_is_older_than_it_may_be() -> None:
    outcome = script("check_floors.py")

    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "mutate", "told"),
    [
        ("requirements.lock", lambda text: re.sub(r"(?m)^aiohttp==\S+", "aiohttp==3.13.2", text), "requirements.lock holds aiohttp 3.13.2"),
        (
            "requirements-test.lock",
            lambda text: re.sub(r"(?m)^redis==\S+", "redis==4.5.3", text),
            "requirements-test.lock holds redis 4.5.3",
        ),
        ("requirements.lock", lambda text: re.sub(r"(?m)^aiohttp==", "aiohttp-other==", text), "requirements.lock does not hold aiohttp"),
        ("pyproject.toml", lambda text: text.replace("aiohttp>=3.14.3", "aiohttp>=3.9"), "pyproject.toml allows aiohttp 3.9"),
        ("pyproject.toml", lambda text: text.replace("aiohttp>=3.14.3", "aiohttp"), "pyproject.toml allows aiohttp 0"),
        (
            "dependency-floors.toml",
            lambda text: text + '\n[[floor]]\npackage = "no-such-package"\nversion = "1"\nlocks = []\nadvisories = ["CVE-0"]\n',
            "no-such-package is not installed",
        ),
        (
            "dependency-floors.toml",
            lambda text: text.replace('package = "pyarrow"\nversion = "14.0.1"', 'package = "pyarrow"\nversion = "999"'),
            "is installed; pyarrow must be 999",
        ),
    ],
)
def test_what_is_too_old_or_cannot_be_looked_at_fails_the_check(tmp_path: Path, file: str, mutate: Callable[[str], str], told: str) -> None:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    was = (tmp_path / file).read_text()
    (tmp_path / file).write_text(mutate(was))
    assert (tmp_path / file).read_text() != was

    outcome = script("check_floors.py", str(tmp_path))

    assert outcome.returncode == 1
    assert told in outcome.stderr


def test_every_floor_names_its_advisories() -> None:
    for floor in tomllib.loads((ROOT / "dependency-floors.toml").read_text())["floor"]:
        assert floor["advisories"]
        assert all(re.match(r"(CVE-\d{4}-\d+|GHSA(-\w{4}){3})$", advisory) for advisory in floor["advisories"])


def parts(path: Path) -> str:
    outcome = script("write_sbom.py", str(path))
    assert outcome.returncode == 0, outcome.stderr
    return path.read_text()


def test_the_list_of_parts_is_sound_and_whole_and_names_no_host(tmp_path: Path) -> None:
    text = parts(tmp_path / "sbom.json")
    document = json.loads(text)
    pinned = set(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert {(part["name"], part["version"]) for part in document["components"]} == pinned
    places = [place for part in document["components"] for place in part["externalReferences"]]
    assert all(place["hashes"] and "://" not in place["url"] for place in places)
    assert document["metadata"]["component"]["name"] == "gridgram"


def test_the_list_of_parts_is_the_same_every_time(tmp_path: Path) -> None:
    assert parts(tmp_path / "one.json") == parts(tmp_path / "other.json")


def test_two_builds_of_the_wheel_are_the_same_bytes(tmp_path: Path) -> None:
    sums = []
    for name, seed in (("one", "1"), ("other", "2")):
        folder = tmp_path / name
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "PYTHONHASHSEED": seed}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60)
        (wheel,) = folder.glob("*.whl")
        sums.append(hashlib.sha256(wheel.read_bytes()).hexdigest())

    assert sums[0] == sums[1]
