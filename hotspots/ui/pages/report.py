"""Báo cáo: choose a report, look at it, take it away as one file."""

from __future__ import annotations

from html import escape

import streamlit as st

from geo.errors import GeoError
from hotspots.errors import HotspotsError
from hotspots.programme.roles import Permission
from hotspots.snapshot import Snapshot
from hotspots.text import Texts
from hotspots.ui import session, widgets

_KINDS = ("programme", "hotspot", "ward", "counts")
_LEAST = 5
_MADE = "report.page"


def show() -> None:
    """Draw the page."""
    say, snapshot = session.say(), session.snapshot()
    st.title(say("report.title"))
    st.caption(say("report.one_file"))
    kind = widgets.remembered(
        "report.kind",
        lambda key: st.segmented_control(
            say("report.kind"),
            _KINDS,
            format_func=lambda kind: say(f"report.{kind}"),
            key=key,
            required=True,
        ),
        start="programme",
    )
    if kind == "counts":
        _counts(snapshot, say)
        return
    which = _which(kind, snapshot, say)
    if which is None:
        return
    if st.button(say("report.make"), type="primary", icon=":material/description:"):
        st.session_state["report.made"] = _asked(kind, which, snapshot, say)
    if st.session_state.get("report.made") == _asked(kind, which, snapshot, say):
        _result(kind, which, snapshot, say)


def _counts(snapshot: Snapshot, say: Texts) -> None:
    """Offer the counts of a period as a workbook, for the office or for the public."""
    st.subheader(say("counts_export.title"))
    st.caption(say("counts_export.intro"))
    tracker = session.tracker()
    months = sorted(tracker.panel(snapshot.edition)["month"].unique()) if snapshot.edition else []
    if not months:
        st.info(say("overview.no_counts"))
        return
    left, right, rest = st.columns([1, 1, 2], gap="medium")
    with left:
        first = _month("counts_export.first", months, months[-min(12, len(months))], say)
    with right:
        last = _month("counts_export.last", months, months[-1], say)
    with rest:
        public = widgets.remembered(
            "counts_export.public",
            lambda key: st.toggle(
                say("counts_export.public"), help=say("counts_export.public_help"), key=key
            ),
            start=True,
        )
        least = widgets.remembered(
            "counts_export.least",
            lambda key: st.number_input(
                say("counts_export.least"), 2, 50, key=key, disabled=not public
            ),
            start=_LEAST,
        )
    if first > last:
        st.warning(say("counts_export.order"))
        return
    now, language = session.now, say.language

    def workbook() -> bytes:
        return tracker.export_counts(
            first, last, as_of=snapshot.as_of, now=now(), language=language,
            least=int(least) if public else None,
        )  # fmt: skip

    if not tracker.may(Permission.EXPORT):
        return
    st.download_button(
        say("counts_export.download"),
        workbook,
        file_name=f"counts-{first}-{last}{'-public' if public else ''}.xlsx",
        mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        icon=":material/download:",
        on_click="ignore",
    )


def _month(name: str, months: list[str], start: str, say: Texts) -> str:
    return widgets.remembered(
        name,
        lambda key: st.selectbox(say(name), months, format_func=say.month, key=key),
        start=start,
    )


def _asked(kind: str, which: str, snapshot: Snapshot, say: Texts) -> tuple[object, ...]:
    """Return what makes one report another: a change of any asks for a new one."""
    # The user is part of the question: one's report is not another's, and each is noted.
    version = session.tracker().data_version(), session.user_name()
    known = session.known_on()
    return kind, which, snapshot.as_of, say.language, session.today(), known, version


def _which(kind: str, snapshot: Snapshot, say: Texts) -> str | None:
    """Return what the report is about; nothing for the programme, None when there is no choice."""
    if kind == "programme":
        return ""
    if kind == "hotspot":
        names = dict(widgets.hotspot_names(snapshot))
        empty = say("hotspot.none")
    else:
        names = _ward_names(snapshot)
        empty = say("error.no_boundaries")
    if not names:
        st.info(empty)
        return None
    # On other boundaries a code is another ward, so its choice is remembered apart.
    edition = snapshot.edition.edition if kind == "ward" and snapshot.edition else ""
    field = f"report.{kind}:{edition}"
    return widgets.choose(field, say("report.choose"), list(names), names.__getitem__)


def _ward_names(snapshot: Snapshot) -> dict[str, str]:
    if snapshot.edition is None:
        return {}
    wards = session.tracker().wards(snapshot.edition).sort_values("name")
    return {
        str(code): f"{name} ({code})"
        for code, name in zip(wards["code"], wards["name"], strict=True)
    }


def _result(kind: str, which: str, snapshot: Snapshot, say: Texts) -> None:
    try:
        with st.spinner(say("report.making")):
            page = _page(_asked(kind, which, snapshot, say))
    except (HotspotsError, GeoError) as error:
        widgets.problem(error, say)
        return
    name = f"{kind}-{which or 'hotspots'}-{snapshot.as_of.isoformat()}.html"
    st.download_button(
        f"{say('report.download')} ({say.number(len(page.encode()) / 1024)} kB)",
        page.encode(),
        file_name=name,
        mime="text/html",
        icon=":material/download:",
        on_click="ignore",
    )
    st.subheader(say("report.preview"))
    # Inside the frame that Streamlit makes, a second one that shares nothing with this page.
    st.iframe(
        '<iframe sandbox="allow-scripts" style="border:0;width:100%;height:880px" '
        f'srcdoc="{escape(page)}"></iframe>',
        height=900,
    )


def _page(asked: tuple[object, ...]) -> str:
    """Return the report asked for: made, and noted in the log, once in a session.

    It is kept in the session and nowhere else, so nobody gets what somebody else was given.
    """
    kept, page = st.session_state.get(_MADE, (None, ""))
    if kept == asked:
        session.tracker().access.require(Permission.EXPORT)
        return str(page)
    kind, which, as_of, language, made_on, known_on, _ = asked
    page = session.tracker().export(
        str(kind), str(which), as_of=as_of, made_on=made_on, language=str(language),
        now=session.now(), known_on=known_on,
    )  # fmt: skip
    st.session_state[_MADE] = (asked, page)
    return page
