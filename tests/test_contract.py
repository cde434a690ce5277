"""`openapi.yaml` is what the service does: made from the code, valid, complete, and attacked from end to end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
import yaml
from aiohttp import web
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from openapi_spec_validator import validate
from typing_extensions import TypedDict

from service.app import build_gridgram
from service.openapi import _component, openapi_document, openapi_yaml
from service.settings import Settings
from service.web_app import build_app
from tests.documents import needs_site
from tests.uploads import finished
from tests.wire import Answer, ask, get, post

if TYPE_CHECKING:
    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = openapi_document()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in CONTRACT["paths"].items()
    for method, operation in methods.items()
}
JSON, NDJSON, PROBLEM = "application/json", "application/x-ndjson", "application/problem+json"

UNITS = (
    "_kwh",
    "_g",
    "_w",
    "_kw",
    "_mw",
    "_g_per_kwh",
    "_g_per_unit",
    "_seconds",
    "_minutes",
    "_percent",
    "_share",
    "_days",
    "_hours",
    "_years",
    "_kg",
)
NAMES_WITH_A_UNIT = {
    "kwh",
    "g_per_kwh",
    "g_per_unit",
    "power_w",
    "latitude",
    "longitude",
    "hours",
    "hours_missing",
    "year",
    "years",
    "days",
    "requests",
    "tokens",
    "count",
    "rows",
    "rows_done",
    "rows_quarantined",
    "rows_skipped",
    "rows_per_second",
    "jobs",
    "upload_bytes",
    "zones",
    "samples",
    "new_samples",
}
"""Units by themselves, degrees by custom, counts by what they count, years."""
NO_UNIT = {"pue", "status", "line", "coverage", "host_factor", "utilisation", "share", "gpu_count", "top"}
"""A ratio, an HTTP status, the number of a line, shares, how many options."""
FOREIGN = ("CodeCarbon",)
"""What others send names its fields as they do; the descriptions tell the units."""
NAMED_BY_OTHERS = ("ElectricityMaps", "Optimizer", "WattTime", "CarbonAware", "ForecastBatch", "AverageBatch", "Scheduler")
"""What the clients of other services read and send is called as they call it; the descriptions have the units."""
BESIDE = {"low": "g_per_kwh", "high": "g_per_kwh", "value": "unit"}
"""Numbers whose unit is told by the field beside them."""

SCHEMATHESIS = """
hooks = "tests.schemathesis_hooks"
continue-on-failure = true

[checks]
max_response_time = 1.0
# A schema cannot say that a time lies between 2000 and two weeks ahead, that an end comes after its start, that intervals do not overlap
# or that hours are held: what fits the schema and is refused for that is a 422 or a 404, and the contract declares both.
positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]

[[operations]]
include-operation-id = "emissions_batch"
# The answer to a batch has begun before its first line is read: a bad line is answered in its place, under a 200.
checks.negative_data_rejection.enabled = false

[[operations]]
include-operation-id = "start_backfill"
# What a file holds is looked at later: any text is taken in, until the backfills that one caller may have are under way.
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "413", "422", "429"]
generation.max-examples = 30

[[operations]]
include-operation-id = ["backfill_result", "backfill_quarantine"]
# What has not been converted yet, or never will be, has no result.
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "416"]

[[operations]]
include-operation-id = "docs"
# It only leads to where the documents begin.
checks.positive_data_acceptance.expected-statuses = ["308", "422"]

