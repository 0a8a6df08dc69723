"""Both sides of each pair: what a test asks of one, it asks of the other, against the real server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.bus import Bus, open_bus
from storage.database import Database
from storage.directory import Directory, open_directory
from tests.rig.engines import Postgres, RedisServer, postgres, redis_server


@pytest.fixture(scope="session")
def redis_engine() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def bus_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    server: RedisServer = request.getfixturevalue("redis_engine")
    server.empty()
    return server.url


@pytest.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    opened = await open_bus(bus_url)
    yield opened
    await opened.close()


@pytest.fixture
async def directory(bus_url: str) -> AsyncIterator[Directory]:
    opened = await open_directory(bus_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def postgres_engine() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/parvis.db"
    server: Postgres = request.getfixturevalue("postgres_engine")
    return await server.new_database()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url)
    yield opened
    await opened.close()
