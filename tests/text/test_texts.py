"""Every text stands in both languages, with the same values to fill in, for every code there is."""

from __future__ import annotations

import ast
import string
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.crosswalk import BASES, NO_PAIR, NO_WEIGHT
from geo.errors import GeoError
from geo.wards import _KIND_WORDS, _ROW_REASONS, RowProblem
from hotspots.carried import BACKWARD, NO_CROSSWALK, OUTSIDE
from hotspots.errors import HotspotsError, MoveRefused
from hotspots.measures.cells import (
    CODE_PROBLEMS,
    COUNT_PROBLEMS,
    DATE_PROBLEMS,
    NUMBER_PROBLEMS,
    PERIOD_PROBLEMS,
)
from hotspots.measures.other_tables import TABLE_PROBLEMS
from hotspots.measures.relapse import alarm
from hotspots.programme.roles import Permission, Role
from hotspots.programme.status import STAGES, EventType, Status
from hotspots.records.audit import AuditAction
from hotspots.reports.colours import STAGE_STYLE
from hotspots.text import LANGUAGES, Texts, texts

REPOSITORY = Path(__file__).parents[2]
SOURCES = [*(REPOSITORY / "geo").glob("*.py"), *(REPOSITORY / "hotspots").rglob("*.py")]
ERRORS = {
    "HotspotsError",
    "ProgrammeError",
    "MoveRefused",
    "IntakeError",
    "StoreError",
    "NotFound",
    "NotAllowed",
    "CannotMeasure",
    "GeoError",
}


