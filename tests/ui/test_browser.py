"""A commander's and a planner's way through the app, in a real browser."""

import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect

from hotspots.text import Texts, texts
from hotspots.tracker import Tracker

pytestmark = pytest.mark.browser
Serve = Callable[[Path], AbstractContextManager[str]]
PAGES = (
    "overview", "hotspot", "record", "targets", "risk", "selection", "report", "data", "approvals",
    "boundaries", "accounts",
)  # fmt: skip


class Witness:
    """Notes every console error and every request that leaves the machine."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.outside: list[str] = []
        page.on("console", self._console)
        page.on("request", self._request)
        page.on("response", self._response)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if not re.match(r"(http|ws)://localhost|data:|blob:|file:|about:", request.url):
            self.outside.append(request.url)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")


def open_page(page: Page, title: str) -> None:
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    settled(page)


def settled(page: Page) -> None:
    """Wait until the script has run to its end."""
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )


def click_ward(page: Page, code: str) -> None:
    """Click a ward as a mouse does, at its own point (a test cannot aim at a tiny one)."""
    page.locator(f'path[data-code="{code}"]').first.dispatch_event("click", {"bubbles": True})


def test_every_page_opens_in_both_languages_and_says_that_the_data_are_simulated(
    demonstration_folder: Path, serve: Serve, browser: Browser
) -> None:
    with serve(demonstration_folder) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        witness = Witness(page)
        page.goto(address)
        for language, button in (("vi", "Tiếng Việt"), ("en", "English")):
            say = texts(language)
            page.get_by_role("radio", name=button).or_(
                page.get_by_role("button", name=button)
            ).first.click()
            for name in PAGES:
                open_page(page, say(f"page.{name}"))
                expect(page.get_by_test_id("stException")).to_have_count(0)
                badge = f"{say('app.simulated')} · {say('app.schematic')}"
                expect(page.get_by_test_id("stMain").get_by_text(badge).first).to_be_visible()
        open_page(page, say("page.record"))
        page.get_by_test_id("stDataFrame").first.hover()
        expect(page.get_by_role("button", name="Search").first).to_be_visible()
        expect(page.get_by_role("button", name="Download as CSV")).to_have_count(0)
        assert witness.errors == []
        assert witness.outside == []
        page.close()


def test_a_planner_records_a_relapse_and_the_map_the_targets_and_the_report_show_it(
    demonstration_copy: Tracker, serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    say = texts("vi")
    hotspot, ward = _a_watched_hotspot(demonstration_copy)
    with serve(demonstration_copy.store.root) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        witness = Witness(page)
        page.goto(address)
        expect(page.locator('.wardmap[data-ready="true"]')).to_be_visible()
        drawn = page.locator(f'path[data-code="{ward}"]')
        expect(drawn).to_have_attribute("data-class", "under_watch")
        before = page.get_by_test_id("stMetricValue").nth(1).inner_text()

        click_ward(page, ward)
        expect(page.get_by_text(say("column.id") + ": " + hotspot)).to_be_visible()
        page.get_by_role("button", name=say("overview.open_record")).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(say("page.record"))
        settled(page)
        offered = page.get_by_role("radiogroup", name=say("record.event"))
        expect(offered.get_by_text(say("event.Relapsed"))).to_be_visible()
        expect(offered.get_by_text(say("event.AssessedTransformed"))).to_have_count(0)
        offered.get_by_text(say("event.Relapsed")).click()
        page.get_by_role("textbox", name=say("record.by"), exact=True).fill("Cán bộ kiểm thử")
        page.get_by_role("textbox", name=say("record.note"), exact=True).fill("Ghi chú kiểm thử")
        page.get_by_role("button", name=say("record.save"), exact=True).click()
        expect(page.get_by_text("Đã ghi: Tái phức tạp")).to_be_visible()
        (written,) = [e for e in demonstration_copy.latest_events(1) if e.hotspot == hotspot]
        assert (written.recorded_by, written.note) == ("Cán bộ kiểm thử", "Ghi chú kiểm thử")

        open_page(page, say("page.overview"))
        page.get_by_role("button", name=say("overview.reset")).click()
        expect(drawn).to_have_attribute("data-class", "relapsed")
        after = page.get_by_test_id("stMetricValue").nth(1)
        expect(after).not_to_have_text(before)

        open_page(page, say("page.report"))
        page.get_by_role("button", name=say("report.make")).click()
        link = page.get_by_role("button", name=re.compile(re.escape(say("report.download"))))
        expect(link).to_be_visible(timeout=120_000)
        expect(page.get_by_text(say("report.preview"))).to_be_visible()
        with page.expect_download() as download:
            link.click()
        saved = tmp_path / "report.html"
        download.value.save_as(saved)
        assert witness.errors == []
        assert witness.outside == []
        page.close()

    _check_report_without_network(browser, saved, hotspot)


def test_what_a_planner_records_counts_once_a_commander_has_approved_it(
    staffed_demonstration_folder: Path, serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    shutil.copytree(staffed_demonstration_folder, tmp_path / "store")
    tracker = Tracker.open(tmp_path / "store").acting_as("thammuu")
    hotspot, ward = _a_watched_hotspot(tracker)
    say = texts("vi")
    with serve(tmp_path / "store") as address:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        witness = Witness(page)
        page.goto(address)
        expect(page.locator('.wardmap[data-ready="true"]')).to_be_visible()
        click_ward(page, ward)
        page.get_by_role("button", name=say("overview.open_record")).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(say("page.record"))
        settled(page)
        offered = page.get_by_role("radiogroup", name=say("record.event"))
        offered.get_by_text(say("event.Relapsed")).click()
        page.get_by_role("button", name=say("record.save"), exact=True).click()
        expect(page.get_by_text(say("approvals.waits"))).to_be_visible()
        drawn = page.locator(f'path[data-code="{ward}"]')
        open_page(page, say("page.overview"))
        expect(drawn).to_have_attribute("data-class", "under_watch")

        act_as(page, say, "commander", "chihuy")
        open_page(page, say("page.hotspot"))
        with page.expect_download() as download:
            page.get_by_role("button", name=say("hotspot.report")).click()
        assert hotspot in Path(download.value.path()).read_text("utf-8")
        open_page(page, say("page.approvals"))
        card = page.get_by_test_id("stVerticalBlock").filter(has_text=hotspot).last
        card.get_by_role("button", name=say("approvals.approve"), exact=True).click()
        expect(page.get_by_text(f"Đã duyệt một sự kiện của {hotspot}")).to_be_visible()
        open_page(page, say("page.overview"))
        expect(drawn).to_have_attribute("data-class", "relapsed")
        decided = tracker.hotspot(hotspot, date(2100, 1, 1)).log[-1]
        assert (str(decided.type), decided.recorded_by) == ("Approved", "chihuy")

        page.get_by_text(say("app.known"), exact=True).click()  # the day before: not known yet
        settled(page)
        expect(drawn).to_have_attribute("data-class", "under_watch")
        assert witness.errors == []
        page.close()
    assert tracker.acting_as("chihuy").verify().ok
    tracker.store.close()


def act_as(page: Page, say: Texts, role: str, name: str) -> None:
    page.get_by_label(say("sign_in.demonstration")).click()
    page.get_by_role("option", name=f"{say(f'role.{role}')} ({name})").click()
    settled(page)


def test_a_code_is_the_ward_of_its_time_on_every_page(
    demonstration_folder: Path, serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    """26740 was Bến Nghé until June 2025 and is Sài Gòn since."""
    say = texts("vi")
    with serve(demonstration_folder) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        witness = Witness(page)
        page.goto(address)
        expect(page.locator('.wardmap[data-ready="true"]')).to_be_visible()
        expect(page.locator("path[data-code]")).to_have_count(168)
        click_ward(page, "26740")
        panel = page.get_by_test_id("stMain").get_by_role("heading", level=3)
        expect(panel.get_by_text("Phường Sài Gòn", exact=True)).to_be_visible()
        expect(page.get_by_text("Phường Sài Gòn (ranh giới 01/07/2025) = ")).to_be_visible()
        expect(page.get_by_text(say("chart.part_estimated")).first).to_be_visible()
        expect(page.get_by_text("26740-2024")).to_be_visible()  # the old hotspot, through the list

        switch = page.get_by_role("radiogroup", name=say("overview.edition"))
        switch.get_by_text("01/01/2025").click()
        expect(page.locator("path[data-code]")).to_have_count(442)
        settled(page)
        expect(panel.get_by_text("Phường Sài Gòn", exact=True)).to_have_count(0)
        click_ward(page, "26740")
        expect(panel.get_by_text("Phường Bến Nghé", exact=True)).to_be_visible()
        expect(page.get_by_text("về sau thuộc: Phường Sài Gòn, trọn vẹn")).to_be_visible()

        page.get_by_role("button", name=say("overview.open_file")).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(say("page.hotspot"))
        settled(page)
        expect(
            page.get_by_text("Phường Bến Nghé (mã 26740)")
            .or_(page.get_by_text("Bến Nghé (mã 26740)"))
            .first
        ).to_be_visible()

        open_page(page, say("page.boundaries"))
        page.get_by_label(say("boundaries_page.find_label")).fill("26740")
        page.keyboard.press("Enter")
        for name in ("Phường Bến Nghé (26740)", "Phường Sài Gòn (26740)"):
            expect(page.get_by_text(name, exact=True)).to_be_visible()
        assert witness.errors == []
        assert witness.outside == []
        page.close()


def _a_watched_hotspot(tracker: Tracker) -> tuple[str, str]:
    table = tracker.snapshot(tracker.default_day(date(2100, 1, 1))).hotspots
    watched = table[(table["stage"] == "under_watch") & ~table["ward"].duplicated(keep=False)]
    return str(watched.index[0]), str(watched["ward"].iloc[0])


def _check_report_without_network(browser: Browser, saved: Path, hotspot: str) -> None:
    say = texts("vi")
    context = browser.new_context(offline=True)
    page = context.new_page()
    witness = Witness(page)
    page.goto(saved.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text(say("report.programme_title"))
    expect(page.get_by_text(say("app.simulated")).first).to_be_visible()
    expect(page.locator(".leaflet-interactive").first).to_be_visible()
    assert page.locator(".leaflet-interactive").count() >= 168
    listed = page.locator("table", has=page.get_by_role("columnheader", name=say("column.status")))
    expect(listed.get_by_text(hotspot).first).to_be_visible()
    assert page.locator("section.one svg").count() > 10
    expect(page.get_by_text("băm cuối")).to_be_visible()
    assert witness.errors == []
    assert witness.outside == []
    context.close()
