"""A planner's question and its answer: ranks with reasons, rules, the past, what is kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotspots.access import permission_of
from hotspots.choice import Question, WardChoice, time_patterns
from hotspots.choice_words import (
    choice_reasons,
    proposal_lines,
    question_lines,
    ranking_table,
    reason_line,
    weights_line,
)
from hotspots.errors import CannotMeasure, HotspotsError, IntakeError, NotFound
from hotspots.measures.components import COMPONENTS, DEFAULT_WEIGHTS
from hotspots.measures.file_kinds import FileKind
from hotspots.programme.roles import Permission
from hotspots.programme.selection_rules import Constraints, Exclusion, Quota
from hotspots.programme.status import EventType
from hotspots.records.audit import AuditAction
from hotspots.regions import groups_of_wards
from hotspots.text import LANGUAGES, texts
from hotspots.tracker import Tracker

DAY = date(2026, 10, 31)
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
YEAR = 2027


def ask(count: int = 12, weights: dict[str, float] | None = None, **rules: object) -> Question:
    constraints = Constraints(count, **rules)  # type: ignore[arg-type]
    return Question(YEAR, constraints, weights or dict(DEFAULT_WEIGHTS))


def counted(
    city: Tracker, folder: Path, months: pd.PeriodIndex, name: str = "counts.csv", **of_ward: int
) -> None:
    """Bring so many thefts a month of each ward in: counted(city, folder, months, w1=3)."""
    rows = [
        f"0000{ward[1]},{month},theft,{count + place % 3}"
        for ward, count in of_ward.items()
        for place, month in enumerate(months)
    ]
    path = folder / name
    path.write_text("\n".join(["ward,month,category,count", *rows]) + "\n", "utf-8")
    city.import_counts(path, today=DAY, now=NOW, edition=date(2025, 7, 1))


MONTHS = pd.period_range("2022-01", "2025-12", freq="M")


# -- every rank has its reasons


@given(
    st.dictionaries(st.sampled_from(COMPONENTS), st.floats(0.05, 1), min_size=1).filter(
        lambda weights: set(weights) != {"rate"}  # nobody brought residents in
    ),
    st.integers(1, 30),
    st.sampled_from([None, 1, 4]),
)
@settings(max_examples=5, deadline=None)
def test_every_rank_has_its_interval_and_its_reasons(
    demonstration: Tracker, weights: dict[str, float], count: int, kind: int | None
) -> None:
    found = demonstration.choose(replace(ask(count, weights), kind=kind), DAY)
    table = found.table
    assert list(table["rank"]) == list(range(1, 169))
    assert (table["rank_low"] <= table["rank"]).all()
    assert (table["rank"] <= table["rank_high"]).all()
    assert table["p_top"].between(0, 1).all()
    assert list(table.index[table["chosen"]]) == list(found.choice.wards)
    assert len(found.choice.wards) == count
    for ward in [found.choice.wards[-1], table.index[-1]]:
        codes = {reason.code for reason in found.reasons(str(ward))}
        assert codes & {"high_level", "low_level"}
        assert codes & {"rank_in_top", "rank_outside_top", "rank_cannot_tell"}
        for name in COMPONENTS:
            assert f"component_{name}" in codes or pd.isna(table.loc[ward, name])
        for language in LANGUAGES:
            lines = choice_reasons(found, str(ward), demonstration.programme(), texts(language))
            assert len(lines) == len(found.reasons(str(ward)))


def test_weights_on_what_the_store_does_not_know_are_refused(demonstration: Tracker) -> None:
    with pytest.raises(CannotMeasure) as refused:
        demonstration.choose(ask(weights={"rate": 1.0}), DAY)
    assert refused.value.reason == "weights_without_data"


def test_without_other_wishes_the_ranking_is_that_of_the_smoothed_level(
    demonstration: Tracker,
) -> None:
    usual = demonstration.question(YEAR)
    assert usual.is_default
    assert usual.constraints.count == 12
    found = demonstration.choose(usual, DAY)
    plain = demonstration.selection(YEAR, DAY)
    assert list(found.table.index) == list(plain.index)
    assert (found.table["level"] == plain["score"]).all()
    assert (found.table["in_last_year"] == plain["in_last_year"]).all()
    assert found.choice.wards == tuple(plain.index[:12])


def test_a_ranking_by_kind_looks_at_its_categories_only(demonstration: Tracker) -> None:
    drugs = demonstration.choose(replace(ask(), kind=4), DAY).table
    panel = demonstration.panel(demonstration.edition_on(DAY))
    last_year = panel["month"].between("2025-11", "2026-10") & panel["category"].eq("drugs")
    counted_by_hand = panel[last_year].groupby("ward")["count"].sum() * 3.0  # the weight of drugs
    pd.testing.assert_series_equal(
        drugs["last12"], counted_by_hand.reindex(drugs.index), check_names=False
    )


def test_a_kind_that_nothing_is_counted_for_is_refused(demonstration: Tracker) -> None:
    with pytest.raises(CannotMeasure) as refused:
        demonstration.choose(replace(ask(), kind=9), DAY)
    assert refused.value.reason == "kind_without_categories"
    assert refused.value.facts["allowed"] == "1, 2, 3, 4"


def test_weights_of_nothing_are_refused(demonstration: Tracker) -> None:
    with pytest.raises(HotspotsError) as refused:
        demonstration.choose(ask(weights={"trend": 0.0}), DAY)
    assert refused.value.reason == "weights_invalid"


# -- rules


def test_the_list_keeps_to_every_rule(demonstration: Tracker) -> None:
    ranked = list(demonstration.choose(ask(), DAY).table.index)
    rules = {
        "must_include": (ranked[40],),
        "excluded": {ranked[0]: Exclusion("newly recognised as nông thôn mới", "301/HD-BCĐ138")},
        "at_least_one_per_region": True,
        "no_two_neighbours": True,
        "kinds": {4: Quota(at_least=3)},
    }
    found = demonstration.choose(ask(**rules), DAY)
    wards = set(found.choice.wards)
    assert len(wards) == 12
    assert ranked[40] in wards
    assert ranked[0] not in wards
    assert {found.facts.regions[ward] for ward in wards} == set(demonstration.programme().regions)
    near = found.facts.neighbours
    assert not any(other in wards for ward in wards for other in near[ward])
    assert sum(4 in found.facts.kinds.get(ward, ()) for ward in wards) >= 3
    programme, say = demonstration.programme(), texts("vi")
    (why,) = found.choice.reasons[ranked[0]]
    assert "301/HD-BCĐ138" in reason_line(why, found.names, programme, say)
    asked = " ".join(question_lines(found, programme, say))
    assert found.names[ranked[40]] in asked
    assert "Ma túy" in asked


def test_rules_that_cannot_hold_are_named_by_ward(demonstration: Tracker) -> None:
    first = str(demonstration.choose(ask(), DAY).table.index[0])
    out = {first: Exclusion("rule", "source")}
    found = demonstration.choose(ask(must_include=(first,), excluded=out), DAY)
    assert found.choice.wards == ()
    assert {reason.code for reason in found.choice.clash} == {
        "clash_must_include",
        "clash_excluded",
    }
    programme = demonstration.programme()
    said = [reason_line(r, found.names, programme, texts("vi")) for r in found.choice.clash]
    assert all(found.names[first] in line for line in said)


def test_what_a_unit_can_take_on_is_a_rule_of_every_choice(
    small_city: Tracker, tmp_path: Path, programme_text: str
) -> None:
    unit = (
        "\n[units.PC02]\nvi = 'Phòng Cảnh sát hình sự'\nen = 'Criminal police'\n"
        "edition = '2025-07-01'\nwards = ['00001', '00002']\ncapacity = 1\n"
    )
    small_city.add_programme(programme_text + unit, NOW)
    counted(small_city, tmp_path, MONTHS, w1=9, w2=5, w3=3, w4=1)
    found = small_city.choose(small_city.question(2026, 2), date(2025, 12, 31))
    assert found.choice.wards == ("00001", "00003")
    (why,) = found.choice.reasons["00002"]
    programme, say = small_city.programme(), texts("vi")
    assert "Phòng Cảnh sát hình sự" in reason_line(why, found.names, programme, say)


# -- only what was known


def test_later_counts_change_nothing_of_an_earlier_choice(
    small_city: Tracker, tmp_path: Path
) -> None:
    day = date(2025, 12, 31)
    asked = Question(2026, Constraints(2), dict.fromkeys(COMPONENTS, 1.0))
    counted(small_city, tmp_path, MONTHS, w1=9, w2=5, w3=3, w4=1)

    def answers() -> tuple[object, ...]:
        found = small_city.choose(asked, day)
        tried = small_city.selection_backtest(day, asked)
        groups = small_city.crime_groups(day)
        return (
            found.table.to_json(),
            [found.evidence(str(ward)) for ward in found.table.index],
            tried.years.to_json(),
            groups.table.to_json(),
            small_city.compare_scenarios(["00001"], ["00002"], day).table.to_json(),
        )

    before = answers()
    later = pd.period_range("2026-01", "2026-09", freq="M")
    counted(small_city, tmp_path, later, "later.csv", w1=0, w2=50, w3=70, w4=90)
    assert answers() == before
    assert small_city.choose(asked, DAY).table.index[0] == "00004"


# -- components from the store


def test_residents_neighbours_and_sources_come_from_the_store(
    small_city: Tracker, tmp_path: Path
) -> None:
    """
    00003 00004    each touches two others
    00001 00002
    """
    rows = [
        f"{ward},{month},theft,{count},{source}"
        for month in MONTHS
        for ward, count, source in (
            ("00001", 8, "police"), ("00001", 1, "citizen"), ("00002", 5, "citizen"),
            ("00003", 4, "citizen"), ("00004", 2, "citizen"),
        )
    ]  # fmt: skip
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(["ward,month,category,count,source", *rows]) + "\n", "utf-8")
    small_city.import_counts(path, today=DAY, now=NOW)
    day = date(2025, 12, 31)
    before = small_city.choose(ask(1), day)
    assert before.components.missing["rate"].code == "missing_population"
    assert before.components.missing["carried_over"].code == "missing_carried_over"
    assert before.components.missing["relapse"].code == "missing_relapse"
    people = tmp_path / "people.csv"
    lines = ["ward,on,population", *(f"0000{n},2025,{n * 10_000}" for n in range(1, 5))]
    people.write_text("\n".join(lines) + "\n", "utf-8")
    small_city.import_file(people, FileKind.POPULATIONS, today=DAY, now=NOW)
    found = small_city.choose(ask(1), day)
    assert found.table["rate"].idxmax() == "00001"
    assert set(found.facts.neighbours["00001"]) == {"00002", "00003"}
    assert found.components.raw.loc["00001", "neighbours"] == pytest.approx((60 + 48) / 2, rel=0.05)
    covered = small_city.equity(["00001"], day)
    assert covered.police_share == 1.0
    assert covered.citizens_share == pytest.approx(1 / 12)
    assert covered.population_share == pytest.approx(0.1)
    assert covered.is_warning
    compared = small_city.compare_scenarios(["00001"], ["00001", "00002"], day)
    assert compared.only_b == ("00002",)
    assert compared.table.loc["b", "index_share"] > compared.table.loc["a", "index_share"]


def test_incidents_of_which_nobody_said_who_reported_them_are_not_those_of_citizens(
    small_city: Tracker, tmp_path: Path
) -> None:
    rows = [
        f"{ward},{month},theft,{count},{source}"
        for month in MONTHS
        for ward, count, source in (
            ("00001", 4, "police"), ("00002", 6, "citizen"), ("00003", 9, ""),
        )
    ]  # fmt: skip
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(["ward,month,category,count,source", *rows]) + "\n", "utf-8")
    small_city.import_counts(path, today=DAY, now=NOW)
    covered = small_city.equity(["00003"], date(2025, 12, 31))
    assert (covered.citizens_share, covered.police_share) == (0.0, 0.0)
    assert (covered.reason.code, covered.reason.facts) == ("patrols_unnamed", {"unnamed": 47.4})


def test_lists_for_a_kind_are_compared_by_what_counts_for_it(demonstration: Tracker) -> None:
    a, b = (list(demonstration.choose(replace(ask(), kind=k), DAY).choice.wards) for k in (4, None))
    of_kind = demonstration.compare_scenarios(a, b, DAY, 4).table["index_share"]
    of_all = demonstration.compare_scenarios(a, b, DAY).table["index_share"]
    assert of_kind["a"] > of_kind["b"]
    assert of_all["b"] > of_all["a"]


# -- what was known, and on which day


def test_what_was_told_later_does_not_rank_a_day_as_it_was_known(demonstration: Tracker) -> None:
    """The outcomes of the plan of 2025 were told in December 2025."""
    day, known = date(2026, 1, 31), date(2025, 11, 30)
    assert demonstration.not_transformed(2026, day)
    assert demonstration.not_transformed(2026, day, known) is None
    question = replace(ask(), year=2026)
    assert "carried_over" not in demonstration.choose(question, day).components.missing
    assert "carried_over" in demonstration.choose(question, day, known).components.missing
    assert demonstration.list_of(2026, DAY, known) == set()
    assert demonstration.list_of(2026, DAY)


def test_in_january_the_past_years_are_tried_with_the_lists_that_january_knew(
    demonstration: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list for 2026 made in January 2026 knows the counts until December 2025."""
    asked: list[tuple[date, int]] = []
    inputs = WardChoice._inputs

    def watched(self: WardChoice, day: date, kind: object, edition: object, year: int) -> object:
        asked.append((day, year))
        return inputs(self, day, kind, edition, year)  # type: ignore[arg-type]

    monkeypatch.setattr(WardChoice, "_inputs", watched)
    weights = {"smoothed_level": 1.0, "carried_over": 0.21}
    demonstration.selection_backtest(date(2026, 1, 15), replace(ask(12, weights), year=2026))
    tried = {(day.year, day.month): year for day, year in asked}
    assert tried[2024, 12] == 2025
    assert tried[2023, 12] == 2024


