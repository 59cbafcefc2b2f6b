"""Runs migrations on the connection that `database` gives, within its transaction."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """Run what Alembic has been asked to run."""
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic loads this file
    run()
