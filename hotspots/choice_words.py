"""A choice of wards in words and tables: for the screen, the console, the workbook, the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from hotspots.choice import Selection
from hotspots.measures.components import COMPONENTS
from hotspots.measures.crime_groups import CrimeGroups, GroupRule, newly_seen_reasons
from hotspots.measures.reasons import Reason
from hotspots.measures.selection_backtest import MEASURES, Backtest
from hotspots.programme.plan import Programme
from hotspots.programme.selection_rules import Constraints, read_constraints
from hotspots.programme.status import Event
from hotspots.reports.html import Cells, Section
from hotspots.reports.pages import evidence_line
from hotspots.reports.tables import xlsx_bytes
from hotspots.snapshot import Snapshot
from hotspots.text import Texts

_RANKING: Final = ("rank", "rank_low", "rank_high", "p_top", "score", "level", "last12", "mean36")


def reason_line(reason: Reason, names: Mapping[str, str], programme: Programme, say: Texts) -> str:
    """Say a reason of a choice, with names for the codes of wards, regions, units and kinds."""
    facts: dict[str, Any] = dict(reason.facts)
    regions = {code: each.label for code, each in programme.regions.items()}
    units = {code: each.label for code, each in programme.units.items()}
    labels = {"region": regions, "unit": units}  # a unit may have the code of a region
    for fact, value in facts.items():
        if fact == "wards" and isinstance(value, str):
            facts[fact] = ", ".join(names.get(code, code) for code in value.split(", "))
        elif fact == "neighbour":
            facts[fact] = names.get(str(value), str(value))
        elif fact in labels and value in labels[fact]:
            facts[fact] = labels[fact][str(value)].of(say.language)
        elif fact == "kind":
            facts[fact] = kind_name(int(value), programme, say)
        elif fact == "pattern":
            facts[fact] = say(f"pattern.{value}")
    return say.reason(reason.code, facts)


def choice_reasons(
    selection: Selection, ward: str, programme: Programme, say: Texts
) -> tuple[str, ...]:
    """Say why a ward has its place, how sure that is, and what each component says."""
    found = selection.reasons(ward)
    return tuple(reason_line(reason, selection.names, programme, say) for reason in found)


def kind_name(kind: int, programme: Programme, say: Texts) -> str:
    """Return a kind with its number: 1. Crime against social order."""
    label = programme.kinds.get(kind)
    return str(kind) if label is None else f"{kind}. {label.of(say.language)}"


def interval_text(row: Mapping[str, Any], say: Texts) -> str:
    """Write a rank with its interval: 4 (2 to 9).

    >>> from hotspots.text import texts
    >>> interval_text({"rank": 4, "rank_low": 2, "rank_high": 9}, texts("vi"))
    '4 (2 đến 9)'
    """
    low, high = int(row["rank_low"]), int(row["rank_high"])
    if low == high:
        return str(int(row["rank"]))
    return say("selection.interval", rank=int(row["rank"]), low=low, high=high)


def place_word(row: Mapping[str, Any], say: Texts) -> str:
    """Say whether a ward surely belongs to the first K, surely not, or cannot be told.

    Or whether it stands there by chance: it is among them now, but not if drawn anew.
    """
    if row["cannot_tell"]:
        return say("selection.cannot_tell")
    if row["by_chance"]:
        return say("selection.by_chance")
    return say("selection.surely_in" if row["p_top"] > 0.5 else "selection.surely_out")


def weights_line(weights: Mapping[str, float], say: Texts) -> str:
    """Write weights: each component with its own."""
    return "; ".join(
        f"{say(f'component.{name}')} {say.number(weight, 2).rstrip('0').rstrip(',.')}"
        for name, weight in weights.items()
        if weight
    )


def rule_lines(
    rules: Constraints, names: Mapping[str, str], programme: Programme, say: Texts
) -> Iterator[str]:
    """Say every rule of a choice, line by line."""
    yield say("selection.rule_count", count=rules.count)
    if rules.must_include:
        yield say("selection.rule_must", wards=_named(rules.must_include, names))
    for ward, why in rules.excluded.items():
        ward_name = names.get(ward, ward)
        yield say("selection.rule_excluded", ward=ward_name, rule=why.rule, source=why.source)
    if rules.at_least_one_per_region:
        yield say("selection.rule_regions")
    if rules.no_two_neighbours:
        yield say("selection.rule_neighbours")
    for kind, quota in rules.kinds.items():
        name, most = kind_name(kind, programme, say), quota.at_most
        if quota.at_least:
            yield say("selection.rule_kind_least", kind=name, least=quota.at_least)
        if most is not None:
            yield say("selection.rule_kind_most", kind=name, most=most)
    for unit, most in rules.capacity.items():
        known = programme.units.get(unit)
        label = unit if known is None else known.label.of(say.language)
        yield say("selection.rule_capacity", unit=label, most=most)


def _named(wards: Iterable[str], names: Mapping[str, str]) -> str:
    return ", ".join(names.get(ward, ward) for ward in wards)


def question_lines(selection: Selection, programme: Programme, say: Texts) -> list[str]:
    """Say what was asked: year, kind, weights, rules."""
    asked = selection.question
    lines = [say("selection.asked_year", year=asked.year)]
    if asked.kind is not None:
        lines.append(say("selection.asked_kind", kind=kind_name(asked.kind, programme, say)))
    lines.append(say("selection.asked_weights", weights=weights_line(asked.weights_in_use, say)))
    lines += noise_lines(selection, say)
    return lines + list(rule_lines(asked.constraints, selection.names, programme, say))


def noise_lines(selection: Selection, say: Texts) -> list[str]:
    """Say how much of the weight the rank intervals know no noise of, if any."""
    share = round(selection.share_without_noise, 3)
    return [say("selection.without_noise", share=say.percent(share))] if share else []


def clash_lines(selection: Selection, programme: Programme, say: Texts) -> tuple[str, list[str]]:
    """Return why there is no list: what to do about it, and each rule that clashes."""
    clash = selection.choice.clash
    lines = [reason_line(reason, selection.names, programme, say) for reason in clash]
    if selection.choice.is_told:
        return say("selection.clash"), lines
    return lines[0], []


def proposal_lines(event: Event, programme: Programme, say: Texts) -> list[str]:
    """Say what a proposal rests on: the ward's place, the weights, the rules, the own past."""
    place = evidence_line(event, say)
    return [*([place] if place else []), *_asked_lines(event, programme, say)]


