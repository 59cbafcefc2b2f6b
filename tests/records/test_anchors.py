"""Heads of the log kept elsewhere: in an anchor file, in reports."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotspots.errors import StoreError
from hotspots.programme.status import Event
from hotspots.records.anchors import (
    Anchor,
    append_anchor,
    check_anchors,
    head_of_report,
    read_anchors,
    take_anchor,
)
from hotspots.records.chain import GENESIS
from hotspots.records.database import Database
from hotspots.records.log import append, head

MOMENT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
HASH = "ab" * 32


def test_anchors_are_read_back_as_they_were_appended(tmp_path: Path) -> None:
    path = tmp_path / "anchors.txt"
    anchors = [
        Anchor(3, HASH, MOMENT, "báo cáo tháng 3"),
        Anchor(0, GENESIS, None, ""),
        Anchor(4, HASH, MOMENT, ""),
    ]
    for anchor in anchors:
        append_anchor(path, anchor)
    assert read_anchors(path) == anchors
    assert len(path.read_text("utf-8").splitlines()) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@given(st.integers(0, 10**9), st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_whatever_an_anchor_is_for_stays_on_one_line(
    tmp_path: Path, count: int, where: str
) -> None:
    path = tmp_path / "anchors.txt"
    path.unlink(missing_ok=True)
    append_anchor(path, Anchor(count, HASH, MOMENT, where))
    append_anchor(path, Anchor(1, HASH, MOMENT, "next"))
    first, second = read_anchors(path)
    assert (first.count, first.hash, first.at) == (count, HASH, MOMENT)
    assert first.where.split() == where.encode("utf-8", "replace").decode().split()
    assert second.where == "next"


def test_a_person_may_add_remarks_to_an_anchor_file(tmp_path: Path) -> None:
    path = tmp_path / "anchors.txt"
    path.write_text(f"# kept by An\n\n{Anchor(1, HASH, MOMENT, 'x').line()}\r\n", "utf-8")
    assert read_anchors(path) == [Anchor(1, HASH, MOMENT, "x")]


@pytest.mark.parametrize(
    "line",
    [
        "no anchor",
        f"-1 {HASH} -",
        f"1 {HASH[:-1]} -",
        f"1 {HASH.upper()} -",
        f"1 {HASH} yesterday",
        f"01 {HASH} -",
        f"{'9' * 30} {HASH} -",
    ],
)
def test_a_line_that_is_no_anchor_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "anchors.txt"
    path.write_text(f"1 {HASH} -\n{line}\n", "utf-8")
    with pytest.raises(StoreError) as refused:
        read_anchors(path)
    assert refused.value.reason == "anchor_malformed"
    assert refused.value.facts == {"file": str(path), "line": 2}


def test_an_anchor_file_that_is_not_there_is_said_and_one_of_bytes_too(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        read_anchors(tmp_path / "none.txt")
    assert refused.value.reason == "anchors_missing"
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\0")
    with pytest.raises(StoreError) as refused:
        read_anchors(tmp_path / "bytes")
    assert refused.value.reason == "anchor_malformed"


def test_a_full_disk_for_anchors_is_said() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is not there to be full")
    with pytest.raises(StoreError) as refused:
        append_anchor(Path("/dev/full"), Anchor(1, HASH, MOMENT, "x"))
    assert refused.value.reason == "store_disk_full"


def test_the_first_anchor_that_is_not_in_the_log_is_told(
    written: Database, draft: Callable[..., Event]
) -> None:
    early = take_anchor(written, MOMENT, "early")
    append(written, [draft("f")])
    late = take_anchor(written, MOMENT, "late")
    beginning = Anchor(0, GENESIS, MOMENT, "the beginning")
    assert (early.count, late.count) == (5, 6)
    assert late.hash == head(written).hash
    assert check_anchors(written, []) is None
    assert check_anchors(written, [beginning, early, late]) is None
    wrong, beyond = Anchor(5, HASH, MOMENT, "wrong"), Anchor(7, late.hash, MOMENT, "beyond")
    assert check_anchors(written, [early, wrong, beyond]) == wrong
    assert check_anchors(written, [early, beyond, wrong]) == beyond


def report(meta: str, body: str = "<p>…</p>") -> str:
    return f"<!doctype html><html><head><title>x</title>{meta}</head><body>{body}</body></html>"


def test_a_report_says_where_the_log_ended() -> None:
    meta = f'<meta name="hotspots-log" content="12 {HASH}">'
    assert head_of_report(report(meta)) == Anchor(12, HASH)
    assert head_of_report(report(meta, body=meta.replace("12", "13"))) == Anchor(12, HASH)


@pytest.mark.parametrize(
    "html",
    [
        "",
        "plain text",
        report(""),
        report('<meta name="hotspots-log">'),
        report('<meta name="hotspots-log" content="12 short">'),
        report(f'<meta name="hotspots-log" content="-1 {HASH}">'),
        report(f'<meta name="hotspots-log" content="1 {HASH} more">'),
        report("", body=f'<meta name="hotspots-log" content="12 {HASH}">'),
        report(f'<!-- <meta name="hotspots-log" content="12 {HASH}"> -->'),
    ],
)
def test_a_file_that_is_no_report_is_refused(html: str) -> None:
    with pytest.raises(StoreError) as refused:
        head_of_report(html)
    assert refused.value.reason == "report_without_head"
