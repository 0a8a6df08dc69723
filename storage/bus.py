"""The bus: what happens in the installation, told to whoever listens.

In memory for one control plane, on Redis for several (`storage.bus` in the settings); both keep the same promises:

- a subscriber gets every payload published after its `subscribe` was entered, in the order of publishing;
- nobody waits for a slow subscriber: one that is more than `CAPACITY` payloads behind loses the oldest, and `missed`
  of its subscription counts them;
- a payload may come twice when a connection breaks in the middle of publishing.

On Redis a topic is a stream that is cut to `CAPACITY` entries and forgotten after an hour of silence. So a subscriber
whose connection broke goes on where it was, which Redis' own publish/subscribe could not promise.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage import broker
from storage.errors import StorageError

logger = logging.getLogger(__name__)

CAPACITY = 2000
"""Payloads kept for a subscriber that does not read."""
BATCH = 200
"""Payloads that a subscription hands over at once, at most."""
MAX_WAITING = 1000
"""Publishers that may wait for a server which does not answer; more are refused at once."""
PATIENCE_S = 30.0
"""How long a publisher waits for a server that does not answer."""
FORGET_S = 3600
"""A silent topic's payloads are gone from the server after this: they hold what people said."""
BLOCK_MS = 4000
"""How long one read waits for something new; less than the client's patience with a silent connection."""
RETRY_S = 0.2
LAST_RETRY_S = 2.0

PUBLISH = """
local n = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'n', n, 'payload', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return n
"""


class Subscription(ABC):
    """One listener's place in one topic. Iterate over it, or take payloads in batches."""

    def __init__(self) -> None:
        self.missed = 0
        """Payloads that were dropped because this subscriber was too slow, or the server lost them."""
        self._taken: deque[bytes] = deque()

    @abstractmethod
    async def take(self) -> list[bytes]:
        """Return what has come, at least one payload and at most `BATCH`, waiting for it if need be."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._taken:
            self._taken.extend(await self.take())
        return self._taken.popleft()


class Bus(ABC):
    """Publish and subscribe by topic."""

    @abstractmethod
    async def publish(self, topic: str, payload: bytes) -> None:
        """Tell every subscriber of a topic; raises StorageError when the server stays away."""

    @abstractmethod
    def subscribe(self, topic: str) -> AbstractAsyncContextManager[Subscription]:
        """Listen to a topic while the block lasts."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections."""


async def open_bus(url: str) -> Bus:
    """Return the bus for `memory://` or a Redis URL; raises StorageError."""
    client = await broker.connect(url)
    return MemoryBus() if client is None else RedisBus(client, url)


# --- in memory -------------------------------------------------------------------------------------------------------


class _MemorySubscription(Subscription):
    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[bytes] = deque()
        self._come = asyncio.Event()

    def put(self, payload: bytes) -> None:
        if len(self._waiting) == CAPACITY:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(payload)
        self._come.set()

    async def take(self) -> list[bytes]:
        while not self._waiting:
            self._come.clear()
            await self._come.wait()
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]


class MemoryBus(Bus):
    """A bus within one process."""

    def __init__(self) -> None:
        self._topics: dict[str, set[_MemorySubscription]] = {}

    async def publish(self, topic: str, payload: bytes) -> None:
        """Queue the payload for every subscriber; never waits."""
        for subscription in self._topics.get(topic, ()):
            subscription.put(payload)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Subscription]:
        """Listen to a topic while the block lasts."""
        subscription = _MemorySubscription()
        listeners = self._topics.setdefault(topic, set())
        listeners.add(subscription)
        try:
            yield subscription
        finally:
            listeners.discard(subscription)

    async def close(self) -> None:
        """There is nothing to let go of."""


# --- on Redis --------------------------------------------------------------------------------------------------------


class _RedisSubscription(Subscription):
    """Reads a stream from where it stands: what is not read yet waits in the server."""

    def __init__(self, client: Redis, key: str) -> None:
        super().__init__()
        self._client = client
        self._key = key
        self._last: bytes | str = "0-0"
        self._number = 0
        """Of the last payload that was read: a jump shows what was dropped meanwhile."""

    async def begin(self) -> None:
        """Stand behind what was published before."""
        entries: Any = await self._client.xrevrange(self._key, count=1)
        for identity, fields in entries:
            self._last, self._number = identity, int(fields[b"n"])

    async def take(self) -> list[bytes]:
        pause_s = RETRY_S
        while True:
            try:
                found: Any = await self._client.xread({self._key: self._last}, count=BATCH, block=BLOCK_MS)
            except (RedisError, OSError) as error:
                logger.warning("the bus does not answer (%s); trying again", error)
                await asyncio.sleep(pause_s)
                pause_s = min(LAST_RETRY_S, pause_s * 2)
                continue
            streams = found.values() if isinstance(found, dict) else [entries for _, entries in found or ()]
            payloads = [self._read(identity, fields) for entries in streams for identity, fields in entries]
            if payloads:
                return payloads

    def _read(self, identity: bytes, fields: dict[bytes, bytes]) -> bytes:
        number = int(fields[b"n"])
        if number <= self._number:
            self._number = 0  # the server forgot the topic, and counts anew
        self.missed += number - self._number - 1
        self._last, self._number = identity, number
        return fields[b"payload"]


class RedisBus(Bus):
    """A bus for several machines: one stream for each topic."""

    def __init__(self, client: Redis, url: str) -> None:
        self._client = client
        self._url = url
        self._publish = client.register_script(PUBLISH)
        self._order = asyncio.Lock()
        self._waiting = 0

    async def publish(self, topic: str, payload: bytes) -> None:
        """Append to the topic's stream, in the order of the calls; waits up to `PATIENCE_S` for a lost server."""
        if self._waiting >= MAX_WAITING:
            raise StorageError("bus_unreachable", self._url, f"{MAX_WAITING} payloads wait to be published")
        keys = [f"{broker.PREFIX}bus:{{{topic}}}", f"{broker.PREFIX}bus:{{{topic}}}:n"]
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_S), self._order:
                await self._insist(keys, payload)
        except TimeoutError as error:
            raise StorageError("bus_unreachable", self._url, f"no answer in {PATIENCE_S:.0f} s") from error
        finally:
            self._waiting -= 1

    async def _insist(self, keys: list[str], payload: bytes) -> None:
        pause_s = RETRY_S
        while True:
            try:
                await self._publish(keys=keys, args=[payload, CAPACITY, FORGET_S])
            except (RedisError, OSError) as error:
                logger.warning("the bus does not answer (%s); trying again", error)
                await asyncio.sleep(pause_s)
                pause_s = min(LAST_RETRY_S, pause_s * 2)
            else:
                return

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Subscription]:
        """Listen to a topic while the block lasts; raises StorageError when the server is away at the beginning."""
        subscription = _RedisSubscription(self._client, f"{broker.PREFIX}bus:{{{topic}}}")
        try:
            await subscription.begin()
        except (RedisError, OSError) as error:
            raise StorageError("bus_unreachable", self._url, error) from error
        yield subscription

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
