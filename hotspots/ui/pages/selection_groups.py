"""The tab of the groups of crime: ward by category, with filters, and what is new."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd
import streamlit as st

from hotspots.choice_words import category_name, group_rule_lines, newly_seen_cells
from hotspots.errors import HotspotsError
from hotspots.measures.crime_groups import GROUPS, CrimeGroups
from hotspots.programme.plan import Programme
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.pages import selection_asked

_SIGN = {"at_risk": "▲", "frequent": "●", "rare": "○", "not_seen": "–", "unknown": "?"}
_COLOUR = {
    "at_risk": "background-color: #f8dcc8; color: #6b2a00",
    "frequent": "background-color: #fdf6df; color: #4a3b00",
    "rare": "color: #66717d",
    "not_seen": "color: #8a949e",
    "unknown": "color: #8a949e",
}
_WARD_WIDTH, _CELL_WIDTH = 132, 114


def show(snapshot: Snapshot, say: Texts) -> None:
    """Draw the tab."""
    tracker = session.tracker()
    try:
        found = tracker.crime_groups(snapshot.as_of)
        edition = tracker.edition_on(snapshot.as_of)
    except HotspotsError as error:
        st.info(widgets.plain(say.error(error)))
        return
    names = tracker.boundaries.names(edition.edition)["name"].to_dict()
    programme = snapshot.programme
    with st.expander(say("selection.group_rule"), icon=":material/rule:"):
        widgets.reasons(group_rule_lines(found.rule, say))
    _new(found, names, programme, say)
    st.subheader(say("selection.matrix"))
    matrix = _filtered(found, snapshot.as_of, names, programme, say)
    if matrix.empty:
        st.info(say("selection.matrix_empty"))
        return
    _counts(matrix, say)
    _matrix(matrix, names, programme, say)
    _why(found, matrix, names, programme, say)


def _new(found: CrimeGroups, names: Mapping[str, str], programme: Programme, say: Texts) -> None:
    st.subheader(say("selection.newly_seen"))
    table = newly_seen_cells(found, names, programme, say)
    if table.rows:
        widgets.cells(table)
    else:
        st.caption(say("selection.newly_seen_none"))


def _filtered(
    found: CrimeGroups, as_of: date, names: Mapping[str, str], programme: Programme, say: Texts
) -> pd.DataFrame:
    """Return the wards and categories that the filters leave, wards by name."""
    there = found.matrix
    matrix = there[[code for code in programme.categories if code in there.columns]]
    categories, groups, region = _filters(matrix, programme, say)
    matrix = matrix[[code for code in matrix.columns if not categories or code in categories]]
    if groups:
        matrix = matrix[matrix.isin(groups).any(axis=1)]
    if region is not None:
        of_wards = session.tracker().ward_regions(as_of)
        matrix = matrix[[of_wards.get(str(ward)) == region for ward in matrix.index]]
    return matrix.loc[sorted(matrix.index, key=lambda ward: names.get(ward, ward))]


def _filters(
    matrix: pd.DataFrame, programme: Programme, say: Texts
) -> tuple[list[str], list[str], str | None]:
    first, second, third = st.columns([2, 2, 1.4])
    with first:
        groups = widgets.remembered(
            "selection.groups",
            lambda key: st.multiselect(
                say("selection.filter_groups"),
                [group for group in GROUPS if matrix.isin([group]).any(axis=None)],
                format_func=lambda group: f"{_SIGN[group]} {say(f'crime_group.{group}')}",
                placeholder=say("selection.filter_all"),
                key=key,
            ),
            start=[],
        )
    with second:
        categories = widgets.remembered(
            "selection.categories",
            lambda key: st.multiselect(
                say("selection.filter_categories"),
                list(matrix.columns),
                format_func=lambda code: category_name(code, programme, say),
                placeholder=say("selection.filter_all"),
                key=key,
            ),
            start=[],
        )
    if not programme.regions:
        return categories, groups, None
    with third:
        region = selection_asked.pick(
            "selection.region",
            say("column.region"),
            ["", *programme.regions],
            lambda code: (
                programme.regions[code].label.of(say.language)
                if code
                else say("selection.filter_all")
            ),
        )
    return categories, groups, region or None


def _counts(matrix: pd.DataFrame, say: Texts) -> None:
    """Say how many wards and how many cells of each group are shown."""
    cells = matrix.stack().value_counts()
    shown = [
        f"{_SIGN[group]} {say(f'crime_group.{group}')}: {say.number(cells[group])}"
        for group in ("at_risk", "frequent", "rare", "not_seen", "unknown")
        if group in cells.index
    ]
    st.caption(f"{say('selection.matrix_wards', count=len(matrix))} {' · '.join(shown)}")


def _matrix(
    matrix: pd.DataFrame, names: Mapping[str, str], programme: Programme, say: Texts
) -> None:
    words = {group: f"{_SIGN[group]} {say(f'crime_group_short.{group}')}" for group in GROUPS}
    style = {words[group]: css for group, css in _COLOUR.items()}
    shown = matrix.replace(words)
    shown.columns = pd.Index([category_name(str(code), programme, say) for code in matrix.columns])
    shown.insert(0, say("column.ward"), [names.get(ward, ward) for ward in matrix.index])
    shown = shown.reset_index(drop=True)
    ward, *categories = shown.columns
    config = {ward: st.column_config.TextColumn(width=_WARD_WIDTH, pinned=True)}
    config |= {
        name: st.column_config.TextColumn(width=_CELL_WIDTH, help=str(name)) for name in categories
    }
    st.dataframe(
        shown.style.map(lambda cell: style.get(cell, "")),
        hide_index=True,
        column_config=config,
        height=460 if len(shown) > 12 else "content",
        width="stretch",
    )


def _why(
    found: CrimeGroups,
    matrix: pd.DataFrame,
    names: Mapping[str, str],
    programme: Programme,
    say: Texts,
) -> None:
    ward = widgets.choose(
        "selection.group_ward",
        say("selection.group_why"),
        [str(ward) for ward in matrix.index],
        lambda code: str(names.get(code, code)),
    )
    lines = []
    for category in matrix.columns:
        reason = found.reason(ward, category)
        group = say(f"crime_group.{matrix.loc[ward, category]}")
        name = category_name(str(category), programme, say)
        lines.append(f"{name} · {group}: {say.reason(reason.code, reason.facts)}")
    widgets.reasons(lines)