def calls(*names: str) -> Iterator[ast.Call]:
    """All calls of these names in the source."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else None
                if isinstance(node.func, ast.Name):
                    name = node.func.id
                if name in names:
                    yield node


def constants(node: ast.AST) -> set[str]:
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


@pytest.fixture(scope="module")
def sentences() -> dict[str, dict[str, str]]:
    folder = REPOSITORY / "hotspots" / "text"
    return {
        language: flat(tomllib.loads((folder / f"{language}.toml").read_text("utf-8")))
        for language in LANGUAGES
    }


# -- both languages


def test_both_languages_have_the_same_keys(sentences: dict[str, dict[str, str]]) -> None:
    assert sentences["vi"].keys() == sentences["en"].keys()


def test_both_languages_fill_in_the_same_values(sentences: dict[str, dict[str, str]]) -> None:
    for key, sentence in sentences["vi"].items():
        assert placeholders(sentence) == placeholders(sentences["en"][key]), key


def test_every_value_to_fill_in_is_a_plain_name(sentences: dict[str, dict[str, str]]) -> None:
    for language in LANGUAGES:
        for key, sentence in sentences[language].items():
            assert all(name.isidentifier() for name in placeholders(sentence)), (language, key)


def test_no_text_is_blank(sentences: dict[str, dict[str, str]]) -> None:
    assert all(text.strip() for texts_ in sentences.values() for text in texts_.values())


# -- every code has a text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("group", "codes"),
    [
        ("event", set(EventType)),
        ("status", set(Status)),
        ("stage", {*STAGES, *STAGE_STYLE}),
        ("alarm", {alarm(p) for p in (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)}),
        ("reject", set(_ROW_REASONS)),
        ("word", set(_KIND_WORDS)),
        ("basis", set(BASES)),
        ("role", set(Role)),
        ("permission", set(Permission)),
        ("audit", set(AuditAction)),
        ("behind", {NO_PAIR, NO_WEIGHT, NO_CROSSWALK, BACKWARD, OUTSIDE}),
    ],
)
def test_every_code_has_a_text(language: str, group: str, codes: set[str]) -> None:
    say = texts(language)
    assert [code for code in sorted(codes) if not say.has(f"{group}.{code}")] == []


def verdicts_and_reasons() -> tuple[set[str], set[str]]:
    measures = [REPOSITORY / "hotspots/measures" / f"{name}.py" for name in ("targets", "survival")]
    verdicts, whys = set(), set()
    for node in [
        each for file in measures for each in ast.walk(ast.parse(file.read_text("utf-8")))
    ]:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "(verdict, why)":
            verdict, why = ast.literal_eval(node.value)
            verdicts.add(verdict)
            whys.add(why)
    return verdicts, whys


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_verdict_and_its_reason_has_a_text(language: str) -> None:
    verdicts, whys = verdicts_and_reasons()
    assert verdicts == {"met", "not_met", "cannot_be_measured"}
    assert len(whys) == 12
    say = texts(language)
    assert [code for code in verdicts if not say.has(f"verdict.{code}")] == []
    assert [code for code in whys if not say.has(f"why.{code}")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_risk_or_a_rank_has_a_text(language: str) -> None:
    codes = set()
    for call in calls("Reason"):
        code = call.args[0]
        branches = [code.body, code.orelse] if isinstance(code, ast.IfExp) else [code]
        codes |= {each.value for each in branches if isinstance(each, ast.Constant)}
    codes |= {"rising", "falling", "trend_up", "trend_down"}  # named by a variable, by a ratio
    assert len(codes) > 10
    say = texts(language)
    groups = ("reason", "month_in_part")
    unsaid = [code for code in codes if not any(say.has(f"{group}.{code}") for group in groups)]
    assert unsaid == ["trend"]  # said as trend_up or trend_down


def errors_in_source() -> list[tuple[str, set[str]]]:
    """Every reason an error is raised with, and the names of its facts."""
    found = []
    for call in calls(*ERRORS):
        facts = {keyword.arg for keyword in call.keywords if keyword.arg}
        if "said" not in ast.unparse(call.args[0]):  # handed on from the process that reads files
            found += [(reason, facts) for reason in constants(call.args[0])]
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_text_that_its_facts_can_fill(language: str) -> None:
    say = texts(language)
    found = errors_in_source()
    assert len(found) > 60
    assert [reason for reason, _ in found if not say.has(f"error.{reason}")] == []
    for reason, facts in found:
        assert say._placeholders(f"error.{reason}") <= facts, reason


def test_no_fact_of_an_error_has_a_name_that_texts_need_themselves() -> None:
    assert not {"self", "key"} & {name for _, facts in errors_in_source() for name in facts}


def reject_codes() -> set[str]:
    """The reasons that rows are given back with."""
    folder = REPOSITORY / "hotspots"
    codes = {"wrong_number_of_cells", "month_has_counts", "month_has_incidents"}
    codes |= {"no_edition", "unknown_edition", "unknown_ward"}  # chosen row by row
    incidents = ast.parse((folder / "measures/incidents.py").read_text("utf-8"))
    for node in ast.walk(incidents):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "reasons.add":
            codes |= constants(node.args[1])
        if isinstance(node, ast.For) and ast.unparse(node.target) == "code":
            codes |= constants(node.iter) if isinstance(node.iter, ast.Tuple) else set()
    for name in ("incidents.py", "other_tables.py"):
        for node in ast.walk(ast.parse((folder / "measures" / name).read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.add":
                codes |= constants(node.args[1])
    codes |= {*NUMBER_PROBLEMS, *COUNT_PROBLEMS, *DATE_PROBLEMS, *PERIOD_PROBLEMS}
    codes |= {*CODE_PROBLEMS, *TABLE_PROBLEMS}
    codes |= {"month_on_other_edition", "unknown_hotspot"}
    importing = ast.parse((folder / "importing.py").read_text("utf-8"))
    for node in ast.walk(importing):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            codes |= {
                value.value
                for key, value in pairs
                if isinstance(key, ast.Constant)
                and key.value == "reason"
                and isinstance(value, ast.Constant)
            }
    assign = ast.parse((REPOSITORY / "geo/assign.py").read_text("utf-8"))
    for node in assign.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            codes |= constants(node.value)
    return codes


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_to_reject_a_row_has_a_text(language: str) -> None:
    codes = reject_codes()
    assert {"unknown_ward", "date_in_future", "not_a_count", "swapped_suspected"} <= codes
    assert [code for code in codes if not texts(language).has(f"reject.{code}")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_to_refuse_an_event_of_a_file_has_a_text(language: str) -> None:
    tree = ast.parse((REPOSITORY / "hotspots/tracker.py").read_text("utf-8"))
    rules = ast.parse((REPOSITORY / "hotspots/programme/status.py").read_text("utf-8"))
    codes = set()
    for node in [*ast.walk(rules), *ast.walk(tree)]:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("MoveRefused", "IntakeError"):
            codes |= constants(node.args[0])
    codes -= {  # a file holds no corrections, and no proposals of the ranking
        "columns_missing",
        "nothing_to_correct",
        "correction_without_reason",
        "correction_changes_nothing",
        "ward_has_hotspot",
        "personal_data_in_text",  # the file is refused before
        "replaces_in_part",
    }
    assert [code for code in codes if not texts(language).has(f"reject.{code}")] == []


# -- saying errors


def test_an_error_is_said_in_the_language_asked_for() -> None:
    error = MoveRefused(
        "move_not_allowed",
        "English",
        hotspot="h",
        event=EventType.RELEASED,
        on=date(2025, 10, 20),
        status=Status.DESIGNATED,
        allowed=(EventType.WORK_STARTED, EventType.INSPECTED),
    )
    said = texts("vi").error(error)
    for part in ("Đưa ra khỏi diện", "20/10/2025", "Đã phê duyệt", "Bắt đầu chuyển hóa"):
        assert part in said


def test_an_error_without_a_text_or_without_its_facts_is_said_as_it_is() -> None:
    say = texts("vi")
    assert say.error(HotspotsError("no_such_reason", "As it is.")) == "As it is."
    assert say.error(HotspotsError("unknown_hotspot", "As it is.")) == "As it is."
    assert say.error(ValueError("As it is.")) == "As it is."


@pytest.mark.parametrize(
    ("language", "row"), [("vi", "dòng 3 (00123): trùng mã"), ("en", "row 3 (00123): the code")]
)
def test_bad_rows_of_a_boundary_file_are_said_one_by_one(language: str, row: str) -> None:
    rows = tuple(RowProblem(number, "00123", "duplicate_code") for number in range(3, 43))
    said = texts(language).error(GeoError("duplicate_code", "English", problems=rows))
    assert row in said
    assert "…" in said
    assert "row 25" not in said


def test_months_in_an_error_are_written_like_months() -> None:
    error = HotspotsError("counts_too_old", "English", last="2025-10", expected="2026-03")
    assert "10/2025" in texts("vi").error(error)


# -- numbers and days


@pytest.mark.parametrize(
    ("value", "vi", "en"),
    [
        (14002598, "14.002.598", "14,002,598"),
        (2000, "2000", "2000"),
        (12.5, "12,5", "12.5"),
        (1234.5, "1.234", "1,234"),
        (3.0, "3", "3"),
        (-0.25, "-0,2", "-0.2"),
        (float("nan"), "–", "–"),
        (float("inf"), "–", "–"),
        (None, "–", "–"),
        (True, "có", "yes"),
        (date(2025, 10, 20), "20/10/2025", "20 Oct 2025"),
        (datetime(2025, 10, 20, 9, 5, tzinfo=UTC), "20/10/2025 09:05", "20 Oct 2025 09:05"),
        ((1, 3), "1, 3", "1, 3"),
        ("văn bản", "văn bản", "văn bản"),
    ],
)
def test_a_value_is_written_as_its_language_writes_it(value: object, vi: str, en: str) -> None:
    assert (texts("vi").show(value), texts("en").show(value)) == (vi, en)


@pytest.mark.parametrize(
    ("share", "vi", "en"),
    [(0.857, "85,7\xa0%", "85.7%"), (1.0, "100,0\xa0%", "100.0%"), (None, "–", "–")],
)
def test_a_share_is_written_as_a_percentage(share: float | None, vi: str, en: str) -> None:
    assert (texts("vi").percent(share), texts("en").percent(share)) == (vi, en)


def test_a_count_in_a_sentence_is_no_year() -> None:
    values = {"rows": 2000, "accepted": 1999, "rejected": 1, "new": 1999, "there": 0}
    said = texts("vi")("import.summary", source="a.csv", **values)
    assert "2.000 dòng = 1.999 nhận" in said
    assert texts("vi")("target.transformed_year", year=2025).endswith("2025")


@given(st.integers(-(10**12), 10**12))
def test_a_number_is_read_back_from_what_is_written(number: int) -> None:
    assert int(texts("vi").number(number).replace(".", "")) == number
    assert int(texts("en").number(number).replace(",", "")) == number


@given(st.text(st.sampled_from("{}!:[]0a%$\\"), max_size=12))
def test_braces_in_a_value_are_shown_as_they_are(value: str) -> None:
    for language in LANGUAGES:
        assert value in texts(language)("report.hotspot_title", name=value)


def test_a_reason_is_said_with_its_numbers() -> None:
    say = texts("vi")
    up = say.reason("trend", {"ratio": 1.5, "last": "2025-10"})
    assert "gấp 1,50 lần" in up
    assert "chỉ bằng 0,50" in say.reason("trend", {"ratio": 0.5})
    said = say.reason("counts_late", {"last": "2025-10", "months_late": 2})
    assert "10/2025" in said


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="not a language"):
        texts("fr")


def test_texts_are_read_once() -> None:
    assert texts("vi") is texts("vi")
    assert isinstance(texts("vi"), Texts)