def _asked_lines(event: Event, programme: Programme, say: Texts) -> Iterator[str]:
    evidence: dict[str, Any] = dict(event.evidence)
    if weights := evidence.get("weights"):
        yield say("selection.asked_weights", weights=weights_line(weights, say))
    if evidence.get("kind") is not None:
        kind = kind_name(int(evidence["kind"]), programme, say)
        yield say("selection.asked_kind", kind=kind)
    if rules := evidence.get("constraints"):
        names = evidence.get("ward_names") or {}
        said = rule_lines(read_constraints(rules), names, programme, say)
        yield say("selection.asked_rules", rules=" ".join(said))
    if past := evidence.get("past"):
        facts = {name: value for name, value in past.items() if name != "code"}
        yield reason_line(Reason(str(past["code"]), facts), {}, programme, say)


# -- tables


def ranking_table(
    selection: Selection, listed: Sequence[str], programme: Programme, say: Texts
) -> pd.DataFrame:
    """Return every ranked ward as a row of a workbook: numbers as numbers."""
    table, regions = selection.table, programme.regions
    columns: dict[str, Any] = {
        say("column.choose"): [say("word.true") if w in set(listed) else "" for w in table.index],
        say("column.ward_code"): list(table.index),
        say("column.ward"): list(table["name"]),
    }
    for name in _RANKING:
        columns[say(f"column.{name}")] = table[name].round(3).to_list()
    columns[say("column.certainty")] = [place_word(row, say) for row in _rows(table)]
    for name in COMPONENTS:
        columns[f"{say(f'component.{name}')} (0-100)"] = table[name].round(1).to_list()
    columns[say("column.time_class")] = [time_class_word(p, say) for p in table["time_class"]]
    if regions:
        columns[say("column.region")] = [
            regions[code].label.of(say.language) if code in regions else ""
            for code in table["region"]
        ]
    return pd.DataFrame(columns)


def time_class_word(pattern: str, say: Texts) -> str:
    """Name a time class; nothing where there is none."""
    return say(f"pattern.{pattern}") if pattern else ""


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def workbook(
    selection: Selection,
    listed: Sequence[str],
    programme: Programme,
    notes: Sequence[str],
    say: Texts,
) -> bytes:
    """Return a choice as a workbook: the list with its reasons, the ranking, what was asked."""
    whole = ranking_table(selection, listed, programme, say)
    code = say("column.ward_code")
    reasons = pd.DataFrame(
        [
            (ward, selection.names.get(ward, ward), line)
            for ward in listed
            if ward in selection.table.index
            for line in choice_reasons(selection, ward, programme, say)
        ],
        columns=[code, say("column.ward"), say("column.reason")],
    )
    return xlsx_bytes(
        {
            say("selection.sheet_list"): whole[whole[code].isin(list(listed))],
            say("selection.sheet_ranking"): whole,
            say("selection.sheet_reasons"): reasons,
        },
        notice="\n".join([*notes, *question_lines(selection, programme, say)]),
        notice_sheet=say("selection.sheet_asked"),
    )


def backtest_cells(found: Backtest, say: Texts) -> Cells:
    """Return the means over the years tried: methods in rows, measures in columns."""
    headers = (say("column.method"), *(say(f"selection_measure.{name}") for name in MEASURES))
    rows = tuple(
        (
            say(f"selection_method.{method}"),
            *(_measure(name, float(row[name]), say) for name in MEASURES),
        )
        for method, row in found.mean.iterrows()
    )
    return Cells(headers, rows)


