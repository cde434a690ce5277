"""Backfills over HTTP: the same bytes as the command's, once, for who sent the jobs, also after a kill, a full disk or an empty quota."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet

from gridgram.errors import Fault, InvalidInput
from service.backfill.uploads.errors import CannotKeep, KeyReused, TooMuchKept
from service.backfill.uploads.job import DONE, State
from service.backfill.uploads.shelf import Bounds, Shelf
from service.backfill.uploads.wording import faults_of_http
from service.keys import new_key
from tests.backfill import backfilled, job_table, written
from tests.providers.tape import running_tape
from tests.running import COMMAND, RunningService, environment, running_service, wait_until
from tests.test_fetching import CONSOLIDATED, RECENT, rows
from tests.test_owasp import online_service
from tests.uploads import JOBS, ended, finished, sent
from tests.wire import ask, check_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 400_000
OPTIONS: dict[str, Any] = {"output": "csv"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose conversion takes some seconds."""
    path = tmp_path_factory.mktemp("many") / "jobs.parquet"
    parquet.write_table(job_table(MANY), path)
    return path


def folder_of(home: Path, identity: str) -> Path:
    return home / "data" / "gridgram" / "backfills" / identity


def journal_lines(folder: Path) -> int:
    journal = next(folder.glob(".result.*/journal.ndjson"), None)
    return journal.read_bytes().count(b"\n") if journal else 0


def converting(folder: Path) -> list[int]:
    """The processes that convert this backfill."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in command and b"uploads.child" in command:
                found.append(int(entry.name))
    return found


@contextmanager
def service_to_kill(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service that nobody expects to end well."""
    home.mkdir(exist_ok=True)
    with (home / "killed.log").open("wb") as log:
        process = subprocess.Popen([*COMMAND, "serve", "--port", "0"], env=environment(home), stdout=log, stderr=log)
        try:
            wait_until(lambda: b'"serve.ready"' in (home / "killed.log").read_bytes(), 15)
            yield process
        finally:
            process.kill()
            process.wait()


def address_of(home: Path) -> str:
    lines = (home / "killed.log").read_text().splitlines()
    address: str = next(json.loads(line)["address"] for line in lines if '"serve.ready"' in line)
    return address


def test_the_result_is_what_the_command_writes_and_can_be_had_in_pieces(service: RunningService, tmp_path: Path) -> None:
    jobs = JOBS + b"Atlantis,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,1\nFR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,-1\n"
    backfilled(written(tmp_path / "jobs.csv", jobs.decode()), tmp_path / "out.csv")

    told = ended(service, sent(service, jobs)["id"])

    path = f"/v1/backfills/{told['id']}"
    whole = ask(service, "GET", f"{path}/result")
    assert whole.body == (tmp_path / "out.csv").read_bytes()
    assert ask(service, "GET", f"{path}/quarantine").body == (tmp_path / "out.csv.quarantine.ndjson").read_bytes()
    assert (told["rows"], told["rows_done"], told["rows_quarantined"], told["summary"]["jobs"]) == (3, 3, 2, 1)
    tag = whole.headers["ETag"]
    first, rest = ({"Range": f"bytes={span}", "If-Range": tag} for span in ("0-99", "100-"))
    pieces = [ask(service, "GET", f"{path}/result", headers=span) for span in (first, rest)]
    assert [piece.status for piece in pieces] == [206, 206]
    assert b"".join(piece.body for piece in pieces) == whole.body
    assert ask(service, "GET", f"{path}/result", headers={"If-None-Match": tag, "X-Request-ID": "unchanged"}).status == 304
    assert ask(service, "GET", f"{path}/result", headers={"Range": "bytes=0-9", "X-Request-ID": "a-part"}).status == 206
    assert ask(service, "HEAD", f"{path}/result").headers["Content-Length"] == str(len(whole.body))
    check_problem(ask(service, "GET", f"{path}/result", headers={"Range": "bytes=999999-"}), 416, "range-not-satisfiable")
    assert (ask(service, "DELETE", path).status, ask(service, "DELETE", path).status) == (200, 404)
    assert noted(service, "unchanged")["status"] == 304
    assert (noted(service, "a-part")["status"], noted(service, "a-part")["bytes"]) == (206, 10)
    assert b'status="206"} 3.0' in ask(service, "GET", "/metrics").body


def noted(service: RunningService, request_id: str) -> dict[str, Any]:
    """The line that a request left."""

    def lines() -> list[dict[str, Any]]:
        return [event for event in service.events() if event.get("request_id") == request_id]

    wait_until(lambda: bool(lines()), 5.0)
    (line,) = lines()
    return line


