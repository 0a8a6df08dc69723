"""Bring the tables of a database to what this version of Parvis needs."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x7061727669730001
"""PostgreSQL's advisory lock: two control planes that start together do not migrate together."""


class UnknownRevision(Exception):
    """The tables were made by a version of Parvis that this one does not know."""


class BrokenReference(Exception):
    """A migration left rows that refer to nothing; it was undone."""


async def upgrade(engine: AsyncEngine) -> None:
    """Apply the migrations that are missing, in one transaction: all of them, or none when one fails.

    On SQLite the engine's transactions must be those of `storage.database`, the writing ones. Raises
    UnknownRevision, BrokenReference, and whatever the driver raises.
    """
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade)


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration for a connection; storage/migrations/env.py reads it."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        # A migration that rebuilds a table would otherwise cascade into the tables that refer to it.
        _pragma(connection, "PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            if not is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            config = configuration(connection)
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            strange = set(MigrationContext.configure(connection).get_current_heads()) - known
            if strange:
                raise UnknownRevision(", ".join(sorted(strange)))
            command.upgrade(config, "head")
            if is_sqlite and (broken := connection.execute(text("PRAGMA foreign_key_check")).first()):
                raise BrokenReference(f"a row of {broken[0]} refers to nothing")
    finally:
        if is_sqlite:
            _pragma(connection, "PRAGMA foreign_keys = ON")


def _pragma(connection: Connection, statement: str) -> None:
    """Run what SQLite ignores within a transaction."""
    driver = connection.connection.cursor()
    driver.execute(statement)
    driver.close()
