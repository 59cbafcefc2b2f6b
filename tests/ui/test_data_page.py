"""The page that brings files in, step by step, without a browser."""

import gc
import hashlib
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from hotspots.measures.file_kinds import FileKind, template
from hotspots.measures.mapping import ColumnMapping, to_toml
from hotspots.programme.plan import Programme
from hotspots.reports.charts import places_chart
from hotspots.reports.tables import xlsx_bytes
from hotspots.text import texts
from hotspots.tracker import Tracker

SAY = texts("vi")
COUNTS = (
    "Mã phường,Tháng,Loại vụ việc,Số vụ\n"
    "00001,10/2025,Trộm cắp tài sản,4\n"
    "00002,10/2025,Trộm cắp tài sản,7\n"
    "00003,10/2025,Trộm cắp tài sản,-1\n"
    "Tổng cộng,10/2025,,10\n"
)
PEOPLE = (
    "Họ tên,Số CCCD,Phường,Ngày,Loại vụ việc\n"
    "Nguyễn Văn An,079203012345,00001,20/10/2025,Trộm cắp tài sản\n"
    "Trần Thị Bình,079203012346,00002,21/10/2025,Ma túy\n"
)
POINTS = (
    "Kinh độ,Vĩ độ,Ngày,Loại vụ việc\n"
    "106.05,10.05,20/10/2025,Trộm cắp tài sản\n"
    "106.15,10.15,21/10/2025,Ma túy\n"
    "108.50,12.50,22/10/2025,Ma túy\n"
)


def one_page() -> None:
    """Run in AppTest: the frame and the page."""
    from hotspots.ui import widgets
    from hotspots.ui.pages import data

    if widgets.frame():
        data.show()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens the page on a store."""

    def page(store: Path, language: str = "vi", user: str | None = None) -> AppTest:
        monkeypatch.setenv("HOTSPOTS_STORE", str(store))
        test = AppTest.from_function(one_page, default_timeout=180)
        test.session_state["language"] = language
        if user is not None:
            test.session_state["demonstration.user"] = user
        return test.run()

    return page


def work_of(test: AppTest) -> Any:
    return test.session_state["data.work"].work


def bring(test: AppTest, content: str | bytes, name: str = "so-vu.csv") -> AppTest:
    given = content.encode() if isinstance(content, str) else content
    box = next(box for box in test.file_uploader if str(box.key).startswith("data.file:"))
    box.set_value((name, given, "")).run()
    assert not test.exception
    return test


def press(test: AppTest, name: str) -> AppTest:
    test.button(key=work_of(test).key(name)).click().run()
    assert not test.exception
    return test


def answer(test: AppTest, name: str) -> Any:
    """Find the widget that asks a question, of whatever kind it is."""
    key = work_of(test).key(name)
    every = [*test.selectbox, *test.radio, *test.text_input, *test.checkbox, *test.date_input]
    return next(widget for widget in every if widget.key == key)


def said(test: AppTest) -> str:
    """Everything that is written on the page; Markdown's own signs are taken away."""
    parts = [*test.markdown, *test.caption, *test.info, *test.warning, *test.error, *test.success]
    return " ".join(str(part.value) for part in parts).replace("\\", "")


