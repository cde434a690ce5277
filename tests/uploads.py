"""Backfills over HTTP for tests: send a file, wait for its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.wire import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.running import Service

JOBS = b"location,start,end,energy_kwh\nFR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5\n"
END_SECONDS = 60.0


def sent(service: Service, body: bytes = JOBS, query: str = "?output=csv", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Send a file; what is told of the backfill."""
    answer = ask(service, "POST", f"/v1/backfills{query}", body, {"Content-Type": "text/csv"} | dict(headers or {}))
    assert answer.status == 202, answer.body
    told: dict[str, Any] = answer.json
    assert answer.headers["Location"] == f"/v1/backfills/{told['id']}"
    return told


def ended(service: Service, identity: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What is told of a backfill once it is done or has failed."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        answer = ask(service, "GET", f"/v1/backfills/{identity}", headers=headers)
        assert answer.status == 200, answer.body
        told: dict[str, Any] = answer.json
        if told["state"] in {"done", "failed"}:
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def finished(service: Service) -> str:
    """The id of a backfill that is done; the same one each time unless it was deleted."""
    identity: str = sent(service, headers={"Idempotency-Key": "tests"})["id"]
    assert ended(service, identity)["state"] == "done"
    return identity
