"""The way to a Redis server, cluster or sentinels: one deadline, one retry, so many connections and no more, and a breaker.

Whatever goes wrong is a StoreError. A server that does not answer is found out once, within ANSWER_SECONDS; from then on every call
fails at once, until a look in the background finds the server again. A caller who leaves disturbs nobody: the command is
finished without him. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Connection, ConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from cache.redis_tls import TlsConnection, TlsSentinelConnection
from cache.redis_url import RedisKind
from gridgram.errors import StoreError, StoreRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from cache.redis_url import RedisPlace

Command = tuple[str | bytes | int, ...]

ANSWER_SECONDS: Final = 0.25
"""How long one command may take, connecting and the retry included."""
WAIT_ANSWERS: Final = 4
"""A command waits for so many answers at most while CONNECTIONS others are under way."""
DISCOVER_SECONDS: Final = 0.75
"""What the first call to a cluster or to sentinels may take longer, for they are first asked who is who."""
LOOK_SECONDS: Final = 0.2
"""How often a server that was lost is looked for: after a failover this is what we add to what the sentinels take."""
LOOK_DEADLINE_SECONDS: Final = 2.0
SENTINEL_SECONDS: Final = 0.1
"""How long one sentinel may take to answer before the next is asked."""
CONNECTIONS: Final = 32
"""How many commands are under way at once; further ones wait."""
MOST: Final = 2 * CONNECTIONS
"""Connections to one server, those that are being closed included."""

LOST: Final = (RedisConnectionError, RedisTimeoutError, ClusterDownError, RedisClusterException, InvalidResponse, OSError, TimeoutError)
"""What says that the server cannot be reached or does not answer, rather than that it refuses one command."""
RETRIED: Final = (RedisConnectionError, RedisClusterException, OSError)


class RedisLink:
    """Sends commands to the place; opens connections at the first one. With `tls`, inside it."""

    def __init__(self, place: RedisPlace, tls: SSLContext | None = None, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.place = place
        self.answer_seconds = answer_seconds
        self._tls = tls
        self._client: Redis | RedisCluster | None = None
        self._sentinel: Sentinel | None = None
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._has_answered = False
        self._lost = ""
        self._looking: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"RedisLink({self.place.name!r})"

    async def ask(self, key: str, *command: str | bytes | int, retries: bool = True) -> Any:  # noqa: ANN401 - Redis answers anything
        """Send one command that concerns this key, and others of its slot. Raises StoreError, or StoreRefused when only this is refused."""
        if self._is_closed:
            raise StoreError(f"The store {self.place.name} is closed.")
        if self._lost:
            raise StoreError(self._lost)
        task = asyncio.ensure_future(self._ask(key, command, retries=retries))
        self._under_way.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def ask_list(self, key: str, *command: str | bytes | int, retries: bool = True) -> list[Any]:
        """The same for a command that is answered by a list; any other answer is a StoreError."""
        answer = await self.ask(key, *command, retries=retries)
        if not isinstance(answer, list):
            raise StoreError(f"The store {self.place.name} answers something else than what it was asked for.")
        return answer

    async def close(self) -> None:
        """Finish what is under way and let go of all connections."""
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*self._under_way, return_exceptions=True)
        client, sentinel, self._client, self._sentinel = self._client, self._sentinel, None, None
        for connected in (client, sentinel):
            if connected is not None:
                with suppress(*LOST):
                    await connected.aclose()
        if isinstance(client, RedisCluster):  # which closes nothing while it has lost sight of a node (redis-py 8.1)
            for nodes in ("nodes_cache", "startup_nodes"):
                with suppress(*LOST):
                    await client.nodes_manager.aclose(nodes)

    async def _ask(self, key: str, command: Command, *, retries: bool) -> Any:  # noqa: ANN401
        async with self._place():
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._send(command, retries=retries)
            except MaxConnectionsError as error:
                raise StoreError(f"The store {self.place.name} is busy.") from error
            except LOST as error:
                raise self._gone(error, key) from error
            except RedisError as error:
                raise StoreRefused(f"The store {self.place.name} {_refusal(error)}.") from error
            except Exception as error:  # what the library makes of an answer that is none: never the caller's fault
                raise self._gone(error, key) from error
        self._has_answered = True
        return answer

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the CONNECTIONS commands that may be under way; waited for, but not for a server that was lost meanwhile."""
        try:
            async with asyncio.timeout(WAIT_ANSWERS * self.answer_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise StoreError(f"The store {self.place.name} is busy: {CONNECTIONS} commands were before this one.") from error
        try:
            if self._lost:
                raise StoreError(self._lost)
            yield
        finally:
            self._free.release()

    @property
    def _seconds(self) -> float:
        is_known = self._has_answered or self.place.kind is RedisKind.SINGLE
        return self.answer_seconds if is_known else self.answer_seconds + DISCOVER_SECONDS

    async def _send(self, command: Command, *, retries: bool) -> Any:  # noqa: ANN401
        try:
            return await self._send_once(command)
        except AuthenticationError:
            raise
        except RETRIED:
            if not retries:
                raise
            return await self._send_once(command)

    async def _send_once(self, command: Command) -> Any:  # noqa: ANN401
        client = self._connected()
        if isinstance(client, RedisCluster):
            await client.initialize()  # else redis-py 8.1 sends what comes before it knows the slots to any node
        return await client.execute_command(*command)

    def _gone(self, error: BaseException, key: str) -> StoreError:
        """Open the breaker and begin to look for the server; returns what to tell."""
        if not self._is_closed and not self._lost:
            self._lost = f"The store {self.place.name} {_complaint(error, self.answer_seconds)}."
            self._looking = asyncio.ensure_future(self._look(key))
        return StoreError(self._lost or f"The store {self.place.name} is closed.")

    async def _look(self, key: str) -> None:
        """Ask for the key that was asked for last until the server answers, then close the breaker."""
        while self._lost:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                for seconds in (
                    LOOK_DEADLINE_SECONDS,
                    ANSWER_SECONDS,
                ):  # to connect may take longer; then it must be as quick as we need it
                    async with asyncio.timeout(seconds):
                        await self._send_once(("EXISTS", key))
            except LOST as error:
                self._lost = f"The store {self.place.name} {_complaint(error, self.answer_seconds)}."
                continue
            except RedisError:
                pass  # it answers, if only to refuse
            except Exception as error:  # noqa: BLE001 - as in _ask; and to look must not end before the server is found
                self._lost = f"The store {self.place.name} {_complaint(error, self.answer_seconds)}."
                continue
            self._has_answered = True
            self._lost = ""

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have left; then nobody else looks at it

    def _connected(self) -> Redis | RedisCluster:
        if self._client is None:
            self._client = self._make_client()
        return self._client

    def _make_client(self) -> Redis | RedisCluster:
        place = self.place
        options: dict[str, Any] = {"username": place.username, "password": place.password, "client_name": "gridgram"}
        options |= _timed(self.answer_seconds)
        if place.kind is RedisKind.CLUSTER:
            return self._make_cluster(options)
        if place.kind is RedisKind.SENTINEL:
            self._sentinel = Sentinel([])  # type: ignore[no-untyped-call]
            self._sentinel.sentinels = [Redis.from_pool(self._pool(host, port, _timed(SENTINEL_SECONDS))) for host, port in place.hosts]
            tls: dict[str, Any] = {"connection_class": TlsSentinelConnection, "shared_context": self._tls} if self._tls else {}
            master: Redis = self._sentinel.master_for(place.service_name, db=place.database, max_connections=MOST, **options, **tls)
            return master
        ((host, port),) = place.hosts
        return Redis.from_pool(self._pool(host, port, options | {"db": place.database}))

    def _pool(self, host: str, port: int, options: dict[str, Any]) -> ConnectionPool:
        if self._tls:
            options = options | {"shared_context": self._tls}
        return ConnectionPool(TlsConnection if self._tls else Connection, host=host, port=port, max_connections=MOST, **options)

    def _make_cluster(self, options: dict[str, Any]) -> RedisCluster:
        nodes = [ClusterNode(host, port) for host, port in self.place.hosts]
        # 0 steps: else a few moved slots close the connections of commands that are under way
        cluster = RedisCluster(startup_nodes=nodes, ssl=self._tls is not None, max_connections=MOST, reinitialize_steps=0, **options)
        if self._tls:  # there is no public way to say how a cluster's nodes are connected to
            cluster.connection_kwargs |= {"connection_class": TlsConnection, "shared_context": self._tls}
            for node in cluster.startup_nodes:
                node.connection_class = TlsConnection
                node.connection_kwargs["shared_context"] = self._tls
        return cluster


def _timed(seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),  # we try again ourselves; the library's own ten tries take seconds
        "driver_info": None,  # CLIENT SETINFO would cost two more answers
        "protocol": 2,  # 3 asks every new connection for notices that we do not read
    }