def test_rules_name_the_wards_of_the_day_only(demonstration: Tracker) -> None:
    """26740 was Bến Nghé before July 2025 and is Sài Gòn since."""
    with pytest.raises(HotspotsError) as unknown:
        demonstration.choose(ask(must_include=("99999", "26740")), DAY)
    assert (unknown.value.reason, unknown.value.facts["given"]) == ("rules_unknown_wards", "99999")
    rules = {"excluded": {"26740": Exclusion("nông thôn mới", "301/HD")}, "edition": "2025-01-01"}
    with pytest.raises(HotspotsError) as other:
        demonstration.choose(ask(**rules), DAY)
    assert other.value.reason == "rules_of_other_edition"
    assert demonstration.choose(ask(edition="2025-01-01"), DAY).choice.wards


def test_rules_that_name_a_person_are_neither_written_nor_given_out(demonstration: Tracker) -> None:
    why = Exclusion("ông Nguyễn Văn An, số điện thoại 0912345678", "301/HD")
    question = ask(excluded={"26740": why})
    with pytest.raises(IntakeError):
        demonstration.propose(["26743"], YEAR, DAY, by="an", today=DAY, now=NOW, question=question)
    with pytest.raises(IntakeError):
        demonstration.export_selection(question, DAY, now=NOW, language="vi")


