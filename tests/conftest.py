"""What all tests share: one running service for those that only ask, and the long runs left out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from gridgram.interval import hour_of, parse_time
from tests.documents import NOT_BUILT, is_built
from tests.facades import present_hour, service_with_hours
from tests.mixes import french_hours, keep_mixes
from tests.redis_server import redis_cluster, redis_server
from tests.running import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.redis_server import RedisServer
    from tests.running import RunningService


BLOOM_STARTED = hour_of(parse_time("2022-03-11T00:00:00Z"))
"""What the examples of the contract ask for."""

# The same examples every time where CI decides; new ones at every other run. How long one takes depends on who else is at work.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "search")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long runs out unless markers are asked for, as `make soak` does."""
    if config.getoption("markexpr"):
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that the documents were not looked at."""
    if not is_built():
        terminalreporter.write_line(NOT_BUILT, yellow=True, bold=True)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that a test ran in this process has set up logging, to a stream of that test's own."""
    was = structlog.get_config()
    yield
    structlog.configure(**was)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service that all tests share; no hour is imported into its store, which holds the mix of two spans of France."""
    home, present = tmp_path_factory.mktemp("service"), present_hour()
    spans = (BLOOM_STARTED, BLOOM_STARTED + 3), (present - 26, present + 2)
    keep_mixes(home / "cache" / "gridgram" / "series.sqlite", *(french_hours(*span) for span in spans))
    with running_service(home) as running:
        yield running


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service that the tests of the facades share; its store holds a month of hours up to now."""
    with service_with_hours(tmp_path_factory.mktemp("held")) as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis server that the tests of the store share, each behind a prefix of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_cluster_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    """A cluster of three masters that tests share; one that breaks it makes its own."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture(scope="session")
def redis_cluster_url(redis_cluster_servers: list[RedisServer]) -> str:
    """The URL of that cluster."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in redis_cluster_servers)
