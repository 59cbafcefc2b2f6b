"""The tab of the past: what this way of choosing would have found in the store's own years."""

from __future__ import annotations

import streamlit as st

from hotspots.choice_words import backtest_cells, backtest_lines, backtest_years, weights_line
from hotspots.errors import HotspotsError
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.pages import selection_asked


def show(snapshot: Snapshot, say: Texts) -> None:
    """Draw the tab."""
    st.caption(say("selection.past_note"))
    question = selection_asked.question(snapshot)
    try:
        found = session.tracker().selection_backtest(snapshot.as_of, question, session.known_on())
    except HotspotsError as error:
        st.info(widgets.plain(say.error(error)))
        return
    weights = weights_line(question.weights_in_use, say)
    st.caption(say("selection.in_use", weights=weights))
    verdict, *notes = (
        widgets.plain(line) for line in backtest_lines(found, snapshot.programme, say)
    )
    if found.is_warning:
        st.warning(verdict, icon=":material/trending_down:")
    elif not found.is_judged:
        st.info(verdict, icon=":material/help:")
    else:
        st.success(verdict, icon=":material/check:")
    st.subheader(say("selection.past_mean"))
    widgets.cells(backtest_cells(found, say))
    st.caption(say("selection.past_measures"))
    st.subheader(say("selection.past_years"))
    widgets.cells(backtest_years(found, say))
    if notes:
        st.caption("  \n".join(notes))