def test_before_the_first_counts_there_are_no_groups_of_crime(demonstration: Tracker) -> None:
    with pytest.raises(CannotMeasure) as early:
        demonstration.crime_groups(date(2015, 1, 31))
    assert early.value.reason == "no_counts_yet"


def test_what_was_not_transformed_last_year_and_what_relapsed_is_marked(
    demonstration: Tracker,
) -> None:
    day = date(2026, 1, 31)
    found = demonstration.choose(replace(ask(), year=2026), day)
    states = demonstration.snapshot(day).states
    failed = {
        name
        for name, state in states.items()
        if any(e.plan_year == 2025 and e.outcome == "not_transformed" for e in state.enrolments)
    }
    marked = set(found.table.index[found.table["carried_over"].eq(100)])
    assert marked == set(demonstration.not_transformed(2026, day) or ())
    assert 0 < len(marked) <= len(failed)
    relapsed = [s for s in states.values() if any(w.relapsed_on for w in s.watches)]
    assert found.table["relapse"].eq(100).sum() > 0
    assert found.table["relapse"].eq(100).sum() <= len(relapsed)


def test_a_cluster_that_stays_hot_for_three_years_has_that_class() -> None:
    wards = [f"{n:02}" for n in range(60)]
    row = {w: [wards[i] for i in range(n - 2, n + 3) if 0 <= i < 60] for n, w in enumerate(wards)}
    months = pd.period_range("2023-01", periods=40, freq="M")
    index = pd.DataFrame(1.0, months, wards)
    index.iloc[:, :6] = 9.0
    found = time_patterns(index, row)
    assert found is not None
    assert found.loc["02", "pattern"] == "persistent_hot"
    assert found.loc["40", ["pattern", "points_of"]].to_list() == ["no_pattern", "none"]
    assert found["tested"].max() == 12
    assert time_patterns(index.iloc[:2], row) is None


