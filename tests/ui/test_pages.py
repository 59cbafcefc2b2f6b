"""Every page opens without a browser too: empty, as a demonstration, in both languages."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from hotspots.programme.status import EventType
from hotspots.reports.outlook import likelihood, readings
from hotspots.risk_words import (
    alarm_line,
    loudest,
    open_alarms,
    reason_lines,
    watch_counts,
)
from hotspots.text import texts
from hotspots.tracker import Entry, Tracker
from hotspots.ui.widgets import plain

PAGES = (
    "overview", "hotspot", "record", "targets", "risk", "selection", "report", "data",
    "boundaries",
)  # fmt: skip
PAGES_OF_PEOPLE = ("approvals", "accounts")
PROGRAMME = Path(__file__).parents[2] / "data" / "hcmc_programme.toml"


def one_page() -> None:
    """Run in AppTest: the frame and one page of the app."""
    import importlib

    import streamlit as st

    from hotspots.ui import widgets

    page = importlib.import_module(f"hotspots.ui.pages.{st.session_state['page_under_test']}")
    if widgets.frame():
        page.show()


def opened(
    page: str, store: Path, monkeypatch: pytest.MonkeyPatch, language: str = "vi"
) -> AppTest:
    monkeypatch.setenv("HOTSPOTS_STORE", str(store))
    test = AppTest.from_function(one_page, default_timeout=120)
    test.session_state["page_under_test"] = page
    test.session_state["language"] = language
    test.session_state["as_of"] = date(2026, 10, 31)
    return test.run()


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_the_demonstration_city(
    page: str, language: str, demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(page, demonstration_folder, monkeypatch, language)
    assert not test.exception
    assert test.title[0].value == texts(language)(f"page.{page}")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_targets_show_three_readings_the_curve_and_the_years_end(
    language: str, demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = texts(language)
    test = opened("targets", demonstration_folder, monkeypatch, language)
    assert not test.exception
    tracker = Tracker.open(demonstration_folder)
    found = tracker.outlook(date(2026, 10, 31))
    tracker.store.close()
    cards = readings(found, say)
    shown = [(metric.label, metric.value) for metric in test.metric]
    ends = [(say("outlook.probability"), likelihood(each, say)) for each in found.projections]
    assert shown == [ends[0], *((card.title, card.share) for card in cards), *ends[1:]]
    captions = "\n".join(caption.value for caption in test.caption)
    assert say("outlook.curve_note", target=say.percent(0.85, 0), horizon=12) in captions
    assert len(test.get("vega_lite_chart")) == 3 + len(found.projections)
    test.selectbox(key="widget:targets.groups_of").select("2025").run()
    assert not test.exception


def test_before_the_first_transformation_the_targets_say_what_is_missing(
    demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = texts("vi")
    test = opened("targets", demonstration_folder, monkeypatch)
    test.session_state["widget:as_of"] = date(2023, 6, 30)
    test.run()
    assert not test.exception
    assert [metric.value for metric in test.metric][-3:] == ["–"] * 3
    assert say("outlook.curve_empty", window=24) in [info.value for info in test.info]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_pages_say_whether_it_worked(
    language: str, demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = texts(language)
    targets = opened("targets", demonstration_folder, monkeypatch, language)
    assert say("effect.title") in [each.value for each in targets.subheader]
    assert any(plain(say("effect.programme_fewer")) in each.value for each in targets.markdown)
    for hotspot, verdict in {"27316-2025": "fewer", "27568-2025": "cannot_tell"}.items():
        monkeypatch.setenv("HOTSPOTS_STORE", str(demonstration_folder))
        test = AppTest.from_function(one_page, default_timeout=120)
        test.session_state["page_under_test"] = "hotspot"
        test.session_state["language"] = language
        test.session_state["as_of"] = date(2026, 10, 31)
        test.session_state["hotspot"] = hotspot
        test.run()
        assert not test.exception
        assert say("effect.title") in [each.value for each in test.subheader]
        shown = " ".join(each.value for each in test.markdown)
        assert plain(say(f"effect.{verdict}")) in shown
        assert say("effect.neighbours_title") in shown


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_risk_page_shows_alarms_with_reasons_every_watched_area_and_the_model_card(
    language: str, demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = texts(language)
    tracker = Tracker.open(demonstration_folder)
    day = date(2026, 10, 31)
    snapshot, board = tracker.snapshot(day), tracker.alarms(day)
    tracker.store.close()
    counts = watch_counts(snapshot, board)
    test = opened("risk", demonstration_folder, monkeypatch, language)
    assert not test.exception
    numbers = [counts.watched, counts.red, counts.amber, counts.open]
    assert [metric.value for metric in test.metric] == list(map(str, numbers))
    shown = "\n".join(each.value for each in test.markdown)
    for hotspot, alarms in open_alarms(board).items():
        assert all(plain(alarm_line(each, say)) in shown for each in alarms)
        if loudest(alarms) != "note":
            assert all(plain(line) in shown for line in reason_lines(snapshot, hotspot, say))
    tabs = f"widget:risk.tab:{language}"
    test.session_state[tabs] = say("risk.tab_watched")
    test.run()
    assert not test.exception
    (table,) = test.dataframe
    assert len(table.value) == counts.watched
    test.session_state[tabs] = say("risk.tab_card")
    test.run()
    assert not test.exception
    assert say("risk.ladder") in [each.value for each in test.subheader]
    assert len(test.get("vega_lite_chart")) == 1
    for source in ("recorded", "emulated"):
        test.selectbox(key="widget:risk.source").select(source).run()
        assert not test.exception


def test_an_alarm_is_acknowledged_with_a_note_and_only_once(
    demonstration_copy: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, say = demonstration_copy, texts("vi")
    hotspot = next(iter(open_alarms(tracker.alarms(date(2026, 10, 31)))))
    before = len(tracker.latest_events(10_000))
    test = opened("risk", tracker.store.root, monkeypatch)
    save = f"risk.save:{hotspot}"
    test.text_input(key=f"risk.by:{hotspot}").input("Cán bộ trực")
    test.button(key=save).click().run()
    assert say("error.acknowledgement_without_note") in test.error[0].value.replace("\\", "")
    assert len(tracker.latest_events(10_000)) == before
    test.text_area(key=f"risk.note:{hotspot}").input("Tuần tra ![x](http://e)")
    test.text_input(key=f"risk.by:{hotspot}").input("Cán bộ trực")
    test.button(key=save).click().run()
    assert not test.exception
    assert "Cán bộ trực" in test.success[0].value
    (event,) = tracker.latest_events(1)
    assert (event.hotspot, event.effective_on) == (hotspot, date(2026, 10, 31))
    assert event.note == "Tuần tra ![x](http://e)"
    assert save not in [button.key for button in test.button]
    assert [each.label for each in test.expander] == [say("risk.acknowledged_title", count=1)]
    test.session_state["widget:as_of"] = date(2026, 10, 1)  # nobody acknowledges in the past
    test.run()
    assert not [button for button in test.button if button.label == say("risk.acknowledge_save")]


@pytest.mark.parametrize("user", ["xem", "canbo", "thammuu", "chihuy", "quantri"])
def test_every_page_opens_for_every_role_and_offers_only_what_it_may(
    user: str, staffed_demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = texts("vi")
    for page in (*PAGES, *PAGES_OF_PEOPLE):
        monkeypatch.setenv("HOTSPOTS_STORE", str(staffed_demonstration_folder))
        test = AppTest.from_function(one_page, default_timeout=120)
        test.session_state["page_under_test"] = page
        test.session_state["demonstration.user"] = user
        test.session_state["as_of"] = date(2026, 10, 31)
        test.run()
        assert not test.exception, page
        buttons = {button.label for button in test.button}
        if page == "approvals":
            assert (say("approvals.approve") in buttons) is (user == "chihuy")
            assert (say("approvals.take_back") in buttons) is (user == "thammuu")
        if page == "record":
            assert (say("record.save") in buttons) is (user in ("thammuu", "canbo"))
        if page == "risk":
            assert (say("risk.acknowledge_save") in buttons) is (user in ("thammuu", "canbo"))
        if page == "accounts":
            assert (say("users.add") in buttons) is (user == "quantri")


@pytest.mark.parametrize("page", PAGES_OF_PEOPLE)
def test_the_pages_of_people_open_without_accounts(
    page: str, demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(page, demonstration_folder, monkeypatch, "en")
    assert not test.exception
    assert test.title[0].value == texts("en")(f"page.{page}")


def test_a_store_with_users_shows_nothing_before_somebody_signs_in(
    staffed_demonstration_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(staffed_demonstration_folder, tmp_path / "real")
    tracker = Tracker.open(tmp_path / "real")
    with tracker.store.database.writing() as connection:
        connection.execute(sa.text("DELETE FROM setting"))  # no demonstration any more
    admin = tracker.acting_as("quantri")
    now = datetime(2026, 11, 1, tzinfo=UTC)
    admin.set_password("chihuy", "bốn từ không ai đoán", now=now)
    tracker.store.close()
    say = texts("vi")
    monkeypatch.setenv("HOTSPOTS_STORE", str(tmp_path / "real"))
    test = AppTest.from_file(str(PROGRAMME.parents[1] / "app.py"), default_timeout=120).run()
    assert test.title[0].value == say("sign_in.title")
    assert len(test.title) == 1
    assert not test.metric
    test.text_input(key="sign_in.name").input("chihuy")
    test.text_input(key="sign_in.password").input("sai mật khẩu rồi")
    test.button[0].click().run()
    assert say("error.sign_in_failed") in test.warning[0].value
    test.text_input(key="sign_in.name").input("chihuy")
    test.text_input(key="sign_in.password").input("bốn từ không ai đoán")
    test.button[0].click().run()
    assert not test.exception
    assert test.title[0].value == say("page.overview")
    assert "sign_in.password" not in test.session_state
    test.session_state["session.seen"] = datetime(2026, 1, 1, tzinfo=UTC)  # hours ago
    test.run()
    assert test.title[0].value == say("sign_in.title")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_a_store_with_a_programme_only_says_what_to_do_next(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker.open(tmp_path / "empty", create=True)
    tracker.add_programme(PROGRAMME.read_text("utf-8"), datetime(2026, 1, 1, tzinfo=UTC))
    tracker.store.close()
    test = opened(page, tmp_path / "empty", monkeypatch)
    assert not test.exception
    assert test.info or page == "report"


def test_without_a_store_the_frame_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("overview", tmp_path / "nothing", monkeypatch)
    assert not test.exception
    assert test.title[0].value == texts("vi")("app.no_store")


def test_a_day_before_everything_still_opens(
    demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for page in PAGES:
        test = opened(page, demonstration_folder, monkeypatch)
        test.session_state["as_of"] = date(2015, 1, 1)
        test.session_state["widget:as_of"] = date(2015, 1, 1)
        assert not test.run().exception, page


def about_to_record(
    tracker: Tracker, author: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[AppTest, str]:
    """Open the page on a hotspot in progress, with an inspection by an author filled in."""
    table = tracker.snapshot(date(2026, 10, 31)).hotspots
    hotspot = str(table.index[table["status"] == "in_progress"][0])
    test = opened("record", tracker.store.root, monkeypatch)
    test.session_state["record.hotspot"] = hotspot
    test.session_state["widget:record.hotspot"] = hotspot
    test.run()
    test.text_input[0].input(author)
    return test, hotspot


def test_two_planners_cannot_both_move_a_hotspot_without_the_second_being_told(
    demonstration_copy: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = demonstration_copy
    test, hotspot = about_to_record(tracker, "Người thứ hai", monkeypatch)
    moment = datetime(2026, 10, 31, 12, tzinfo=UTC)
    first = Entry(hotspot, EventType.WITHDRAWN, date(2026, 10, 30), "Người thứ nhất", moment)
    tracker.record(first, today=date(2026, 10, 31))
    before = tracker.version(hotspot)
    test.button(key="record.save").click().run()
    assert not test.exception
    assert "Người thứ nhất" in test.error[0].value
    assert tracker.version(hotspot) == before


def test_a_second_click_on_save_writes_nothing_twice(
    demonstration_copy: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = demonstration_copy
    test, hotspot = about_to_record(tracker, "Cán bộ", monkeypatch)
    before = tracker.version(hotspot)
    for _ in range(2):
        test.button(key="record.save").click().run()
        assert test.success
    assert tracker.version(hotspot) == before + 1


def test_an_event_in_the_future_is_refused_in_words_and_nothing_is_written(
    demonstration_copy: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = demonstration_copy
    before = len(tracker.latest_events(10_000))
    test = opened("record", tracker.store.root, monkeypatch)
    day = test.main.date_input[0]
    day.set_value(date(2099, 1, 1)).run()
    test.text_input[0].input("Cán bộ")
    test.button(key="record.save").click().run()
    assert "tương lai" in test.error[0].value
    assert len(tracker.latest_events(10_000)) == before


def test_an_event_without_author_is_refused(
    demonstration_copy: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("record", demonstration_copy.store.root, monkeypatch)
    test.button(key="record.save").click().run()
    assert texts("vi")("record.by_missing")[:-1] in test.error[0].value


def test_proposing_says_which_wards_cannot_be_proposed_and_writes_the_others(
    demonstration_copy: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, say = demonstration_copy, texts("vi")
    test = opened("selection", tracker.store.root, monkeypatch)
    assert "Chưa thể đề xuất" in test.info[0].value
    assert "2026, Đang chuyển hóa" in test.info[0].value  # which hotspot, and where it stands
    button = next(b for b in test.button if say("selection.propose") in b.label)
    wanted = int(button.label.split("(")[1].rstrip(")"))
    who = next(box for box in test.text_input if box.label == say("selection.propose_by"))
    who.input("Phòng tham mưu")
    button.click().run()
    assert plain(say("selection.kinds_missing")) in test.warning[0].value
    test.multiselect(key="selection.kinds").select(1)
    button = next(b for b in test.button if say("selection.propose") in b.label)
    button.click().run()
    assert str(wanted) in test.success[0].value
    written = tracker.latest_events(wanted)
    assert {str(event.type) for event in written} == {"Proposed"}
    assert all(event.evidence["rank"] for event in written)
    assert all(event.evidence["weights"] == {"smoothed_level": 1.0} for event in written)


def test_other_weights_give_another_list_and_a_warning_where_they_lose(
    demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = texts("vi")
    test = opened("selection", demonstration_folder, monkeypatch)
    assert not test.warning
    ticked = test.get("arrow_data_frame") or test.dataframe
    assert ticked
    test.slider(key="widget:selection.weight.trend").set_value(100)
    test.slider(key="widget:selection.weight.smoothed_level").set_value(0).run()
    assert not test.exception
    assert any("Nên cân nhắc" in each.value for each in test.warning)
    shown = test.selectbox(key="selection.preset")
    assert shown.options[shown.index] == say("selection.preset_own")
    test.selectbox(key="selection.preset").select("unfinished_first").run()
    assert test.slider(key="widget:selection.weight.relapse").value == 30
    for name in ("smoothed_level", "relapse", "carried_over"):
        test.slider(key=f"widget:selection.weight.{name}").set_value(0)
    test.run()
    assert plain(say("error.weights_invalid", components="")[:20]) in test.info[0].value


def test_weights_are_saved_under_a_name_on_the_page(
    demonstration_copy: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("selection", demonstration_copy.store.root, monkeypatch)
    test.slider(key="widget:selection.weight.severity").set_value(20).run()
    test.button(key="selection.preset_save").click().run()
    assert test.warning  # without a name
    test.text_input(key="selection.preset_name").input("Quý một")
    test.button(key="selection.preset_save").click().run()
    assert "Quý một" in test.success[0].value
    saved = demonstration_copy.preset("Quý một").weights
    assert saved == {"smoothed_level": 1.0, "severity": 0.2}
    assert test.selectbox(key="selection.preset").value == "Quý một"


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("tab", ["rules", "scenarios", "past", "groups"])
def test_every_tab_of_the_choice_opens(
    tab: str, language: str, demonstration_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = texts(language)
    monkeypatch.setenv("HOTSPOTS_STORE", str(demonstration_folder))
    test = AppTest.from_function(one_page, default_timeout=120)
    test.session_state["page_under_test"] = "selection"
    test.session_state["language"] = language
    test.session_state["as_of"] = date(2026, 10, 31)
    test.session_state["selection.tab"] = say(f"selection.tab_{tab}")
    test.run()
    assert not test.exception
    shown = {
        "rules": "selection.rules_in_force", "scenarios": "selection.in_both",
        "past": "selection.past_mean", "groups": "selection.matrix",
    }[tab]  # fmt: skip
    said = " ".join(each.value for each in [*test.markdown, *test.subheader])
    assert say(shown) in said


def test_text_of_users_is_shown_by_markdown_as_it_stands() -> None:
    assert plain("![x](http://e)") == r"\!\[x\]\(http\://e\)"
    assert plain("$a$ :red[b] <b>") == r"\$a\$ \:red\[b\] \<b\>"
