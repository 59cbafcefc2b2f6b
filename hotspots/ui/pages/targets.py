"""Chỉ tiêu: both targets by plan year, with the hotspots behind each number."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from hotspots.import_words import indicator_cells
from hotspots.measures.targets import TargetResult
from hotspots.reports.charts import transformed_chart, trend_chart
from hotspots.reports.html import Cells
from hotspots.reports.pages import hotspot_table
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets

_PARTS = ("transformed", "not_transformed", "open", "withdrawn", "carried_over")


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("targets.title"))
    if snapshot.plan_year is None:
        st.info(say("targets.nothing"))
    else:
        _transformed(snapshot, say)
        _not_relapsed(snapshot, say)
    _indicators(snapshot, say)


def _transformed(snapshot: Snapshot, say: Texts) -> None:
    st.subheader(say("targets.by_year"))
    left, right = st.columns([2, 3], gap="medium")
    target = snapshot.programme.targets.transformed
    with left:
        chart = transformed_chart(snapshot.transformed, target, say)
        st.altair_chart(chart, width="stretch", theme=None)
    with right:
        widgets.cells(_year_table(snapshot.transformed, say))
    years = sorted(snapshot.transformed, reverse=True)
    with st.container(border=True):
        st.markdown(f"**{say('targets.behind')}**")
        year = int(
            widgets.choose("targets.year", say("targets.choose_year"), [str(y) for y in years], str)
        )
        _behind(snapshot, snapshot.transformed[year], _PARTS, say)


def _indicators(snapshot: Snapshot, say: Texts) -> None:
    """Show the other indicators of the plan, where a file brought them in."""
    values = session.tracker().indicators(snapshot.as_of)
    if values.empty:
        return
    st.subheader(say("targets.indicators"))
    st.caption(say("targets.indicators_note"))
    widgets.cells(indicator_cells(values, say))


def _year_table(results: Mapping[int, TargetResult], say: Texts) -> Cells:
    columns = ("plan_year", "share", "verdict", "numerator", "denominator", "open", "withdrawn")
    headers = tuple(say(f"column.{c}") for c in (*columns, "interval"))
    return Cells(
        headers,
        tuple(
            (
                str(year),
                say.percent(result.share),
                say(f"verdict.{result.verdict}"),
                str(result.numerator),
                str(result.denominator),
                str(result.count("open")),
                str(result.count("withdrawn")),
                _interval(result, say),
            )
            for year, result in sorted(results.items(), reverse=True)
        ),
    )


def _interval(result: TargetResult, say: Texts) -> str:
    if result.interval is None:
        return "–"
    return f"{say.percent(result.interval.low)} – {say.percent(result.interval.high)}"


def _not_relapsed(snapshot: Snapshot, say: Texts) -> None:
    target = snapshot.programme.targets.not_relapsed
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.subheader(say("targets.official_title"))
        widgets.target(say("target.not_relapsed"), snapshot.official, say)
        st.caption(say("target.official"))
    with right:
        st.subheader(say("overview.trend"))
        if snapshot.official.denominator:
            chart = trend_chart(snapshot.trend, target, say)
            st.altair_chart(chart, width="stretch", theme=None)
    with st.container(border=True):
        st.markdown(f"**{say('targets.behind')}**")
        _behind(snapshot, snapshot.official, ("relapsed", "kept"), say)
    st.subheader(say("targets.cohort_title"))
    st.caption(say("target.cohort"))
    widgets.cells(_cohort_table(snapshot.cohorts, say))


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
                f"{say(f'verdict.{result.verdict}')} · {say(f'why.{result.why}')}",
            )
            for year, result in sorted(results.items(), reverse=True)
        ),
    )


def _behind(snapshot: Snapshot, result: TargetResult, parts: tuple[str, ...], say: Texts) -> None:
    """Show the hotspots of each part of a number, one tab a part."""
    filled = [part for part in parts if result.count(part)]
    if not filled:
        return
    labels = [f"{say(f'column.{part}')} ({result.count(part)})" for part in filled]
    for tab, part in zip(st.tabs(labels), filled, strict=True):
        with tab:
            widgets.cells(hotspot_table(snapshot, result.behind[part], say))
