"""What is shipped: the wheel, the image, the locks, and what no file may name."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from service.server import DRAIN_SECONDS
from service.settings import Settings
from service.workers import END_SECONDS
from tests.documents import is_built

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("cache", "gridgram", "providers", "service")
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-docs.lock")
VARIABLE = re.compile(r"GRIDGRAM_[A-Z_]+")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile and their arguments, continued lines joined, in order."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in code.splitlines()) if word]


def copied_paths() -> set[str]:
    """What the Dockerfile copies from the checkout."""
    copies = [arguments.split() for word, arguments in dockerfile() if word == "COPY" and not arguments.startswith("--from")]
    return {source.rstrip("/") for *sources, _ in copies for source in sources}


def last(word: str) -> str:
    return [arguments for name, arguments in dockerfile() if name == word][-1]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in last("ENV").split())


def tracked_files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout to know which files are ours")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_wheel_holds_the_four_packages_their_data_and_the_licence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()}
    expected = {name for name in expected if "__pycache__" not in name}
    top_levels = {PurePosixPath(name).parts[0] for name in names}
    licences = {PurePosixPath(name).name for name in names if "/licenses/" in name}

    assert expected <= names
    assert ("service/static/docs/index.html" in names) == is_built()
    assert {name for name in top_levels if not name.endswith(".dist-info")} == set(PACKAGES)
    assert {"LICENSE", "NOTICE"} <= licences


def test_no_installed_dependency_owns_one_of_our_top_level_names() -> None:
    owners = packages_distributions()

    for package in PACKAGES:
        assert set(owners.get(package, [])) <= {"gridgram"}


def test_the_console_script_names_a_real_command_that_serves() -> None:
    target = pyproject()["project"]["scripts"]["gridgram"]
    module, _, attribute = target.partition(":")
    typer = importlib.import_module("typer")
    commands = typer.main.get_command(getattr(importlib.import_module(module), attribute)).commands
    options = {name for parameter in commands["serve"].params for name in parameter.opts}
    arguments = json.loads(last("CMD"))

    assert json.loads(last("ENTRYPOINT")) == ["gridgram"]
    assert arguments[0] == "serve"
    assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_every_path_that_the_image_copies_exists_and_is_let_into_the_build() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert {path for path in copied_paths() if not (ROOT / path).exists()} == set()
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == copied_paths()


def test_the_image_is_built_from_all_that_the_project_names() -> None:
    project = pyproject()["project"]

    documents = {"docs", "deploy", "examples", "openapi.yaml", "requirements-docs.lock"}

    assert {*PACKAGES, *documents, "pyproject.toml", "requirements.lock", project["readme"], *project["license-files"]} == copied_paths()
    assert pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(PACKAGES)


def test_the_image_installs_hashed_wheels_only_and_runs_as_nobody() -> None:
    installs = [arguments for word, arguments in dockerfile() if word == "RUN" and " install " in arguments and "pip" in arguments]

    assert [("--require-hashes" in line, "--no-deps" in line) for line in installs] == [(True, False), (True, False), (False, True)]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last("USER"))


def test_image_and_compose_keep_the_store_and_the_records_in_the_volumes_that_they_mount() -> None:
    service = compose()["services"]["gridgram"]
    store, records = map(PurePosixPath, last("VOLUME").split())
    for environment in (image_environment(), service["environment"]):
        settings = Settings(store=environment["GRIDGRAM_STORE"], records=environment["GRIDGRAM_RECORDS"])
        assert PurePosixPath(settings.store_path.as_posix()).parent == store
        assert PurePosixPath(str(settings.records_path)).parent == records

    assert service["volumes"] == [f"store:{store}", f"records:{records}"]
    assert set(compose()["volumes"]) == {"store", "records"}


def test_every_setting_that_image_and_compose_make_is_one_that_the_service_has() -> None:
    known = {f"GRIDGRAM_{name.upper()}" for name in Settings.model_fields}
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("Dockerfile", "compose.yaml")]

    assert {name for text in texts for name in VARIABLE.findall(text)} <= known


def test_the_port_of_the_service_is_the_one_that_is_exposed_published_and_probed() -> None:
    port = str(Settings.model_fields["port"].default)
    probed = re.findall(r"http://127\.0\.0\.1:(\d+)/healthz", last("HEALTHCHECK"))

    assert last("EXPOSE") == port
    assert probed == [port]
    assert compose()["services"]["gridgram"]["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize("name", ["gridgram", "redis", "replica"])
def test_every_service_of_compose_gives_up_what_it_does_not_need(name: str) -> None:
    service = compose()["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_redis_of_compose_gives_the_documented_rights_and_bounds_its_memory() -> None:
    services, users = compose()["services"], compose()["configs"]["redis-users"]["content"]
    rights = re.search(r"ACL SETUSER gridgram on >PASSWORD (~gridgram:.*)", (ROOT / "docs" / "store.md").read_text(encoding="utf-8"))

    assert rights
    assert rights[1] in users
    assert "user default off" in users
    assert {"--maxmemory", "--maxmemory-policy", "allkeys-lru", "--aclfile"} <= set(services["redis"]["command"])
    assert Settings(store=services["replica"]["environment"]["GRIDGRAM_STORE"]).store_name == "redis://redis:6379/0"


def test_compose_starts_the_service_alone_unless_asked() -> None:
    services = compose()["services"]

    assert [name for name, service in services.items() if "profiles" not in service] == ["gridgram"]
    assert services["gridgram"]["build"] == "."


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_each_package_by_version_and_hash_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    requirements = [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip() and not entry.lstrip().startswith("#")]

    assert len(requirements) > len(pyproject()["project"]["dependencies"])
    for requirement in requirements:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==[^\s;]+( ; [^-]+?)?( +--hash=sha256:[0-9a-f]{64})+", requirement), requirement
    assert "://" not in text
    assert "--index-url" not in text


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
    needed = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in pyproject()["project"]["dependencies"]}

    assert needed <= pinned


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    # Written in pieces so that this file does not name them either.
    hosts = "|".join(
        re.escape(f"{name}.{domain}")
        for name, domain in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("crates", "io"), ("anaconda", "org"))
    )
    paths = "root|work|tmp/v|tmp/build|home/[a-z]+"
    forbidden = re.compile(rf"\b(?:{hosts})\b|(?<![\w.:/])/(?:{paths})(?=[/\s\"'`):;,]|$)".encode())
    named = {
        path.relative_to(ROOT).as_posix(): sorted({match.decode() for match in forbidden.findall(content)})
        for path in tracked_files()
        if b"\0" not in (content := path.read_bytes()) and forbidden.search(content)
    }

    assert named == {}


def test_whoever_stops_the_service_gives_it_the_time_that_it_may_take() -> None:
    unit = (ROOT / "deploy" / "systemd" / "gridgram.service").read_text(encoding="utf-8")
    grace = [int(seconds) for seconds in re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)]
    grace.append(int(compose()["services"]["gridgram"]["stop_grace_period"].removesuffix("s")))

    assert all(seconds > Settings.model_fields["drain_notice_seconds"].default + END_SECONDS for seconds in grace)
    assert END_SECONDS > DRAIN_SECONDS


def test_every_setting_of_the_unit_is_one_that_the_service_has_and_its_store_lies_where_it_may_write() -> None:
    unit = (ROOT / "deploy" / "systemd" / "gridgram.service").read_text(encoding="utf-8")
    named = set(VARIABLE.findall(unit)) - {"GRIDGRAM_NAME"}

    assert named <= {f"GRIDGRAM_{name.upper()}" for name in Settings.model_fields}
    assert re.search(r"^CacheDirectory=gridgram$", unit, re.MULTILINE)
    assert re.search(r"^StateDirectory=gridgram$", unit, re.MULTILINE)
    assert "GRIDGRAM_STORE=sqlite:////var/cache/gridgram/" in unit
