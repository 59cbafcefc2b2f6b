"""What the planner asks on the page of the choice, remembered for as long as the session lasts.

Every tab reads the whole question, also what is asked on a tab that is not drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from hotspots.choice import Question, Selection
from hotspots.errors import HotspotsError
from hotspots.measures.components import COMPONENTS, DEFAULT_WEIGHTS
from hotspots.programme.selection_rules import Constraints, Exclusion, Quota
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets

FULL = 100
"""A slider's end; the weights are shares of it."""

ALL_KINDS = "all"
_MOST_WARDS = 60


def questions(snapshot: Snapshot, say: Texts) -> None:
    """Ask for the year, how many wards, and the kind."""
    programme = snapshot.programme
    years = [str(year) for year in programme.years]
    if "selection.year" not in st.session_state and str(snapshot.as_of.year + 1) in years:
        st.session_state["selection.year"] = str(snapshot.as_of.year + 1)
    first, second, third = st.columns([1, 1, 2])
    with first:
        widgets.choose("selection.year", say("selection.year"), years, str)
    with second:
        widgets.remembered(
            "selection.count",
            lambda key: st.number_input(
                say("selection.count"), min_value=1, max_value=_MOST_WARDS, step=1, key=key
            ),
            start=min(programme.selection.constraints.count, _MOST_WARDS),
        )
    with third:
        kinds = sorted({kind for each in programme.categories.values() for kind in each.kinds})
        pick(
            "selection.kind",
            say("selection.kind"),
            [ALL_KINDS, *map(str, kinds)],
            lambda kind: (
                say("selection.all_kinds")
                if kind == ALL_KINDS
                else f"{kind}. {programme.kinds[int(kind)].of(say.language)}"
            ),
            help=say("selection.kind_help"),
        )


def pick(
    name: str, label: str, options: Sequence[str], shown: Callable[[str], str], **more: Any
) -> str:
    """Draw a list to choose one from, whose answer follows the language when that is switched."""
    key = session.widget_key(name)
    if key in st.session_state:
        st.session_state[key] = st.session_state[key]  # else the browser keeps the words it had
    return widgets.choose(name, label, options, shown, **more)


def edition(snapshot: Snapshot) -> str:
    """Return the boundaries of the day: rules and lists are kept by them, for codes come again."""
    return session.tracker().edition_on(snapshot.as_of).edition


def question(snapshot: Snapshot) -> Question:
    """Return what is asked now."""
    programme = snapshot.programme
    kind = str(session.answer("selection.kind", ALL_KINDS))
    return Question(
        year=int(str(session.answer("selection.year", programme.years[-1]))),
        constraints=rules(snapshot),
        weights=weights(),
        kind=None if kind == ALL_KINDS else int(kind),
    )


def answer(snapshot: Snapshot, say: Texts) -> Selection | None:
    """Return the answer; where there is none, say why and return None."""
    try:
        return session.tracker().choose(question(snapshot), snapshot.as_of, session.known_on())
    except HotspotsError as error:
        st.info(widgets.plain(say.error(error)))
        return None


# -- weights


def weights() -> dict[str, float]:
    """Return the weight of every component as the sliders stand."""
    return {name: _slider(name) / FULL for name in COMPONENTS}


def _slider(name: str) -> int:
    return int(str(session.answer(weight_name(name), round(DEFAULT_WEIGHTS[name] * FULL))))


def weight_name(component: str) -> str:
    """Return the name under which a slider is remembered."""
    return f"selection.weight.{component}"


def use(given: Mapping[str, float]) -> None:
    """Set the sliders; to be called before they are drawn."""
    highest = max(1.0, *given.values())
    for name in COMPONENTS:
        value = round(given.get(name, 0.0) / highest * FULL)
        st.session_state[weight_name(name)] = value
        st.session_state[session.widget_key(weight_name(name))] = value


def same_weights(given: Mapping[str, float]) -> bool:
    """Tell whether the sliders stand at some weights."""
    highest = max(1.0, *given.values())
    return all(round(given.get(n, 0.0) / highest * FULL) == _slider(n) for n in COMPONENTS)


# -- rules


def rules(snapshot: Snapshot) -> Constraints:
    """Return the rules as they stand on the tab of the rules."""
    programme = snapshot.programme
    usual = programme.selection.constraints
    kinds = {kind: _quota(kind, usual.kinds.get(kind)) for kind in programme.kinds}
    capacity = {
        code: session.answer(f"selection.capacity.{code}", usual.capacity.get(code))
        for code in programme.units
    }
    return Constraints(
        count=int(str(session.answer("selection.count", usual.count))),
        must_include=must_include(snapshot),
        excluded=excluded(snapshot),
        at_least_one_per_region=bool(
            session.answer("selection.regions", usual.at_least_one_per_region)
        ),
        no_two_neighbours=bool(session.answer("selection.neighbours", usual.no_two_neighbours)),
        kinds={kind: quota for kind, quota in kinds.items() if quota != Quota()},
        capacity={code: int(most) for code, most in capacity.items() if most is not None},
        edition=edition(snapshot),
    )


def _quota(kind: int, usual: Quota | None) -> Quota:
    start = usual or Quota()
    least = session.answer(f"selection.least.{kind}", start.at_least)
    most = session.answer(f"selection.most.{kind}", start.at_most)
    return Quota(int(least or 0), None if most is None else int(most))


def must_name(snapshot: Snapshot) -> str:
    """Return the name under which the wards to choose in any case are remembered."""
    return f"selection.must:{edition(snapshot)}"


def must_include(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the wards to choose in any case."""
    return tuple(session.answer(must_name(snapshot), usual_must(snapshot)))


def usual_must(snapshot: Snapshot) -> list[str]:
    """Return those that the programme names, if they are of the boundaries of the day."""
    usual = snapshot.programme.selection.constraints
    return list(usual.must_include) if _is_of_day(snapshot) else []


def excluded(snapshot: Snapshot) -> dict[str, Exclusion]:
    """Return the wards left out, each with its rule and where that is written."""
    usual = dict(snapshot.programme.selection.constraints.excluded) if _is_of_day(snapshot) else {}
    kept: dict[str, Exclusion] = st.session_state.get(excluded_name(snapshot), usual)
    return dict(kept)


def excluded_name(snapshot: Snapshot) -> str:
    """Return the name under which the wards left out are remembered."""
    return f"selection.excluded:{edition(snapshot)}"


def _is_of_day(snapshot: Snapshot) -> bool:
    named = snapshot.programme.selection.constraints.edition
    return named in (None, edition(snapshot))


# -- ticks


def place(selection: Selection) -> str:
    """Return a name for exactly this question: other weights or rules begin with other ticks."""
    asked = repr((selection.question, selection.as_of, selection.edition))
    return hashlib.blake2b(asked.encode(), digest_size=8).hexdigest()


def chosen(selection: Selection) -> list[str]:
    """Return the wards ticked for this question; to begin with the list that keeps to the rules."""
    listed: list[str] = st.session_state.get(
        f"selection.kept:{place(selection)}", list(selection.choice.wards)
    )
    return listed
