"""What all tests share: one running service for those that only ask, and the long runs left out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from tests.facades import service_with_hours
from tests.redis_server import redis_cluster, redis_server
from tests.running import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.redis_server import RedisServer
    from tests.running import RunningService


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


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that a test ran in this process has set up logging, to a stream of that test's own."""
    was = structlog.get_config()
    yield
    structlog.configure(**was)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service that all tests share; nothing is imported into its store."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
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
