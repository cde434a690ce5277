"""An open load: so many requests a second, sent when they are due whether or not others were answered, as the world does.

One that finds all connections waiting for answers is not sent, and counted.

    python bench/pace.py PORT PATH SECONDS CONNECTIONS RATE [WARM_SECONDS] < body

Prints JSON: answered and refused (503) a second, and the 50th and 99th percentile of both from when a request was due. [ms]
`late_ms` is how much of that passed before it was sent, as the load's own process has but its share of the cores.
Those answered whose connection had been refused less than Retry-After before are told apart: who asks sooner than told may have to wait.
What was due in the first WARM_SECONDS is sent and not counted. Runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import deque
from typing import cast

import uvloop

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
RETRY_AFTER = re.compile(rb"retry-after: *(\d+)", re.IGNORECASE)
NAP_SECONDS = 0.0002
"""Between two looks at what is due and what has come. A loop's own timers go by the millisecond, told as if the server had taken it."""
REFUSED = 503
Outcome = tuple[int, float, float, bool]
"""The status of an answer, when its request was due, how long it took from then, and whether it was sent sooner than told. [s]"""


class Connection(asyncio.Protocol):
    """One keep-alive connection; it goes back among the free ones with each answer."""

    def __init__(self, request: bytes, free: deque[Connection], outcomes: list[Outcome], lates: list[tuple[float, float]]) -> None:
        self.request = request
        self.free = free
        self.outcomes = outcomes
        self.lates = lates
        self.received = b""
        self.due_at = self.told_until = 0.0
        self.is_early = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be free."""
        self.transport = cast("asyncio.Transport", transport)
        self.free.append(self)

    def send(self, due_at: float) -> None:
        """Send the request that is due."""
        self.due_at = due_at
        self.is_early = due_at < self.told_until
        self.lates.append((due_at, time.perf_counter() - due_at))
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer; when it is whole, note how long it took from when it was due."""
        self.received = data = self.received + data if self.received else data
        head_end = data.find(b"\r\n\r\n")
        length = LENGTH.search(data, 0, head_end + 2) if head_end > 0 else None
        if length is None or len(data) - head_end - 4 < int(length[1]):
            return
        self.received = b""
        now, status = time.perf_counter(), int(data[9:12])
        self.outcomes.append((status, self.due_at, now - self.due_at, self.is_early))
        if status == REFUSED and (told := RETRY_AFTER.search(data, 0, head_end + 2)):
            self.told_until = now + int(told[1])
        self.free.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        """A connection that ends is an error."""
        self.outcomes.append((0, time.perf_counter(), 0.0, False))


def percentiles(milliseconds: list[float]) -> list[float]:
    """The 50th and 99th; nothing of nothing."""
    ordered = sorted(milliseconds)
    return [round(1000 * ordered[int(len(ordered) * share)], 2) for share in (0.5, 0.99)] if ordered else []


async def pace(  # noqa: PLR0913, PLR0917 - what is on the command line
    port: int, path: str, seconds: float, connections: int, rate: float, warm_seconds: float, body: bytes
) -> dict[str, object]:
    """Send at the rate for so long and tell what came back."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    free: deque[Connection] = deque()
    outcomes: list[Outcome] = []
    lates: list[tuple[float, float]] = []
    made = [
        (await loop.create_connection(lambda: Connection(head.encode() + body, free, outcomes, lates), "127.0.0.1", port))[0]
        for _ in range(connections)
    ]
    started, due, unsent = time.perf_counter(), 0, 0
    while (now := time.perf_counter() - started) < seconds:
        for number in range(due, int(now * rate) + 1):
            if free:
                free.popleft().send(started + number / rate)
            elif number / rate >= warm_seconds:
                unsent += 1
        due = int(now * rate) + 1
        time.sleep(max(0.0, min(NAP_SECONDS, due / rate - (time.perf_counter() - started))))  # noqa: ASYNC251 - so short
        await asyncio.sleep(0)
    await asyncio.sleep(1.0)
    counted = [outcome for outcome in outcomes if outcome[1] - started >= warm_seconds]
    length = seconds - warm_seconds
    well, early = ([took for status, _, took, is_early in counted if status == 200 and is_early is wanted] for wanted in (False, True))
    refused = [took for status, _, took, _ in counted if status == REFUSED]
    for transport in made:
        transport.close()
    return {
        "due_rps": round(due / seconds),
        "unsent_rps": round(unsent / length),
        "answered_rps": round((len(well) + len(early)) / length),
        "answered_ms": percentiles(well),
        "late_ms": percentiles([late for due_at, late in lates if due_at - started >= warm_seconds]),
        "early_rps": round(len(early) / length),
        "early_ms": percentiles(early),
        "refused_rps": round(len(refused) / length),
        "refused_ms": percentiles(refused),
        "other": len(counted) - len(well) - len(early) - len(refused),
    }


if __name__ == "__main__":
    _, port_text, path_text, *numbers = sys.argv
    numbers += ["0"] * (4 - len(numbers))
    how_long, how_many, how_often, warm = (float(number) for number in numbers)
    print(json.dumps(uvloop.run(pace(int(port_text), path_text, how_long, int(how_many), how_often, warm, sys.stdin.buffer.read()))))
