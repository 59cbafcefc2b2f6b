"""A store copied into another, empty one, of either kind, and proven to be the same.

Rows go over as they are, so the chain that arrives is the chain that left; it is walked again
before the copy counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from hotspots.errors import StoreError
from hotspots.records.chain import Head, head_of
from hotspots.records.database import (
    batches,
    crosswalks,
    editions,
    events,
    files,
    import_parts,
    programmes,
    settings,
    users,
)
from hotspots.records.store import Store, file_changed, named_files, sha256_of
from hotspots.records.verification import Verification, verify, verify_log

TABLES = (events, editions, crosswalks, programmes, batches, import_parts, users, settings)
"""All tables but the files, which lie in a folder or in the database."""

_ROWS_AT_ONCE = 1000


def copy_store(source: Store, target: Store) -> Verification:
    """Copy everything that the records of a store name, and verify it where it arrived.

    Returns
    -------
    Verification
        Of the target; its head is that of the source.

    Raises
    ------
    StoreError
        ``target_not_empty``; or what the verification found, and then the target is as empty as
        before.
    """
    with source.database.reading() as read, target.database.writing() as write:
        refuse_unless_empty(write, target.name)
        for table in TABLES:
            copy_rows(read, write, table)
        for folder, name, content in named_contents(source, read):
            target.keep_file(write, folder, name, content)
        refuse_unless_equal(verify_log(write), head_of(read), target.name)
    found = verify(target)
    if not found.ok:
        raise found.problems[0]
    return found


def named_contents(store: Store, read: sa.Connection) -> Iterator[tuple[str, str, bytes]]:
    """Yield the files that the records name; once named, a file does not change any more.

    Raises
    ------
    StoreError
        If one is missing, or is not what was written.
    """
    query = sa.select(files.c.folder, files.c.name, files.c.sha256)
    digests = {(row.folder, row.name): row.sha256 for row in read.execute(query)}
    for folder, name in sorted(named_files(read)):
        content = store.content(read, folder, name)
        if sha256_of(content) != digests.get((folder, name)):
            raise file_changed(store.name, folder, name)
        yield folder, name, content


def refuse_unless_empty(connection: sa.Connection, name: str) -> None:
    """Refuse to write into a store that holds anything already."""
    for table in TABLES:
        if connection.execute(sa.select(table).limit(1)).first() is not None:
            raise StoreError(
                "target_not_empty",
                f"{name} holds records already; a copy or a backup goes into an empty store only. "
                "Name another.",
                store=name,
            )


def copy_rows(read: sa.Connection, write: sa.Connection, table: sa.Table) -> None:
    """Copy a table's rows in the order of their keys."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    with read.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)) as found:
        for part in found.mappings().partitions(_ROWS_AT_ONCE):
            write_rows(write, table, (dict(row) for row in part))


def write_rows(
    connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, object]]
) -> None:
    """Write rows into a table as they are."""
    values = [{column.name: row[column.name] for column in table.columns} for row in rows]
    if values:
        connection.execute(sa.insert(table), values)


def refuse_unless_equal(arrived: Verification, left: Head, name: str) -> None:
    """Refuse what arrived if it is broken or does not end as what left."""
    if not arrived.ok:
        raise arrived.problems[0]
    if arrived.head != left:
        raise StoreError(
            "copy_not_equal",
            f"What arrived in {name} ends with event {arrived.head.count}, what left with "
            f"{left.count}; nothing was kept. Copy again.",
            store=name,
            arrived=arrived.head.count,
            left=left.count,
        )