# -- the past


def test_the_backtest_of_other_weights_is_set_against_the_level(demonstration: Tracker) -> None:
    trend = demonstration.selection_backtest(DAY, ask(weights={"trend": 1.0}))
    assert trend.verdict.code == "weights_lose"
    assert trend.is_warning
    level = demonstration.selection_backtest(DAY, ask())
    assert list(level.mean.index) == ["smoothed_level", "last_year", "three_year_mean"]
    assert level.years["until"].max() == "2025-10"  # the year after must be known


def test_weight_on_the_time_class_is_said_to_be_without_noise(demonstration: Tracker) -> None:
    weights = {"smoothed_level": 3.0, "pattern": 1.0}
    selection = demonstration.choose(ask(weights=weights), DAY)
    said = question_lines(selection, demonstration.programme(), texts("en"))
    assert any("25.0% of the weight" in line for line in said)
    ward = str(selection.table.index[0])
    assert selection.evidence(ward)["share_without_noise"] == 0.25
    assert demonstration.choose(ask(), DAY).share_without_noise == 0


def test_any_weight_makes_ranks_no_surer_than_the_counts(demonstration: Tracker) -> None:
    level, trend = (
        demonstration.choose(ask(weights=weights), DAY).table
        for weights in ({"smoothed_level": 1.0}, {"smoothed_level": 1.0, "trend": 1.0})
    )
    width = [(table["rank_high"] - table["rank_low"]).mean() for table in (level, trend)]
    assert width[1] > width[0]
    assert trend["p_top"].sum() == pytest.approx(12)


