"""The database: SQLite for one machine, PostgreSQL by URL, the same everywhere else in the code.

SQLite runs with a write-ahead log, foreign keys on, and one writer at a time that waits for the other; a transaction
that will write says so at its beginning, since SQLite cannot turn a reader into a writer without the risk of refusing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from storage import migrate
from storage.errors import StorageError
from storage.models import Base

BUSY_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0
WRITES = "parvis_writes"
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
AWAY = (InterfaceError, OperationalError, PoolTimeout, OSError, TimeoutError)
REFUSED = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    migrate.BrokenReference,
    OSError,
    TimeoutError,
)


class Database:
    """Transactions on one database. Errors of the server are StorageError `database_unreachable`."""

    def __init__(self, engine: AsyncEngine, url: str) -> None:
        self._engine = engine
        self._url = url
        self._reading = async_sessionmaker(engine, expire_on_commit=False)
        self._writing = async_sessionmaker(_writing(engine), expire_on_commit=False)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect and bring the tables up to date.

        Raises StorageError: `database_url`, `database_unreachable`, or `database_newer` when a newer Parvis has
        changed the tables.
        """
        engine = _engine(url)
        try:
            await migrate.upgrade(_writing(engine))
        except migrate.UnknownRevision as error:
            await engine.dispose()
            raise StorageError("database_newer", url, error) from error
        except REFUSED as error:
            await engine.dispose()
            raise StorageError("database_unreachable", url, _reason(error)) from error
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, url)

    async def close(self) -> None:
        """Let go of connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Give a transaction that only reads."""
        async with self._transaction(self._reading) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Give a transaction; it is committed at the end of the block, or undone by an exception."""
        async with self._transaction(self._writing) as session:
            yield session

    def insert(self, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
        """Return an INSERT that can say what to do when the row is there already (`on_conflict_do_…`)."""
        return sqlite.insert(table) if self._engine.dialect.name == "sqlite" else postgresql.insert(table)

    @asynccontextmanager
    async def _transaction(self, sessions: async_sessionmaker[AsyncSession]) -> AsyncIterator[AsyncSession]:
        try:
            async with sessions.begin() as session:
                yield session
        except AWAY as error:
            raise StorageError("database_unreachable", self._url, _reason(error)) from error
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise StorageError("database_unreachable", self._url, _reason(error)) from error


def _writing(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(**{WRITES: True})


def _engine(url: str) -> AsyncEngine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StorageError("database_url", url, "sqlite:///…, postgresql://…") from error
    driver = DRIVERS.get(parsed.drivername)
    if driver is None:
        raise StorageError("database_url", url, "sqlite:///…, postgresql://…")
    parsed = parsed.set(drivername=driver)
    return _sqlite(parsed, url) if driver.startswith("sqlite") else _postgresql(parsed)


def _postgresql(url: URL) -> AsyncEngine:
    if "sslmode" in url.query:  # libpq's word, which people copy; asyncpg's is ssl
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    return create_async_engine(
        url,
        pool_pre_ping=True,  # a server that restarted is noticed before a transaction begins
        pool_timeout=CONNECT_TIMEOUT_S,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": COMMAND_TIMEOUT_S},
    )


def _sqlite(url: URL, shown: str) -> AsyncEngine:
    if not url.database or url.database == ":memory:":
        raise StorageError("database_url", shown, "sqlite:///path")
    engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins no transaction of its own; _begin does
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _reason(error: BaseException) -> str:
    """Return what the server said, without the statement and its parameters, which hold what people said."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(cause).strip() or type(cause).__name__