def backtest_years(found: Backtest, say: Texts) -> Cells:
    """Return the hit rate of each year tried: years in rows, methods in columns."""
    wide = found.years.pivot(index="until", columns="method", values="hit_rate")
    methods = list(found.mean.index)
    headers = (say("selection.chosen_until"), *(say(f"selection_method.{m}") for m in methods))
    rows = tuple(
        (say.month(str(until)), *(_measure("hit_rate", float(row[m]), say) for m in methods))
        for until, row in wide.iterrows()
    )
    return Cells(headers, rows)


def _measure(name: str, value: float, say: Texts) -> str:
    if value != value:
        return "–"
    return say.percent(value, 0) if name in ("hit_rate", "harm_share") else say.number(value, 2)


def backtest_lines(found: Backtest, programme: Programme, say: Texts) -> list[str]:
    """Say what follows from a backtest, and what could not be part of it."""
    return [reason_line(each, {}, programme, say) for each in (found.verdict, *found.notes)]


def newly_seen_cells(
    found: CrimeGroups, names: Mapping[str, str], programme: Programme, say: Texts
) -> Cells:
    """Return what was seen for the first time in the last quarter, with the reason."""
    rows = tuple(
        (
            names.get(str(row["ward"]), str(row["ward"])),
            category_name(str(row["category"]), programme, say),
            say.reason(reason.code, reason.facts),
        )
        for row, reason in zip(
            found.newly_seen.to_dict("records"), newly_seen_reasons(found), strict=True
        )
    )
    headers = (say("column.ward"), say("column.category"), say("column.why"))
    return Cells(headers, rows)


def group_rule_lines(rule: GroupRule, say: Texts) -> tuple[str, ...]:
    """Say by which rule the four groups are told."""
    facts = {
        "look_back": rule.look_back,
        "least": say.number(rule.least_at_risk),
        "z": say.number(rule.rising_z, 1),
        "top": say.percent(rule.top_share, 0),
        "frequent": rule.frequent_months,
        "new_months": rule.new_months,
        "new_after": rule.new_after,
    }
    names = ("not_seen", "at_risk", "frequent", "rare", "newly_seen")
    return tuple(say(f"selection.group_{name}", **facts) for name in names)


def category_name(code: str, programme: Programme, say: Texts) -> str:
    """Return a category's name."""
    category = programme.categories.get(code)
    return code if category is None else category.label.of(say.language)


# -- the report


def proposals_section(
    snapshot: Snapshot, proposals: Sequence[tuple[Event, str]], say: Texts
) -> tuple[Section, ...]:
    """Return the wards proposed, by plan year, with the evidence frozen in each proposal."""
    columns = ("ward", "status", "rank", "p_top", "score", "time_class", "on", "by")
    headers = tuple(say(f"column.{column}") for column in columns)
    return tuple(
        Section(
            title=say("selection.report_title", year=str(year)),
            sentences=(
                say("selection.report_note"),
                *_questions([e for e, _ in proposals if e.plan_year == year], snapshot, say),
            ),
            table=Cells(
                headers,
                tuple(
                    _proposal_row(event, standing, snapshot, say)
                    for event, standing in sorted(proposals, key=lambda each: _rank_of(each[0]))
                    if event.plan_year == year
                ),
            ),
        )
        for year in sorted({event.plan_year for event, _ in proposals if event.plan_year})
    )


def _questions(events: Sequence[Event], snapshot: Snapshot, say: Texts) -> list[str]:
    """Return the weights and rules of the proposals, each once."""
    asked = (" ".join(_asked_lines(event, snapshot.programme, say)) for event in events)
    return [line for line in dict.fromkeys(asked) if line]


def _rank_of(event: Event) -> tuple[float, str]:
    rank = event.evidence.get("rank")
    return (float(rank) if isinstance(rank, int | float) else float("inf")), event.hotspot


def _proposal_row(event: Event, standing: str, snapshot: Snapshot, say: Texts) -> tuple[str, ...]:
    evidence: dict[str, Any] = dict(event.evidence)
    place = event.place
    if place is None and event.hotspot in snapshot.states:
        place = snapshot.states[event.hotspot].place
    has_rank = {"rank", "rank_low", "rank_high"} <= set(evidence)
    p_top, score = evidence.get("p_top"), evidence.get("score")
    return (
        f"{place.name} ({event.hotspot})" if place else event.hotspot,
        say(f"selection.standing_{standing}"),
        interval_text(evidence, say) if has_rank else say.show(evidence.get("rank")),
        "–" if p_top is None else say.percent(float(p_top), 0),
        "–" if score is None else say.number(float(score), 1),
        time_class_word(str(evidence.get("pattern") or ""), say) or "–",
        say.day(event.effective_on),
        event.recorded_by,
    )


# -- for machines


def as_data(selection: Selection, wards: Sequence[str]) -> list[dict[str, Any]]:
    """Return wards with their numbers and reasons as plain values."""
    rows = []
    for ward in wards:
        row = {str(name): value for name, value in selection.table.loc[ward].to_dict().items()}
        ward_kind = row.pop("kind")
        reasons = reasons_data(selection.reasons(ward))
        rows.append({"ward": ward, "ward_kind": ward_kind, **row, "reasons": reasons})
    return rows


def reasons_data(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Return reasons as plain values."""
    return [{"code": reason.code, **reason.facts} for reason in reasons]
