"""The usual way: a folium map, built at every rerun, handed to ``st_folium`` with its defaults."""

import os

import folium
import streamlit as st
from panel import COLOURS, colour_class, show_panel, wards
from streamlit.components.v1 import declare_component
from streamlit_folium import st_folium
from xstatic.pkg import leaflet

st.set_page_config(layout="wide")

# folium asks the network for Leaflet. Here it comes from this server, so that it draws at all.
library = declare_component("leaflet", path=leaflet.BASE_DIR)
address = f"{os.environ['MAP_CLICK_SERVER']}/component/{library.name}"
folium.Map.default_js = [("leaflet", f"{address}/leaflet.js")]
folium.Map.default_css = [("leaflet_css", f"{address}/leaflet.css")]

map_column, panel_column = st.columns([3, 1])
with map_column:
    ward_map = folium.Map(tiles=None)
    folium.GeoJson(
        wards(),
        style_function=lambda ward: {
            "fillColor": COLOURS[colour_class(ward["id"])],
            "fillOpacity": 0.9,
            "color": "#ffffff",
            "weight": 0.8,
        },
        tooltip=folium.GeoJsonTooltip(["name"], labels=False),
    ).add_to(ward_map)
    ward_map.fit_bounds(wards()["first_view"])
    answer = st_folium(ward_map, height=560, width=900)
with panel_column:
    show_panel((answer.get("last_active_drawing") or {}).get("id"))