def _complaint(error: BaseException, seconds: float) -> str:
    """Why the server counts as lost, and what to look at; the library's own texts stay inside, for they may name more than we want."""
    if isinstance(error, AuthenticationError):
        return "refuses the user or the password; look at GRIDGRAM_STORE, GRIDGRAM_REDIS_PASSWORD_FILE and the server's ACL"
    if isinstance(error, BusyLoadingError):
        return "is still loading its data"
    if isinstance(error, ClusterDownError):
        return "is a cluster that is down: not all of its slots are served"
    if isinstance(error, (TimeoutError, RedisTimeoutError)):
        return f"does not answer within {seconds:g} s"
    if not isinstance(error, (RedisConnectionError, RedisClusterException, OSError)):
        return f"gives answers that are not Redis's ({type(error).__name__}); look whether GRIDGRAM_STORE names a Redis server"
    return "cannot be reached; look whether it runs and whether GRIDGRAM_STORE names it"


def _refusal(error: RedisError) -> str:
    if isinstance(error, OutOfMemoryError):
        return "is full and takes no more; give it memory, or maxmemory-policy allkeys-lru"
    if isinstance(error, ReadOnlyError):
        return "is a replica that may not be written; name its master"
    if isinstance(error, NoPermissionError):
        return "does not let this user do that; docs/store.md has the ACL that is needed"
    if str(error).startswith("MISCONF"):
        return "takes no writes because it cannot save to its disk"
    return f"refuses a command ({type(error).__name__})"
