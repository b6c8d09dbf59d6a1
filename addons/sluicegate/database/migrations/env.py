"""Alembic's entry: runs the revisions on the connection, and in the transaction, that `upgrade` handed over."""

from alembic import context

from sluicegate.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
