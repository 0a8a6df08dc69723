"""Alembic's way in: the connection, within a transaction, comes from storage/migrate.py."""

from alembic import context

from storage.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column: the table is rebuilt
    compare_type=True,
)
context.run_migrations()
