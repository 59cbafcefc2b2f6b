"""The tab of the ranking: weights, the list to tick beside its map, components, reasons."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from hotspots.choice import Selection
from hotspots.choice_words import (
    choice_reasons,
    clash_lines,
    interval_text,
    noise_lines,
    place_word,
    reason_line,
    time_class_word,
    weights_line,
)
from hotspots.errors import HotspotsError
from hotspots.measures.components import COMPONENTS
from hotspots.programme.roles import Permission
from hotspots.reports.colours import STAGE_STYLE
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets
from hotspots.ui.live_map import MapClass, live_map
from hotspots.ui.pages import selection_asked, selection_propose

_OWN = "\0own"  # no name that a person can type
_PRESET = "selection.preset"
_HEIGHT = 500
_MOST_SHOWN = 25
_NARROW, _WIDE = 76, 92


def show(snapshot: Snapshot, say: Texts) -> None:
    """Draw the tab."""
    _weights(say)
    selection = selection_asked.answer(snapshot, say)
    if selection is None:
        return
    _past_warning(selection, snapshot, say)
    _missing(selection, say)
    for line in noise_lines(selection, say):
        st.caption(line)
    clash(selection, snapshot, say)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        chosen = _pick(selection, snapshot, say)
    with right:
        draw_map(selection, chosen, snapshot, say)
    _compare(selection, chosen, snapshot, say)
    _components(selection, chosen, say)
    _reasons(selection, chosen, snapshot, say)
    selection_propose.show(selection, chosen, snapshot, say)


# -- weights


def _weights(say: Texts) -> None:
    tracker = session.tracker()
    presets = {each.name: each for each in tracker.selection_presets()}
    fits = next(
        (name for name, each in presets.items() if selection_asked.same_weights(each.weights)),
        _OWN,
    )
    labels = {name: each.label.of(say.language) for name, each in presets.items()}
    options = [*presets, *([_OWN] if fits == _OWN else [])]
    st.session_state[_PRESET] = fits
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        st.selectbox(
            say("selection.preset"),
            options,
            format_func=lambda name: labels.get(name, say("selection.preset_own")),
            key=_PRESET,
            on_change=_use_preset,
        )
    with right:
        st.caption(say("selection.in_use", weights=_in_use(say)))
    with st.expander(say("selection.weights"), icon=":material/tune:", key="selection.sliders"):
        st.caption(say("selection.weights_note"))
        for row in range(0, len(COMPONENTS), 3):
            names = COMPONENTS[row : row + 3]
            for column, name in zip(st.columns(3, gap="large"), names, strict=False):
                with column:
                    _slider(name, say)
        if tracker.may(Permission.PROPOSE):
            _save_preset(say)


def _in_use(say: Texts) -> str:
    return weights_line(selection_asked.weights(), say) or "–"


def _slider(name: str, say: Texts) -> None:
    widgets.remembered(
        selection_asked.weight_name(name),
        lambda key: st.slider(
            say(f"component.{name}"),
            min_value=0,
            max_value=selection_asked.FULL,
            step=1,
            key=key,
            help=say(f"component_help.{name}"),
        ),
        start=selection_asked.FULL if name == "smoothed_level" else 0,
    )


def _use_preset() -> None:
    name = st.session_state[_PRESET]
    if name != _OWN:
        try:
            selection_asked.use(session.tracker().preset(name).weights)
        except HotspotsError as error:
            selection_propose.say_problem(session.say().error(error))


def _save_preset(say: Texts) -> None:
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        st.text_input(say("selection.preset_name"), max_chars=60, key="selection.preset_name")
    with right:
        st.button(
            say("selection.preset_save"),
            icon=":material/bookmark_add:",
            width="stretch",
            on_click=_keep_preset,
            key="selection.preset_save",
        )


def _keep_preset() -> None:
    say = session.say()
    name = str(st.session_state.get("selection.preset_name") or "")
    try:
        kept = session.tracker().save_preset(name, selection_asked.weights(), now=session.now())
    except HotspotsError as error:
        selection_propose.say_problem(say.error(error))
        return
    st.session_state["selection.preset_name"] = ""
    selection_propose.say_done(say("selection.preset_saved", name=kept.name))


# -- what to know before the list


def _past_warning(selection: Selection, snapshot: Snapshot, say: Texts) -> None:
    """Warn where the weights in use lose to the smoothed level in the store's own past."""
    for line in session.tracker().past_warning(
        selection.question, snapshot.as_of, say, session.known_on()
    ):
        st.warning(widgets.plain(line), icon=":material/trending_down:")


