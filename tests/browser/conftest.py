"""One browser and the services that it looks at, shared by all tests of the page; without a browser they are skipped, and that is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from gridgram.interval import hour_of
from service.keys import new_key
from tests.browser.chromium import chromium, chromium_path
from tests.mixes import french_hours, keep_mixes
from tests.running import gridgram, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.browser.chromium import Page
    from tests.running import RunningService

MEASURED_HOURS = 100
"""So many hours before the present one are held of France, measured; of all others nothing is."""
MIXED_HOURS = 100
"""So many hours before the present one the mix of France is held from, with a hole of ten; of no other zone any is."""
NO_BROWSER = "NOT TESTED: the page. No Chromium is installed (Debian: apt-get install chromium; or name one in CHROMIUM)."


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that the page was not looked at."""
    if chromium_path() is None:
        terminalreporter.write_line(NO_BROWSER, yellow=True, bold=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """The browser, with one tab."""
    path = chromium_path()
    if path is None:
        pytest.skip(NO_BROWSER)
    async with chromium(path, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Page) -> AsyncIterator[Page]:
    """The tab as it is at first: a desk's window, light, empty, nothing kept, nothing complained of, then or at the end."""
    await browser.open("about:blank")
    await browser.call("Storage.clearDataForOrigin", origin="*", storageTypes="all")
    await browser.call("Network.clearBrowserCache")
    await browser.size(1280, 900)
    await browser.scheme("light")
    browser.complaints.clear()
    browser.hosts.clear()
    browser.received_bytes = 0
    yield browser
    assert browser.complaints == []


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that holds the last hours of France, measured."""
    home = tmp_path_factory.mktemp("held")
    present = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [f"FR,{present - timedelta(hours=ago):%Y-%m-%dT%H:%M:%SZ},{40 + ago % 24}" for ago in range(1, MEASURED_HOURS + 1)]
    file = home / "hours.csv"
    file.write_text("\n".join(["zone,start,g_per_kwh", *rows]))
    told = gridgram(["import", str(file)], home)
    assert told.returncode == 0, told.stderr
    now = hour_of(present)
    keep_mixes(home / "cache" / "gridgram" / "series.sqlite", french_hours(now - MIXED_HOURS, now - 20), french_hours(now - 10, now))
    with running_service(home) as running:
        yield running


@pytest.fixture(scope="session")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningService, str]]:
    """A service that wants a key, and one that it takes."""
    text, key = new_key("reader")
    with running_service(tmp_path_factory.mktemp("closed"), {"GRIDGRAM_API_KEYS": key.line}) as running:
        yield running, text
