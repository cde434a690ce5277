"""Services that share a Redis: one sees what another stored, and neither fails when it is killed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.redis_server import redis_server
from tests.running import gridgram, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.redis_server import RedisServer

DAY = "start=2024-03-01T00:00:00Z&end=2024-03-02T00:00:00Z"
JOB = {"location": "FR", "energy": {"start": "2024-03-01T00:00:00Z", "step": "PT1H", "kwh": [1.0] * 24}, "include": ["hours"]}
OWN_G = 24 * 123.0


@contextmanager
def filled_redis(folder: Path) -> Iterator[tuple[RedisServer, dict[str, str]]]:
    """A Redis with a day of one's own hours, imported by the command line, and the settings that name it."""
    with redis_server(folder / "redis") as server:
        server.ask("ACL", "SETUSER", "gridgram", "on", ">hunter2", "~gridgram:*", "+@all")
        settings = {
            "GRIDGRAM_STORE": f"redis://gridgram@127.0.0.1:{server.port}/0",
            "GRIDGRAM_REDIS_PASSWORD_FILE": str(folder / "password"),
        }
        (folder / "password").write_text("hunter2\n")
        own_hours(folder, settings)
        yield server, settings


def own_hours(folder: Path, settings: dict[str, str]) -> None:
    rows = "".join(f"FR,2024-03-01T{hour:02}:00:00Z,123\n" for hour in range(24))
    (folder / "hours.csv").write_text(f"zone,start,g_per_kwh\n{rows}")
    done = gridgram(["import", str(folder / "hours.csv")], folder, settings=settings)
    assert done.returncode == 0, done.stderr


def emissions_g(service: Any) -> float:
    status, answer = service.post("/v1/emissions", JOB)
    assert status == 200, answer
    recomputed: float = sum(hour["kwh"] * hour["g_per_kwh"] for hour in answer["hours"])
    assert answer["emissions_g"] == pytest.approx(recomputed, rel=1e-9)
    return recomputed


def test_two_services_share_what_was_imported_and_answer_on_when_redis_is_killed(tmp_path: Path) -> None:
    with (
        filled_redis(tmp_path) as (server, settings),
        running_service(tmp_path / "one", settings) as one,
        running_service(tmp_path / "two", settings) as two,
    ):
        assert [emissions_g(service) for service in (one, two)] == [OWN_G, OWN_G]
        assert one.get("/readyz")[1]["store"] == "ok"

        server.kill()
        wait_until(lambda: one.get("/readyz")[1]["store"] == "away", 5)
        assert emissions_g(one) == OWN_G  # from its memory
        assert one.get(f"/v1/intensity?location=DE&{DAY}")[0] == 200  # the reference
        assert one.get("/v1/zones")[0] == 200

        server.start()
        server.ask("ACL", "SETUSER", "gridgram", "on", ">hunter2", "~gridgram:*", "+@all")
        own_hours(tmp_path, settings)
        wait_until(lambda: one.get("/readyz")[1]["store"] == "ok", 5)
        assert [emissions_g(service) for service in (one, two)] == [OWN_G, OWN_G]

        ready = next(event for event in one.events() if event["event"] == "serve.ready")
        assert ready["store"] == f"redis://127.0.0.1:{server.port}/0"
        assert "hunter2" not in one.log.read_text() + two.log.read_text()
