"""From finished tables to the content of a report: what is said, in which order, in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from hotspots.measures.targets import TargetResult
from hotspots.outlook import Outlook
from hotspots.programme.status import Event, EventType
from hotspots.reports.charts import (
    category_chart,
    monthly_chart,
    survival_chart,
    svg,
    transformed_chart,
    trend_chart,
)
from hotspots.reports.colours import STAGE_STYLE, verdict_style
from hotspots.reports.html import Card, Cells, MapDrawing, Page, Section
from hotspots.reports.lineage import lineage_lines
from hotspots.reports.outlook import (
    basis_lines,
    group_table,
    groups_note,
    likelihood,
    long_line,
    projection_lines,
    projection_title,
    readings,
)
from hotspots.snapshot import HotspotFile, Lineage, Snapshot, WardFile
from hotspots.text import Texts


def notices(snapshot: Snapshot, say: Texts) -> tuple[str, ...]:
    """Return what must stand on every page: simulated data, sketched boundaries."""
    found = [say("app.simulated")] if snapshot.simulated else []
    if snapshot.edition is not None and snapshot.edition.schematic:
        found.append(say("app.schematic"))
    return tuple(found)


def edition_line(snapshot: Snapshot, say: Texts) -> str:
    """Return which boundaries are shown, and that they are too new where they are."""
    if snapshot.edition is None:
        return ""
    day = date.fromisoformat(snapshot.edition.edition)
    return say("app.edition" if snapshot.edition_valid else "app.edition_early", edition=day)


def counts_end_line(
    monthly: pd.DataFrame, lineage: Lineage, snapshot: Snapshot, say: Texts
) -> str | None:
    """Return where a ward's complete counts end because newer ones stand on newer wards."""
    months = monthly.loc[monthly["known"], "month"]
    later = {step.edition for step in lineage.after}
    later |= set() if snapshot.edition is None else {snapshot.edition.edition}
    passed = [day for day in later if lineage.edition < day <= snapshot.as_of.isoformat()]
    if not len(months) or not any(months.max() < day[:7] for day in passed):
        return None
    return say("overview.counts_end", last=say.month(months.max()))


def not_measured_lines(snapshot: Snapshot, say: Texts) -> list[str]:
    """Return one line for each reason why watched hotspots could not be measured."""
    by_reason: dict[str, list[str]] = {}
    for name, error in snapshot.not_measured.items():
        by_reason.setdefault(say.error(error), []).append(f"{snapshot.row(name)['name']} ({name})")
    return [
        say("overview.not_measured", count=len(names), names=", ".join(names), problem=problem)
        for problem, names in by_reason.items()
    ]


def programme_page(
    snapshot: Snapshot,
    outlook: Outlook,
    files: Mapping[str, HotspotFile],
    drawings: tuple[MapDrawing, ...],
    made_on: date,
    say: Texts,
) -> Page:
    """Return the report on the whole programme, hotspot by hotspot."""
    targets = snapshot.programme.targets
    figures = []
    if snapshot.transformed:
        chart = transformed_chart(snapshot.transformed, targets.transformed, say)
        figures.append((say("overview.trend_years"), svg(chart, 420)))
    if snapshot.official.denominator:
        chart = trend_chart(snapshot.trend, targets.not_relapsed, say)
        figures.append((say("overview.trend"), svg(chart, 420)))
    ordered = sorted(snapshot.hotspots.index, key=_urgency(snapshot))
    wanted = say.percent(targets.not_relapsed, 0)
    page = _page(
        snapshot,
        say("report.programme_title"),
        drawings,
        made_on,
        say,
        figures=tuple(figures),
        table=hotspot_table(snapshot, ordered, say),
        remarks=(*not_measured_lines(snapshot, say), *doubt_lines(snapshot, say)),
        sections=tuple(_section(snapshot, files[name], say) for name in ordered),
    )
    return replace(
        page,
        cards=page.cards[:-1],  # the official reading stands among the three
        readings=readings(outlook, say),
        readings_title=say("outlook.not_relapsed_title", target=wanted),
        readings_note=say("outlook.readings_note"),
        outlook=tuple(_outlook_sections(snapshot, outlook, say)),
    )