def test_the_same_request_sent_again_is_the_same_backfill_and_another_one_is_refused(service: RunningService) -> None:
    key = {"Idempotency-Key": "twice", "Content-Type": "text/csv"}
    first = sent(service, headers=key)

    assert sent(service, headers=key)["id"] == first["id"]
    for query, body in (("?output=csv", JOBS + b"\n"), ("?output=ndjson", JOBS)):
        check_problem(ask(service, "POST", f"/v1/backfills{query}", body, key), 422, "idempotency-key-reused")
    check_problem(ask(service, "POST", "/v1/backfills", JOBS, key | {"Idempotency-Key": "a b"}), 422, "invalid-input")
    ended(service, first["id"])
    assert sent(service)["id"] != first["id"]


@pytest.mark.parametrize(
    ("query", "body", "headers", "status", "code"),
    [
        ("?colums=a", JOBS, {}, 422, "invalid-input"),
        ("?columns=location", JOBS, {}, 422, "invalid-input"),
        ("?pue=0.5", JOBS, {}, 422, "invalid-input"),
        ("?pue=NaN", JOBS, {}, 422, "invalid-input"),
        ("?output=../x", JOBS, {}, 422, "invalid-input"),
        ("", b"", {}, 422, "invalid-input"),
        ("", JOBS, {"Content-Type": "image/png"}, 415, "unsupported-media-type"),
        ("", JOBS, {"Content-Encoding": "gzip"}, 400, "invalid-body"),
    ],
)
def test_a_wrong_request_is_refused_at_once_and_leaves_nothing(  # noqa: PLR0917 - a table of cases
    service: RunningService, query: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    finished(service)
    before = sorted(folder_of(service.home, "").iterdir())

    answer = ask(service, "POST", f"/v1/backfills{query}", body, {"Content-Type": "text/csv"} | headers)

    check_problem(answer, status, code)
    assert sorted(folder_of(service.home, "").iterdir()) == before


def test_a_file_that_cannot_be_read_fails_with_the_words_of_the_request(service: RunningService) -> None:
    naive = JOBS.replace(b"Z", b"")
    unknown = ended(service, sent(service, b"a,b\n1,2\n")["id"])
    zone = ended(service, sent(service, naive, "?output=csv&tz=Mars/Olympus")["id"])
    right = ended(service, sent(service, naive, "?output=csv&tz=Europe/Paris")["id"])

    assert (unknown["state"], unknown["errors"][0]["pointer"]) == ("failed", "header")
    assert "format=" in unknown["errors"][0]["detail"]
    assert "--" not in unknown["errors"][0]["detail"]
    assert zone["errors"][0]["pointer"] == "/tz"
    assert right["summary"]["jobs"] == 1
    check_problem(ask(service, "GET", f"/v1/backfills/{zone['id']}/result"), 409, "no-result")


def test_flags_become_parameters() -> None:
    (fault,) = faults_of_http(InvalidInput([Fault("--min-quality", "give it with --tz, for example --tz Europe/Paris")]))

    assert fault == {"pointer": "/min_quality", "detail": "give it with tz=, for example tz=Europe/Paris"}


def test_a_service_that_is_killed_loses_and_doubles_nothing(tmp_path: Path, many: Path) -> None:
    backfilled(many, tmp_path / "out.csv")
    home = tmp_path / "home"
    with service_to_kill(home) as process:
        service = RunningService(address_of(home), None, home / "killed.log", home, 0.0)  # type: ignore[arg-type]  # it is only asked
        identity = sent(service, many.read_bytes(), "?output=csv")["id"]
        folder = folder_of(home, identity)
        wait_until(lambda: journal_lines(folder) > 0, 60)
        (child,) = converting(folder)
        assert os.getpriority(os.PRIO_PROCESS, child) == 19
        process.kill()
        process.wait()
        wait_until(lambda: not converting(folder), 20)
    assert not list(folder.glob("result.*"))

    with running_service(home) as again:
        told = ended(again, identity)
        assert told["rows_done"] == MANY
        assert ask(again, "GET", f"/v1/backfills/{identity}/result").body == (tmp_path / "out.csv").read_bytes()
        assert sum(event["event"] == "backfill.started" for event in again.events()) == 1


def test_several_workers_convert_each_backfill_once_and_a_deleted_one_ends(tmp_path: Path, many: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_WORKERS": "2", "GRIDGRAM_BACKFILL_JOBS": "4"}) as service:
        identity = sent(service, many.read_bytes(), "?output=ndjson")["id"]
        others = [sent(service)["id"] for _ in range(3)]
        check_problem(ask(service, "POST", "/v1/backfills", JOBS, {"Content-Type": "text/csv"}), 429, "backfills-exhausted")
        folder = folder_of(tmp_path, identity)
        wait_until(lambda: ask(service, "GET", f"/v1/backfills/{identity}").json.get("doing") == "converting", 60)
        running = ask(service, "GET", f"/v1/backfills/{identity}").json
        assert ask(service, "DELETE", f"/v1/backfills/{identity}").status == 200
        wait_until(lambda: not converting(folder), 20)
        assert all(ended(service, other)["state"] == "done" for other in others)
        started = [event["backfill"] for event in service.events() if event["event"] == "backfill.started"]

    assert running["state"] == "running"
    assert running["rows"] == MANY
    assert sorted(started) == sorted([identity, *others])
    assert not folder.exists()


def test_a_process_that_is_ended_three_times_fails_the_backfill(tmp_path: Path, many: Path) -> None:
    with running_service(tmp_path) as service:
        identity = sent(service, many.read_bytes(), "?output=ndjson")["id"]
        folder, killed = folder_of(tmp_path, identity), set[int]()
        while len(killed) < 3:
            wait_until(lambda: bool(set(converting(folder)) - killed), 20)
            for process in set(converting(folder)) - killed:
                os.kill(process, signal.SIGKILL)
                killed.add(process)
        told = ended(service, identity)

    assert told["state"] == "failed"
    assert "broke off 3 times" in told["detail"]


def test_a_full_disk_is_told_leaves_nothing_and_ends_by_itself(tmp_path: Path) -> None:
    settings = {"GRIDGRAM_BACKFILL_UPLOAD_MIB": "2"}
    with running_service(tmp_path, settings) as service:
        finished(service)
        process = service.process.pid
        resource.prlimit(process, resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
        full = ask(service, "POST", "/v1/backfills", JOBS * 8_000, {"Content-Type": "text/csv"})
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        long = ask(service, "POST", "/v1/backfills", JOBS * 30_000, {"Content-Type": "text/csv"})
        left = [path.name for path in folder_of(tmp_path, "").iterdir() if path.name.startswith(".")]

    check_problem(full, 507, "insufficient-storage")
    check_problem(long, 413, "body-too-large")
    assert left == []


def test_calls_to_sources_count_for_the_key_and_what_they_do_not_reach_waits_for_the_next_day(tmp_path: Path) -> None:
    """Waited for by hand: the hours stay as they are, no worse ones stand in for those that the quota kept out."""
    import asyncio  # noqa: PLC0415 - only here

    small, small_key = new_key("small", upstream_calls_per_day=1)
    none, none_key = new_key("none", upstream_calls_per_day=0)
    big, big_key = new_key("big")
    jobs = b"location,start,end,energy_kwh\n" + b"".join(
        b"FR,2024-%02d-10T05:00:00Z,2024-%02d-10T06:00:00Z,1\n" % (month, month) for month in (1, 3)
    )

    async def main() -> tuple[list[dict[str, Any]], int]:
        async with running_tape() as tape:
            tape.answers[CONSOLIDATED] = rows(48, "Données définitives")
            tape.answers[RECENT] = b"[]"
            keys = {"GRIDGRAM_API_KEYS": ";".join(key.line for key in (small_key, none_key, big_key))}
            async with online_service(tmp_path, tape, keys) as service:

                def work() -> tuple[list[dict[str, Any]], int]:
                    header = {"X-API-Key": small}
                    identity = sent(service, jobs, headers=header)["id"]
                    wait_until(lambda: "detail" in ask(service, "GET", f"/v1/backfills/{identity}", headers=header).json, 60)
                    waiting = ask(service, "GET", f"/v1/backfills/{identity}", headers=header).json
                    calls = tape.calls
                    header = {"X-API-Key": none}
                    never = ended(service, sent(service, jobs, headers=header)["id"], header)
                    assert tape.calls == calls
                    header = {"X-API-Key": big}
                    return [waiting, never, ended(service, sent(service, jobs, headers=header)["id"], header)], calls

                return await asyncio.to_thread(work)

    (waiting, never, done), calls = asyncio.run(main())

    assert calls == 1
    assert waiting["state"] == "waiting"
    assert "next day (UTC)" in waiting["detail"]
    assert never["state"] == "failed"
    assert "may cause no calls" in never["detail"]
    assert done["state"] == "done"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_requests_of_the_page_work(service: RunningService, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "backfill-http.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (tmp_path / "jobs.csv").write_bytes(JOBS)
    identity, answers = "", []
    for line in block.splitlines():
        words = [word.replace("http://127.0.0.1:8080", service.address) for word in shlex.split(line)]
        words = [re.sub(r"[0-9a-f]{32}", identity, word) for word in words]
        answers.append(subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
        if not identity:
            identity = json.loads(answers[0])["id"]
            ended(service, identity)

    assert json.loads(answers[1])["summary"]["jobs"] == 1
    assert (tmp_path / "jobs-emissions.csv").read_bytes().count(b"\n") == 2
    assert answers[3] == ""
    assert json.loads(answers[4])["id"] == identity
    assert ask(service, "GET", f"/v1/backfills/{identity}").status == 404


# --- the shelf


def shelf(folder: Path, now: list[float], **bounds: float) -> Shelf:
    kept = {"unfinished": 2, "upload_bytes": 1_000, "stored_bytes": 10_000, "keep_seconds": 100.0} | bounds
    return Shelf(folder / "backfills", Bounds(**kept), lambda: now[0])  # type: ignore[arg-type]  # whole numbers are whole


def placed(on: Shelf, content: bytes = b"x", owner: str = "", key: str | None = None) -> Any:
    upload = on.new_upload()
    (upload / "jobs").write_bytes(content)
    return on.place(upload, owner, content.decode(), OPTIONS, key)


def test_old_results_and_what_was_left_half_done_go_and_nothing_else(tmp_path: Path) -> None:
    now = [time.time()]
    held = shelf(tmp_path, now)
    old, _ = placed(held)
    old.put_state(State(DONE, now[0]))
    half = held.new_upload()
    now[0] += 60
    new, _ = placed(held)
    new.put_state(State(DONE, now[0]))

    now[0] += 50
    held.sweep()
    assert [job.asked.id for job in held.jobs()] == [new.asked.id]
    assert half.exists()
    now[0] += 3_600
    held.sweep()
    assert sorted(path.name for path in held.folder.iterdir()) == ["lock"]


def test_what_one_caller_may_keep_is_bounded_and_costs_no_other(tmp_path: Path) -> None:
    now = [time.time()]
    held = shelf(tmp_path, now, stored_bytes=5_000)
    first, _ = placed(held, owner="a")
    placed(held, owner="a")

    with pytest.raises(TooMuchKept, match="2 backfills are not finished"):
        held.room("a")
    assert held.room("b") == 1_000
    first.put_state(State(DONE, now[0]))
    first.result.write_bytes(b"x" * 4_500)
    assert held.room("a") < 500
    first.result.write_bytes(b"x" * 5_000)
    with pytest.raises(TooMuchKept, match="delete one"):
        held.room("a")


def test_a_backfill_that_was_taken_back_before_its_turn_is_not_begun(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service.backfill.uploads.child", str(tmp_path / "gone"), "free"]
    outcome = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=60)

    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_a_backfill_is_taken_by_one_only_and_again_when_that_one_is_gone(tmp_path: Path) -> None:
    held = shelf(tmp_path, [time.time()])
    job, _ = placed(held)

    taken = held.take({""})
    assert taken is not None
    assert held.take({""}) is None
    os.close(taken[1])
    assert held.take({"somebody"}) is None
    again = held.take({""})
    assert again is not None
    assert again[0].asked == job.asked
    os.close(again[1])


def test_an_idempotency_key_belongs_to_its_caller_and_its_id_cannot_be_told_from_it(tmp_path: Path) -> None:
    here, there = (shelf(tmp_path / name, [time.time()]) for name in ("one", "two"))
    first, is_new = placed(here, owner="a", key="k")

    again, is_new_again = placed(here, owner="a", key="k")
    assert (is_new, is_new_again, again.asked.id) == (True, False, first.asked.id)
    assert placed(here, owner="b", key="k")[0].asked.id != first.asked.id
    assert placed(there, owner="a", key="k")[0].asked.id != first.asked.id
    with pytest.raises(KeyReused):
        placed(here, b"y", owner="a", key="k")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "backfills").write_bytes(b"")

    with pytest.raises(CannotKeep, match="cannot be written"):
        shelf(tmp_path, [0.0]).new_upload()


@pytest.mark.parametrize("identity", ["..", "../x", "lock", "secret", "0" * 31, "0" * 33, "A" * 32, "%2e%2e", "0" * 32 + "/"])
def test_no_name_but_an_id_finds_anything(tmp_path: Path, identity: str) -> None:
    held = shelf(tmp_path, [time.time()])
    placed(held, key="k")

    assert held.find(identity, "") is None
