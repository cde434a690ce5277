"""The service is killed with SIGKILL while trackers send: what was acknowledged is there, once, and nothing else but what was sent."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from service.runs.sqlite_records import SqliteRecords
from tests.running import COMMAND, environment, wait_until
from tests.runs import postgres_server

if TYPE_CHECKING:
    from pathlib import Path

LONG_READY_SECONDS = 60.0
"""Two hundred starts on a machine where others work: each bounded, none to be timed."""
WRITERS = 4
RUN = "5b0fa12a3dd745bb9766cc326314d9f{}"
START = 1_646_956_800


@dataclass
class Tracker:
    """Sends one step of energy after another, each again until it is acknowledged, now and then one that was already."""

    number: int
    chance: random.Random
    sent: int = 0
    acknowledged: dict[int, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """The id of its run, as the records have it; empty while nothing has begun."""
        return RUN.format(self.number)

    def send_until_it_dies(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            while True:
                again = self.acknowledged and self.chance.random() < 0.2
                self._send(connection, self.chance.choice(list(self.acknowledged)) if again else len(self.acknowledged))
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection, step: int) -> None:
        self.sent = max(self.sent, step + 1)
        answer = posted(connection, *self.request(stamp(step), stamp(step + 1)))
        assert self.acknowledged.setdefault(step, answer["id"]) == answer["id"]

    def request(self, start: str, end: str) -> tuple[str, dict[str, Any]]:
        """The path and the body of a step."""
        return f"/v1/runs/{self.run}/energy", {"location": "FR", "energy": {"start": start, "end": end, "total_kwh": 1.0}}


@dataclass
class CodeCarbon(Tracker):
    """The same as CodeCarbon's API output sends it: a run is begun, then what is new."""

    begun: str = ""

    @property
    def run(self) -> str:
        return self.begun

    def _send(self, connection: http.client.HTTPConnection, step: int) -> None:
        if not self.begun:
            body = {"timestamp": stamp(0), "experiment_id": str(self.number)}
            self.begun = UUID(posted(connection, "/at/FR/runs", body)["id"]).hex
        super()._send(connection, step)

    def request(self, start: str, end: str) -> tuple[str, dict[str, Any]]:  # noqa: ARG002 - CodeCarbon tells the end alone
        """The path and the body of a step."""
        body = {"timestamp": end, "run_id": str(UUID(self.run)), "duration": 600, "energy_consumed": 1.0, "emissions_sum": 0.1}
        return "/at/FR/emissions", body


def stamp(step: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + 600 * step))


def posted(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Any:
    """What was acknowledged."""
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert response.status == 201, answer
    return answer


def kill_while_they_send(home: Path, trackers: list[Tracker], chance: random.Random, settings: dict[str, str]) -> None:
    """Start the service, let all send, and kill it at a moment that nobody chose."""
    log = home / "service.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0"], env=environment(home, settings), stdout=subprocess.DEVNULL, stderr=stderr, text=True
        )
    try:
        wait_until(lambda: '"serve.ready"' in log.read_text() or process.poll() is not None, LONG_READY_SECONDS)
        ready = next(json.loads(line) for line in log.read_text().splitlines() if '"serve.ready"' in line)
        port = int(ready["address"].rpartition(":")[2])
        threads = [threading.Thread(target=tracker.send_until_it_dies, args=(port,)) for tracker in trackers]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.5))
    finally:
        process.kill()
        process.wait()
    for thread in threads:
        thread.join()


async def kept(records: Any, tracker: Tracker) -> list[Any]:
    found: list[Any] = await records.samples("", tracker.run)
    return found


@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.soak)])
def test_no_acknowledged_record_is_lost_and_none_is_there_twice(tmp_path: Path, kills: int) -> None:
    seed = random.SystemRandom().randrange(2**32)
    trackers = run_and_kill(tmp_path, kills, seed, {})

    async def found() -> list[tuple[list[Any], set[str]]]:
        records = SqliteRecords(tmp_path / "data" / "gridgram" / "records.sqlite")
        try:
            ids = await records._file.run(lambda: records._file.connection().execute("SELECT run, id FROM samples").fetchall())
            return [(await kept(records, tracker), {each for run, each in ids if run == tracker.run}) for tracker in trackers]
        finally:
            await records.close()

    for tracker, (samples, ids) in zip(trackers, asyncio.run(found()), strict=True):
        check(tracker, samples, ids, seed)


@pytest.mark.soak
def test_no_acknowledged_record_is_lost_by_way_of_postgresql(tmp_path: Path) -> None:
    from service.runs.postgres_records import PostgresRecords  # noqa: PLC0415 - only where the extra is installed

    seed = random.SystemRandom().randrange(2**32)
    with postgres_server(tmp_path) as url:
        trackers = run_and_kill(tmp_path, 20, seed, {"GRIDGRAM_RECORDS": url})

        async def found() -> list[list[Any]]:
            records = PostgresRecords(url, "the tests'")
            try:
                return [await kept(records, tracker) for tracker in trackers]
            finally:
                await records.close()

        for tracker, samples in zip(trackers, asyncio.run(found()), strict=True):
            check(tracker, samples, set(tracker.acknowledged.values()), seed)


def run_and_kill(home: Path, kills: int, seed: int, settings: dict[str, str]) -> list[Tracker]:
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    kinds = (Tracker, CodeCarbon)
    trackers = [kinds[number % 2](number, random.Random(seed + number)) for number in range(WRITERS)]  # noqa: S311 - as above
    for _ in range(kills):
        kill_while_they_send(home, trackers, chance, settings)
    assert sum(len(tracker.acknowledged) for tracker in trackers) > kills, "the service was killed before it could do anything"
    return trackers


def check(tracker: Tracker, samples: list[Any], ids: set[str], seed: int) -> None:
    held = sorted((sample.start // 1_000_000 - START) // 600 for _, sample in samples)

    assert len(held) == len(set(held)), f"seed {seed}: a record is there twice"
    assert set(tracker.acknowledged) <= set(held), f"seed {seed}: an acknowledged record is lost"
    assert set(held) <= set(range(tracker.sent)), f"seed {seed}: a record is there that nobody sent"
    assert set(tracker.acknowledged.values()) <= ids, f"seed {seed}: a record has another id than the one acknowledged"
    assert all(sample.kwh == 1.0 for _, sample in samples)
