"""The tab of the rules: what the list must keep to, and which rules clash."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from hotspots.choice import Selection
from hotspots.choice_words import kind_name, reason_line, rule_lines
from hotspots.errors import HotspotsError
from hotspots.programme.plan import Programme
from hotspots.programme.selection_rules import Exclusion
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.pages import selection_asked, selection_propose, selection_rank

_LONGEST = 160


def show(snapshot: Snapshot, say: Texts) -> None:
    """Draw the tab."""
    st.caption(say("selection.rules_note"))
    tracker = session.tracker()
    names = tracker.boundaries.names(tracker.edition_on(snapshot.as_of).edition)["name"].to_dict()
    left, right = st.columns([3, 2], gap="large")
    with left:
        _must(names, snapshot, say)
        _excluded(names, snapshot, say)
        _spread(snapshot.programme, say)
        _kinds(snapshot.programme, say)
        _units(snapshot.programme, say)
    with right:
        selection = selection_asked.answer(snapshot, say)
        if selection is not None:
            _what_follows(selection, snapshot, say)


def _by_name(names: Mapping[str, str]) -> list[str]:
    return sorted(names, key=lambda code: (names[code], code))


def _must(names: Mapping[str, str], snapshot: Snapshot, say: Texts) -> None:
    st.markdown(f"**{say('selection.must')}**")
    year = selection_asked.question(snapshot).year
    unfinished = session.tracker().not_transformed(year, snapshot.as_of, session.known_on())
    start = [ward for ward in selection_asked.usual_must(snapshot) if ward in names]
    widgets.remembered(
        selection_asked.must_name(snapshot),
        lambda key: st.multiselect(
            say("selection.must"),
            _by_name(names),
            format_func=lambda code: f"{names[code]} ({code})",
            placeholder=say("selection.choose_wards"),
            label_visibility="collapsed",
            key=key,
        ),
        start=start,
    )
    if unfinished is None:
        st.caption(say("selection.unfinished_unknown", year=year - 1))
    elif not unfinished:
        st.caption(say("selection.unfinished_none", year=year - 1))
    else:
        st.button(
            say("selection.take_unfinished", count=len(unfinished), year=year - 1),
            icon=":material/playlist_add:",
            on_click=_add_to_must,
            args=(selection_asked.must_name(snapshot), sorted(unfinished & set(names))),
            key="selection.take_unfinished",
        )


def _add_to_must(name: str, wards: list[str]) -> None:
    key = session.widget_key(name)
    kept = list(dict.fromkeys([*st.session_state.get(key, []), *wards]))
    st.session_state[key] = st.session_state[name] = kept


def _excluded(names: Mapping[str, str], snapshot: Snapshot, say: Texts) -> None:
    st.markdown(f"**{say('selection.excluded')}**")
    kept, where = selection_asked.excluded(snapshot), selection_asked.excluded_name(snapshot)
    for ward, why in kept.items():
        line, button = st.columns([6, 1], vertical_alignment="center")
        line.markdown(widgets.plain(f"{names.get(ward, ward)}: {why.rule} ({why.source})"))
        button.button(
            say("selection.excluded_remove"),
            icon=":material/close:",
            key=f"selection.excluded_remove:{ward}",
            on_click=_allow_again,
            args=(where, ward, kept),
        )
    with st.popover(say("selection.excluded_add"), icon=":material/block:"):
        _exclusion_form(names, where, kept, say)


def _exclusion_form(
    names: Mapping[str, str], where: str, kept: dict[str, Exclusion], say: Texts
) -> None:
    with st.form(
        "selection.excluded_form", clear_on_submit=True, border=False, enter_to_submit=False
    ):
        st.selectbox(
            say("column.ward"),
            [code for code in _by_name(names) if code not in kept],
            format_func=lambda code: f"{names[code]} ({code})",
            key="selection.excluded_ward",
        )
        st.text_input(
            say("selection.excluded_rule"),
            max_chars=_LONGEST,
            placeholder=say("selection.excluded_rule_example"),
            key="selection.excluded_rule",
        )
        st.text_input(
            say("selection.excluded_source"),
            max_chars=_LONGEST,
            placeholder=say("selection.excluded_source_example"),
            key="selection.excluded_source",
        )
        st.form_submit_button(
            say("selection.excluded_save"), on_click=_leave_out, args=(where, kept, say)
        )


def _leave_out(where: str, kept: dict[str, Exclusion], say: Texts) -> None:
    ward, rule, source = (
        str(st.session_state.get(f"selection.excluded_{part}") or "").strip()
        for part in ("ward", "rule", "source")
    )
    if not (ward and rule and source):
        selection_propose.say_problem(say("selection.excluded_incomplete"))
        return
    try:
        session.tracker().check_text(f"{rule} {source}")
    except HotspotsError as error:
        selection_propose.say_problem(say.error(error))
        return
    st.session_state[where] = kept | {ward: Exclusion(rule, source)}


def _allow_again(where: str, ward: str, kept: dict[str, Exclusion]) -> None:
    st.session_state[where] = {code: why for code, why in kept.items() if code != ward}


def _spread(programme: Programme, say: Texts) -> None:
    usual = programme.selection.constraints
    st.markdown(f"**{say('selection.spread')}**")
    if programme.regions:
        widgets.remembered(
            "selection.regions",
            lambda key: st.toggle(say("selection.rule_regions"), key=key),
            start=usual.at_least_one_per_region,
        )
        labels = [region.label.of(say.language) for region in programme.regions.values()]
        st.caption(widgets.plain("; ".join(labels)))
    else:
        st.caption(say("selection.no_regions"))
    widgets.remembered(
        "selection.neighbours",
        lambda key: st.toggle(say("selection.rule_neighbours"), key=key),
        start=usual.no_two_neighbours,
    )


def _kinds(programme: Programme, say: Texts) -> None:
    st.markdown(f"**{say('selection.quotas')}**")
    st.caption(say("selection.quotas_note"))
    usual = programme.selection.constraints.kinds
    _, least, most = st.columns([4, 1, 1])
    least.caption(say("selection.least"))
    most.caption(say("selection.most"))
    for kind in programme.kinds:
        name, least, most = st.columns([4, 1, 1], vertical_alignment="center")
        label, quota = kind_name(kind, programme, say), usual.get(kind)
        name.markdown(widgets.plain(label))
        with least:
            start = quota.at_least if quota else 0
            _number(f"selection.least.{kind}", f"{label}: {say('selection.least')}", start)
        with most:
            limit = quota.at_most if quota else None
            _number(f"selection.most.{kind}", f"{label}: {say('selection.most')}", limit)


def _units(programme: Programme, say: Texts) -> None:
    st.markdown(f"**{say('selection.capacity')}**")
    if not programme.units:
        st.caption(say("selection.no_units"))
    usual = programme.selection.constraints.capacity
    for code, unit in programme.units.items():
        name, most = st.columns([5, 1], vertical_alignment="center")
        label = unit.label.of(say.language)
        name.markdown(widgets.plain(label))
        with most:
            limit = f"{label}: {say('selection.most')}"
            _number(f"selection.capacity.{code}", limit, usual.get(code))


def _number(name: str, label: str, start: int | None) -> None:
    widgets.remembered(
        name,
        lambda key: st.number_input(
            label,
            min_value=0,
            max_value=999,
            step=1,
            key=key,
            label_visibility="collapsed",
            placeholder="–",
        ),
        start=start,
    )


def _what_follows(selection: Selection, snapshot: Snapshot, say: Texts) -> None:
    """Say the rules in force, whether they can all hold, and who is in or out because of them."""
    programme, names = snapshot.programme, selection.names
    with st.container(border=True):
        st.markdown(f"**{say('selection.rules_in_force')}**")
        rules = selection.question.constraints
        widgets.reasons(rule_lines(rules, names, programme, say))
        selection_rank.clash(selection, snapshot, say)
        if selection.choice.feasible:
            total = len(selection.choice.wards)
            st.success(say("selection.rules_hold", count=total), icon=":material/check:")
    moved = [
        (ward, reason)
        for ward, reasons in selection.choice.reasons.items()
        for reason in reasons
        if reason.code != "chosen_by_score"
    ]
    if moved:
        st.markdown(f"**{say('selection.moved')}**")
        widgets.reasons(
            f"{names.get(ward, ward)}: {reason_line(reason, names, programme, say)}"
            for ward, reason in moved
        )
