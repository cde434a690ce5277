"""Tell Gridgram what a run uses while it goes on: `with Tracked(url, "FR", read_kwh) as run: train()`.

`read_kwh` gives what a meter has counted so far (RAPL, NVML, a PDU, a smart plug). A step that could not be sent is sent with the next
one: the same step twice counts once.
"""

from __future__ import annotations

import json
import threading
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class Tracked:
    """A run that is followed: `id` is its id in Gridgram. Energy in kWh, time in seconds."""

    def __init__(self, url: str, location: str, read_kwh: Callable[[], float], seconds: float = 600.0) -> None:
        self.id, self.location, self.read_kwh, self.seconds = str(uuid.uuid4()), location, read_kwh, seconds
        self.url = f"{url}/v1/runs/{self.id}/energy"
        self.unsent: list[dict[str, object]] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.follow)

    def __enter__(self) -> Self:
        self.before = self.read_kwh(), datetime.now(UTC)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def follow(self) -> None:
        """Send a step every so many seconds, and the last one at the end."""
        while not self.ended.wait(self.seconds):
            self.send()
        self.send()

    def send(self) -> None:
        """Send what was used since the last time."""
        (kwh, start), self.before = self.before, (self.read_kwh(), datetime.now(UTC))
        self.unsent.append({"start": start.isoformat(), "end": self.before[1].isoformat(), "kwh": self.before[0] - kwh})
        body = {"location": self.location, "energy": {"intervals": self.unsent}}
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except OSError:
            return
        self.unsent = []
