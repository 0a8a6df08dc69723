"""The Redis server behind the bus and the directory of an installation on several machines."""

import re
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from storage.errors import StorageError

PREFIX = "parvis:"
"""Of every key: the server may be shared with others."""
CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 10.0
"""Longer than any command waits on purpose; a connection that is silent for longer is given up."""
MEMORY = "memory://"
SCHEMES = ("redis://", "rediss://", "unix://")


async def connect(url: str) -> Redis | None:
    """Return a client whose server has answered, None for `memory://`.

    Raises StorageError (`bus_url`, `bus_unreachable`). A lost connection is made anew by the client itself, three times
    within about a second for each command.
    """
    if url == MEMORY:
        return None
    if not url.startswith(SCHEMES):
        raise StorageError("bus_url", url, ", ".join((MEMORY, *SCHEMES)))
    try:
        parts = urlsplit(url)
        if parts.scheme != "unix" and not re.fullmatch(r"(/\d*)?", parts.path):
            raise ValueError(f"{parts.path} is not the number of a database")
        client = Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=REPLY_TIMEOUT_S,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
            health_check_interval=30,
        )
    except (ValueError, TypeError) as error:
        raise StorageError("bus_url", url, error) from error
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        await client.aclose()
        raise StorageError("bus_unreachable", url, error) from error
    except BaseException:
        await client.aclose()
        raise
    return client
