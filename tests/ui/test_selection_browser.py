"""The page of the choice in a browser, from the question to the proposal and its approval."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from hotspots.text import Texts, texts
from hotspots.tracker import Tracker

pytestmark = pytest.mark.browser
Serve = Callable[[Path], AbstractContextManager[str]]
NOW = datetime.now(UTC)
MONTHS = pd.period_range(end=pd.Period(NOW.date(), freq="M") - 1, periods=48)
"""Up to the last whole month: the page looks at today."""


@pytest.fixture
def counted_city(small_city: Tracker, tmp_path: Path) -> Tracker:
    """Four wards with four years of thefts.

    00003 (3 a month)  00004 (1 a month)
    00001 (9 a month)  00002 (5 a month)
    """
    levels = {"00001": 9, "00002": 5, "00003": 3, "00004": 1}
    rows = [
        f"{ward},{month},theft,{count + place % 3}"
        for ward, count in levels.items()
        for place, month in enumerate(MONTHS)
    ]
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(["ward,month,category,count", *rows]) + "\n", "utf-8")
    small_city.import_counts(path, today=NOW.date(), now=NOW, edition=date(2025, 7, 1))
    return small_city


def settled(page: Page) -> None:
    page.wait_for_timeout(300)  # a click takes a moment to start the script
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )


def choose_wards(page: Page, address: str, say: Texts) -> None:
    page.goto(address)
    page.get_by_role("link", name=say("page.selection"), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say("selection.title"))
    settled(page)


def open_tab(page: Page, name: str, say: Texts) -> None:
    page.get_by_role("tab", name=say(f"selection.tab_{name}")).click()
    settled(page)


def test_a_planner_goes_from_the_question_to_the_proposal(
    counted_city: Tracker, serve: Serve, browser: Browser
) -> None:
    say = texts("vi")
    with serve(counted_city.store.root) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        choose_wards(page, address, say)

        count = page.get_by_role("spinbutton", name=say("selection.count"))
        count.fill("2")
        count.press("Enter")
        settled(page)
        drawn = page.locator('path[data-code="00002"]')
        expect(drawn).to_have_attribute("data-class", "chosen")

        open_tab(page, "rules", say)
        page.get_by_text(say("selection.rule_neighbours"), exact=True).click()
        settled(page)
        held = say("selection.rules_hold", count=2)
        expect(page.get_by_text(held)).to_be_visible()
        count.fill("3")
        count.press("Enter")
        expect(page.get_by_text(say("selection.clash"))).to_be_visible()
        count.fill("2")
        count.press("Enter")
        expect(page.get_by_text(held)).to_be_visible()

        open_tab(page, "scenarios", say)
        expect(page.get_by_text(say("selection.only_a")).first).to_be_visible()
        open_tab(page, "past", say)
        expect(page.get_by_text("Qua 3 năm đã kiểm chứng").first).to_be_visible()
        open_tab(page, "groups", say)
        expect(page.get_by_text(say("selection.matrix"))).to_be_visible()

        open_tab(page, "rank", say)
        expect(drawn).to_have_attribute("data-class", "not")  # touches the first
        last = page.locator('path[data-code="00004"]')
        expect(last).to_have_attribute("data-class", "unsure")  # chosen by the rules, ranks last
        page.get_by_text(say("selection.weights"), exact=True).click()
        slider = page.get_by_role("slider", name=say("component.trend"))
        slider.press("ArrowRight")
        settled(page)
        expect(page.get_by_text("Xu hướng 0,01").first).to_be_visible()

        page.get_by_role("button", name=say("selection.export"), exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("button", name=say("selection.export_take")).click()
        assert Path(download.value.path()).read_bytes().startswith(b"PK")

        page.get_by_role("textbox", name=say("selection.propose_by")).fill("Phòng tham mưu")
        page.get_by_role("combobox", name=say("record.kinds")).click()
        page.get_by_role("option").first.click()
        page.keyboard.press("Escape")
        page.get_by_role("button", name=f"{say('selection.propose')} (2)").click()
        expect(page.get_by_text(say("selection.proposed", count="2"))).to_be_visible()
        assert errors == []
        page.close()
    written = counted_city.latest_events(2)
    assert {(str(e.type), e.hotspot[:5]) for e in written} == {
        ("Proposed", "00001"),
        ("Proposed", "00004"),
    }
    for event in written:
        assert event.evidence["weights"] == {"smoothed_level": 1.0, "trend": 0.01}
        assert event.evidence["constraints"]["no_two_neighbours"] is True
        assert event.recorded_by == "Phòng tham mưu"
