"""Stores that an earlier version made, brought to this one: what was there is there, unchanged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from hotspots.errors import StoreError
from hotspots.programme.status import Event
from hotspots.records import database as database_module
from hotspots.records import incident_files
from hotspots.records.database import Database, files
from hotspots.records.log import append, head
from hotspots.records.store import DATABASE_FILE, FOLDERS, Batch, Store, migrate, sha256_of
from hotspots.records.verification import verify

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


def rows(kind: str) -> pd.DataFrame:
    """What version 0001 wrote: no source."""
    own: dict[str, object] = {"count": [3, 4]}
    if kind == "incidents":
        own = {
            "lon": [106.0, np.nan],
            "lat": [10.0, np.nan],
            "boundaries": ["w.parquet", ""],
            "key": np.array([1, 2], dtype=np.uint64),
        }
    return pd.DataFrame(
        {
            "row": [1, 2],
            "ward": "00001",
            "month": ["2025-10", "2025-11"],
            "category": "theft",
            "edition": "2025-07-01",
        }
        | own
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def older(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    draft: Callable[..., Event],
    listed: Callable[..., Event],
) -> str:
    """The address of a store as version 0001 left it, with a batch of each kind and a log."""
    monkeypatch.setenv("HOTSPOTS_CACHE", str(tmp_path / "cache"))
    location = where = str(tmp_path / "store")
    if request.param == "postgresql":
        location = where = request.getfixturevalue("postgresql_url")
    else:
        for folder in FOLDERS:
            (tmp_path / "store" / folder).mkdir(parents=True)
        where = str(tmp_path / "store" / DATABASE_FILE)

    def upgrade_to_0001(connection: sa.Connection) -> None:
        config = Config()
        folder = Path(database_module.__file__).with_name("migrations")
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    with monkeypatch.context() as patch:
        patch.setattr(database_module, "_upgrade", upgrade_to_0001)
        patch.setattr(database_module, "REVISIONS", ("0001",))
        made = Database.open(where if request.param == "postgresql" else Path(where))
    with closing(made) as database:
        append(database, [listed("a"), draft("b")])
        for number, kind in enumerate(("incidents", "counts"), start=1):
            name, content = f"{kind}-{number}.parquet", rows(kind).to_parquet(index=False)
            in_database = database.on_postgresql
            if not in_database:
                (tmp_path / "store" / "incidents" / name).write_bytes(content)
            with database.writing() as connection:
                connection.execute(
                    sa.insert(files).values(
                        folder="incidents",
                        name=name,
                        content=content if in_database else None,
                        sha256=sha256_of(content),
                    )
                )
                connection.execute(
                    sa.text(
                        "INSERT INTO import_batch (batch, kind, sha256, source, recorded_at, rows, "
                        "accepted, already_there, rejected, file, simulated) VALUES (:n, :kind, "
                        ":sha, 'cũ.csv', :at, 2, 2, 0, 0, :file, :no)"
                    ),
                    {
                        "n": number,
                        "kind": kind,
                        "sha": kind,
                        "at": NOW.isoformat(),
                        "file": name,
                        "no": False,
                    },
                )
    return location


def test_an_older_store_is_not_opened_until_it_is_migrated(older: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store(older)
    assert refused.value.reason == "store_needs_migration"
    assert refused.value.facts["version"] == "0001"


def test_a_migrated_store_holds_its_batches_and_its_log_as_they_were(older: str) -> None:
    migrate(older)
    with closing(Store(older)) as store:
        assert verify(store).ok
        assert head(store.database).count == 2
        incidents, counts = store.batches()
        expected = Batch(
            1, "incidents", "incidents", "cũ.csv", NOW.isoformat(), 2, 2, 0, 0,
            "incidents-1.parquet", False,
        )  # fmt: skip
        assert incidents == expected
        assert (incidents.file_sha256, incidents.replaces, incidents.parts) == ("", "", ())
        for batch in (incidents, counts):
            found = incident_files.read_batch(store, batch)
            pd.testing.assert_frame_equal(found, rows(batch.kind))
        cells = incident_files.cells(store, incidents).sort_values("by_point")
        assert cells[["by_point", "count", "source"]].to_numpy().tolist() == [
            [False, 1, ""],
            [True, 1, ""],
        ]


def test_a_migrated_store_takes_parts_that_replace_what_it_held(older: str) -> None:
    migrate(older)
    with closing(Store(older)) as store:
        new = rows("incidents").assign(key=np.array([8, 9], dtype=np.uint64))[:1]
        scope = incident_files.Scope.of(new, kinds=("incidents", "counts"))
        with incident_files.batch_writer(store, "incidents") as writer:
            writer.add(new)
            staged = writer.finish()
        batch = Batch(
            0, "", "", "mới.csv", NOW.isoformat(), 1, 1, 0, 0, "", False, "", scope.text()
        )
        assert store.add_batch(batch, 2, staged=staged).batch == 3
        assert incident_files.known_keys(store).tolist() == [2, 8]
        counts = store.batches("counts")[0]
        assert incident_files.read_batch(store, counts)["month"].tolist() == ["2025-11"]
        assert verify(store).ok
