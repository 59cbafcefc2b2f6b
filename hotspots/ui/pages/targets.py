"""Chỉ tiêu: both targets in every reading, how the year may end, and the hotspots behind it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from hotspots.effect_words import (
    assessment_cells,
    assessments_line,
    effect_cells,
    effect_problem_lines,
    programme_lines,
)
from hotspots.import_words import indicator_cells
from hotspots.measures.projection import Projection
from hotspots.measures.targets import TargetResult
from hotspots.outlook import Outlook
from hotspots.reports.charts import (
    projection_chart,
    survival_chart,
    transformed_chart,
    trend_chart,
)
from hotspots.reports.html import Card, Cells
from hotspots.reports.outlook import (
    basis_lines,
    group_table,
    groups_note,
    likelihood,
    long_line,
    projection_lines,
    projection_table,
    projection_title,
    readings,
    verdict_cell,
)
from hotspots.reports.pages import hotspot_table
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets

_PARTS = ("transformed", "not_transformed", "open", "withdrawn", "carried_over")
_ALL_YEARS = "all"


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("targets.title"))
    if snapshot.plan_year is None:
        st.info(say("targets.nothing"))
    else:
        with st.spinner(say("targets.working")):
            outlook = session.tracker().outlook(session.as_of(), session.known_on())
        _transformed(snapshot, outlook, say)
        _not_relapsed(snapshot, outlook, say)
        _effect(snapshot, say)
        _groups(snapshot, outlook, say)
        _hotspots(snapshot, say)
    _indicators(snapshot, say)


# -- the first target


def _transformed(snapshot: Snapshot, outlook: Outlook, say: Texts) -> None:
    target = snapshot.programme.targets.transformed
    st.subheader(say("outlook.transformed_title", target=say.percent(target, 0)))
    left, right = st.columns([3, 7], gap="medium")
    with left:
        chart = transformed_chart(snapshot.transformed, target, say)
        st.altair_chart(chart, width="stretch", theme=None)
    with right:
        widgets.cells(_year_table(snapshot.transformed, say))
    if outlook.transformed_end is None:
        st.info(say("outlook.none_transformed"))
    else:
        _year_end(outlook.transformed_end, snapshot, outlook, say)


def _effect(snapshot: Snapshot, say: Texts) -> None:
    """Show whether the programme as a whole brought more than what falls by itself."""
    st.subheader(say("effect.title"))
    effects = session.tracker().effect(snapshot.as_of, session.known_on())
    widgets.effect_badge(effects.programme.verdict, say)
    widgets.reasons(programme_lines(effects, say))
    missing = effect_problem_lines(effects, snapshot, say)
    if not effects.hotspots and not missing:
        return
    with st.expander(say("effect.each")):
        if effects.hotspots:
            widgets.cells(effect_cells(effects, say))
        widgets.reasons(missing)


def _year_table(results: Mapping[int, TargetResult], say: Texts) -> Cells:
    columns = ("plan_year", "share", "interval", "verdict", "numerator", "denominator", "open")
    return Cells(
        tuple(say(f"column.{column}") for column in (*columns, "withdrawn")),
        tuple(
            (
                str(year),
                say.percent(result.share),
                _interval(result, say),
                verdict_cell(result, say),
                str(result.numerator),
                str(result.denominator),
                str(result.count("open")),
                str(result.count("withdrawn")),
            )
            for year, result in sorted(results.items(), reverse=True)
        ),
    )


def _interval(result: TargetResult, say: Texts) -> str:
    if result.interval is None:
        return "–"
    return f"{say.percent(result.interval.low)} – {say.percent(result.interval.high)}"


# -- the second target


def _not_relapsed(snapshot: Snapshot, outlook: Outlook, say: Texts) -> None:
    target = snapshot.programme.targets.not_relapsed
    st.subheader(say("outlook.not_relapsed_title", target=say.percent(target, 0)))
    st.caption(say("outlook.readings_note"))
    for place, card in zip(st.columns(3, gap="small"), readings(outlook, say), strict=True):
        with place:
            _reading(card)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _curve(outlook, say)
    with right:
        st.markdown(f"**{say('overview.trend')}**")
        if snapshot.official.denominator:
            chart = trend_chart(snapshot.trend, target, say)
            st.altair_chart(chart, width="stretch", theme=None)
    if outlook.official_end is None and outlook.official.denominator:
        st.info(say("outlook.none_relapsed"))
    for projection in (outlook.official_end, outlook.cohort_end):
        if projection is not None:
            _year_end(projection, snapshot, outlook, say)
    st.markdown(f"**{say('targets.cohort_title')}**")
    st.caption(say("target.cohort"))
    widgets.cells(_cohort_table(snapshot.cohorts, say))


def _reading(card: Card) -> None:
    """Show one reading: share, verdict, whether the data can tell, what it is made of."""
    with st.container(border=True, height="stretch"):
        st.metric(card.title, card.share)
        with st.container(horizontal=True, gap="small"):
            widgets.verdict_badge(card)
            if card.certainty:
                st.badge(card.certainty, color="green" if card.tone else "orange")
        how, *rest = card.lines
        if rest:
            st.markdown(f"**{widgets.plain(rest.pop(0))}**")
        st.markdown(widgets.plain(how))
        st.caption("  \n".join(widgets.plain(line) for line in rest))


def _curve(outlook: Outlook, say: Texts) -> None:
    found = outlook.survival
    st.markdown(f"**{say('outlook.curve')}**")
    if found.curve.empty:
        st.info(say("outlook.curve_empty", window=found.window))
        return
    st.altair_chart(survival_chart(found, say), width="stretch", theme=None)
    target = say.percent(found.target, 0)
    st.caption(say("outlook.curve_note", target=target, horizon=found.horizon))
    st.caption(long_line(outlook, say))


def _cohort_table(results: Mapping[int, TargetResult], say: Texts) -> Cells:
    columns = ("plan_year", "share", "kept", "denominator", "relapsed", "interval", "verdict")
    return Cells(
        tuple(say(f"column.{column}") for column in columns),
        tuple(
            (
                str(year),
                say.percent(result.share),
                str(result.numerator),
                str(result.denominator),
                str(result.count("relapsed")),
                _interval(result, say),
                f"{verdict_cell(result, say)} · {say(f'why.{result.why}')}",
            )
            for year, result in sorted(results.items(), reverse=True)
        ),
    )


# -- both


def _year_end(projection: Projection, snapshot: Snapshot, outlook: Outlook, say: Texts) -> None:
    """Show how a target is likely to stand at the end of the year."""
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            until = say("outlook.year_end", day=projection.until)
            st.markdown(f"**{until}** · {projection_title(projection, outlook, say)}")
            st.metric(say("outlook.probability"), likelihood(projection, say))
            widgets.reasons(projection_lines(projection, say))
            st.caption("  \n".join(basis_lines(projection, say)))
        with right:
            if projection.open:
                chart = projection_chart(projection, say)
                st.altair_chart(chart, width="stretch", theme=None)
        if projection.open:
            with st.expander(say("outlook.each")):
                widgets.cells(projection_table(projection, snapshot, say))


def _groups(snapshot: Snapshot, outlook: Outlook, say: Texts) -> None:
    """Show both targets by kind of hotspot and by listing, of one plan year or of all."""
    st.subheader(say("outlook.groups"))
    years = [_ALL_YEARS, *(str(year) for year in sorted(snapshot.transformed, reverse=True))]
    chosen = widgets.choose(
        "targets.groups_of",
        say("outlook.groups_of"),
        years,
        lambda year: say("outlook.all_years") if year == _ALL_YEARS else year,
    )
    year = None if chosen == _ALL_YEARS else int(chosen)
    for which in ("transformed", "not_relapsed"):
        st.markdown(f"**{say(f'outlook.{which}')}**")
        widgets.cells(group_table(outlook, which, year, snapshot.programme, say))
    st.caption(groups_note(snapshot.programme, say))


def _hotspots(snapshot: Snapshot, say: Texts) -> None:
    """Show the hotspots that each number is made of."""
    st.subheader(say("targets.behind"))
    years = sorted(snapshot.transformed, reverse=True)
    with st.container(border=True):
        st.markdown(f"**{say('outlook.transformed')}**")
        year = int(
            widgets.choose("targets.year", say("targets.choose_year"), [str(y) for y in years], str)
        )
        _behind(snapshot, snapshot.transformed[year], _PARTS, say)
        _assessments(snapshot, year, say)
    if snapshot.official.denominator:
        with st.container(border=True):
            st.markdown(f"**{say('outlook.end_official')}**")
            _behind(snapshot, snapshot.official, ("relapsed", "kept"), say)


def _assessments(snapshot: Snapshot, year: int, say: Texts) -> None:
    """Show how safe the assessments of a plan year are, and what would have fallen anyway."""
    known = session.tracker().assessments(snapshot.as_of, session.known_on())
    transformed = snapshot.transformed[year].behind.get("transformed", ())
    found = [each for name in transformed for each in known.get(name, ()) if each.plan_year == year]
    if found:
        st.markdown(f"**{say('effect.assessments_title')}**")
        st.caption(assessments_line(found, say))
        widgets.cells(assessment_cells(found, snapshot, say))


def _indicators(snapshot: Snapshot, say: Texts) -> None:
    """Show the other indicators of the plan, where a file brought them in."""
    values = session.tracker().indicators(snapshot.as_of)
    if values.empty:
        return
    st.subheader(say("targets.indicators"))
    st.caption(say("targets.indicators_note"))
    widgets.cells(indicator_cells(values, say))


def _behind(snapshot: Snapshot, result: TargetResult, parts: tuple[str, ...], say: Texts) -> None:
    """Show the hotspots of each part of a number, one tab a part."""
    filled = [part for part in parts if result.count(part)]
    if not filled:
        return
    labels = [f"{say(f'column.{part}')} ({result.count(part)})" for part in filled]
    for tab, part in zip(st.tabs(labels), filled, strict=True):
        with tab:
            widgets.cells(hotspot_table(snapshot, result.behind[part], say))
