"""How the page looks and weighs: faults of accessibility, sizes of window, bytes, time; with a picture of each view in both schemes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.chromium import Page
    from tests.running import RunningService

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).with_name("axe.min.js")
VIEWS = {
    "now": ("", ".list tbody tr"),
    "zone": ("zone/FR", "[aria-label^=Generation] svg"),
    "plan": ("plan", "main form"),
    "convert": ("convert", "main form"),
    "footprint": ("footprint", ".stack"),
    "runs": ("runs", ".view.runs .repeat"),
    "backfills": ("backfills", "main form"),
}
RESULTS = {"plan": ".timeline", "convert": ".coverage-bar"}
"""What appears once the form of a view is sent."""
NARROWEST = 320
"""The narrowest window that is thought of (WCAG 2.2, 1.4.10). [CSS pixels]"""
FIRST_VIEW_BYTES = 300 * 1024
DRAWN_SECONDS = 1.0
TRIES = 3
"""The machine may be busy with other tests; the best of so many counts."""


ONLY_COLOURS = "{runOnly: ['color-contrast']}"
"""What differs between light and dark."""


async def opened(page: Page, service: RunningService, view: str) -> None:
    path, selector = VIEWS[view]
    await page.open("about:blank")
    await page.open(f"{service.address}/#/{path}")
    await page.see(selector)
    if view in RESULTS:
        await page.click("main form button")
        await page.see(RESULTS[view])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
async def test_axe_finds_no_fault_that_matters(page: Page, held: RunningService, tmp_path: Path, view: str, scheme: str) -> None:
    await page.scheme(scheme)
    await opened(page, held, view)
    if view == "now":
        await page.write("#search", "island")  # the rows are all alike
    await page.run("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    await page.picture(tmp_path / f"{view}-{scheme}.png")
    await page.run(AXE.read_text(encoding="utf-8") + "; undefined")

    faults = await page.run(
        f"axe.run({'{}' if scheme == 'light' else ONLY_COLOURS}).then("
        "({violations}) => violations.flatMap(({id, impact, nodes}) =>"
        " nodes.map((node) => `${impact} ${id}: ${node.target} ${node.failureSummary}`)))"
    )

    assert faults == []


async def test_no_view_is_wider_than_a_phone(page: Page, held: RunningService, tmp_path: Path) -> None:
    await page.size(NARROWEST, 640, is_phone=True)
    for view in VIEWS:
        await opened(page, held, view)
        await page.picture(tmp_path / f"{view}.png")

        assert await page.run("document.documentElement.scrollWidth <= innerWidth"), view


async def test_the_first_view_is_small_and_drawn_soon(page: Page, held: RunningService) -> None:
    seconds = []
    for _ in range(TRIES):
        await page.call("Network.clearBrowserCache")
        await page.open("about:blank")
        page.received_bytes = 0
        await page.open(held.address)
        await page.until("performance.getEntriesByName('drawn').length")
        seconds.append(await page.run("performance.getEntriesByName('drawn')[0].startTime") / 1000)

        assert page.received_bytes <= FIRST_VIEW_BYTES
    assert min(seconds) <= DRAWN_SECONDS, seconds


async def test_a_second_visit_asks_for_no_file_of_the_page_again(page: Page, held: RunningService) -> None:
    await opened(page, held, "now")
    await page.open("about:blank")
    await opened(page, held, "now")

    sent = await page.run(
        "performance.getEntriesByType('resource').filter((it) => it.name.includes('/page/') && it.transferSize > 0).map((it) => it.name)"
    )

    assert sent == []