def _outlook_sections(snapshot: Snapshot, outlook: Outlook, say: Texts) -> Iterable[Section]:
    """Give the curve, the year's end and the targets by group."""
    if len(outlook.survival.curve):
        target = say.percent(outlook.survival.target, 0)
        note = say("outlook.curve_note", target=target, horizon=outlook.survival.horizon)
        yield Section(
            title=say("outlook.curve"),
            sentences=(note, long_line(outlook, say)),
            figure=svg(survival_chart(outlook.survival, say), 820),
        )
    for each in outlook.projections:
        yield Section(
            title=f"{projection_title(each, outlook, say)} · "
            + say("outlook.year_end", day=each.until),
            facts=((say("outlook.probability"), likelihood(each, say)),),
            sentences=(*projection_lines(each, say), *basis_lines(each, say)),
        )
    notes: tuple[str, ...] = (groups_note(snapshot.programme, say),)
    for which in ("transformed", "not_relapsed") if outlook.groups else ():
        title = f"{say(f'outlook.{which}')} · {say('outlook.groups').lower()}"
        table = group_table(outlook, which, None, snapshot.programme, say)
        yield Section(title=title, sentences=notes, table=table)
        notes = ()


def hotspot_page(
    snapshot: Snapshot,
    file: HotspotFile,
    drawings: tuple[MapDrawing, ...],
    made_on: date,
    say: Texts,
) -> Page:
    """Return the report on one hotspot."""
    name = file.state.hotspot
    return _page(
        snapshot,
        say("report.hotspot_title", name=_title(file, say)),
        drawings,
        made_on,
        say,
        figures=_category_figure(snapshot, file.monthly, say),
        table=hotspot_table(snapshot, [name] if name in snapshot.hotspots.index else [], say),
        sections=(_section(snapshot, file, say),),
        cards=False,
    )


def ward_page(
    snapshot: Snapshot,
    ward: WardFile,
    drawings: tuple[MapDrawing, ...],
    made_on: date,
    say: Texts,
) -> Page:
    """Return the report on one ward: its place in the city, its hotspots, its counts."""
    sentences = tuple(say.reason(reason.code, reason.facts) for reason in ward.reasons)
    facts = [(say("column.ward_code"), ward.code)]
    if ward.area_km2 is not None:
        facts.append((say("column.area_km2"), say.number(ward.area_km2, 1)))
    if ward.rank is not None:
        rank, wards = ward.rank
        facts.append((say("column.rank"), say("report.ward_rank", rank=rank, wards=wards)))
    if ward.lineage is not None:
        sentences = (*lineage_lines(ward.lineage, say), *sentences)
    chart = None
    if not ward.monthly.empty:
        chart = monthly_chart(ward.monthly, (), say, breaks=ward.breaks)
    own = Section(
        title=say.ward(ward.kind, ward.name),
        facts=tuple(facts),
        sentences=sentences,
        figure="" if chart is None else svg(chart),
    )
    return _page(
        snapshot,
        say("report.ward_title", name=say.ward(ward.kind, ward.name)),
        drawings,
        made_on,
        say,
        figures=_category_figure(snapshot, ward.monthly, say),
        table=hotspot_table(snapshot, [file.state.hotspot for file in ward.hotspots], say),
        sections=(own, *(_section(snapshot, file, say) for file in ward.hotspots)),
        cards=False,
    )


def target_card(title: str, result: TargetResult, say: Texts) -> Card:
    """Return a target with its verdict, its fraction, its interval and whether data can tell."""
    style = verdict_style(result.verdict, sure=result.data_can_tell)
    return Card(
        title=title,
        share=say.percent(result.share),
        verdict=say(f"verdict.{result.verdict}"),
        why=say(f"why.{result.why}"),
        colour=style.colour,
        symbol=style.symbol,
        lines=tuple(_card_lines(result, say)),
        tone=result.verdict
        if result.data_can_tell or result.verdict == "cannot_be_measured"
        else "",
    )


def _card_lines(result: TargetResult, say: Texts) -> Iterable[str]:
    part, whole = str(result.numerator), str(result.denominator)
    fraction = say("target.fraction", numerator=part, denominator=whole)
    yield f"{fraction} · {say('target.at_least', target=say.percent(result.target, 0))}"
    still_open = result.count("open")
    if still_open:
        possible = str(result.numerator + still_open)
        yield say("target.still_open", open=str(still_open), possible=possible)
    if result.interval is None:
        yield say("target.no_interval")
    else:
        low, high = say.percent(result.interval.low), say.percent(result.interval.high)
        line = say("target.interval", low=low, high=high)
        yield f"{line} ({say('target.interval_decided')})" if still_open else line
    if result.reading == "official" and result.denominator:
        followed = str(result.count("followed"))
        yield say("target.followed", followed=followed, whole=whole)
    if result.verdict != "cannot_be_measured":
        yield say("target.can_tell" if result.data_can_tell else "target.cannot_tell")