def test_crime_groups_stand_for_every_ward_and_category(demonstration: Tracker) -> None:
    matrix = demonstration.crime_groups(DAY).matrix
    assert matrix.shape == (168, len(demonstration.programme().categories))
    assert not matrix.isna().any(axis=None)


# -- weights by name


def test_weights_saved_by_name_are_for_everybody_and_stand_in_the_audit(
    small_city: Tracker,
) -> None:
    tracker = small_city
    built_in = [each.name for each in tracker.selection_presets()]
    assert built_in == ["smoothed_level", "unfinished_first", "by_residents"]
    tracker.save_preset("  Quý   một ", {"smoothed_level": 1, "trend": 0.1, "rate": 0}, now=NOW)
    tracker.save_preset("Khác", {"persistence": 1}, now=NOW)
    tracker.save_preset("Quý một", {"smoothed_level": 1, "trend": 0.2}, now=NOW)
    again = Tracker.open(tracker.store.root)
    assert [each.name for each in again.selection_presets()] == [*built_in, "Quý một", "Khác"]
    assert again.preset("Quý một").weights == {"smoothed_level": 1.0, "trend": 0.2}
    written = again.audit(1)[0]
    assert (written.action, written.subject) == (AuditAction.PRESET_SAVED, "Quý một")
    assert again.verify().ok
    again.store.close()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (" ", "preset_without_name"),
        ("x" * 61, "preset_without_name"),
        ("by_residents", "preset_name_taken"),
    ],
)
def test_weights_need_a_name_of_their_own(small_city: Tracker, name: str, reason: str) -> None:
    with pytest.raises(HotspotsError) as refused:
        small_city.save_preset(name, {"trend": 1}, now=NOW)
    assert refused.value.reason == reason


def test_weights_are_not_named_after_a_person(small_city: Tracker) -> None:
    with pytest.raises(IntakeError):
        small_city.save_preset("số 0912345678", {"trend": 1}, now=NOW)


def test_weights_that_are_not_there_are_said_so(demonstration: Tracker) -> None:
    with pytest.raises(NotFound) as missing:
        demonstration.preset("nichts")
    assert missing.value.reason == "preset_unknown"


def test_only_who_proposes_saves_weights() -> None:
    assert permission_of(Tracker.save_preset) is Permission.PROPOSE


# -- putting forward, taking along


