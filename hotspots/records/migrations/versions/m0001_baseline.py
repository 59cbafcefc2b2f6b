"""All tables, and the triggers by which the database refuses to change the log.

It says what it makes and takes nothing from `database`: a migration stays as it was released.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SQLITE = (
    "CREATE TRIGGER event_never_changes BEFORE UPDATE ON event "
    "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    "CREATE TRIGGER event_never_goes BEFORE DELETE ON event "
    "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    # INSERT OR REPLACE deletes the old row without firing the DELETE trigger.
    "CREATE TRIGGER event_never_replaced BEFORE INSERT ON event "
    "WHEN EXISTS (SELECT 1 FROM event WHERE seq = NEW.seq OR event_id = NEW.event_id "
    "OR hash = NEW.hash OR (stream = NEW.stream AND version = NEW.version)) "
    "BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END",
    "CREATE TRIGGER event_without_gap BEFORE INSERT ON event "
    "WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM event) "
    "BEGIN SELECT RAISE(ABORT, 'the log has no gaps'); END",
)

# A statement trigger also refuses INSERT ... ON CONFLICT DO UPDATE. ALWAYS: a session that plays
# the replica (session_replication_role) would pass by ordinary triggers.
_POSTGRESQL = (
    "CREATE FUNCTION event_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN RAISE EXCEPTION 'the log is only added to' USING ERRCODE = 'check_violation'; END $$",
    "CREATE FUNCTION event_has_no_gap() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "DECLARE next bigint; BEGIN "
    "EXECUTE format('SELECT COALESCE(MAX(seq), 0) + 1 FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME) "
    "INTO next; "
    "IF NEW.seq <> next THEN "
    "RAISE EXCEPTION 'the log has no gaps' USING ERRCODE = 'check_violation'; END IF; "
    "RETURN NEW; END $$",
    "CREATE TRIGGER event_never_changes BEFORE UPDATE ON event "
    "FOR EACH STATEMENT EXECUTE FUNCTION event_only_added_to()",
    "CREATE TRIGGER event_never_goes BEFORE DELETE ON event "
    "FOR EACH STATEMENT EXECUTE FUNCTION event_only_added_to()",
    "CREATE TRIGGER event_never_emptied BEFORE TRUNCATE ON event "
    "FOR EACH STATEMENT EXECUTE FUNCTION event_only_added_to()",
    "CREATE TRIGGER event_without_gap BEFORE INSERT ON event "
    "FOR EACH ROW EXECUTE FUNCTION event_has_no_gap()",
    "ALTER TABLE event ENABLE ALWAYS TRIGGER event_never_changes",
    "ALTER TABLE event ENABLE ALWAYS TRIGGER event_never_goes",
    "ALTER TABLE event ENABLE ALWAYS TRIGGER event_never_emptied",
    "ALTER TABLE event ENABLE ALWAYS TRIGGER event_without_gap",
)


def upgrade() -> None:
    """Make the tables and the guards."""
    _event()
    _boundaries()
    _imports()
    _others()
    guards = _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE
    for statement in guards:
        op.execute(statement)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False)


def _event() -> None:
    op.create_table(
        "event",
        _number("seq"),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        _text("stream"),
        sa.Column("version", sa.Integer, nullable=False),
        _text("kind"),
        _text("type"),
        _text("effective_on"),
        _text("recorded_at"),
        _text("recorded_by"),
        _text("payload"),
        _text("prev_hash"),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.UniqueConstraint("stream", "version"),
    )
    op.create_index("event_by_kind", "event", ["kind", "seq"])


def _boundaries() -> None:
    op.create_table(
        "edition",
        sa.Column("edition", sa.Text, primary_key=True),
        _text("added_at"),
        _text("source"),
        sa.Column("schematic", sa.Boolean, nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        _text("findings"),
        _text("wards_file"),
        _text("drawing_file"),
    )
    op.create_table(
        "crosswalk",
        _number("number"),
        _text("from_edition"),
        _text("to_edition"),
        _text("added_at"),
        _text("source"),
        _text("findings"),
        _text("pairs_file"),
    )


def _imports() -> None:
    op.create_table(
        "import_batch",
        _number("batch"),
        _text("kind"),
        _text("sha256"),
        _text("source"),
        _text("recorded_at"),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("accepted", sa.Integer, nullable=False),
        sa.Column("already_there", sa.Integer, nullable=False),
        sa.Column("rejected", sa.Integer, nullable=False),
        _text("file"),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.UniqueConstraint("kind", "sha256"),
    )
    op.create_table(
        "file",
        sa.Column("folder", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary),
        _text("sha256"),
    )


def _others() -> None:
    op.create_table("programme", _number("number"), _text("added_at"), _text("text"))
    op.create_table("setting", sa.Column("key", sa.Text, primary_key=True), _text("value"))
    op.create_table(
        "user",
        sa.Column("name", sa.Text, primary_key=True),
        _text("display_name"),
        _text("role"),
        _text("wards"),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        _text("password_hash", nullable=True),
        sa.Column("email", sa.Text, unique=True),
        _text("added_at"),
    )
