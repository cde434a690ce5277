"""Metrics: what they count, how they are written, who reads them, and that everything made from them names real ones."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from cache.sqlite import SqliteStore
from gridgram.errors import StoreError, UpstreamError
from gridgram.interval import Month
from gridgram.quality import Signal
from providers.health import Health
from service.load import Load, watched_loop
from service.metrics.collect import Metrics, provider_samples, request_samples
from service.metrics.counts import BUCKETS_SECONDS, Durations, RequestCounts
from service.metrics.exposition import metrics_port, metrics_text, publishing
from service.metrics.sharing import STALE_SECONDS, Share, add_to_ended, merged
from service.metrics.store import MeasuredStore
from service.metrics.table import METRICS, Kind, metrics_page
from tests.running import gridgram, running_service, wait_until
from tests.wire import check_problem, get, post

if TYPE_CHECKING:
    from service.metrics.collect import Samples
    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
JOB = {"location": "FR", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1]}}
NAME = re.compile(r"\b(?:gridgram|process)_[a-z_]+[a-z]\b")
LABELS = {"part", "version", "operation", "status", "code", "key", "method", "provider", "kind", "tracker", "run"}
LABELS |= {"location", "signal", "quality", "node", "region", "units", "is_estimated"}


def numbers(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What a scrape says, read by Prometheus' own reader, without the names of buckets' parts."""
    families = text_string_to_metric_families(text)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def scrape(service: RunningService) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = get(service, "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return numbers(answer.body.decode())


def number(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


# --- a running service


def test_requests_are_counted_by_operation_and_status_and_never_by_path(service: RunningService) -> None:
    before = scrape(service)
    assert post(service, JOB).status == 200
    assert post(service, {}).status == 422
    assert get(service, "/v1/zones/FR?secret-path=1").status == 422
    assert get(service, "/a/path/that/nobody/knows").status == 404
    after = scrape(service)

    def more(operation: str, status: int) -> float:
        labels = {"operation": operation, "status": str(status)}
        return number(after, "gridgram_requests_total", **labels) - number(before, "gridgram_requests_total", **labels)

    assert [more("emissions", 200), more("emissions", 422), more("zone", 422), more("none", 404)] == [1, 1, 1, 1]
    assert more("metrics", 200) == 1
    count = number(after, "gridgram_request_duration_seconds_count", operation="emissions")
    assert count - number(before, "gridgram_request_duration_seconds_count", operation="emissions") == 2
    assert number(after, "gridgram_requests_in_flight") == 1
    assert not any("nobody" in value for _, labels in after for _, value in labels)


def test_store_memory_loop_and_process_are_told(service: RunningService) -> None:
    post(service, JOB)
    found = scrape(service)

    assert number(found, "gridgram_store_up") == 1
    assert number(found, "gridgram_store_duration_seconds_count", method="read") >= 1
    assert number(found, "gridgram_memory_bytes") > 0
    assert number(found, "gridgram_memory_limit_bytes") == 64 * 1024 * 1024
    assert number(found, "gridgram_memory_misses_total") >= 1
    assert 0 <= number(found, "gridgram_event_loop_lag_seconds") < 60
    assert number(found, "process_resident_memory_bytes") > 10 * 1024 * 1024


def test_every_metric_that_a_service_tells_is_in_the_table_and_has_its_labels(service: RunningService) -> None:
    text = get(service, "/metrics").body.decode()

    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        metric = METRICS[name]
        assert (family.type, family.documentation) == (metric.kind.value, metric.text)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample


def test_metrics_on_a_port_of_their_own_are_on_no_other(tmp_path: Path) -> None:
    port = free_port()
    with running_service(tmp_path, {"GRIDGRAM_METRICS_PORT": str(port), "GRIDGRAM_API_KEYS": "a sha256:" + "0" * 64}) as running:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b"gridgram_build_info" in answer.read()
            assert "Server" not in answer.headers
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/zones")
        with caught.value as refused:
            assert (refused.code, refused.headers["Server"]) == (404, None)
        check_problem(get(running, "/metrics"), 401, "unauthorized")
    with running_service(tmp_path / "open", {"GRIDGRAM_METRICS_PORT": str(port)}) as running:
        check_problem(get(running, "/metrics"), 404, "not-found")


def free_port() -> int:
    import socket  # noqa: PLC0415 - for this alone

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the parts


def test_a_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed() -> None:
    durations = Durations()
    for seconds in (0.0, 0.001, 0.0011, 10.0, 10.1, 1e9):
        durations.add(seconds)

    assert (durations.buckets[0], durations.buckets[1], durations.buckets[-2], durations.buckets[-1]) == (2, 1, 1, 2)
    text = metrics_text({"gridgram_request_duration_seconds": {("emissions",): durations}}).decode()
    assert 'gridgram_request_duration_seconds_bucket{le="0.001",operation="emissions"} 2.0' in text
    assert 'gridgram_request_duration_seconds_bucket{le="+Inf",operation="emissions"} 6.0' in text
    assert 'gridgram_request_duration_seconds_count{operation="emissions"} 6.0' in text


async def test_a_measured_store_does_what_the_store_does_and_counts_its_failures(tmp_path: Path) -> None:
    (tmp_path / "no-database").write_text("x" * 5_000)
    sound, broken = MeasuredStore(SqliteStore(tmp_path / "series.sqlite")), MeasuredStore(SqliteStore(tmp_path / "no-database"))

    assert await sound.read("FR", Signal.LIFECYCLE, [Month(2022, 3)]) == [None]
    assert await sound.held() == []
    for _ in range(2):
        with pytest.raises(StoreError):
            await broken.held()
    await sound.close()
    await broken.close()

    assert (sum(sound.durations["read"].buckets), sound.errors) == (1, {})
    assert (sum(broken.durations["held"].buckets), broken.errors) == (2, {"held": 2})


def test_a_source_tells_of_its_calls_failures_pauses_and_last_success() -> None:
    quiet, failing = Health("quiet"), Health("failing")
    failing.admit(0.0)
    failing.failed(UpstreamError("it failed"), 0.0)

    samples = provider_samples({"quiet": quiet, "failing": failing})

    assert samples["gridgram_provider_fetches_total"] == {("failing",): 1.0}
    assert samples["gridgram_provider_errors_total"] == {("failing", "unreadable"): 1.0}
    assert samples["gridgram_provider_last_success_timestamp_seconds"] == {}
    assert samples["gridgram_provider_left_alone_seconds"] == {("failing",): 0.0}


async def test_a_blocked_loop_shows_as_late() -> None:
    import time  # noqa: PLC0415 - to block on purpose

    load = Load()
    async with watched_loop(load):
        await asyncio.sleep(0.01)
        time.sleep(0.3)  # noqa: ASYNC251 - to block on purpose
        await asyncio.sleep(0.05)

    assert 0.1 <= load.worst_lag_seconds < 5


def test_a_port_for_metrics_that_is_taken_ends_the_service_with_its_name(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = gridgram(["serve", "--port", "0"], tmp_path, settings={"GRIDGRAM_METRICS_PORT": str(taken.getsockname()[1])})

    assert ended.returncode == 4
    assert "GRIDGRAM_METRICS_PORT: cannot listen on 127.0.0.1:" in ended.stderr


# --- several processes


def test_any_worker_tells_the_sum_of_all_and_a_worker_that_ended_stays_counted(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_WORKERS": "2"}) as running:
        for _ in range(40):
            assert get(running, "/v1/zones/FR").status == 200

        def counted() -> float:
            return number(scrape(running), "gridgram_requests_total", operation="zone", status="200")

        wait_until(lambda: all(counted() == 40 for _ in range(12)), 10)
        (first, *_) = [int(pid) for pid in Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()]
        os.kill(first, signal.SIGKILL)
        for _ in range(40):
            assert counted() >= 40


def test_processes_of_one_service_tell_the_sum_the_most_or_the_least(tmp_path: Path) -> None:
    one, other = Share(tmp_path, "one"), Share(tmp_path, "other")
    fast, slow = Durations(), Durations()
    fast.add(0.0001)
    slow.add(99)
    mine: Samples = {
        "gridgram_requests_total": {("emissions", "200"): 3.0},
        "gridgram_store_up": {(): 1.0},
        "gridgram_event_loop_lag_seconds": {(): 0.1},
        "gridgram_request_duration_seconds": {("emissions",): fast},
    }
    other.publish(
        {
            "gridgram_requests_total": {("emissions", "200"): 4.0, ("zones", "200"): 1.0},
            "gridgram_store_up": {(): 0.0},
            "gridgram_event_loop_lag_seconds": {(): 0.2},
            "gridgram_request_duration_seconds": {("emissions",): slow},
            "gridgram_of_another_version_total": {(): 1.0},
        }
    )
    one.publish({"gridgram_requests_total": {("emissions", "200"): 100.0}})  # old news of this process itself

    together = merged([mine, *one.others()])

    assert together["gridgram_requests_total"] == {("emissions", "200"): 7.0, ("zones", "200"): 1.0}
    assert together["gridgram_store_up"] == {(): 0.0}
    assert together["gridgram_event_loop_lag_seconds"] == {(): 0.2}
    durations = together["gridgram_request_duration_seconds"]["emissions",]
    assert isinstance(durations, Durations)
    assert (durations.buckets[0], durations.buckets[-1], durations.seconds) == (1, 1, 99.0001)


def test_what_a_process_that_ended_counted_stays_counted_and_what_it_held_does_not(tmp_path: Path) -> None:
    import os  # noqa: PLC0415 - to make a file old
    import time  # noqa: PLC0415

    Share(tmp_path, "ended").publish({"gridgram_requests_total": {("emissions", "200"): 4.0}, "gridgram_requests_in_flight": {(): 2.0}})
    long_ago = time.time() - STALE_SECONDS - 1
    os.utime(tmp_path / "ended.json", (long_ago, long_ago))

    assert list(Share(tmp_path, "one").others()) == [{"gridgram_requests_total": {("emissions", "200"): 4.0}}]


def test_many_processes_that_ended_leave_one_file_and_all_that_they_counted(tmp_path: Path) -> None:
    seconds = Durations()
    seconds.add(0.1)
    for pid in range(1_000, 1_300):
        share = Share(tmp_path, f"{pid}-1")
        share.publish(
            {
                "gridgram_requests_total": {("emissions", "200"): 4.0},
                "gridgram_requests_in_flight": {(): 2.0},
                "gridgram_request_duration_seconds": {("emissions",): seconds},
            }
        )
        add_to_ended(tmp_path, pid)
        add_to_ended(tmp_path, pid)

    together = merged(Share(tmp_path, "one").others())

    assert len(list(tmp_path.iterdir())) == 1
    assert together["gridgram_requests_total"] == {("emissions", "200"): 1_200.0}
    assert "gridgram_requests_in_flight" not in together
    durations = together["gridgram_request_duration_seconds"]["emissions",]
    assert isinstance(durations, Durations)
    assert sum(durations.buckets) == 300


def test_a_process_that_is_in_the_sum_of_the_ended_is_not_counted_again_from_its_own_file(tmp_path: Path) -> None:
    share = Share(tmp_path, "1000-1")
    share.publish({"gridgram_requests_total": {("emissions", "200"): 4.0}})
    add_to_ended(tmp_path, 1_000)
    share.publish({"gridgram_requests_total": {("emissions", "200"): 4.0}})  # as if read before it was removed

    assert merged(Share(tmp_path, "one").others())["gridgram_requests_total"] == {("emissions", "200"): 4.0}


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"gridgram_requests_total": 3}', b'{"gridgram_store_up": [[[], {"x": 1}]]}'])
def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "garbage.json").write_bytes(garbage)

    assert list(Share(tmp_path, "one").others()) == []


async def test_two_processes_share_a_port_and_either_tells_of_both(tmp_path: Path) -> None:
    one, other = RequestCounts(), RequestCounts()
    one.of("emissions").statuses[200] += 3
    other.of("emissions").statuses[200] += 4
    port = free_port()
    parts = [Metrics([lambda counts=counts: request_samples(counts, {})]) for counts in (one, other)]  # type: ignore[misc]  # a default binds early
    shares = [Share(tmp_path, name) for name in ("one", "other")]
    for metrics, share in zip(parts, shares, strict=True):
        metrics.share = share

    async with (
        publishing(parts[0], shares[0]),
        publishing(parts[1], shares[1]),
        metrics_port(parts[0], "127.0.0.1", port, is_shared=True),
        metrics_port(parts[1], "127.0.0.1", port, is_shared=True),
    ):
        for _ in range(10):
            async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                found = numbers(await answer.text())
            assert number(found, "gridgram_requests_total", operation="emissions", status="200") == 7


# --- what is made from them


def test_the_page_about_metrics_is_what_the_table_says() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == metrics_page()


def test_every_metric_has_a_unit_in_its_name_and_labels_from_closed_lists() -> None:
    without_unit = {
        "gridgram_build_info",
        "gridgram_requests_in_flight",
        "gridgram_store_up",
        "gridgram_memory_months",
        "gridgram_connections",
        "gridgram_connections_resting",
        "gridgram_history_open",
    }
    without_unit |= {"gridgram_provider_failures_in_a_row", "process_open_fds", "process_max_fds"}
    without_unit |= {"gridgram_zone_in_use", "grid_intensity_carbon_average", "grid_intensity_carbon_marginal"}
    for name, metric in METRICS.items():
        assert set(metric.labels) <= LABELS
        assert (metric.kind is Kind.COUNTER) == name.endswith("_total")
        assert name in without_unit or name.endswith(("_total", "_seconds", "_bytes", "_kwh", "_grams")), name


def test_every_metric_of_the_dashboard_and_the_rules_is_one() -> None:
    known = {
        f"{name}{part}"
        for name, metric in METRICS.items()
        for part in (("_bucket", "_count", "_sum") if metric.kind is Kind.HISTOGRAM else ("",))
    }
    dashboard = json.loads((DEPLOY / "grafana" / "gridgram.json").read_text())
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    recorded = [rule for group in rules["groups"] for rule in group["rules"]]
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])] + [rule["expr"] for rule in recorded]
    named = Counter(name for expression in asked for name in NAME.findall(re.sub(r"gridgram:[a-z0-9_:]+", "", expression)))

    assert set(named) - known == set()
    assert len(named) > 20
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    alarms = {rule["alert"] for rule in recorded if "alert" in rule}
    assert set(re.findall(r"^\| `(Gridgram\w+)`", (ROOT / "docs" / "observability.md").read_text(), re.MULTILINE)) == alarms


@pytest.mark.parametrize(
    "arguments",
    [["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"], ["check", "config", "--syntax-only", "prometheus.yml"]],
)
def test_prometheus_own_tool_takes_the_rules(arguments: list[str]) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("needs promtool, which Debian's package prometheus brings")

    outcome = subprocess.run([tool, *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False, timeout=60)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_prometheus_own_tool_finds_nothing_to_say_about_the_metrics(service: RunningService) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("needs promtool, which Debian's package prometheus brings")
    text = get(service, "/metrics").body

    outcome = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, check=False, timeout=60)

    assert (outcome.returncode, outcome.stdout + outcome.stderr) == (0, b"")


def test_the_refresh_in_the_background_is_seen(service: RunningService) -> None:
    wait_until(lambda: re.search(rb"^gridgram_refresh_rounds_total [1-9]", get(service, "/metrics").body, re.MULTILINE) is not None, 10.0)

    assert b"\ngridgram_refresh_failures_total 0.0\n" in get(service, "/metrics").body


def test_the_buckets_are_ascending() -> None:
    assert list(BUCKETS_SECONDS) == sorted(set(BUCKETS_SECONDS))
