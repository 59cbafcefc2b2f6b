"""How an uploaded file is read: encoding, separator, sheet, layer, coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import streamlit as st

from hotspots.errors import HotspotsError
from hotspots.records.intake import Wish
from hotspots.records.reading.csv_layout import SEPARATORS
from hotspots.records.reading.encodings import ENCODINGS, IN_UNICODE, convert
from hotspots.text import Texts
from hotspots.ui import widgets
from hotspots.ui.pages import data_work
from hotspots.ui.pages.data_work import CELL_SHOWN, Work

_MAPS = ("geojson", "gpkg", "shapefile")
_SYSTEMS = (
    "EPSG:4326", "EPSG:3405", "EPSG:3406", "EPSG:9210", "EPSG:32648", "EPSG:32649", "EPSG:3857",
)  # fmt: skip
_WISHES = tuple(each.name for each in fields(Wish))


def legacy(work: Work, say: Texts) -> None:
    """Offer to convert letters of an old font, with examples of what becomes of them."""
    codes = {item.code: item.facts for item in work.upload.reading.found}
    if "legacy_letters" not in codes:
        return
    letters = str(codes["legacy_letters"].get("encoding", "")).rpartition("+")[2]
    if letters not in IN_UNICODE:
        return
    table = work.sample()
    texts = [*map(str, table.columns), *(str(cell) for cell in table.to_numpy().ravel())]
    pairs = {text: convert(text, letters) for text in texts if len(text) < CELL_SHOWN}
    changed = [f"{old} → {new}" for old, new in pairs.items() if old != new][:4]
    st.warning(
        widgets.plain(say("data.legacy", letters=_encoding_name(letters, say))),
        icon=":material/translate:",
    )
    widgets.reasons(changed)
    base = work.upload.reading.encoding or "utf-8"
    st.button(
        say("data.convert"),
        key=work.key("convert"),
        on_click=work.put,
        args=("encoding", f"{base}+{letters}"),
        type="primary",
    )


def ask(work: Work, say: Texts) -> Wish:
    """Ask how the file is to be read, as far as there is a choice."""
    reading, wish = work.upload.reading, work.wish
    asked_for: dict[str, Any] = {}
    columns = iter(st.columns(3, gap="medium") + st.columns(3, gap="medium"))

    def pick(
        name: str, options: Sequence[str], now: str, shown: Callable[[str], str] = str, **more: Any
    ) -> None:
        choices = list(dict.fromkeys([now, *options]))
        with next(columns):
            answer = work.choose(
                name,
                choices,
                lambda key: st.selectbox(
                    say(f"data.{name}"), choices, format_func=shown, key=key, **more
                ),
                start=now,
            )
        if answer != now:
            asked_for[name] = answer

    if reading.format == "csv":
        encodings = [*reading.encodings, *ENCODINGS[:6]]
        pick("encoding", encodings, reading.encoding, lambda name: _encoding_name(name, say))
        named = {"\t": "Tab", ";": ";", ",": ",", "|": "|"}
        pick("separator", SEPARATORS, reading.separator, lambda sign: named.get(sign, sign))
    else:
        letters = ["", *(f"utf-8+{each}" for each in IN_UNICODE)]
        pick("encoding", letters, wish.encoding or "", lambda name: _encoding_name(name, say))
    if len(reading.sheets) > 1:
        pick("sheet", reading.sheets, reading.sheet)
    if len(reading.layers) > 1:
        pick("layer", reading.layers, reading.layer)
    if reading.format in _MAPS:
        pick("crs", _SYSTEMS, wish.crs or "", lambda name: name or say("data.crs_of_file"),
             accept_new_options=True)  # fmt: skip
    if reading.header_row:
        with next(columns):
            row = work.ask(
                "header_row",
                lambda key: st.number_input(
                    say("data.header_row"), min_value=1, max_value=1000, step=1, key=key
                ),
                start=reading.header_row,
            )
        if row != reading.header_row:
            asked_for["header_row"] = int(row)
    if reading.format in _MAPS:
        with next(columns):
            swap = work.ask(
                "swap_axes",
                lambda key: st.toggle(say("data.swap_axes"), key=key),
                start=wish.swap_axes,
            )
        if swap != wish.swap_axes:
            asked_for["swap_axes"] = bool(swap)
    given = {name: value or None for name, value in asked_for.items() if name != "swap_axes"}
    return replace(wish, swap_axes=bool(asked_for.get("swap_axes", wish.swap_axes)), **given)


def _encoding_name(name: str, say: Texts) -> str:
    base, _, letters = name.partition("+")
    key = f"data.encoding_{base.replace('-', '_')}" if base else "data.encoding_as_it_is"
    words = say(key) if say.has(key) else base
    if not letters:
        return words
    return say("data.encoding_within", base=words, letters=_encoding_name(letters, say))


def read_again(work: Work, wish: Wish, say: Texts) -> None:
    """Read the file as wished; if that fails, the choices go back to how it was read."""
    work.problem = None
    try:
        with data_work.shown_progress(say("data.opening")) as progress:
            work.read_again(wish, progress)
    except HotspotsError as error:
        work.problem = error
    for name in _WISHES:
        work.answers.pop(name, None)
        work.starts.pop(name, None)
        st.session_state.pop(work.key(name), None)
    st.rerun()