def _missing(selection: Selection, say: Texts) -> None:
    names = sorted(selection.names[ward] for ward in selection.not_ranked)
    if names:
        listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        st.info(widgets.plain(say("selection.not_ranked", count=len(names), names=listed)))


def clash(selection: Selection, snapshot: Snapshot, say: Texts) -> None:
    """Say which rules cannot hold together, or that it is not known."""
    if selection.choice.feasible:
        return
    what, rules = clash_lines(selection, snapshot.programme, say)
    said = "\n".join([widgets.plain(what), *(f"- {widgets.plain(rule)}" for rule in rules)])
    st.error(said, icon=":material/rule:")


# -- the list and its map


def _pick(selection: Selection, snapshot: Snapshot, say: Texts) -> list[str]:
    """Show the ranking with a box to tick on each ward.

    The ticks are kept for when the page is left: they are what the table begins with next time,
    while it is shown only the person changes it.
    """
    st.subheader(say("selection.ranking"))
    st.caption(say("selection.pick_help", count=selection.question.constraints.count))
    place, table = selection_asked.place(selection), selection.table
    key, start = f"selection.editor:{place}:{say.language}", f"selection.start:{place}"
    if key not in st.session_state:
        st.session_state[start] = selection_asked.chosen(selection)
    shown, config = _list(selection, st.session_state[start], snapshot, say)
    edited = st.data_editor(
        shown,
        disabled=[name for name in shown.columns if name != say("column.choose")],
        hide_index=True,
        column_config=config,
        height=_HEIGHT,
        width="stretch",
        key=key,
    )
    chosen = [str(code) for code in table.index[edited[say("column.choose")].to_numpy(bool)]]
    st.session_state[f"selection.kept:{place}"] = chosen
    return chosen


def _list(
    selection: Selection, ticked: Sequence[str], snapshot: Snapshot, say: Texts
) -> tuple[pd.DataFrame, dict[str, object]]:
    table = selection.table
    rows = table.to_dict("records")
    stages = {
        ward: say(f"stage.{stage}")
        for ward, stage in snapshot.ward_stage.items()
        if stage != "not_listed"
    }
    count = selection.question.constraints.count
    top = say("selection.p_top", count=count)
    shown = pd.DataFrame(
        {
            say("column.choose"): table.index.isin(list(ticked)),
            say("column.rank"): [_place(row, say) for row in rows],
            say("column.ward"): table["name"],
            top: (table["p_top"] * 100).round().astype(int),
            say("column.certainty"): [_mark(row, say) for row in rows],
            say("column.score"): table["score"].round().astype(int),
            say("column.status"): [stages.get(str(ward), "") for ward in table.index],
        },
        index=table.index,
    )
    column = st.column_config
    config = {
        say("column.choose"): column.CheckboxColumn(width=68),
        say("column.rank"): column.TextColumn(width=94, help=say("selection.interval_help")),
        say("column.ward"): column.TextColumn(width=110),
        top: column.ProgressColumn(
            width=116, min_value=0, max_value=100, format="%d %%", help=say("selection.p_top_help")
        ),
        say("column.certainty"): column.TextColumn(
            width=120, help=say("selection.cannot_tell_help")
        ),
        say("column.score"): column.NumberColumn(
            width=60, format="%d", help=say("selection.score_help")
        ),
    }
    return shown, config


def _place(row: dict[str, object], say: Texts) -> str:
    """Write a rank with its interval; a click on the header sorts 2 before 10."""
    return " " * (3 - len(str(row["rank"]))) + interval_text(row, say)


def _mark(row: dict[str, object], say: Texts) -> str:
    word = place_word(row, say)
    return f"? {word}" if row["cannot_tell"] or row["by_chance"] else word