[[operations]]
include-operation-id = "all_now"
# One parameter of three values, and an answer of 400 zones to be held against its schema each time.
generation.max-examples = 20
"""


# --- the document


def test_the_committed_contract_is_what_the_code_makes() -> None:
    assert (ROOT / "openapi.yaml").read_text() == openapi_yaml()


def test_the_contract_is_valid_openapi() -> None:
    validate(yaml.safe_load(openapi_yaml()))


def test_the_service_serves_the_contract_that_is_committed(service: RunningService) -> None:
    assert get(service, "/openapi.yaml").body.decode() == (ROOT / "openapi.yaml").read_text()


def test_every_route_is_in_the_contract_and_the_other_way_round(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path / 'series.sqlite'}")
    app = build_app(build_gridgram(settings), settings)

    routes = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if isinstance(route.resource, web.Resource) and route.method != "HEAD"
    }

    aliases = {(method, path) for method, _, operation in OPERATIONS.values() for path in operation.get("x-aliases", [])}
    assert routes == {(method, path) for method, path, _ in OPERATIONS.values()} | aliases


def test_every_operation_has_an_example_for_all_that_it_needs() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        required = [parameter for parameter in operation.get("parameters", []) if parameter["required"]]
        assert all("example" in parameter for parameter in required), name
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in content, name


def test_every_problem_that_an_operation_declares_is_a_problem_document() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        for status, response in operation["responses"].items():
            assert "description" in response, name
            if int(status) >= 400:
                assert list(response["content"]) == [PROBLEM], name


def test_every_operation_says_whether_it_needs_a_key() -> None:
    closed = {name for name, (_, _, operation) in OPERATIONS.items() if "security" not in operation}

    assert CONTRACT["security"] == [{}, {"bearer": []}, {"apiKey": []}, {"authToken": []}]
    assert "metrics" in closed
    assert OPERATIONS.keys() - closed == {
        "healthz",
        "readyz",
        "version",
        "openapi",
        "docs",
        "docs_file",
        "problem",
        "page",
        "page_asset",
        "health",
        "watttime_login",
    }
    assert all({"401", "429"} <= OPERATIONS[name][2]["responses"].keys() for name in closed)
    assert not any({"401", "429"} & OPERATIONS[name][2]["responses"].keys() for name in OPERATIONS.keys() - closed - {"watttime_login"})


def test_two_models_of_one_name_are_refused_and_not_told_as_one() -> None:
    class BandAnswer(TypedDict):
        low: float

    first, schemas = BandAnswer, dict[str, Any]()
    _component(first, schemas, "serialization")
    _component(first, schemas, "serialization")

    class BandAnswer(TypedDict):  # type: ignore[no-redef]  # that is the point
        high: float

    with pytest.raises(ValueError, match="two models are called BandAnswer"):
        _component(BandAnswer, schemas, "serialization")


# --- the examples


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_example_of_an_operation_works_and_its_answer_is_as_promised(service: RunningService, name: str) -> None:
    _, _, operation = OPERATIONS[name]

    answer = run_example(service, name)

    status = next(iter(operation["responses"]))
    promised = operation["responses"][status]
    assert answer.status == int(status)
    assert answer.status in {200, 201, 202, 308}
    check_headers(answer, promised)
    if promised["content"]:
        assert answer.media_type in promised["content"]
        check_content(answer, promised["content"][answer.media_type])
    else:
        assert answer.body == b""


@pytest.mark.parametrize("name", [name for name, (method, _, _) in OPERATIONS.items() if method == "GET"])
def test_an_operation_that_can_be_unchanged_says_so_and_is(service: RunningService, name: str) -> None:
    _, _, operation = OPERATIONS[name]
    tag = run_example(service, name).headers["ETag"]

    assert (tag is not None) == ("304" in operation["responses"])
    if tag is not None:
        again = run_example(service, name, {"If-None-Match": tag})
        assert again.status == 304
        check_headers(again, operation["responses"]["304"])


@pytest.mark.parametrize("media_type", ["application/json", "text/csv", "application/vnd.apache.parquet"])
def test_a_series_comes_in_every_type_that_is_promised(service: RunningService, media_type: str) -> None:
    answer = run_example(service, "intensity", {"Accept": media_type})

    assert answer.status == 200
    assert answer.media_type == media_type
    assert media_type in OPERATIONS["intensity"][2]["responses"]["200"]["content"]


PROBLEMS: list[tuple[str, str, bytes | None, dict[str, str], int]] = [
    ("emissions", "/v1/emissions", b"{", {"Content-Type": JSON}, 400),
    ("emissions", "/v1/emissions", b"{}", {"Content-Type": JSON}, 422),
    ("emissions", "/v1/emissions", b"{}", {"Content-Type": "text/plain"}, 415),
    ("emissions", "/v1/emissions", b" " * 3_000_000, {"Content-Type": JSON}, 413),
    (
        "emissions",
        "/v1/emissions",
        b'{"location":"FRANC","energy":{"start":"2022-03-11T00:00:00Z","step":"PT1H","kwh":[1]}}',
        {"Content-Type": JSON},
        404,
    ),
    (
        "emissions",
        "/v1/emissions",
        b'{"location":"FR","signal":"marginal","energy":{"start":"2022-03-11T00:00:00Z","step":"PT1H","kwh":[1]}}',
        {"Content-Type": JSON},
        404,
    ),
    ("emissions_batch", "/v1/emissions/batch", b"{}", {"Content-Type": JSON}, 415),
    ("emissions_batch", "/v1/emissions/batch?x=1", b"{}", {"Content-Type": NDJSON}, 422),
    ("intensity", "/v1/intensity?location=FR", None, {}, 422),
    (
        "intensity",
        "/v1/intensity?location=FR&start=2022-01-01T00:00:00Z&end=2022-01-02T00:00:00Z",
        None,
        {"Accept": "image/png"},
        406,
    ),
    ("latest", "/v1/intensity/latest?location=FR&signal=marginal", None, {}, 404),
    ("schedule", "/v1/schedule", b"{}", {"Content-Type": JSON}, 422),
    (
        "schedule",
        "/v1/schedule",
        b'{"locations":["FRANC"],"energy":{"duration":"PT1H","total_kwh":1},"latest":"2024-03-12T00:00:00Z","earliest":"2024-03-11T00:00:00Z"}',
        {"Content-Type": JSON},
        404,
    ),
    ("rank", "/v1/regions/rank?locations=FR,FR", None, {}, 422),
    ("rank", "/v1/regions/rank?locations=FRANC", None, {}, 404),
    ("zone", "/v1/zones/nowhere", None, {}, 404),
    ("locate", "/v1/locate?location=geo:0,0", None, {}, 404),
    ("locate", "/v1/locate?location=FR&x=" + "x" * 9_000, None, {}, 400),
    ("run", "/v1/runs/00000000000000000000000000000000", None, {}, 404),
    ("run", "/v1/runs/nothing", None, {}, 422),
    ("run_energy", "/v1/runs/00000000000000000000000000000000/energy", b"{}", {"Content-Type": JSON}, 422),
    ("healthz", "/healthz?x=1", None, {}, 422),
    ("problem", "/problems/nothing", None, {}, 404),
]


@pytest.mark.parametrize("case", PROBLEMS, ids=[f"{case[0]} {case[4]}" for case in PROBLEMS])
def test_a_problem_is_declared_and_as_promised(service: RunningService, case: tuple[str, str, bytes | None, dict[str, str], int]) -> None:
    name, path, body, headers, status = case
    method, _, operation = OPERATIONS[name]

    answer = ask(service, method, path, body, headers)

    assert answer.status == status
    check_content(answer, operation["responses"][str(status)]["content"][answer.media_type])


def test_every_line_of_a_batch_is_an_answer_or_a_problem_as_promised(service: RunningService) -> None:
    content = OPERATIONS["emissions_batch"][2]["responses"]["200"]["content"][NDJSON]
    job = {"energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1]}}
    jobs = [job | {"location": "FR"}, job | {"location": "FRANC"}, job, {}, job | {"location": "FR", "signal": "marginal"}]

    answer = post(service, "\n".join(map(json.dumps, jobs)).encode() + b"\n{", path="/v1/emissions/batch", kind=NDJSON)

    assert len(answer.lines) == 6
    check_content(answer, content)


NEEDED = {"run": "run_energy", "codecarbon_delta": "codecarbon_run", "codecarbon_delta_at": "codecarbon_run_at"}
"""What must have been done before an example can work."""


def run_example(service: RunningService, name: str, headers: dict[str, str] | None = None) -> Answer:
    """Send the example of an operation, as it stands in the contract."""
    if name == "docs_file":
        needs_site()
    method, path, operation = OPERATIONS[name]
    needed = run_example(service, NEEDED[name]).json if name in NEEDED else {}
    query = {}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and path.startswith("/v1/backfills/"):
            path = path.replace("{id}", finished(service))
        elif parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(parameter["example"], safe=""))
        elif "example" in parameter:
            query[parameter["name"]] = parameter["example"]
    target = f"{path}?{urlencode(query)}" if query else path
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        example = content["example"]
        if name.startswith("codecarbon_delta"):
            example = {**example, "run_id": needed["id"]}
        return post(service, example.encode() if isinstance(example, str) else example, headers, path=target, kind=media_type)
    return ask(service, method, target, headers=headers)


def check_headers(answer: Answer, promised: dict[str, Any]) -> None:
    assert all(name in answer.headers for name in promised.get("headers", {}))


def check_content(answer: Answer, promised: dict[str, Any]) -> None:
    """The content fits its schema, and has no field that the schema does not name."""
    if answer.media_type in {JSON, PROBLEM}:
        validator(promised["schema"]).validate(answer.json)
    elif answer.media_type == NDJSON:
        for line in answer.lines:
            validator(promised["x-item-schema"]).validate(line)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    closed = {name: schema | {"additionalProperties": False} if "properties" in schema else schema for name, schema in COMPONENTS.items()}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator({**schema, "components": {"schemas": closed}}, format_checker=Draft202012Validator.FORMAT_CHECKER)


COMPONENTS: dict[str, dict[str, Any]] = CONTRACT["components"]["schemas"]


# --- units


def test_every_number_has_its_unit_in_its_name() -> None:
    nameless = [
        f"{component}.{name}"
        for component, schema in COMPONENTS.items()
        if not component.startswith(FOREIGN)
        if not component.startswith(NAMED_BY_OTHERS)
        for name, member in schema.get("properties", {}).items()
        if is_number(member) and not has_unit(name, schema["properties"])
    ]

    assert nameless == []


def has_unit(name: str, siblings: dict[str, Any]) -> bool:
    return name.endswith(UNITS) or name in NAMES_WITH_A_UNIT | NO_UNIT or BESIDE.get(name, "none") in siblings


def is_number(schema: dict[str, Any]) -> bool:
    """Whether a member is a number, or a list or a table of numbers."""
    inner = [schema.get("items"), schema.get("additionalProperties"), *schema.get("anyOf", [])]
    return schema.get("type") in {"number", "integer"} or any(is_number(part) for part in inner if isinstance(part, dict))


# --- the attack


def attack(service: RunningService, folder: Path, *arguments: str, seconds: int) -> str:
    """Let schemathesis loose on the running service, all phases and all checks; gives what it says."""
    config = folder / "schemathesis.toml"
    config.write_text(SCHEMATHESIS)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{service.address}/openapi.yaml"]
    settings = ["--phases", "examples,coverage,fuzzing,stateful", "--no-color"]
    elsewhere = os.environ | {"PYTHONPATH": str(ROOT)}  # it leaves a cache where it runs
    report = subprocess.run(
        [*command, *settings, *arguments], cwd=folder, env=elsewhere, capture_output=True, text=True, check=False, timeout=seconds
    )
    assert report.returncode == 0, report.stdout + report.stderr
    return report.stdout


def cases(report: str) -> int:
    found = re.search(r"([\d,]+) generated", report)
    assert found, report
    return int(found[1].replace(",", ""))


def tags(option: str) -> list[str]:
    """The operations that are called as the clients of other services know them, let in or left out."""
    return [word for tag in ("electricity-maps", "watttime", "carbon-aware-sdk", "scheduler") for word in (option, tag)]


def test_an_attack_from_the_contract_finds_no_fault(service: RunningService, tmp_path: Path) -> None:
    report = attack(service, tmp_path, "--max-examples", "100", "--generation-deterministic", *tags("--exclude-tag"), seconds=240)

    assert cases(report) > 2_000


def test_an_attack_on_the_operations_of_other_services_finds_no_fault(service: RunningService, tmp_path: Path) -> None:
    report = attack(service, tmp_path, "--max-examples", "20", "--generation-deterministic", *tags("--include-tag"), seconds=120)

    assert cases(report) > 300


@pytest.mark.soak
def test_a_long_attack_from_the_contract_finds_no_fault(service: RunningService, tmp_path: Path) -> None:
    generated = seed = 0
    while generated < 100_000:
        seed += 1
        generated += cases(
            attack(service, tmp_path, "--max-examples", "1000", "--seed", str(seed), "--generation-database", "none", seconds=3_600)
        )
