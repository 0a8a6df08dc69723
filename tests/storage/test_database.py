"""SQLite and PostgreSQL: migrations, transactions, and servers that are away."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from storage import migrate
from storage.database import Database
from storage.errors import StorageError
from storage.models import Base, RecordingRow, VisitRow
from tests.rig.engines import Postgres, postgres


def differences(connection: Connection) -> list[Any]:
    """What the tables lack or have too much, compared with the models."""
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)


def visit(name: str) -> VisitRow:
    return VisitRow(id=name, title="", language="fr", state="created", created_at_s=1.0)


async def test_migrations_make_from_nothing_just_the_tables_of_the_models(database: Database) -> None:
    async with database.read() as session:
        connection = await session.connection()
        assert await connection.run_sync(differences) == []
        for table in Base.metadata.sorted_tables:
            assert (await session.execute(select(func.count()).select_from(table))).scalar_one() == 0


async def test_a_table_that_is_not_in_the_models_is_seen(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("create table stray (id integer primary key)"))
    async with database.read() as session:
        found = await (await session.connection()).run_sync(differences)
    assert [difference[0] for difference in found] == ["remove_table"]


async def test_migrations_go_back_to_nothing_and_forth_again(database: Database, database_url: str) -> None:
    async with database.write() as session:
        connection = await session.connection()
        await connection.run_sync(lambda it: command.downgrade(migrate.configuration(it), "base"))
        found = await connection.run_sync(differences)
    assert {difference[0] for difference in found} >= {"add_table"}
    again = await Database.open(database_url)
    async with again.read() as session:
        assert await (await session.connection()).run_sync(differences) == []
    await again.close()


async def test_opening_again_changes_nothing_and_loses_nothing(database_url: str) -> None:
    for _ in range(2):
        database = await Database.open(database_url)
        async with database.write() as session:
            await session.merge(visit("kept"))
        await database.close()
    database = await Database.open(database_url)
    async with database.read() as session:
        assert (await session.get_one(VisitRow, "kept")).created_at_s == 1.0
    await database.close()


async def test_control_planes_that_start_together_migrate_once(database_url: str) -> None:
    opened = await asyncio.gather(*(Database.open(database_url) for _ in range(4)))
    async with opened[0].read() as session:
        assert (await session.execute(text("select count(*) from alembic_version"))).scalar_one() == 1
    for database in opened:
        await database.close()


async def test_tables_of_a_newer_parvis_are_left_alone(database_url: str) -> None:
    database = await Database.open(database_url)
    async with database.write() as session:
        await session.execute(text("update alembic_version set version_num = '9999'"))
    await database.close()
    with pytest.raises(StorageError, match="9999") as caught:
        await Database.open(database_url)
    assert caught.value.code == "database_newer"


async def test_a_transaction_that_fails_leaves_nothing_behind(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as session:
            session.add(visit("never"))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.read() as session:
        assert await session.get(VisitRow, "never") is None


async def test_what_belongs_to_a_visit_needs_one_and_goes_with_it(database: Database) -> None:
    recording = RecordingRow(id="r", visit_id="v", state="active", started_at_s=1.0)
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            session.add(recording)
    async with database.write() as session:
        session.add(visit("v"))
        await session.flush()
        session.add(RecordingRow(id="r", visit_id="v", state="active", started_at_s=1.0))
    async with database.write() as session:
        await session.delete(await session.get_one(VisitRow, "v"))
    async with database.read() as session:
        assert await session.get(RecordingRow, "r") is None


async def test_writers_at_once_wait_for_each_other_and_nothing_is_lost(database: Database) -> None:
    async with database.write() as session:
        session.add(visit("counter"))

    async def add_one() -> None:
        async with database.write() as session:
            row = await session.get_one(VisitRow, "counter", with_for_update=True)
            row.created_at_s += 1

    await asyncio.gather(*(add_one() for _ in range(25)))
    async with database.read() as session:
        assert (await session.get_one(VisitRow, "counter")).created_at_s == 26.0


async def test_a_reader_sees_the_past_while_somebody_writes(database: Database) -> None:
    async with database.write() as writing:
        writing.add(visit("new"))
        await writing.flush()
        async with database.read() as reading:
            assert await reading.get(VisitRow, "new") is None
    async with database.read() as reading:
        assert await reading.get(VisitRow, "new") is not None


# --- addresses and servers that are wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["", "parvis.db", "mysql://host/name", "sqlite://", "sqlite:///:memory:", "postgresql://u:secret@h:port/x"]
)
async def test_an_address_that_makes_no_sense_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StorageError) as caught:
        await Database.open(url)
    assert caught.value.code == "database_url"
    assert "secret" not in str(caught.value)


async def test_a_folder_that_is_not_there_and_a_file_that_is_no_database_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, " * 100)
    for name, reason in (("missing/parvis.db", "unable to open database file"), ("text.db", "not a database")):
        with pytest.raises(StorageError, match=reason) as caught:
            await Database.open(f"sqlite:///{tmp_path}/{name}")
        assert caught.value.code == "database_unreachable"


@pytest.mark.parametrize(
    "rest", ["someone:secret@127.0.0.1:1/parvis", "someone:secret@/parvis?host=/nowhere"], ids=["tcp", "socket"]
)
async def test_a_server_that_is_not_there_is_said_to_be_out_of_reach(rest: str) -> None:
    with pytest.raises(StorageError) as caught:
        await Database.open(f"postgresql://{rest}")
    assert caught.value.code == "database_unreachable"
    assert "secret" not in str(caught.value)


async def test_a_database_or_user_that_the_server_does_not_know_is_said_so(postgres_engine: Postgres) -> None:
    with pytest.raises(StorageError, match="does not exist") as caught:
        await Database.open(postgres_engine.socket_url("nothing"))
    assert caught.value.code == "database_unreachable"
    with pytest.raises(StorageError, match="does not exist"):
        await Database.open(postgres_engine.socket_url("postgres").replace("parvis@", "nobody_known@"))


async def test_a_server_that_restarted_is_used_again() -> None:
    with postgres() as server:
        database = await Database.open(await server.new_database())
        async with database.write() as session:
            session.add(visit("before"))
        await asyncio.to_thread(server.stop)
        with pytest.raises(StorageError, match="database_unreachable"):
            async with database.read() as session:
                await session.get(VisitRow, "before")
        await asyncio.to_thread(server.start)
        async with database.read() as session:
            assert await session.get(VisitRow, "before") is not None
        await database.close()


async def test_a_connection_that_is_cut_in_a_transaction_is_an_error_of_storage(postgres_engine: Postgres) -> None:
    url = await postgres_engine.new_database()
    database = await Database.open(url)
    other = await asyncpg.connect(user="parvis", database="postgres", host=str(postgres_engine.folder))

    async def cut() -> None:
        async with database.write() as session:
            pid = (await session.execute(text("select pg_backend_pid()"))).scalar_one()
            await other.execute("select pg_terminate_backend($1)", pid)
            await session.execute(text("select 1"))

    with pytest.raises(StorageError, match="database_unreachable"):
        await cut()
    async with database.read() as session:
        assert (await session.execute(text("select 1"))).scalar_one() == 1
    await other.close()
    await database.close()


async def test_sqlite_keeps_a_log_ahead_and_its_references(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/parvis.db")
    async with database.read() as session:
        assert (await session.execute(text("pragma journal_mode"))).scalar_one() == "wal"
        assert (await session.execute(text("pragma foreign_keys"))).scalar_one() == 1
        assert (await session.execute(text("pragma busy_timeout"))).scalar_one() == 10_000
    await database.close()
    with sqlite3.connect(tmp_path / "parvis.db") as plain:
        assert plain.execute("pragma integrity_check").fetchone() == ("ok",)
    plain.close()
