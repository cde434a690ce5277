"""The OWASP API Security Top 10 of 2023, item by item: what of it can bite here, and that it does not."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml

from gridgram.errors import UpstreamError
from gridgram.interval import Interval
from providers.registry import load_providers
from service.keys import new_key
from service.operations import OPERATIONS
from tests.providers.tape import Tape, running_tape
from tests.running import running_service
from tests.test_hostile import outgoing_connections
from tests.uploads import ended, sent
from tests.wire import Answer, ask, batch, check_problem, forget_peak, get, memory_mib, post, processor_seconds, strings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from providers.base import Batch
    from tests.running import RunningService

TEXT, KEY = new_key("tracker")
JOB: dict[str, Any] = {"location": "FR", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1]}}
PUBLIC_PARAMETERS = {"zone", "asset", "code", "location", "edition", "file"}
OWNED_PARAMETERS = {"id"}
"""Parameters of paths that name what everybody may see. One that names what belongs to a caller needs a test that another key gets 404."""
INSIDE = re.compile(rb"Traceback|\.py\b|site-packages|line \d+, in |aiohttp|Python/")
CANARY = "CANARY-7d1e"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (depth, b"&a%d;" % (depth - 1) * 10) for depth in range(1, 10))
    + b"]><l>&a9;</l>"
)
"""A gigabyte of "ha" in half a kilobyte."""
MOST_SECONDS, MOST_MIB = 1.0, 64.0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that wants keys."""
    with running_service(tmp_path_factory.mktemp("guarded"), {"GRIDGRAM_API_KEYS": KEY.line}) as running:
        yield running


