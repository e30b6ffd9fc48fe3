"""How Alembic reaches the ledger: through the engine that the ledger hands it."""

import sqlalchemy as sa
from alembic import context

from warehouse.ledger import Base


def run() -> None:
    """Run the migrations in one transaction."""
    engine: sa.Engine = context.config.attributes["engine"]
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