def shown_tables(test: AppTest) -> str:
    return " ".join(
        f"{list(table.value.columns)} {table.value.to_numpy().tolist()}" for table in test.dataframe
    )


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_page_begins_with_a_box_for_a_file_and_templates_of_every_kind(
    language: str, small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test, say = opened(small_city.store.root, language), texts(language)
    assert not test.exception
    assert test.title[0].value == say("page.data") == say("data.title")
    assert test.selectbox[0].options == [say(f"file_kind.{kind}") for kind in FileKind]
    assert say("data.no_imports") in test.info[0].value


def test_who_may_bring_nothing_in_reads_one_sentence(
    staffed_demonstration_folder: Path, opened: Callable[..., AppTest]
) -> None:
    for user in ("xem", "canbo", "chihuy"):
        test = opened(staffed_demonstration_folder, user=user)
        assert [info.value for info in test.info] == [SAY("data.not_allowed")]
        assert not test.file_uploader


def test_each_role_is_offered_the_kinds_it_may_bring_in(
    staffed_demonstration_folder: Path, opened: Callable[..., AppTest]
) -> None:
    of_boundaries = [SAY(f"file_kind.{kind}") for kind in ("boundaries", "crosswalk")]
    every = [SAY(f"file_kind.{kind}") for kind in FileKind]
    templates: dict[str, list[str]] = {}
    for user in ("thammuu", "quantri"):
        test = opened(staffed_demonstration_folder, user=user)
        templates[user] = next(s for s in test.selectbox if "template" in str(s.key)).options
    assert templates["quantri"] == of_boundaries
    assert templates["thammuu"] == [kind for kind in every if kind not in of_boundaries]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_file_goes_all_the_way_and_nothing_is_written_before_it_is_confirmed(
    language: str, small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    say, test = texts(language), opened(small_city.store.root, language)
    bring(test, COUNTS)
    assert work_of(test).stage == "look"
    assert "so-vu.csv" in said(test)
    assert "00001" in shown_tables(test)
    press(test, "try")
    assert small_city.imports() == []
    assert say("data.nothing_written") in said(test)
    numbers = {metric.label: metric.value for metric in test.metric}
    assert numbers[say("data.number_rows")] == "4"
    assert numbers[say("data.number_new")] == "2"
    assert numbers[say("data.number_rejected")] == "2"
    assert say("reject.count_negative") in shown_tables(test)
    assert say("reject.total_row") in shown_tables(test)
    assert any(b.label == say("data.download_rejected") for b in test.get("download_button"))
    press(test, "confirm")
    (batch,) = small_city.imports()
    assert (batch.source, batch.accepted, batch.rejected) == ("so-vu.csv", 2, 2)
    assert hashlib.sha256(COUNTS.encode()).hexdigest() in said(test)
    assert say("data.written", file="so-vu.csv") in said(test)
    head = small_city.log_head()
    assert say("data.log_number", count=head.count, hash=head.hash[:12]) in said(test)
    press(test, "another")
    assert test.file_uploader
    assert "so-vu.csv" in shown_tables(test)


def test_the_same_file_again_is_said_to_be_there_and_changes_nothing(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = opened(small_city.store.root)
    for name in ("try", "confirm", "another"):
        press(bring(test, COUNTS) if name == "try" else test, name)
    bring(test, COUNTS, "gui-lai.csv")
    assert "Tệp này đã được nhập" in said(test)
    press(test, "try")
    assert {metric.label: metric.value for metric in test.metric}[SAY("data.number_new")] == "0"
    assert SAY("data.nothing_to_write") in said(test)


def test_a_corrected_file_replaces_its_months_once_the_person_says_so(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = opened(small_city.store.root)
    for name in ("try", "confirm", "another"):
        press(bring(test, COUNTS) if name == "try" else test, name)
    bring(test, COUNTS.replace(",7\n", ",9\n"))
    press(test, "try")
    assert SAY("reject.cell_recorded_differently") in shown_tables(test)
    press(test, "back")
    answer(test, "replaces:counts").set_value("wards").run()
    press(test, "try")
    numbers = {metric.label: metric.value for metric in test.metric}
    assert numbers[SAY("data.number_replaced")] == "11"
    press(test, "confirm")  # rows were rejected: figures would go with nothing in their place
    assert not small_city.imports()[0].replaces
    assert SAY("data.in_part_warning") in said(test)
    answer(test, "in_part").check().run()
    press(test, "confirm")
    assert small_city.imports()[0].replaces
    assert int(small_city.panel(small_city.editions()[-1])["count"].sum()) == 13


def test_columns_of_persons_are_never_shown_and_must_be_left_out(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = bring(opened(small_city.store.root), PEOPLE, "vu-viec.csv")
    page = said(test) + shown_tables(test)
    assert "«Họ tên»" in page
    assert "079203012345" not in page
    assert "Nguyễn Văn An" not in page
    assert test.button(key=work_of(test).key("try")).disabled
    offered = answer(test, "column:incidents:note").options
    assert "Họ tên" not in offered
    press(test, "leave out")
    assert not test.button(key=work_of(test).key("try")).disabled
    press(test, "try")
    press(test, "confirm")
    assert "Nguyễn Văn An" not in said(test) + shown_tables(test)
    assert small_city.imports()[0].accepted == 2


def test_a_row_that_cannot_be_split_is_not_quoted_where_the_file_names_persons(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = bring(
        opened(small_city.store.root), PEOPLE + "Lê Hoàng Cường,079203012347,00001\n", "v.csv"
    )
    assert SAY("data.ragged", count=1) in said(test)
    press(test, "leave out")
    press(test, "try")
    assert SAY("reject.wrong_number_of_cells") in shown_tables(test)
    assert "Cường" not in shown_tables(test)
    assert "079203012347" not in shown_tables(test)


def test_a_column_that_only_looks_like_persons_is_kept_with_a_reason_or_left_out(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    names = ("Nguyễn Văn An", "Trần Thị Bình", "Lê Hoàng Cường", "Phạm Minh Dũng")
    rows = "".join(f"{name},00001,2{n}/10/2025,Ma túy\n" for n, name in enumerate(names))
    test = bring(
        opened(small_city.store.root), f"Tổ công tác,Phường,Ngày,Loại vụ việc\n{rows}", "v.csv"
    )
    asked = next(radio for radio in test.radio if "asked:" in str(radio.key))
    assert asked.value is None
    assert test.button(key=work_of(test).key("try")).disabled
    asked.set_value("keep").run()
    assert test.button(key=work_of(test).key("try")).disabled
    reason = next(text for text in test.text_input if "why asked:" in str(text.key))
    reason.set_value("tên tổ công tác, không phải người liên quan").run()
    assert not test.button(key=work_of(test).key("try")).disabled
    press(test, "try")
    assert list(work_of(test).trial.decision.kept) == ["Tổ công tác"]


def test_days_that_can_be_read_in_two_ways_are_asked_about(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = bring(
        opened(small_city.store.root),
        "Phường,Ngày,Loại vụ việc\n00001,03/10/2025,Ma túy\n00002,04/09/2025,Ma túy\n",
        "v.csv",
    )
    question = next(radio for radio in test.radio if "date_order" in str(radio.key))
    assert question.value is None
    assert test.button(key=work_of(test).key("try")).disabled
    question.set_value("dmy").run()
    press(test, "try")
    assert list(work_of(test).trial.changes["month"]) == ["2025-09", "2025-10"]


def test_a_suggested_meaning_counts_only_once_it_is_accepted(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    text = COUNTS.replace("00002,10/2025,Trộm cắp tài sản", "Phường Hai,10/2025,Trộm cắp TS")
    test = bring(opened(small_city.store.root), text)
    press(test, "try")
    assert work_of(test).trial.receipt.accepted == 1
    press(test, "back")
    press(test, "accept:categories")
    press(test, "accept:wards")
    press(test, "try")
    decided = work_of(test).trial.decision.mapping
    assert decided.categories == {"Trộm cắp TS": "theft"}
    assert decided.wards == {"Phường Hai": "00002"}
    assert work_of(test).trial.receipt.accepted == 2


def test_what_was_chosen_stays_in_another_language_and_after_the_dry_run(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    header = "Mã phường,Tháng,Loại vụ việc,Số vụ,Tổng hợp\n"
    rows = COUNTS.splitlines()[1:3]
    test = bring(
        opened(small_city.store.root),
        header + "".join(f"{row},{n}\n" for n, row in enumerate(rows)),
    )
    answer(test, "column:counts:count").set_value("Tổng hợp").run()
    answer(test, "replaces:counts").set_value("period").run()
    test.session_state["language"] = test.session_state["widget:language"] = "en"
    test.run()
    assert not test.exception
    assert answer(test, "column:counts:count").value == "Tổng hợp"
    assert answer(test, "replaces:counts").value == "period"
    press(test, "try")
    press(test, "back")
    assert answer(test, "column:counts:count").value == "Tổng hợp"
    assert answer(test, "replaces:counts").value == "period"


def test_reading_in_another_way_guesses_anew_what_nobody_has_chosen(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    legacy = {"ã": 0xB7, "ư": 0xAD, "ờ": 0xEA, "á": 0xB8, "ạ": 0xB9, "ụ": 0xF4, "ệ": 0xD6}
    legacy |= {"ố": 0xE8, "ộ": 0xE9, "ắ": 0xBE, "à": 0xB5, "ả": 0xB6, "i": 0x69}
    text = "Mã phường,Tháng,Loại vụ việc,Số vụ\n" + "00001,10/2025,trộm cắp tài sản,4\n" * 2
    given = bytes(legacy.get(letter, ord(letter) if ord(letter) < 128 else 63) for letter in text)
    test = bring(opened(small_city.store.root), given)
    assert work_of(test).upload.reading.encoding == "tcvn3"
    assert answer(test, "column:counts:ward").value == "Mã phường"
    answer(test, "encoding").set_value("cp1258").run()
    assert work_of(test).upload.reading.encoding == "cp1258"
    assert "Mã phường" not in work_of(test).upload.reading.columns
    answer(test, "encoding").set_value("tcvn3").run()
    assert not test.exception
    assert answer(test, "column:counts:ward").value == "Mã phường"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cu.xls", b"\xd0\xcf\x11\xe0" + bytes(600), "xlsx"),
        ("trong.csv", b"", "trong.csv"),
        ("chi-tieu-de.csv", b"a,b\n", "chi-tieu-de.csv"),
        ("anh.csv", b"\x89PNG\r\n\x1a\n", "anh.csv"),
        ("la.docx", b"PK\x03\x04", ".csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words_and_the_next_one_is_taken(
    name: str, content: bytes, words: str, small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = bring(opened(small_city.store.root), content, name)
    assert words in test.error[0].value.replace("\\", "")
    assert "data.work" not in test.session_state
    bring(test, COUNTS)
    assert not test.error
    assert work_of(test).stage == "look"


def test_a_saved_mapping_fills_in_the_columns_and_their_words(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    saved = ColumnMapping(
        {"ward": "A", "month": "B", "category": "C", "count": "D"},
        {"vặt": "theft"},
        kind=FileKind.COUNTS,
        reading={"separator": ";"},
    )
    test = opened(small_city.store.root)
    given = ("cu.toml", to_toml(saved).encode(), "")
    test.file_uploader(key="data.mapping:0").set_value(given).run()
    assert "cột" in test.success[0].value
    bring(test, "A;B;C;D\n00001;10/2025;vặt;4\n")
    assert answer(test, "kind").value is FileKind.COUNTS
    press(test, "try")
    assert work_of(test).trial.receipt.new == 1
    assert work_of(test).trial.decision.mapping.categories == {"vặt": "theft"}


def test_a_mapping_that_is_none_is_refused_in_words(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = opened(small_city.store.root)
    test.file_uploader(key="data.mapping:0").set_value(("x.toml", b"[columns\n", "")).run()
    assert not test.exception
    assert "TOML" in test.error[0].value


def test_points_are_drawn_by_whether_they_lie_in_a_ward(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = press(bring(opened(small_city.store.root), POINTS, "vu.csv"), "try")
    assert work_of(test).trial.points["placed"].tolist() == [False, True, True]
    assert SAY("data.map_note", shown=3) in said(test)
    assert test.get("arrow_vega_lite_chart") or test.get("vega_lite_chart")


def test_cancelling_removes_what_was_read_and_staged(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = press(bring(opened(small_city.store.root), COUNTS), "try")
    work = work_of(test)
    folder = work.upload.reading._folder
    assert folder.exists()
    press(test, "cancel")
    assert not folder.exists()
    assert "data.work" not in test.session_state
    assert work.key("kind") not in test.session_state
    assert test.file_uploader


def test_a_forgotten_session_leaves_no_folder_behind(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    test = bring(opened(small_city.store.root), COUNTS)
    folder = work_of(test).upload.reading._folder
    assert folder.exists()
    del test.session_state["data.work"]  # as signing out does
    gc.collect()
    assert not folder.exists()
    assert test.run().file_uploader


def test_another_user_on_the_same_screen_does_not_see_the_file(
    staffed_demonstration_folder: Path, tmp_path: Path, opened: Callable[..., AppTest]
) -> None:
    shutil.copytree(staffed_demonstration_folder, tmp_path / "store")
    test = bring(opened(tmp_path / "store", user="thammuu"), COUNTS)
    folder = work_of(test).upload.reading._folder
    test.selectbox(key="widget:demonstration.user").set_value("quantri").run()
    assert not test.exception
    assert "data.work" not in test.session_state
    assert not folder.exists()
    assert test.file_uploader


def test_the_user_of_the_demonstration_stays_the_same_in_another_language(
    staffed_demonstration_folder: Path, opened: Callable[..., AppTest]
) -> None:
    test = opened(staffed_demonstration_folder, user="thammuu")
    test.session_state["language"] = test.session_state["widget:language"] = "en"
    test.run()
    assert test.selectbox(key="widget:demonstration.user").value == "thammuu"


def test_of_two_who_bring_in_the_same_file_the_second_is_told_and_loses_nothing(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    first, second = (opened(small_city.store.root) for _ in range(2))
    for test in (first, second):
        press(bring(test, COUNTS), "try")
    press(first, "confirm")
    press(second, "confirm")
    assert second.error
    assert len(small_city.imports()) == 1
    press(second, "back")
    press(second, "try")
    assert {m.label: m.value for m in second.metric}[SAY("data.number_new")] == "0"
    assert int(small_city.panel(small_city.editions()[-1])["count"].sum()) == 11


@pytest.mark.parametrize("kind", list(FileKind))
def test_the_template_of_every_kind_is_read_as_its_kind_with_every_column_found(
    kind: FileKind, small_city: Tracker, opened: Callable[..., AppTest], programme: Programme
) -> None:
    table = template(kind, programme)
    content = xlsx_bytes({SAY(f"file_kind.{kind}"): table})
    test = bring(opened(small_city.store.root), content, "mau.xlsx")
    assert answer(test, "kind").value is kind
    found = work_of(test).guess(kind).mapping.columns
    assert set(found.values()) == set(work_of(test).shown_columns)
    if kind not in (FileKind.BOUNDARIES, FileKind.CROSSWALK):
        press(test, "try")
        assert work_of(test).stage == "tried"


def test_an_administrator_brings_in_boundaries_and_then_a_crosswalk(
    small_city: Tracker, opened: Callable[..., AppTest], boundary_file: Callable[..., Path]
) -> None:
    test = opened(small_city.store.root)
    bring(test, boundary_file(moved_east=0.01).read_bytes(), "ranh-gioi.geojson")
    assert answer(test, "kind").value is FileKind.BOUNDARIES
    assert test.button(key=work_of(test).key("try")).disabled
    answer(test, "first day").set_value(date(2025, 7, 1)).run()  # there already
    assert test.button(key=work_of(test).key("try")).disabled
    answer(test, "first day").set_value(date(2026, 1, 1)).run()
    press(test, "try")
    assert SAY("data.wards_read", count=4) in said(test)
    assert len(small_city.editions()) == 1
    press(test, "confirm")
    assert [each.edition for each in small_city.editions()] == ["2025-07-01", "2026-01-01"]
    press(test, "another")
    codes = ("00001", "00002", "00003", "00004")
    pairs = pd.DataFrame({"Mã cũ": codes, "Mã mới": codes, "Tỷ trọng": "1"})
    bring(test, pairs.to_csv(index=False), "chuyen-doi.csv")
    assert answer(test, "kind").value is FileKind.CROSSWALK
    press(test, "try")
    assert SAY("crosswalk.pairs", pairs=4, old=4) in said(test)
    assert not small_city.boundaries.kept_crosswalks()
    press(test, "confirm")
    assert len(small_city.boundaries.kept_crosswalks()) == 1


def test_names_that_are_markup_are_shown_as_text(
    small_city: Tracker, opened: Callable[..., AppTest]
) -> None:
    hostile = "<img src=x onerror=alert(1)> [a](http://e) {{7*7}} $x$ :red[y]"
    test = bring(
        opened(small_city.store.root),
        f'"{hostile}",Mã phường,Tháng,Loại vụ việc,Số vụ\na,00001,10/2025,"{hostile}",4\n',
    )
    shown = [part.value for part in test.markdown if "onerror" in str(part.value)]
    assert shown
    assert all("\\<img" in words and "\\[a\\]" in words for words in shown)


def test_a_far_island_and_far_points_do_not_shrink_the_city_on_the_map() -> None:
    """
    . . .
    . # .    99 small wards around 106 E 10 N, and one 2 degrees to the south: left out, its point
    . . .    counted
    """

    def ward(lon: float, lat: float) -> dict[str, Any]:
        ring = [[lon, lat], [lon + 0.01, lat], [lon + 0.01, lat + 0.01], [lon, lat]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "properties": {"name": "a"}, "geometry": geometry}

    wards = [ward(106 + n % 10 / 100, 10 + n // 10 / 100) for n in range(99)]
    points = pd.DataFrame(
        {"lon": [106.05, 106.06, 10.0], "lat": [10.05, 8.0, 106.0], "placed": [True, True, False]}
    )
    drawn = places_chart(points, [*wards, ward(106.06, 8.0)], SAY).to_dict()
    layers = drawn["layer"]
    assert len(layers[0]["data"]["values"]) == 99
    assert len(next(iter(drawn["datasets"].values()))) == 1
    assert drawn["title"]["text"] == SAY("chart.beyond", count=2)


def test_the_map_tells_the_two_kinds_of_points_by_colour_and_by_shape() -> None:
    points = pd.DataFrame({"lon": [106.0, 106.1], "lat": [10.0, 10.1], "placed": [True, False]})
    drawn = places_chart(points, [], SAY).to_dict()
    scales = [drawn["layer"][1]["encoding"][name]["scale"] for name in ("color", "shape")]
    assert all(len(set(scale["range"])) == 2 for scale in scales)
    assert {row["place"] for row in next(iter(drawn["datasets"].values()))} == {
        SAY("chart.placed"),
        SAY("chart.unplaced"),
    }
