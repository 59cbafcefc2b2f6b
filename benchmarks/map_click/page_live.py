"""Our way: the live map in a fragment, as the app shows it."""

import streamlit as st
from panel import COLOURS, GEOMETRY, colour_class, properties, show_panel

from hotspots.ui.live_map import MapClass, live_map

st.set_page_config(layout="wide")

CLASSES = [
    MapClass("high", "Cao", COLOURS[0], "●"),
    MapClass("raised", "Khá cao", COLOURS[1], "▲"),
    MapClass("usual", "Trung bình", COLOURS[2], ""),
    MapClass("low", "Thấp", COLOURS[3], ""),
]


@st.fragment
def wards_and_panel() -> None:
    """Draw the map and the panel of the ward clicked last."""
    map_column, panel_column = st.columns([3, 1])
    with map_column:
        clicked = live_map(
            "wards",
            geometry=GEOMETRY,
            values={code: CLASSES[colour_class(code)].key for code in properties()},
            details={code: f"{ward['incidents']} vụ việc" for code, ward in properties().items()},
            classes=CLASSES,
            selected=st.session_state.get("ward"),
            legend_title="Mức vụ việc",
        )
    if clicked:
        st.session_state["ward"] = clicked
    with panel_column:
        show_panel(st.session_state.get("ward"))


wards_and_panel()