def target_cards(snapshot: Snapshot, say: Texts) -> tuple[Card, ...]:
    """Return the two targets: of the latest plan year, and of the day."""
    cards = []
    if snapshot.plan_year is not None:
        year = snapshot.plan_year
        title = say("target.transformed_year", year=year)
        cards.append(target_card(title, snapshot.transformed[year], say))
    cards.append(target_card(say("target.not_relapsed"), snapshot.official, say))
    return tuple(cards)


def hotspot_table(snapshot: Snapshot, names: Iterable[str], say: Texts) -> Cells:
    """Return hotspots as rows of text."""
    columns = ("ward", "kinds", "plan_year", "status", "since", "watched_until", "p6")
    rows = []
    for name in names:
        row = snapshot.row(name)
        p6 = risk_cell(row, say)
        style = STAGE_STYLE[row["stage"]]
        status = f"{style.symbol} {say('status.' + row['status'])}".strip()
        kinds = "+".join(map(str, row["kinds"])) or "–"
        plan_year = row["plan_year"]
        year = "–" if pd.isna(plan_year) else str(int(plan_year))
        since, until = say.day(row["since"]), say.day(row["watched_until"])
        rows.append((f"{row['name']} ({name})", kinds, year, status, since, until, p6))
    return Cells(tuple(say(f"column.{column}") for column in columns), tuple(rows))


def risk_cell(row: Mapping[str, Any], say: Texts) -> str:
    """Return the probability within six months; points and rank where it may not be shown."""
    if np.isfinite(row["p6"]):
        return say.chance(row["p6"])
    if not np.isfinite(row["points"]):
        return "–"
    return say("overview.risk_points", points=round(row["points"]), rank=round(row["risk_rank"]))


def risk_note(snapshot: Snapshot, say: Texts) -> str:
    """Return how the probabilities came about: the rung of the day's edition, or why none."""
    edition = "" if snapshot.edition is None else snapshot.edition.edition
    risk = snapshot.calibrated.get(edition) or next(iter(snapshot.calibrated.values()), None)
    if risk is None:
        return ""
    if risk.rung and not risk.shown[6]:
        return say("overview.risk_hidden")
    return say(f"overview.risk_rung_{risk.models[6]}")


def doubt_lines(snapshot: Snapshot, say: Texts) -> tuple[str, ...]:
    """Say it where the probabilities within six months are far from what is on record."""
    doubts = [risk.doubts[6] for risk in snapshot.calibrated.values() if 6 in risk.doubts]
    return tuple(dict.fromkeys(say.reason(each.code, each.facts) for each in doubts))


_NO_RISK: Final = {"p6": np.nan, "points": np.nan}


def timeline(file: HotspotFile, say: Texts) -> Cells:
    """Return a hotspot's events as rows of text, oldest first."""
    corrected = {event.corrects for event in file.log if event.type is EventType.CORRECTED}
    rows = []
    for event in file.events:
        note = event.note
        if event.event_id in corrected:
            note = f"{note} ({say('event.Corrected').lower()})".strip()
        note = " ".join(part for part in (note, evidence_line(event, say)) if part)
        rows.append((say.day(event.effective_on), _event_name(event, say), note, event.recorded_by))
    headers = tuple(say(f"column.{column}") for column in ("on", "event", "note", "by"))
    return Cells(headers, tuple(rows))


def evidence_line(event: Event, say: Texts) -> str:
    """Say what place a proposed ward had when it was proposed; "" where none is on record."""
    given = event.evidence
    numbers = ("rank", "rank_low", "rank_high", "p_top", "score", "as_of", "constraints")
    if not set(numbers) <= set(given):
        return ""
    constraints = given["constraints"]
    count = constraints.get("count") if isinstance(constraints, Mapping) else None
    return say(
        "selection.evidence",
        day=date.fromisoformat(str(given["as_of"])),
        rank=say.show(given["rank"]),
        low=say.show(given["rank_low"]),
        high=say.show(given["rank_high"]),
        count=say.show(count),
        p=say.percent(float(str(given["p_top"])), 0),
        score=say.number(float(str(given["score"])), 1),
        by=say(_how(given)),
    )


def _how(evidence: Mapping[str, object]) -> str:
    if evidence.get("forced_in"):
        return "selection.by_must"
    return "selection.by_rules" if evidence.get("chosen_by_rules") else "selection.by_hand"


