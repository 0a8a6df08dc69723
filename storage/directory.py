"""The directory: who is where in the installation.

Entries are short texts under keys like `room/<room>` (its control plane and media worker) and `worker/<kind>/<id>`
(its load). Each one ends by itself after its time to live, unless whoever it speaks of writes it again: a machine that
dies takes its entries along. `compare_and_set` decides between two that want the same thing.

In memory for one control plane, on Redis for several (`storage.bus` in the settings).
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage import broker
from storage.errors import StorageError

COMPARE_AND_SET = """
local held = redis.call('GET', KEYS[1])
if ARGV[1] == 'absent' then
  if held then return 0 end
elseif held ~= ARGV[2] then
  return 0
end
if ARGV[3] == 'remove' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1
"""


class Directory(ABC):
    """Texts by key, each with a time to live. Every method raises StorageError when the server is away."""

    @abstractmethod
    async def put(self, key: str, value: str, ttl_s: float) -> None:
        """Write an entry, whatever it held."""

    @abstractmethod
    async def get(self, key: str) -> str | None:
        """Return an entry that lives, else None."""

    @abstractmethod
    async def find(self, prefix: str) -> dict[str, str]:
        """Return the living entries whose key begins so."""

    @abstractmethod
    async def compare_and_set(self, key: str, expected: str | None, value: str | None, ttl_s: float) -> bool:
        """Write an entry only if it holds `expected` now (None: if there is none); a `value` of None removes it.

        Returns whether it was written. Of any number that ask at once, with whatever `value`s, one succeeds.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections."""


async def open_directory(url: str) -> Directory:
    """Return the directory for `memory://` or a Redis URL; raises StorageError."""
    client = await broker.connect(url)
    return MemoryDirectory() if client is None else RedisDirectory(client, url)


class MemoryDirectory(Directory):
    """A directory within one process. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[str, float]] = {}

    async def put(self, key: str, value: str, ttl_s: float) -> None:
        """Write an entry, whatever it held."""
        self._entries[key] = value, self._clock() + ttl_s

    async def get(self, key: str) -> str | None:
        """Return an entry that lives, else None."""
        return self._held(key)

    async def find(self, prefix: str) -> dict[str, str]:
        """Return the living entries whose key begins so."""
        living = {key: self._held(key) for key in list(self._entries) if key.startswith(prefix)}
        return {key: value for key, value in living.items() if value is not None}

    async def compare_and_set(self, key: str, expected: str | None, value: str | None, ttl_s: float) -> bool:
        """Write an entry only if it holds `expected` now."""
        if self._held(key) != expected:
            return False
        if value is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = value, self._clock() + ttl_s
        return True

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _held(self, key: str) -> str | None:
        value, end = self._entries.get(key, (None, 0.0))
        if value is not None and end <= self._clock():
            del self._entries[key]
            return None
        return value


class RedisDirectory(Directory):
    """A directory for several machines: one key for each entry, ended by the server's own clock."""

    def __init__(self, client: Redis, url: str) -> None:
        self._client = client
        self._url = url
        self._compare_and_set = client.register_script(COMPARE_AND_SET)

    async def put(self, key: str, value: str, ttl_s: float) -> None:
        """Write an entry, whatever it held."""
        try:
            await self._client.set(_name(key), value, px=_ms(ttl_s))
        except (RedisError, OSError) as error:
            raise self._away(error) from error

    async def get(self, key: str) -> str | None:
        """Return an entry that lives, else None."""
        try:
            value = await self._client.get(_name(key))
        except (RedisError, OSError) as error:
            raise self._away(error) from error
        return _text(value) if value is not None else None

    async def find(self, prefix: str) -> dict[str, str]:
        """Return the living entries whose key begins so; goes through all keys of the server, in small steps."""
        pattern = "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in _name(prefix)) + "*"
        found: dict[str, str] = {}
        try:
            keys = [key async for key in self._client.scan_iter(match=pattern, count=500)]
            values = await self._client.mget(keys) if keys else []
        except (RedisError, OSError) as error:
            raise self._away(error) from error
        for key, value in zip(keys, values, strict=True):
            if value is not None:
                found[_text(key).removeprefix(_name(""))] = _text(value)
        return found

    async def compare_and_set(self, key: str, expected: str | None, value: str | None, ttl_s: float) -> bool:
        """Write an entry only if it holds `expected` now."""
        arguments = [
            "absent" if expected is None else "holds",
            expected or "",
            "remove" if value is None else "write",
            value or "",
            _ms(ttl_s),
        ]
        try:
            return bool(await self._compare_and_set(keys=[_name(key)], args=arguments))
        except (RedisError, OSError) as error:
            raise self._away(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _away(self, error: Exception) -> StorageError:
        return StorageError("bus_unreachable", self._url, error)


def _name(key: str) -> str:
    return f"{broker.PREFIX}directory:{key}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _ms(ttl_s: float) -> int:
    return max(1, round(ttl_s * 1000))
