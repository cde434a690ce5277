"""The speed table: whole processes on this machine, ours beside a yardstick in the same run, medians of several rounds.

make bench, or python bench/run.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
GRIDGRAM = [sys.executable, "-c", "from service.cli import app; app()"]
SECONDS, CONNECTIONS = 2.0, 32
JOB = {"location": "FR", "energy": {"start": "2024-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2] * 24}}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, cache: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, from its first answer until it is told to stop."""
    environment = os.environ | {"XDG_CACHE_HOME": cache, "GRIDGRAM_DRAIN_NOTICE_SECONDS": "0", "PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen(command, env=environment, cwd=HERE.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.005)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def loaded(port: int, body: bytes) -> dict[str, float]:
    """One round of load from another process."""
    command = [sys.executable, str(HERE / "load.py"), str(port), "/v1/emissions", str(SECONDS), str(CONNECTIONS)]
    measured: dict[str, float] = json.loads(subprocess.run(command, input=body, capture_output=True, check=True).stdout)
    return measured


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used, in all its threads, in itself and in the system on its behalf. [s]"""
    user_ticks, system_ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user_ticks) + int(system_ticks)) / os.sysconf("SC_CLK_TCK")


def turn(server: subprocess.Popen[bytes], port: int, body: bytes) -> dict[str, float]:
    """One round of load, with what a request cost the server: steadier than the rate while others use the machine. [us]"""
    before = processor_seconds(server.pid)
    measured = loaded(port, body)
    return {**measured, "processor_us": 1e6 * (processor_seconds(server.pid) - before) / measured["requests"]}


def http_table(rounds: int, cache: str) -> None:
    """POST /v1/emissions against a handler that returns the same bytes, and against FastAPI doing the same work, in turn."""
    for include in (["hours"], []):
        body = json.dumps({**JOB, "include": include}).encode()
        ours, bare, other = free_port(), free_port(), free_port()
        kept = Path(cache) / "answer.json"
        with ExitStack() as stack:
            servers = [stack.enter_context(running([*GRIDGRAM, "serve", "--port", str(ours)], ours, cache))]
            request = urllib.request.Request(f"http://127.0.0.1:{ours}/v1/emissions", body, {"Content-Type": "application/json"})
            kept.write_bytes(urllib.request.urlopen(request).read())  # noqa: S310 - loopback
            servers.append(stack.enter_context(running([sys.executable, str(HERE / "baseline.py"), str(bare), str(kept)], bare, cache)))
            servers.append(stack.enter_context(running([sys.executable, str(HERE / "fastapi_app.py"), str(other)], other, cache)))
            pairs = list(zip(servers, (ours, bare, other), strict=True))
            for server, port in pairs:
                turn(server, port, body)  # warm
            turns = [[turn(server, port, body) for server, port in pairs] for _ in range(rounds)]
        rps, p99 = (statistics.median(mine[name] for mine, _, _ in turns) for name in ("rps", "p99_ms"))
        of_bare, of_other = (statistics.median(each[0]["rps"] / each[place]["rps"] for each in turns) for place in (1, 2))
        cost, bare_cost, other_cost = (statistics.median(each[place]["processor_us"] for each in turns) for place in range(3))
        print(
            f"POST /v1/emissions, 24 h, include {include}: {rps:,.0f} requests/s, p99 {p99:.2f} ms, {of_bare:.2f} of a handler that "
            f"returns the same {kept.stat().st_size:,} bytes, {of_other:.2f} of FastAPI doing the same work "
            f"(medians of {rounds} turns, {CONNECTIONS} connections); processor time of a request {cost:.0f} us, of that handler "
            f"{bare_cost:.0f} ({bare_cost / cost:.2f}), of FastAPI {other_cost:.0f} ({other_cost / cost:.2f})"
        )


def start_table(rounds: int, cache: str) -> None:
    """How long it takes to the first answer, and what that needs."""
    cold, ready, resident = [], [], []
    command = [*GRIDGRAM, "emissions", "--location", "FR", "--start", "2024-03-11T00:00:00Z", "--kwh", "1.2,0.8"]
    environment = os.environ | {"XDG_CACHE_HOME": cache}
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(command, env=environment, cwd=HERE.parent, capture_output=True, check=True)
        cold.append(time.perf_counter() - started)
        port = free_port()
        started = time.perf_counter()
        with running([*GRIDGRAM, "serve", "--port", str(port)], port, cache) as process:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").read()
            ready.append(time.perf_counter() - started)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = re.search(r"VmHWM:\s+(\d+)", status)
            resident.append(int(peak[1]) / 1024 if peak else float("nan"))
    print(f"gridgram emissions, cold: {statistics.median(cold):.2f} s")
    print(f"service ready: {statistics.median(ready):.2f} s, {statistics.median(resident):.0f} MiB resident at most")


if __name__ == "__main__":
    os.environ["GRIDGRAM_OFFLINE"] = "1"  # no figure may hang on a source
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        start_table(count, folder)
        http_table(count, folder)