def test_a_proposal_keeps_the_question_it_was_made_on(small_city: Tracker, tmp_path: Path) -> None:
    tracker, day, say = small_city, date(2025, 12, 31), texts("vi")
    counted(tracker, tmp_path, MONTHS, w1=9, w2=5, w3=3, w4=1)
    weights = {"smoothed_level": 1.0, "severity": 0.2}
    out = {"00003": Exclusion("Mới đạt nông thôn mới", "Quyết định 1")}
    rules = Constraints(2, must_include=("00004",), excluded=out, no_two_neighbours=True)
    asked = Question(2026, rules, weights)
    found = tracker.choose(asked, day)
    assert found.choice.wards == ("00001", "00004")
    written, refused = tracker.propose(
        found.choice.wards, 2026, day, by="An", today=day, now=NOW, question=asked
    )
    assert refused == {}
    for event, ward in zip(written, found.choice.wards, strict=True):
        assert event.type is EventType.PROPOSED
        kept = tracker.hotspot(event.hotspot, day).log[-1].evidence
        assert kept["past"]["code"] in ("weights_hold", "weights_lose")
        assert kept == found.evidence(ward) | {"past": kept["past"]}
        assert kept["forced_in"] == (ward == "00004")
        told = " ".join(proposal_lines(event, tracker.programme(), say))
        for part in ("Mức nghiêm trọng 0,2", "Xã Bốn", "Mới đạt nông thôn mới", "trọng số này"):
            assert part in told, told
        assert (say("selection.by_must") in told) == (ward == "00004")
        assert kept["weights"] == weights
        assert kept["constraints"]["no_two_neighbours"] is True
        assert kept["rank_low"] <= kept["rank"] <= kept["rank_high"]
        assert kept["components"]["severity"]["points"] > 0
        assert kept["pattern"] == found.table.loc[ward, "time_class"]
    page = tracker.report("programme", "", as_of=day, made_on=day, language="vi")
    assert say("selection.report_title", year="2026") in page
    assert "Phường Một (00001-2026)" in page
    assert "Mới đạt nông thôn mới" in page
    assert say("selection.standing_proposed") in page


def test_the_workbook_holds_the_list_the_ranking_the_reasons_and_the_question(
    small_city: Tracker, tmp_path: Path
) -> None:
    tracker, say, day = small_city, texts("vi"), date(2025, 12, 31)
    counted(tracker, tmp_path, MONTHS, w1=9, w2=5, w3=3, w4=1)
    asked, listed = Question(2026, Constraints(2)), ["00001", "00003"]
    content = tracker.export_selection(asked, day, chosen=listed, now=NOW, language="vi")
    book = openpyxl.load_workbook(io.BytesIO(content))
    names = ("list", "ranking", "reasons", "asked")
    assert book.sheetnames == [say(f"selection.sheet_{name}") for name in names]
    wards = [row[1] for row in book.worksheets[0].iter_rows(min_row=2, values_only=True)]
    assert wards == listed
    assert book.worksheets[1].max_row == 5
    notes = " ".join(str(row[0]) for row in book.worksheets[3].iter_rows(values_only=True))
    assert weights_line(DEFAULT_WEIGHTS, say) in notes
    written = tracker.audit(1)[0]
    assert (written.action, written.subject) == (AuditAction.EXPORTED, "selection 2026")


def test_numbers_of_the_workbook_are_numbers(demonstration: Tracker) -> None:
    table = ranking_table(
        demonstration.choose(ask(), DAY), [], demonstration.programme(), texts("en")
    )
    assert pd.api.types.is_numeric_dtype(table[texts("en")("column.p_top")])
    assert table[texts("en")("column.region")].ne("").all()


# -- regions


def test_a_ward_of_an_earlier_edition_belongs_where_its_largest_part_went(
    demonstration: Tracker,
) -> None:
    """26740 was Bến Nghé until June 2025 and is Sài Gòn since, in the same region."""
    regions = demonstration.programme().regions
    places = [("26740", "2025-01-01"), ("26740", "2025-07-01"), ("nowhere", "2025-07-01")]
    found = groups_of_wards(regions, demonstration.boundaries, places)
    assert found == dict.fromkeys(places[:2], "ho_chi_minh")


def test_the_targets_are_told_by_region(
    demonstration: Tracker, programme_text: str, boundary_file: Callable[..., Path], tmp_path: Path
) -> None:
    found = demonstration.outlook(DAY)
    by_region = found.groups_of("region", 2025)
    whole = demonstration.snapshot(DAY).transformed[2025].denominator
    assert sum(each.transformed.denominator for each in by_region) == whole
    assert {each.group for each in by_region} <= set(demonstration.programme().regions)
    city = Tracker.open(tmp_path / "store", create=True)
    city.add_programme(programme_text.partition("[regions.")[0], NOW)
    city.add_boundaries(boundary_file(), date(2025, 7, 1), NOW)
    assert {each.grouping for each in city.outlook(DAY).groups} <= {"kind", "listing"}
    city.store.close()
