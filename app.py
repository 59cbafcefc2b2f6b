"""The page frame: `streamlit run app.py`, or `hotspots serve`."""

import streamlit as st

from hotspots.errors import HotspotsError, NotAllowed
from hotspots.ui import session, sign_in, widgets
from hotspots.ui.pages import (
    accounts,
    approvals,
    boundaries,
    data,
    hotspot,
    overview,
    record,
    report,
    risk,
    selection,
    targets,
)

PAGES = {
    "overview": (overview.show, ":material/map:"),
    "hotspot": (hotspot.show, ":material/folder_open:"),
    "record": (record.show, ":material/edit_note:"),
    "targets": (targets.show, ":material/flag:"),
    "risk": (risk.show, ":material/crisis_alert:"),
    "selection": (selection.show, ":material/checklist:"),
    "report": (report.show, ":material/description:"),
    "data": (data.show, ":material/upload_file:"),
    "approvals": (approvals.show, ":material/rule:"),
    "boundaries": (boundaries.show, ":material/polyline:"),
    "accounts": (accounts.show, ":material/group:"),
}

st.set_page_config(page_title=session.say()("app.name"), page_icon="🗺️", layout="wide")
session.settle()
pages = {
    name: st.Page(show, title=session.say()(f"page.{name}"), icon=icon, url_path=name)
    for name, (show, icon) in PAGES.items()
}
session.set_pages(pages)
current = st.navigation(list(pages.values()))
try:
    if widgets.frame():
        current.run()
except NotAllowed as error:  # the session ended while the page was drawn
    sign_in.ended(error)
except HotspotsError as error:
    widgets.problem(error, session.say())
