"""Who comes to the page: with a key, with an evil address, with a keyboard alone, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.browser.steps import ENTER, TAB, commands, shown

if TYPE_CHECKING:
    from tests.browser.chromium import Page
    from tests.running import RunningService

pytestmark = pytest.mark.asyncio(loop_scope="session")


# --- keys, strangers, keyboards


async def test_a_service_with_keys_is_asked_for_one_and_the_key_is_kept_in_the_tab_alone(
    page: Page, closed: tuple[RunningService, str]
) -> None:
    service, key = closed
    await page.open(service.address)
    await page.see("dialog[open]")
    await page.write("#key-text", key)
    await page.click("dialog button")
    await page.see(".list tbody tr")

    assert all("$GRIDGRAM_KEY" in command and key not in command for command in await commands(page))
    assert await page.run("localStorage.length") == 0
    assert await page.run("document.cookie") == ""
    assert key not in await page.run("location.href")
    page.complaints.clear()  # the browser notes the 401s


async def test_what_the_address_names_is_shown_as_text_and_never_as_markup(page: Page, held: RunningService) -> None:
    evil = "<img src=x onerror=window.broken=1>"
    await page.open(f"{held.address}/#/zone/{quote(evil, safe='')}")
    await page.see(".problem")

    assert evil[:10] in await page.text(".problem")
    assert await page.run("window.broken === undefined && document.querySelector('main img') === null")
    page.complaints.clear()  # the browser notes the 404


async def test_the_page_is_walked_by_keyboard_alone(page: Page, held: RunningService) -> None:
    await shown(page, held, "", ".list tbody tr")
    await page.key("Tab", TAB)
    assert await page.run("document.activeElement.className") == "skip"
    await page.key("Enter", ENTER)
    assert await page.run("document.activeElement.id") == "main"
    await page.key("Tab", TAB)
    assert await page.run("document.activeElement.id") == "search"
    await page.run("document.querySelector('nav a[href=\"#/plan\"]').focus()")
    await page.key("Enter", ENTER)
    await page.see(".view.plan form")

    assert await page.run("document.activeElement.id") == "main"
    assert await page.run("document.querySelector('nav [aria-current]').textContent") == "Plan"


async def test_the_page_asks_nobody_but_the_service(page: Page, held: RunningService) -> None:
    for path, selector in (("", ".list tbody tr"), ("zone/FR", ".heatmap"), ("footprint", ".stack")):
        await shown(page, held, path, selector)

    assert {host for host in page.hosts if host} == {held.address.removeprefix("http://")}
