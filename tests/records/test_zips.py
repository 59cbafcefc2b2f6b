"""A zip is judged by its directory before anything of it is unpacked."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.errors import IntakeError
from hotspots.records.reading.limits import Limits
from hotspots.records.reading.zips import open_zip, read_member

SMALL = Limits(unpacked_bytes=3_000_000, zip_members=20)


def refusal(path: Path, limits: Limits = SMALL, *, nested: bool = False) -> str:
    with pytest.raises(IntakeError) as refused, open_zip(path, limits, nested=nested):
        pass
    assert refused.value.facts["file"] == path.name
    return refused.value.reason


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    def make(*members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(name, content)
        return path

    return make


def test_a_plain_zip_gives_its_members(zipped: Callable[..., Path]) -> None:
    path = zipped(("ward.shp", b"1"), ("lớp/phường.dbf", b"22"), ("lớp/", b""))
    with open_zip(path, SMALL) as archive:
        members = {member.filename: member for member in archive.infolist()}
        assert read_member(path, archive, members["lớp/phường.dbf"]) == b"22"


@pytest.mark.parametrize(
    "name",
    [
        "../ward.shp",
        "a/../../ward.shp",
        "/etc/passwd",
        "C:\\ward.shp",
        "c:ward.shp",
        "a\\..\\ward.shp",
        "CON.shp",
        "lpt1",
        "a/nul.dbf",
        "ward.shp ",
        "wa\nrd.shp",
        ".",
    ],
)
def test_names_that_lead_elsewhere_are_refused(zipped: Callable[..., Path], name: str) -> None:
    assert refusal(zipped((zipfile.ZipInfo(name), b"1"))) == "zip_unsafe_name"


def test_a_name_that_hides_its_end_behind_nul_is_refused(zipped: Callable[..., Path]) -> None:
    path = zipped(("wardX.shp", b"1"))
    path.write_bytes(path.read_bytes().replace(b"wardX", b"ward\x00"))
    assert refusal(path) == "zip_unsafe_name"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(zipped: Callable[..., Path], kind: int) -> None:
    link = zipfile.ZipInfo("ward.shp")
    link.external_attr = (kind | 0o777) << 16
    assert refusal(zipped((link, b"/etc/passwd"))) == "zip_unsafe_name"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["ward.shp", "WARD.SHP"])
def test_the_same_name_twice_is_refused(zipped: Callable[..., Path], second: str) -> None:
    assert refusal(zipped(("ward.shp", b"1"), (second, b"2"))) == "zip_same_name_twice"


def test_too_many_files_are_refused(zipped: Callable[..., Path]) -> None:
    assert refusal(zipped(*((f"{n}.shp", b"") for n in range(21)))) == "zip_too_many_files"


def test_a_file_that_swells_beyond_belief_is_refused(zipped: Callable[..., Path]) -> None:
    assert refusal(zipped(("ward.shp", bytes(2_000_000)))) == "zip_bomb"


def test_a_small_file_may_swell(zipped: Callable[..., Path]) -> None:
    with open_zip(zipped(("ward.dbf", b" " * 1_000_000)), SMALL):
        pass


def test_files_that_are_too_much_together_are_refused(zipped: Callable[..., Path]) -> None:
    noise = bytes(range(256)) * 4_000
    path = zipped(*((f"{n}.shp", noise) for n in range(4)))
    assert refusal(path, Limits(unpacked_bytes=3_000_000, zip_ratio=1e9)) == "zip_bomb"


def test_files_that_share_their_packed_bytes_are_refused() -> None:
    """The quine bomb: many names, one body."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", b"x" * 5_000)
        first = archive.infolist()[0]
        twin = zipfile.ZipInfo("b.shp")
        for name in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
            setattr(twin, name, getattr(first, name))
        archive.filelist.append(twin)
    path = Path("overlap.zip")
    from hotspots.records.reading.zips import check_members

    with zipfile.ZipFile(buffer) as archive, pytest.raises(IntakeError) as refused:
        check_members(path, archive.infolist(), SMALL)
    assert refused.value.reason == "zip_bomb"


@pytest.mark.parametrize("name", ["inner.zip", "a/INNER.ZIP", "x.7z", "x.tar", "x.gz"])
def test_an_archive_inside_is_refused_where_it_makes_no_sense(
    zipped: Callable[..., Path], name: str
) -> None:
    path = zipped((name, b"PK"))
    assert refusal(path) == "zip_in_zip"
    with open_zip(path, SMALL, nested=True):
        pass


def test_a_locked_zip_is_refused(zipped: Callable[..., Path]) -> None:
    path = zipped(("ward.shp", b"1"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert refusal(path) == "zip_locked"


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", kind) as archive:
        archive.writestr("ward.shp", b"1")
    assert refusal(tmp_path / "a.zip") == "zip_packed_unusually"


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"no zip at all", b"PK\x05\x06" + bytes(9)]
)
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert refusal(tmp_path / "a.zip") == "zip_not_read"


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_said(
    zipped: Callable[..., Path],
) -> None:
    path = zipped(("ward.shp", b"x" * 900_000))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    with open_zip(path, SMALL) as archive, pytest.raises(IntakeError) as refused:
        read_member(path, archive, archive.infolist()[0])
    assert refused.value.reason == "zip_not_read"


@given(place=st.integers(0, 300), byte=st.integers(0, 255), cut=st.integers(0, 300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_a_damaged_zip_is_read_or_refused(
    zipped: Callable[..., Path], place: int, byte: int, cut: int
) -> None:
    path = zipped(("ward.shp", b"some bytes" * 20), ("ward.dbf", b"more"))
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content[: len(content) - cut % 40])
    try:
        with open_zip(path, SMALL) as archive:
            total = sum(len(read_member(path, archive, one)) for one in archive.infolist())
        assert total <= SMALL.unpacked_bytes
    except IntakeError as refused:
        assert refused.reason.startswith("zip_")  # noqa: PT017 - both endings are right
