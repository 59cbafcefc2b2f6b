"""The tab of the scenarios: two lists side by side, and whom each covers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from hotspots.choice import Selection
from hotspots.errors import HotspotsError
from hotspots.measures.components import DEFAULT_WEIGHTS
from hotspots.measures.scenarios import Equity, Scenarios
from hotspots.reports.colours import STAGE_STYLE
from hotspots.reports.html import Cells
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.live_map import MapClass, live_map
from hotspots.ui.pages import selection_asked, selection_propose, selection_rank

_KEPT = "selection.scenarios"
_LONGEST = 40
_MOST = 8


def show(snapshot: Snapshot, say: Texts) -> None:
    """Draw the tab."""
    st.caption(say("selection.scenarios_note"))
    selection = selection_asked.answer(snapshot, say)
    if selection is None:
        return
    lists, clashing = _lists(selection, snapshot)
    left, right, keep = st.columns([3, 3, 2], vertical_alignment="bottom")
    with left:
        a = _which("a", lists, clashing, "ticked", say)
    with right:
        b = _which("b", lists, clashing, "last_year", say)
    with keep:
        _keep(selection, say)
    kind = selection.question.kind
    compared = session.tracker().compare_scenarios(lists[a], lists[b], snapshot.as_of, kind)
    covers = {
        name: session.tracker().equity(lists[which], snapshot.as_of)
        for name, which in (("a", a), ("b", b))
    }
    left, right = st.columns([4, 5], gap="medium")
    with left:
        widgets.cells(_side_by_side(compared, covers, say))
        st.caption(
            say(
                "selection.stake_note",
                target=say.percent(snapshot.programme.targets.transformed, 0),
                kept=say.percent(snapshot.programme.targets.not_relapsed, 0),
            )
        )
        if kind is not None:
            label = snapshot.programme.kinds[kind].of(say.language)
            st.caption(widgets.plain(say("selection.index_of_kind", kind=label)))
        for name, equity in covers.items():
            _patrols(name, equity, say)
    with right:
        _map(compared, selection, snapshot, say)
    _parts(compared, selection.names, say)


def _lists(
    selection: Selection, snapshot: Snapshot
) -> tuple[dict[str, Sequence[str]], frozenset[str]]:
    """Return the lists to choose from: ticked, by the level, last year's, by presets, kept.

    And the names of those that no list fits, because their rules clash.
    """
    tracker, asked, known = session.tracker(), selection.question, session.known_on()
    level = tracker.choose(replace(asked, weights=dict(DEFAULT_WEIGHTS)), snapshot.as_of, known)
    last = tracker.list_of(asked.year - 1, snapshot.as_of, known)
    clashing = set()
    found: dict[str, Sequence[str]] = {
        "ticked": selection_asked.chosen(selection),
        "last_year": sorted(last),
        "level": list(level.table.index[: asked.constraints.count]),
    }
    for preset in tracker.selection_presets()[1:]:
        try:
            other = tracker.choose(replace(asked, weights=preset.weights), snapshot.as_of, known)
        except HotspotsError:
            continue
        found[f"preset:{preset.name}"] = other.choice.wards
        if not other.choice.feasible:
            clashing.add(f"preset:{preset.name}")
    kept: Mapping[str, Sequence[str]] = st.session_state.get(_kept_name(selection), {})
    lists = found | {f"kept:{name}": wards for name, wards in kept.items()}
    return lists, frozenset(clashing)


def _kept_name(selection: Selection) -> str:
    """Return the name of the lists kept: those of other boundaries have codes of other wards."""
    return f"{_KEPT}:{selection.edition}"


def _which(
    side: str,
    lists: Mapping[str, Sequence[str]],
    clashing: Collection[str],
    first: str,
    say: Texts,
) -> str:
    name = f"selection.scenario_{side}"
    if st.session_state.get(name) not in lists:
        st.session_state[name] = first
    presets = {f"preset:{p.name}": p for p in session.tracker().selection_presets()}

    def label(which: str) -> str:
        if which in presets:
            named = say("selection.list_preset", name=presets[which].label.of(say.language))
            return say("selection.list_clash", list=named) if which in clashing else named
        kind, _, own = which.partition(":")
        return say("selection.list_kept", name=own) if own else say(f"selection.list_{kind}")

    return selection_asked.pick(name, say(f"selection.scenario_{side}"), list(lists), label)


def _keep(selection: Selection, say: Texts) -> None:
    with st.popover(say("selection.keep"), icon=":material/save:", width="stretch"):
        st.caption(say("selection.keep_note"))
        st.text_input(say("selection.keep_name"), max_chars=_LONGEST, key="selection.keep_name")
        st.button(
            say("selection.keep_save"),
            on_click=_kept,
            args=(_kept_name(selection), selection_asked.chosen(selection), say),
            key="selection.keep_save",
        )


def _kept(where: str, wards: list[str], say: Texts) -> None:
    name = str(st.session_state.get("selection.keep_name") or "").strip()
    if not name:
        selection_propose.say_problem(say("selection.keep_without_name"))
        return
    kept: dict[str, list[str]] = dict(st.session_state.get(where, {}))
    kept[name] = wards
    st.session_state[where] = dict(list(kept.items())[-_MOST:])
    st.session_state["selection.keep_name"] = ""


def _side_by_side(compared: Scenarios, covers: Mapping[str, Equity], say: Texts) -> Cells:
    table = compared.table

    def numbers(name: str) -> tuple[str, ...]:
        return tuple(_whole(float(table.loc[side, name]), say) for side in ("a", "b"))

    def shares(name: str) -> tuple[str, ...]:
        return tuple(_share(float(getattr(covers[side], name)), say) for side in ("a", "b"))

    index = tuple(_share(float(table.loc[side, "index_share"]), say) for side in ("a", "b"))
    rows = (
        (say("selection.row_wards"), *numbers("wards")),
        (say("selection.row_must"), *numbers("must_succeed")),
        (say("selection.row_may"), *numbers("may_fail")),
        (say("selection.row_may_relapse"), *numbers("may_relapse")),
        (say("selection.row_index"), *index),
        (say("selection.row_wards_share"), *shares("wards_share")),
        (say("selection.row_population"), *shares("population_share")),
        (say("selection.row_citizens"), *shares("citizens_share")),
        (say("selection.row_police"), *shares("police_share")),
    )
    return Cells((say("selection.row"), "A", "B"), rows)


def _whole(value: float, say: Texts) -> str:
    return "–" if value != value else say.number(value)


def _share(value: float, say: Texts) -> str:
    return "–" if value != value else say.percent(value)


def _patrols(name: str, equity: Equity, say: Texts) -> None:
    line = f"{name.upper()}: {say.reason(equity.reason.code, equity.reason.facts)}"
    if equity.is_warning:
        st.warning(widgets.plain(line), icon=":material/local_police:")
    else:
        st.caption(widgets.plain(line))


def _map(compared: Scenarios, selection: Selection, snapshot: Snapshot, say: Texts) -> None:
    classes = (
        MapClass("both", say("selection.in_both"), "#0b4f8a", ""),
        MapClass("a", say("selection.only_a"), "#b35c00", "A"),
        MapClass("b", say("selection.only_b"), "#2f7f6f", "B"),
        MapClass("not", say("selection.in_none"), STAGE_STYLE["not_listed"].colour, ""),
    )
    values = dict.fromkeys(compared.both, "both")
    values |= dict.fromkeys(compared.only_a, "a") | dict.fromkeys(compared.only_b, "b")
    live_map(
        "selection.scenarios",
        geometry=snapshot.edition.drawing_file,
        values=values,
        classes=classes,
        details=selection_rank.map_details(selection, say),
        notice=" · ".join(widgets.notices(snapshot, say)),
        legend_title=say("selection.tab_scenarios"),
        height_px=440,
        texts=widgets.map_texts(say),
    )


def _parts(compared: Scenarios, names: Mapping[str, str], say: Texts) -> None:
    parts = (("in_both", compared.both), ("only_a", compared.only_a), ("only_b", compared.only_b))
    for column, (part, wards) in zip(st.columns(3, gap="medium"), parts, strict=True):
        with column:
            st.markdown(f"**{say(f'selection.{part}')}** ({len(wards)})")
            st.caption(widgets.plain(", ".join(names.get(w, w) for w in wards)) or "–")
