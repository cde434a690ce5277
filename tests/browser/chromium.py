"""A headless Chromium driven over its own protocol (CDP), with what aiohttp brings: no driver, no further library."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)
START_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.02
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024


def chromium_path() -> str | None:
    """The browser that is installed, None without one."""
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class ScriptError(AssertionError):
    """What a script in the page threw."""


@dataclass(slots=True)
class Page:
    """One tab. `complaints` holds what it wrote as errors, and what it threw."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    received_bytes: float = 0.0
    hosts: set[str] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    async def listen(self) -> None:
        """Take what the browser tells until it closes."""
        async for message in self.socket:
            told = orjson.loads(message.data)
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
            else:
                self._note(told["method"], told["params"])

    def _note(self, method: str, told: dict[str, Any]) -> None:
        match method:
            case "Runtime.exceptionThrown":
                self.complaints.append(told["exceptionDetails"].get("exception", {}).get("description", str(told)))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "assert", "warning"}:
                self.complaints.append(str(told["args"]))
            case "Network.loadingFinished":
                self.received_bytes += told["encodedDataLength"]
            case "Network.requestWillBeSent":
                self.hosts.add(urlsplit(told["request"]["url"]).netloc)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_str(orjson.dumps({"id": number, "method": method, "params": parameters}).decode())
        told = await asyncio.wait_for(answer, START_SECONDS)
        if "error" in told:
            raise ScriptError(f"{method}: {told['error']}")
        result: dict[str, Any] = told["result"]
        return result

    async def run(self, script: str) -> Any:
        """The value of a script, awaited when it is a promise."""
        told = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in told:
            raise ScriptError(told["exceptionDetails"].get("exception", {}).get("description", str(told["exceptionDetails"])))
        return told["result"].get("value")

    async def open(self, address: str) -> None:
        """Go to an address, and wait until it is loaded."""
        await self.call("Page.navigate", url=address)
        await self.until("document.readyState === 'complete'")

    async def until(self, condition: str, seconds: float = 10.0) -> None:
        """Wait for a condition to hold; fail when it does not after so long."""
        for _ in range(int(seconds / LOOK_SECONDS)):
            with suppress(ScriptError):  # while one page makes way for the next
                if await self.run(f"Boolean({condition})"):
                    return
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"not so after {seconds} s: {condition}; the page says {await self.text('body')!r}")

    async def see(self, selector: str) -> None:
        """Wait for an element to be there."""
        await self.until(f"document.querySelector({selector!r})")

    async def text(self, selector: str) -> str:
        """What an element says."""
        told: str = await self.run(f"document.querySelector({selector!r})?.innerText ?? ''")
        return told

    async def count(self, selector: str) -> int:
        """How many elements there are."""
        told: int = await self.run(f"document.querySelectorAll({selector!r}).length")
        return told

    async def click(self, selector: str) -> None:
        """Press the mouse where the middle of an element is."""
        await self.see(selector)
        box = await self.run(
            f"(() => {{ const it = document.querySelector({selector!r}); it.scrollIntoView({{block: 'center'}});"
            " const {x, y, width, height} = it.getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()"
        )
        await self.press_at(*box)

    async def press_at(self, x: float, y: float) -> None:
        """Press and let go of the left button at a point of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            await self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=int(kind == "mousePressed"), clickCount=1
            )

    async def write(self, selector: str, text: str) -> None:
        """Type into a field in place of what it holds."""
        await self.see(selector)
        await self.run(f"(() => {{ const it = document.querySelector({selector!r}); it.focus(); it.select?.(); }})()")
        await self.call("Input.insertText", text=text)

    async def key(self, name: str, code: int = 0) -> None:
        """Press a key; `code` is its Windows number, which Enter and Tab need."""
        members = {"key": name, "code": name, "windowsVirtualKeyCode": code, **({"text": "\r"} if name == "Enter" else {})}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **members)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name)

    async def size(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """Let the window be so large. [CSS pixels]"""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if is_phone else 1, mobile=is_phone
        )

    async def scheme(self, name: str) -> None:
        """Let the reader prefer `light` or `dark`."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def picture(self, file: Path, *, is_whole: bool = True) -> None:
        """Write what is seen as a PNG, all of the page or the window alone."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=is_whole)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium(path: str, profile: Path) -> AsyncIterator[Page]:
    """A browser with one empty tab, ended with the block; `profile` is a folder of its own."""
    process = _started([path, *FLAGS, f"--user-data-dir={profile}", "about:blank"])
    try:
        port = await _port(profile / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                address = next(tab["webSocketDebuggerUrl"] for tab in await answer.json() if tab["type"] == "page")
            async with session.ws_connect(address, max_msg_size=MAX_MESSAGE_BYTES) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.call(f"{domain}.enable")
                yield page
                listening.cancel()
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(int(START_SECONDS / LOOK_SECONDS)):
        if lines := _lines(file):
            return int(lines[0])
        assert process.poll() is None, "the browser ended"
        await asyncio.sleep(LOOK_SECONDS)
    raise AssertionError("the browser did not open its port")
