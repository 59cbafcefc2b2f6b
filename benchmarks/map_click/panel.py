"""What both pages share: the wards, their classes, and the panel beside the map."""

import gc
import json
import os
from pathlib import Path

import streamlit as st

GEOMETRY = Path(os.environ["MAP_CLICK_GEOMETRY"])
COLOURS = ["#b5543c", "#e0a458", "#5b8db8", "#dfe4ea"]


@st.cache_resource
def wards() -> dict:
    """Return the wards as GeoJSON. What start-up left behind is no longer searched for garbage."""
    collection = json.loads(GEOMETRY.read_text(encoding="utf-8"))
    gc.collect()
    gc.freeze()
    return collection


@st.cache_resource
def properties() -> dict[str, dict]:
    """Return ward code -> its properties."""
    return {ward["id"]: ward["properties"] for ward in wards()["features"]}


def colour_class(code: str) -> int:
    """Return the class (0 to 3) of a ward."""
    return min(3, properties()[code]["incidents"] // 150)


def show_panel(code: str | None) -> None:
    """Show the panel of the chosen ward."""
    with st.container(key="panel"):
        if code is None:
            st.write("Bấm vào một địa bàn trên bản đồ.")
            return
        st.subheader(properties()[code]["name"])
        st.metric("Vụ việc", properties()[code]["incidents"])
