"""The documents at /docs as a reader uses them: searched, read in both schemes and on a phone, an operation tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.steps import ENTER, run_command
from tests.documents import needs_site
from tests.wire import get

if TYPE_CHECKING:
    from tests.browser.chromium import Page
    from tests.running import RunningService

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).with_name("axe.min.js")
PAGES = ("index.html", "metrics.html", "method.html", "reference/emissions.html", "search.html?q=typical")
EVERYTHING, ONLY_COLOURS = "{}", "{runOnly: ['color-contrast']}"
"""What is looked at in light, and what differs in dark."""
NARROWEST = 320
"""The narrowest window that is thought of (WCAG 2.2, 1.4.10). [CSS pixels]"""


@pytest.fixture(autouse=True)
def _built() -> None:
    needs_site()


async def opened(page: Page, service: RunningService, path: str) -> None:
    """Open a page of the documents, its forms unfolded."""
    await page.open(f"{service.address}/docs/{path}")
    await page.run("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    if "?q=" in path:
        await page.see("#search-results li")
        await page.until("document.querySelector('.search-summary')?.textContent.includes('page')")


async def press(page: Page, selector: str) -> None:
    """Press a button; the documents scroll smoothly, so it is brought into sight before it is aimed at."""
    await page.run(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
    await page.click(selector)


async def test_what_is_searched_for_is_found_without_a_network(page: Page, held: RunningService) -> None:
    await page.open(f"{held.address}/docs")
    await page.write(".sidebar-search", "provenance")
    await page.key("Enter", ENTER)
    await page.see("#search-results li a")

    found = await page.run("[...document.querySelectorAll('#search-results li > a')].map((it) => it.textContent)")
    assert "Concepts" in found
    assert {host for host in page.hosts if host} == {held.address.removeprefix("http://")}


async def test_an_operation_is_tried_and_its_command_answers_the_same(page: Page, held: RunningService) -> None:
    await opened(page, held, "reference/places.html")
    form = "form[data-path='/v1/zones/{zone}']"
    await press(page, f"{form} button")
    await page.see(f"details:has({form}) .answer pre")

    shown = json.loads(await page.text(f"details:has({form}) .answer code"))
    assert shown == get(held, "/v1/zones/FR").json
    assert (await page.text(f"details:has({form}) .status")).startswith("200")
    assert run_command(await page.text(f"details:has({form}) pre.command code")) == shown


async def test_a_body_that_is_refused_is_told_in_the_words_of_the_service(page: Page, held: RunningService) -> None:
    await opened(page, held, "reference/emissions.html")
    form = "form[data-path='/v1/emissions']"
    await page.write(f"{form} textarea", '{"location": "FR", "energie": 1}')
    await press(page, f"{form} button")
    await page.see(f"details:has({form}) .refused")

    assert "/energie" in await page.text(f"details:has({form}) .answer code")
    page.complaints.clear()  # the browser notes the 422


async def test_a_key_is_given_once_and_kept_in_the_tab_alone(page: Page, closed: tuple[RunningService, str]) -> None:
    service, key = closed
    await opened(page, service, "reference/places.html")
    await page.write(".try-key input", key)
    await page.open(f"{service.address}/docs/reference/emissions.html")
    await page.run("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    await press(page, "form[data-path='/v1/emissions'] button")
    await page.see("details:has(form[data-path='/v1/emissions']) .answer pre")

    assert (await page.text("details:has(form[data-path='/v1/emissions']) .status")).startswith("200")
    command = await page.text("details:has(form[data-path='/v1/emissions']) pre.command code")
    assert "$GRIDGRAM_KEY" in command
    assert key not in command
    assert not await page.run(f"Object.values(localStorage).some((it) => it.includes({key!r}))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_fault_that_matters_in_the_documents(page: Page, held: RunningService, tmp_path: Path, scheme: str) -> None:
    await page.scheme(scheme)
    for path in PAGES:
        await opened(page, held, path)
        await page.picture(tmp_path / f"{Path(path).stem}-{scheme}.png", is_whole=False)
        await page.run(AXE.read_text(encoding="utf-8") + "; undefined")

        faults = await page.run(
            f"axe.run({EVERYTHING if scheme == 'light' else ONLY_COLOURS})"
            ".then(({violations}) => violations"
            ".filter(({impact}) => ['serious', 'critical'].includes(impact))"
            ".flatMap(({id, impact, nodes}) => nodes.map((node) => `${impact} ${id}: ${node.target} ${node.failureSummary}`)))"
        )
        assert faults == [], path


async def test_no_page_of_the_documents_is_wider_than_a_phone(page: Page, held: RunningService, tmp_path: Path) -> None:
    await page.size(NARROWEST, 640, is_phone=True)
    for path in PAGES:
        await opened(page, held, path)
        await page.picture(tmp_path / f"{Path(path).stem}.png", is_whole=False)

        assert await page.run("document.documentElement.scrollWidth <= innerWidth"), path


async def test_the_page_of_the_service_and_the_documents_lead_to_one_another(page: Page, held: RunningService) -> None:
    await page.open(held.address)
    await page.click(".tools a[href='/docs']")
    await page.until("document.title === 'Gridgram documentation' || document.querySelector('.sidebar-brand')")
    await page.click(".to-the-service a")
    await page.see(".list tbody tr")

    assert await page.run("location.pathname") == "/"
