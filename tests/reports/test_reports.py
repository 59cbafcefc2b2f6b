"""One file, nothing fetched, nothing run but our own scripts, true to the snapshot."""

import base64
import hashlib
import re
import shutil
import subprocess
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hotspots.errors import NotFound
from hotspots.text import texts
from hotspots.tracker import Tracker

DAY = date(2026, 10, 31)


def page_of(
    tracker: Tracker, kind: str = "programme", which: str = "", language: str = "vi"
) -> str:
    return tracker.report(kind, which, as_of=DAY, made_on=DAY, language=language)


@pytest.mark.parametrize(
    ("kind", "which"), [("programme", ""), ("hotspot", "1-2025"), ("ward", "2")]
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_kind_of_report_says_its_day_its_log_and_both_languages(
    hostile: Tracker, kind: str, which: str, language: str
) -> None:
    say = texts(language)
    page = unescape(page_of(hostile, kind, which, language))
    head = hostile.snapshot(DAY).head
    assert say("report.as_of", day=DAY) in page
    assert say("report.head", count=str(head.count), hash=head.hash) in page
    assert f'<html lang="{language}">' in page


def test_a_report_asks_nobody_for_anything(hostile: Tracker) -> None:
    page = re.sub(r"<script>.*?</script>", "", page_of(hostile), flags=re.S)  # names its makers
    fetched = re.findall(r"""(?:src|href|action)\s*=\s*["']?\s*(?:https?:)?//[^"'> ]+""", page)
    imported = re.findall(r"""(?:url\(|@import)\s*["']?\s*(?!data:|#)[^)"']+""", page)
    assert fetched == []
    assert [text for text in imported if "url(#" not in text] == []


def test_only_the_scripts_whose_hashes_the_page_names_may_run(hostile: Tracker) -> None:
    page = page_of(hostile)
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])
    named = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    computed = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    }
    assert computed == named
    assert len(scripts) == 2
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_text_that_looks_like_a_template_does_not_run_on_the_server(
    hostile: Tracker, tmp_path: Path
) -> None:
    page = page_of(hostile)
    assert "{{7*7}}" in unescape(page)
    assert not (tmp_path / "ssti").exists()


def test_a_report_without_simulated_data_does_not_claim_any(hostile: Tracker) -> None:
    assert texts("vi")("app.simulated") not in unescape(page_of(hostile))


def test_the_numbers_of_the_report_are_the_numbers_of_the_snapshot(hostile: Tracker) -> None:
    say, snapshot = texts("vi"), hostile.snapshot(DAY)
    page = unescape(page_of(hostile))
    result = snapshot.transformed[2025]
    assert say.percent(result.share) in page
    assert say("target.fraction", numerator="4", denominator="4") in page


def test_an_unknown_hotspot_or_ward_has_no_report(hostile: Tracker) -> None:
    with pytest.raises(NotFound, match="no hotspot 'X'"):
        page_of(hostile, "hotspot", "X")
    with pytest.raises(NotFound, match="not a ward"):
        page_of(hostile, "ward", "99")


@pytest.mark.browser
def test_a_hostile_report_shows_its_text_literally_and_runs_nothing(
    hostile: Tracker, tmp_path: Path, browser: Browser
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page_of(hostile), encoding="utf-8")
    errors: list[str] = []
    asked: list[str] = []
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda r: asked.append(r.url))
    page.goto(file.as_uri())
    page.wait_for_timeout(800)
    for path in page.locator(".leaflet-interactive").all()[:4]:
        path.hover(force=True)
    shown = page.locator("body").inner_text()
    ran = page.evaluate("window.ran")
    context.close()
    assert ran is None
    assert "<img src=x onerror=window.ran=1>" in shown
    assert "{{7*7}}" in shown
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.browser
def test_every_printed_a4_page_says_that_the_data_are_simulated(
    hostile: Tracker, tmp_path: Path, browser: Browser
) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (apt install poppler-utils)")
    hostile.store.set("demonstration", DAY.isoformat())
    file, printed = tmp_path / "report.html", tmp_path / "report.pdf"
    file.write_text(page_of(hostile), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    page.pdf(path=printed, prefer_css_page_size=True)
    page.close()
    text = subprocess.run(
        ["pdftotext", "-layout", str(printed), "-"], capture_output=True, text=True, check=True
    ).stdout
    pages = [one for one in text.split("\f") if one.strip()]
    assert len(pages) >= 2
    assert all(texts("vi")("app.simulated") in one for one in pages)
    size = subprocess.run(
        ["pdfinfo", str(printed)], capture_output=True, text=True, check=True
    ).stdout
    assert "(A4)" in size