def _event_name(event: Event, say: Texts) -> str:
    name = say(f"event.{event.type}")
    return f"{name} ({event.plan_year})" if event.plan_year else name


def _section(snapshot: Snapshot, file: HotspotFile, say: Texts) -> Section:
    name = file.state.hotspot
    programme = snapshot.programme
    style = STAGE_STYLE[file.state.stage(programme.watch_months)]
    kinds = sorted(file.state.place.kinds) if file.state.place else []
    labels = [programme.kinds[kind].of(say.language) for kind in kinds if kind in programme.kinds]
    facts = [
        (say("column.status"), say(f"status.{file.state.status}")),
        (say("column.since"), say.day(file.state.since)),
    ]
    if labels:
        facts.append((say("column.kinds"), "; ".join(labels)))
    sentences = []
    row = snapshot.row(name) if name in snapshot.hotspots.index else _NO_RISK
    if np.isfinite(row["p6"]):
        alarm = say(f"alarm.{row['alarm']}")
        facts.append((say("column.p6"), f"{say.chance(row['p6'])} ({alarm.lower()})"))
    elif np.isfinite(row["points"]):
        facts.append((say("overview.risk_points_label"), risk_cell(row, say)))
    if np.isfinite(row["points"]):
        sentences = [say.reason(r.code, r.facts) for r in snapshot.reasons(name)]
    if file.lineage is not None and file.state.place is not None:
        facts.append((say("column.edition"), say.day(date.fromisoformat(file.lineage.edition))))
        sentences = [*lineage_lines(file.lineage, say), *sentences]
        ends = counts_end_line(file.monthly, file.lineage, snapshot, say)
        sentences += [] if ends is None else [ends]
    error = snapshot.not_measured.get(name)
    if error is not None:
        sentences.append(say("overview.at_risk_problem", problem=say.error(error)))
    drawn = ""
    if not file.monthly.empty:
        drawn = svg(monthly_chart(file.monthly, file.events, say, 170, file.breaks), 380)
    return Section(
        title=_title(file, say),
        facts=tuple(facts),
        sentences=tuple(sentences),
        table=timeline(file, say),
        figure=drawn,
        mark=style.symbol,
        mark_colour=style.colour,
    )


def _title(file: HotspotFile, say: Texts) -> str:
    place = file.state.place
    return f"{place.name} ({file.state.hotspot})" if place else file.state.hotspot


def _category_figure(
    snapshot: Snapshot, monthly: pd.DataFrame, say: Texts
) -> tuple[tuple[str, str], ...]:
    if not monthly["known"].any():
        return ()
    categories = snapshot.programme.categories
    labels = {code: category.label.of(say.language) for code, category in categories.items()}
    return ((say("report.counts_12"), svg(category_chart(monthly, labels, say), 520)),)


def _urgency(snapshot: Snapshot) -> Callable[[str], tuple[int, float, str]]:
    order = {stage: number for number, stage in enumerate(STAGE_STYLE)}

    def key(name: str) -> tuple[int, float, str]:
        row = snapshot.row(name)
        rank = row["risk_rank"] if np.isfinite(row["risk_rank"]) else np.inf
        return order[row["stage"]], rank, str(row["name"])

    return key


def _page(
    snapshot: Snapshot,
    title: str,
    drawings: tuple[MapDrawing, ...],
    made_on: date,
    say: Texts,
    *,
    figures: tuple[tuple[str, str], ...],
    table: Cells,
    sections: tuple[Section, ...],
    remarks: tuple[str, ...] = (),
    cards: bool = True,
) -> Page:
    lines = [say("report.made_on", day=made_on), say("report.as_of", day=snapshot.as_of)]
    if snapshot.known_on is not None:
        lines.append(say("app.as_known", day=snapshot.known_on.date()))
    if snapshot.edition is not None:
        lines.append(edition_line(snapshot, say))
    return Page(
        say=say,
        title=title,
        programme=snapshot.programme.name.of(say.language),
        lines=tuple(lines),
        notices=notices(snapshot, say),
        cards=target_cards(snapshot, say) if cards else (),
        figures=figures,
        drawings=drawings,
        table=table,
        sections=sections,
        remarks=remarks,
        log=f"{snapshot.head.count} {snapshot.head.hash}",
        on_one=not cards,
        head=say("report.head", count=str(snapshot.head.count), hash=snapshot.head.hash),
    )
