"""Pages of other origins: nothing is theirs to read unless the operator names them, and then as browsers ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from service.keys import new_key
from tests.running import running_service
from tests.wire import ask, check_problem, get, post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import RunningService

GRAFANA, EVIL = "https://grafana.example", "https://evil.example"
TEXT, KEY = new_key("grafana")
JOB = {"location": "FR", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1]}}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service whose answers one origin may read, and that wants keys."""
    settings = {"GRIDGRAM_CORS_ORIGINS": f'["{GRAFANA}"]', "GRIDGRAM_API_KEYS": KEY.line}
    with running_service(tmp_path_factory.mktemp("named"), settings) as running:
        yield running


def preflight(service: RunningService, path: str, origin: str, method: str = "POST") -> tuple[int, dict[str, str]]:
    headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization, content-type"}
    answer = ask(service, "OPTIONS", path, headers=headers)
    return answer.status, {name.lower(): text for name, text in answer.headers.items()}


def test_by_default_no_origin_may_read_anything(service: RunningService) -> None:
    answer = get(service, "/v1/zones", {"Origin": EVIL})
    status, headers = preflight(service, "/v1/emissions", EVIL)

    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]


def test_the_named_origin_may_read_and_no_other(named: RunningService) -> None:
    key = {"Authorization": f"Bearer {TEXT}"}
    read, not_read = (get(named, "/v1/zones", key | {"Origin": origin}) for origin in (GRAFANA, EVIL))

    assert read.headers["Access-Control-Allow-Origin"] == GRAFANA
    assert "X-Request-ID" in read.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in not_read.headers
    assert all("Origin" in answer.headers["Vary"] and "Accept-Encoding" in answer.headers["Vary"] for answer in (read, not_read))
    assert "Access-Control-Allow-Credentials" not in read.headers


def test_a_preflight_needs_no_key_and_names_the_methods_of_the_path(named: RunningService) -> None:
    status, headers = preflight(named, "/v1/emissions", GRAFANA)

    assert status == 204
    assert headers["access-control-allow-origin"] == GRAFANA
    assert headers["access-control-allow-methods"] == "POST"
    assert {"authorization", "content-type", "x-api-key"} <= {
        name.strip().lower() for name in headers["access-control-allow-headers"].split(",")
    }
    assert "Access-Control-Request-Method" in headers["vary"]
    assert "server" not in headers
    assert preflight(named, "/v1/zones", GRAFANA, "GET")[1]["access-control-allow-methods"] == "GET, HEAD"


def test_a_preflight_of_another_origin_or_path_allows_nothing(named: RunningService) -> None:
    for path, origin, status in (("/v1/emissions", EVIL, 405), ("/nowhere", GRAFANA, 404)):
        answered, headers = preflight(named, path, origin)
        assert answered == status
        assert "access-control-allow-methods" not in headers
    check_problem(ask(named, "OPTIONS", "/v1/zones", headers={"Origin": GRAFANA}), 405, "method-not-allowed")


def test_a_refusal_can_be_read_by_the_page_that_caused_it(named: RunningService) -> None:
    answer = post(named, JOB, {"Origin": GRAFANA})

    check_problem(answer, 401, "unauthorized")
    assert answer.headers["Access-Control-Allow-Origin"] == GRAFANA


def test_a_page_may_send_and_read_every_header_that_operations_know(named: RunningService) -> None:
    allowed = preflight(named, "/v1/emissions", GRAFANA)[1]["access-control-allow-headers"]
    exposed = get(named, "/healthz", {"Origin": GRAFANA}).headers["Access-Control-Expose-Headers"]
    contract = yaml.safe_load(get(named, "/openapi.yaml").body)
    operations = [operation for path in contract["paths"].values() for operation in path.values()]
    taken = {parameter["name"] for operation in operations for parameter in operation.get("parameters", []) if parameter["in"] == "header"}
    sent = {name for operation in operations for answer in operation["responses"].values() for name in answer.get("headers", {})}

    assert taken | {"Range", "If-Range", "Idempotency-Key", "Content-Encoding"} <= set(allowed.split(", "))
    assert sent | {"RateLimit", "Retry-After", "ETag", "Location", "Content-Range"} <= {
        *exposed.split(", "),
        "Cache-Control",
    }  # which every page may read


def test_all_origins_can_be_named_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_service(tmp_path_factory.mktemp("all"), {"GRIDGRAM_CORS_ORIGINS": '["*"]'}) as running:
        assert post(running, JOB, {"Origin": EVIL}).headers["Access-Control-Allow-Origin"] == "*"
        assert get(running, "/healthz").headers["Access-Control-Allow-Origin"] == "*"
        assert preflight(running, "/v1/emissions", EVIL)[0] == 204