def contract(service: RunningService) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in yaml.safe_load(get(service, "/openapi.yaml").body)["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


# --- API1: broken object level authorization


def test_api1_every_parameter_of_a_path_is_public_or_known_to_belong_to_one_caller() -> None:
    assert {name for operation in OPERATIONS for name in operation.path_parameters} <= PUBLIC_PARAMETERS | OWNED_PARAMETERS


def test_api1_a_backfill_of_one_key_is_not_there_for_another_by_any_operation(tmp_path: Path) -> None:
    (ours, our_key), (theirs, their_key) = new_key("ours"), new_key("theirs")
    with running_service(tmp_path, {"GRIDGRAM_API_KEYS": f"{our_key.line}; {their_key.line}"}) as service:
        own, other = {"X-API-Key": ours}, {"X-API-Key": theirs}
        again = {"Idempotency-Key": "same"}
        identity = sent(service, headers=own | again)["id"]
        outcome = ended(service, identity, own)
        assert outcome["state"] == "done", outcome
        assert sent(service, headers=own | again)["id"] == identity
        assert sent(service, headers=other | again)["id"] != identity

        owned = [operation for operation in OPERATIONS if operation.path.startswith("/v1/backfills/{id}")]
        owned = [operation for operation in OPERATIONS if operation.path.startswith("/v1/backfills/")]
        assert len(owned) > 3
        for operation in sorted(owned, key=lambda operation: operation.method == "DELETE"):
            path = operation.path.replace("{id}", identity)
            stranger = ask(service, operation.method, path, headers=other)
            nothing = ask(service, operation.method, operation.path.replace("{id}", "0" * 32), headers=other)
            check_problem(stranger, 404, "not-found")
            assert {**stranger.json, "request_id": ""} == {**nothing.json, "request_id": ""}
            assert ask(service, operation.method, path).status == 401
        for operation in sorted(owned, key=lambda operation: operation.method == "DELETE"):
            assert ask(service, operation.method, operation.path.replace("{id}", identity), headers=own).status == 200
        assert ask(service, "GET", f"/v1/backfills/{identity}", headers=own).status == 404


def test_api1_a_run_is_not_there_for_another_key_which_may_have_one_of_the_same_id(tmp_path: Path) -> None:
    (ours, our_key), (theirs, their_key) = new_key("ours"), new_key("theirs")
    path, job = "/v1/runs/5b0fa12a3dd745bb9766cc326314d9f1", {"location": "FR", "energy": JOB["energy"]}
    with running_service(tmp_path, {"GRIDGRAM_API_KEYS": f"{our_key.line}; {their_key.line}"}) as service:
        own, other = {"X-API-Key": ours}, {"X-API-Key": theirs}
        assert {operation.path for operation in OPERATIONS if operation.path.startswith("/v1/runs/{id}")} == {
            "/v1/runs/{id}",
            "/v1/runs/{id}/energy",
        }
        kept = post(service, job, own, path=f"{path}/energy")
        begun = post(service, {"timestamp": "2022-03-11T00:00:00Z"}, own, path="/runs").json["id"]
        record = {"timestamp": "2022-03-11T00:01:00Z", "run_id": begun, "duration": 60, "energy_consumed": 1.0}

        stranger, nothing = get(service, path, other), get(service, f"/v1/runs/{'0' * 32}", other)
        check_problem(stranger, 404, "not-found")
        assert stranger.json["detail"].replace(path.rpartition("/")[2], "") == nothing.json["detail"].replace("0" * 32, "")
        check_problem(post(service, record, other, path="/emissions"), 404, "not-found")
        assert get(service, "/v1/runs", other).json == {"runs": []}
        assert get(service, path).status == 401

        theirs_kept = post(service, {**job, "location": "DE"}, other, path=f"{path}/energy")
        assert (kept.status, theirs_kept.status) == (201, 201)
        assert (get(service, path, own).json["zone"], get(service, path, other).json["zone"]) == ("FR", "DE")
        assert post(service, record, own, path="/emissions").status == 201


# --- API2: broken authentication (the timing of a comparison and the forms of a key: test_keys.py)


def test_api2_guessing_gets_the_same_refusal_every_time_and_a_key_in_the_query_is_none(guarded: RunningService) -> None:
    refusals = {
        (answer.status, answer.json["detail"])
        for guess in ("tracker.x", "nobody.x", TEXT[:-1], TEXT + "x", TEXT.upper(), "x" * 4_000, KEY.digest.hex(), KEY.line.split()[1])
        if (answer := get(guarded, "/v1/zones", {"X-API-Key": guess}))
    }

    assert len(refusals) == 1
    check_problem(get(guarded, f"/v1/zones?api_key={TEXT}"), 401, "unauthorized")
    assert TEXT.partition(".")[2] not in guarded.log.read_text()


# --- API3: broken object property level authorization


@pytest.mark.parametrize("name", ["is_admin", "key", "provider", "quality", "fetched_at", "emissions_g"])
def test_api3_a_property_that_is_not_the_callers_to_set_is_refused_by_name(service: RunningService, name: str) -> None:
    for body in (JOB | {name: True}, JOB | {"energy": JOB["energy"] | {name: 1}}):
        faults = check_problem(post(service, body), 422, "invalid-input")["errors"]
        assert [fault["pointer"] for fault in faults if fault["pointer"].endswith(f"/{name}")]


# --- API4: unrestricted resource consumption


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"location":"FR","energy":{"start":"2022-01-01T00:00:00Z","step":"PT1S","kwh":[' + b",".join([b"1"] * 100_001) + b"]}}", 422),
        (json.dumps(JOB | {"energy": {"start": "2022-01-01T00:00:00Z", "end": "2023-01-03T00:00:00Z", "total_kwh": 1}}).encode(), 422),
        (b"[" * 50_000, 400),
        (b'{"location":"FR","energy":{"intervals":[' + b",".join([b'{"start":1}'] * 50_000) + b"]}}", 422),
        (b" " * (2 * 1024 * 1024 + 1), 413),
    ],
    ids=["points", "span", "depth", "faults", "bytes"],
)
def test_api4_what_one_request_may_cost_is_bounded(service: RunningService, body: bytes, status: int) -> None:
    forget_peak(service)
    memory_before, processor_before = memory_mib(service), processor_seconds(service)

    answer = post(service, body)

    assert answer.status == status
    assert len(answer.body) < 64 * 1024
    assert memory_mib(service, "VmHWM") - memory_before <= MOST_MIB
    assert processor_seconds(service) - processor_before <= MOST_SECONDS


# --- API5: broken function level authorization


def test_api5_without_a_key_no_operation_but_the_open_ones_answers_by_any_method(guarded: RunningService) -> None:
    operations = list(contract(guarded))
    assert len(operations) > 10
    for method, path, operation in operations:
        if path == "/login":  # it is where a key is brought: without one it is refused by itself
            continue
        target = re.sub(
            r"\{(\w+)\}",
            lambda match: {"zone": "FR", "asset": "app.js", "file": "index.html", "code": "not-found"}.get(match[1], "x"),
            path,
        )
        answer = ask(guarded, method, target, b"{}" if method == "POST" else None)
        is_open = operation.get("security") == []
        assert (answer.status != 401) == is_open, (method, path)
        if method == "GET":
            assert (ask(guarded, "HEAD", target).status != 401) == is_open, path
        for alias in operation.get("x-aliases", []):
            assert (ask(guarded, method, alias, b"{}" if method == "POST" else None).status != 401) == is_open, alias


@pytest.mark.parametrize(
    "path", ["/admin", "/debug", "/metrics/", "//metrics", "/METRICS", "/metrics%2f", "/v1/../metrics", "/%6detrics", "/.git/config"]
)
def test_api5_there_is_no_way_round_to_what_needs_a_right(guarded: RunningService, path: str) -> None:
    assert get(guarded, path).status in {400, 401, 404}
    assert get(guarded, path, {"X-API-Key": TEXT}).status in {400, 403, 404}


# --- API6: unrestricted access to sensitive business flows: test_quota.py (a key's calls to paid sources)


# --- API7: server side request forgery


@asynccontextmanager
async def online_service(home: Path, tape: Tape, settings: Mapping[str, str] | None = None) -> AsyncIterator[RunningService]:
    """A service that may ask one source, played by the tape."""
    sources = {name: {"enabled": False} for name in load_providers()} | {"rte": {"url": tape.address}}
    base = {"GRIDGRAM_OFFLINE": "", "GRIDGRAM_REFRESH": "false", "GRIDGRAM_PROVIDERS": json.dumps(sources)}
    running = running_service(home, base | dict(settings or {}))
    service = await asyncio.to_thread(running.__enter__)
    try:
        yield service
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def test_api7_no_place_that_a_caller_names_is_ever_asked(tmp_path: Path) -> None:
    async with running_tape() as trap, running_tape() as source, online_service(tmp_path, source) as service:
        port = trap.address.rpartition(":")[2]
        places = (
            trap.address,
            f"{trap.address}/latest/meta-data",
            f"geo:{trap.address}",
            f"eia:{trap.address}",
            f"http://2130706433:{port}",
            f"http://[::ffff:127.0.0.1]:{port}",
            f"http://localtest.example@127.0.0.1:{port}",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_INFO",
            "..%2f..%2fetc%2fpasswd",
            "../../../etc/passwd",
            "\\\\evil.example\\share",
        )
        answers = await asyncio.to_thread(lambda: [answer for place in places for answer in asked_for(service, place)])
        outgoing = await asyncio.to_thread(outgoing_connections, service)

    assert {answer.status for answer in answers} <= {400, 401, 404, 406, 415, 422}
    assert not [text for answer in answers for text in strings(answer.json) if "root:" in text]
    assert (trap.calls, source.calls, outgoing) == (0, 0, [])


def asked_for(service: RunningService, place: str) -> list[Answer]:
    """Every way to bring a text in."""
    encoded = quote(place, safe="")
    headers = {"Referer": place, "X-Forwarded-For": place, "X-Forwarded-Host": place, "Forwarded": f"for={place}", "Origin": place}
    return [
        post(service, JOB | {"location": place}, headers),
        post(service, JOB | {"energy": {"url": place}}),
        post(service, JOB | {"signal": place}),
        get(service, f"/v1/locate?location={encoded}"),
        get(service, f"/v1/intensity?location={encoded}&start=2022-03-11T00:00:00Z&end=2022-03-12T00:00:00Z"),
        get(service, f"/v1/zones/{encoded}"),
        get(service, f"/docs/{encoded}"),
        get(service, f"/problems/{encoded}"),
        get(service, f"/v1/zones?url={encoded}&callback={encoded}"),
        post(service, b"", {"Content-Type": place}, kind=place),
    ]


# --- API8: security misconfiguration


def test_api8_nothing_of_the_inside_shows_and_every_answer_has_its_headers(guarded: RunningService) -> None:
    answers = [
        get(guarded, "/nowhere"),
        get(guarded, "/v1/zones"),
        get(guarded, "/v1/zones/\x00", {"X-API-Key": TEXT}),
        post(guarded, b"{", {"X-API-Key": TEXT}),
        batch(guarded, b"{\n[]\n", {"X-API-Key": TEXT}),
        ask(guarded, "TRACE", "/v1/zones", headers={"X-API-Key": TEXT}),
        ask(guarded, "PROPFIND", "/v1/zones"),
        ask(guarded, "GET", "/" + "x" * 9_000),
        ask(guarded, "OPTIONS", "*"),
    ]
    for answer in answers:
        assert not INSIDE.search(answer.body + str(answer.headers).encode())
        assert TEXT.encode() not in answer.body
        assert "Server" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not [name for name in answer.headers if name.lower().startswith(("access-control", "x-powered"))]
    assert {answer.status for answer in answers} <= {200, 400, 401, 404, 405}


async def test_api8_no_secret_shows_in_any_answer_log_line_metric_or_file(tmp_path: Path) -> None:
    """Marked secrets everywhere where one can be set, a source that fails in every way, and then a look at everything that came out."""
    password = tmp_path / "password"
    password.write_text(f"{CANARY}-password")
    sources: dict[str, Any] = {name: {"enabled": False} for name in load_providers()}
    async with running_tape() as tape:
        keyed = {"eia": "US-CAL-CISO", "electricity_maps": "DE", "entsoe": "FR"}
        for name in keyed:
            sources[name] = {"enabled": True, "url": tape.address, "key": f"{CANARY}-{name}"}
        sources["watttime"] = {"enabled": True, "url": tape.address, "username": "somebody", "password_file": str(password)}
        settings = {
            "GRIDGRAM_PROVIDERS": json.dumps(sources),
            "GRIDGRAM_STORE": f"redis://gridgram:{CANARY}-store@127.0.0.1:1/0",
            "GRIDGRAM_LOG_LEVEL": "debug",
            "GRIDGRAM_UPSTREAM_SECONDS": "2",
        }
        async with online_service(tmp_path / "home", tape, settings) as service:
            told = await asyncio.to_thread(lambda: told_of(service, tape, keyed.values()))
            title = await asyncio.to_thread(Path(f"/proc/{service.process.pid}/cmdline").read_bytes)
        log = service.log.read_bytes()

    assert tape.calls > 0
    assert b"redis" in log
    assert b"store.away" in log
    places = {"an answer": b"".join(told), "the title of the process": title, "the log": log}
    places |= {path.name: path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert [place for place, bytes_there in places.items() if CANARY.encode() in bytes_there] == []


def told_of(service: RunningService, tape: Tape, zones: Any) -> list[bytes]:
    """What everything answers while the sources fail in one way after the other."""
    told = []
    for day, mode in enumerate(("500", "401", "html", "reset"), 1):
        tape.mode = mode
        for zone in (*zones, "US-TEX-ERCO", "BE"):
            span = f"start=2025-0{day}-01T00:00:00Z&end=2025-0{day}-01T03:00:00Z"
            paths = (f"/v1/intensity?location={zone}&{span}", f"/v1/intensity?location={zone}&{span}&signal=marginal", f"/v1/zones/{zone}")
            told += [get(service, path, {"X-Request-ID": f"{CANARY}-eia"}).body for path in paths]
    told += [get(service, path).body for path in ("/v1/providers", "/metrics", "/openapi.yaml", "/readyz", "/docs")]
    told.append(post(service, JOB | {"location": f"{CANARY}-eia"}).body)
    return told


# --- API9: improper inventory management


def test_api9_what_a_running_service_answers_is_what_its_contract_says(service: RunningService) -> None:
    listed = {(method, path) for method, path, _ in contract(service)}

    assert listed == {(operation.method, operation.path) for operation in OPERATIONS}
    for path in (
        "/v0/zones",
        "/v2/zones",
        "/v1",
        "/api/v1/zones",
        "/openapi.json",
        "/swagger.json",
        "/graphql",
        "/status",
        "/.env",
    ):
        assert (get(service, path).status, path in {path for _, path in listed}) == (404, False), path


# --- API10: unsafe consumption of APIs (hostile answers of every kind: tests/providers)


@pytest.mark.parametrize("name", sorted(load_providers()))
def test_api10_an_answer_whose_entities_would_fill_the_memory_is_refused_at_once(name: str) -> None:
    provider = load_providers()[name]
    if not provider.zones or not set(provider.info.offers) & {"history", "recent", "forecast"}:
        pytest.skip("this source is asked nothing")
    interval = Interval(datetime(2024, 3, 10, tzinfo=UTC), datetime(2024, 3, 11, tzinfo=UTC))
    requests = provider.plan(min(provider.zones), interval, datetime(2024, 3, 12, tzinfo=UTC))
    if not requests:
        pytest.skip("this source has nothing of that day")

    started = time.perf_counter()
    try:
        read: Batch | None = provider.parse(requests[0], LAUGHS)
    except (UpstreamError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):  # as the engine takes them
        read = None

    assert read is None or not read.points
    assert time.perf_counter() - started < MOST_SECONDS
