"""What a killed application leaves of an uploaded file is removed; nobody else's folder is used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from hotspots import boundary_reading
from hotspots.errors import IntakeError
from hotspots.records import intake, sandbox, staging
from hotspots.records.intake import open_bytes

APPLICATION = """
import sys, time
from hotspots.records.intake import open_bytes
reading = open_bytes(b"a\\n079203001234\\n", "a.csv")
print(reading._folder, flush=True)
time.sleep(120)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders of this user are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"hotspots-{os.geteuid()}"


@contextmanager
def application(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that keeps a file open, and its folder."""
    variables = {**os.environ, "PYTHONPATH": str(sandbox._ROOT), "TMPDIR": str(place.parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", APPLICATION], env=variables, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def make_old(folder: Path) -> None:
    old = time.time() - 2 * staging._ABANDONED_AFTER
    os.utime(folder, (old, old))


def read_something() -> None:
    with open_bytes(b"a,b\n1,2\n", "a.csv") as reading:
        assert reading.rows == 1


def test_the_folder_of_a_killed_application_is_removed_once_it_is_old(place: Path) -> None:
    with application(place) as (process, folder):
        assert folder.parent == place
        assert (folder / "rows.arrow").exists()
        make_old(folder)
        read_something()
        assert (folder / "rows.arrow").exists()  # the application lives, and reads it
        process.kill()
        process.wait()
    os.utime(folder)
    read_something()
    assert folder.exists()
    make_old(folder)
    read_something()
    assert list(place.iterdir()) == []


def test_the_folder_of_boundaries_is_made_there_too(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def refuse(module: str, request: object, folder: Path, **more: object) -> None:
        made.append(folder)
        raise IntakeError("file_too_heavy", "")

    monkeypatch.setattr(sandbox, "run", refuse)
    with pytest.raises(IntakeError):
        boundary_reading.read_uploaded_boundaries(
            b"x", "a.gpkg", date(2025, 7, 1), code_column="code", name_column="name"
        )
    assert [folder.parent for folder in made] == [place]
    assert list(place.iterdir()) == []


def test_the_folder_of_the_user_is_the_users_alone(place: Path) -> None:
    place.mkdir(mode=0o755)
    read_something()
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_leads_elsewhere_is_refused(place: Path) -> None:
    elsewhere = place.with_name("elsewhere")
    elsewhere.mkdir()
    place.symlink_to(elsewhere)
    assert refusal() == ("temporary_folder_not_own", str(place))
    place.unlink()
    place.write_text("")
    assert refusal() == ("temporary_folder_not_own", str(place))
    assert list(elsewhere.iterdir()) == []


def test_a_folder_of_somebody_else_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    place = place.with_name(f"hotspots-{other}")
    assert refusal() == ("temporary_folder_not_own", str(place))
    assert list(place.iterdir()) == []


def refusal() -> tuple[str, object]:
    with pytest.raises(IntakeError) as refused:
        intake.open_bytes(b"a,b\n1,2\n", "a.csv")
    return refused.value.reason, refused.value.facts["folder"]
