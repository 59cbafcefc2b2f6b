"""The page frame: `streamlit run app.py`, or `hotspots serve`."""

import streamlit as st

from hotspots.ui import session, widgets
from hotspots.ui.pages import boundaries, hotspot, overview, record, report, selection, targets

PAGES = {
    "overview": (overview.show, ":material/map:"),
    "hotspot": (hotspot.show, ":material/folder_open:"),
    "record": (record.show, ":material/edit_note:"),
    "targets": (targets.show, ":material/flag:"),
    "selection": (selection.show, ":material/checklist:"),
    "report": (report.show, ":material/description:"),
    "boundaries": (boundaries.show, ":material/polyline:"),
}

st.set_page_config(page_title=session.say()("app.name"), page_icon="🗺️", layout="wide")
session.settle()
pages = {
    name: st.Page(show, title=session.say()(f"page.{name}"), icon=icon, url_path=name)
    for name, (show, icon) in PAGES.items()
}
session.set_pages(pages)
current = st.navigation(list(pages.values()))
if widgets.frame():
    current.run()