def draw_map(selection: Selection, chosen: Sequence[str], snapshot: Snapshot, say: Texts) -> None:
    """Draw the ticked wards, those of them that cannot be told, and what drops off the list."""
    st.subheader(say("selection.map"))
    classes = (
        MapClass("chosen", say("selection.chosen"), "#0b4f8a", ""),
        MapClass("unsure", say("selection.chosen_unsure"), "#5a9bd4", "?"),
        MapClass("dropped", say("selection.dropped"), STAGE_STYLE["in_work"].colour, "–"),
        MapClass("not", say("selection.not_chosen"), STAGE_STYLE["not_listed"].colour, ""),
    )
    year, table = selection.question.year, selection.table
    known = session.known_on()
    dropped = session.tracker().list_of(year - 1, snapshot.as_of, known) - set(chosen)
    unsure = set(table.index[table["cannot_tell"] | table["p_top"].lt(0.5)])
    values = dict.fromkeys(dropped, "dropped")
    values |= {ward: "unsure" if ward in unsure else "chosen" for ward in chosen}
    st.caption(say("selection.map_note", count=len(chosen)))
    live_map(
        "selection",
        geometry=snapshot.edition.drawing_file,
        values=values,
        classes=classes,
        details=map_details(selection, say),
        notice=" · ".join(widgets.notices(snapshot, say)),
        legend_title=say("selection.map"),
        height_px=_HEIGHT,
        texts=widgets.map_texts(say),
    )


def map_details(selection: Selection, say: Texts) -> dict[str, str]:
    """Return what the map says of a ward: its rank with interval, and its score."""
    rows = zip(selection.table.index, selection.table.to_dict("records"), strict=True)
    rank, score = say("column.rank").lower(), say("column.score").lower()
    return {
        str(ward): f"{rank} {interval_text(row, say)} · {score} {say.number(row['score'])}"
        for ward, row in rows
    }


def _compare(selection: Selection, chosen: Sequence[str], snapshot: Snapshot, say: Texts) -> None:
    st.markdown(f"**{say('selection.compare')}**")
    year = selection.question.year
    compared = session.tracker().compare(chosen, year, snapshot.as_of, session.known_on())
    for column, part in zip(st.columns(3, gap="medium"), ("kept", "new", "dropped"), strict=True):
        wards = getattr(compared, part)
        named = ", ".join(selection.names.get(code, code) for code in wards)
        with column:
            st.markdown(f"{say(f'selection.{part}')} ({len(wards)})")
            st.caption(widgets.plain(named) or "–")


# -- why


def _components(selection: Selection, chosen: Sequence[str], say: Texts) -> None:
    """Show every component from 0 to 100; what there are no data for stays empty."""
    st.subheader(say("selection.components"))
    st.caption(say("selection.components_note"))
    whole = widgets.remembered(
        "selection.components_of",
        lambda key: st.segmented_control(
            say("selection.components_of"),
            ["chosen", "all"],
            format_func=lambda which: say(f"selection.components_{which}"),
            key=key,
            label_visibility="collapsed",
            required=True,
        ),
        start="chosen",
    )
    table = selection.table
    if whole != "all":
        table = table[table.index.isin(list(chosen))]
    columns = {say("column.rank"): table["rank"], say("column.ward"): table["name"]}
    columns |= {say(f"component_short.{name}"): _points(table[name]) for name in COMPONENTS}
    classes = [time_class_word(name, say) for name in table["time_class"]]
    shown = pd.DataFrame(columns | {say("column.time_class_long"): classes})
    column = st.column_config
    config: dict[str, object] = {say("column.rank"): column.NumberColumn(width=56)}
    for name in COMPONENTS:
        long = f"{say(f'component.{name}')}. {say(f'component_help.{name}')}"
        config[say(f"component_short.{name}")] = column.Column(
            width=_WIDE if name in ("severity", "relapse") else _NARROW,
            help=long,
            alignment="right",
        )
    st.dataframe(
        shown,
        hide_index=True,
        column_config=config,
        height="content" if len(shown) <= _MOST_SHOWN else _HEIGHT,
        width="stretch",
    )
    missing = [
        reason_line(why, {}, session.tracker().programme(), say)
        for why in selection.components.missing.values()
    ]
    if missing:
        st.caption("  \n".join(widgets.plain(line) for line in missing))


def _points(points: pd.Series) -> pd.Series:
    """Return points as whole numbers, as text with a dash where some are not known."""
    if points.notna().all():
        return points.round().astype(int)
    return points.map(lambda value: "–" if pd.isna(value) else f"{value:>3.0f}")


def _reasons(selection: Selection, chosen: Sequence[str], snapshot: Snapshot, say: Texts) -> None:
    st.subheader(say("selection.reasons"))
    ordered = [*chosen, *(str(ward) for ward in selection.table.index if ward not in set(chosen))]
    ranks = selection.table["rank"]
    ward = widgets.choose(
        f"selection.ward:{selection_asked.place(selection)}",  # else it keeps the rank it had
        say("selection.reasons_of"),
        ordered,
        lambda code: f"{ranks[code]}. {selection.names.get(code, code)}",
    )
    widgets.reasons(choice_reasons(selection, ward, snapshot.programme, say))
