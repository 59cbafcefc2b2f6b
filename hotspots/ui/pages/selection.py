"""Lựa chọn địa bàn: the ranking by weights, the rules, scenarios, the past, groups of crime."""

from __future__ import annotations

import streamlit as st

from hotspots.ui import session
from hotspots.ui.pages import (
    selection_asked,
    selection_groups,
    selection_past,
    selection_propose,
    selection_rank,
    selection_rules,
    selection_scenarios,
)

_TABS = {
    "rank": selection_rank.show,
    "rules": selection_rules.show,
    "scenarios": selection_scenarios.show,
    "past": selection_past.show,
    "groups": selection_groups.show,
}


def show() -> None:
    """Draw the page; of the tabs only the one that is looked at."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("selection.title"))
    st.caption(say("selection.intro"))
    selection_propose.last_message()
    selection_asked.questions(snapshot, say)
    labels = [say(f"selection.tab_{name}") for name in _TABS]
    tabs = st.tabs(labels, key="selection.tab", on_change="rerun")
    for tab, draw in zip(tabs, _TABS.values(), strict=True):
        if tab.open:
            with tab:
                draw(snapshot, say)
