"""Imports in parts, what an import replaces, and the digest of the file that was brought.

It says what it makes and takes nothing from `database`: a migration stays as it was released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table of the parts, and to the batches what is known from now on."""
    for name in ("file_sha256", "replaces", "note"):
        op.add_column(
            "import_batch", sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))
        )
    op.create_table(
        "import_part",
        sa.Column("batch", sa.Integer, sa.ForeignKey("import_batch.batch"), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
    )
