"""One self-contained HTML file: everything inside, nothing fetched, nothing run but our scripts.

Text is escaped by the template. A content-security policy in the page allows the scripts written
here by their hashes and nothing else, so even text that slipped through would not run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from hotspots.text import Texts


@dataclass(frozen=True)
class MapDrawing:
    """A finished map: its caption, its style, its place in the page, its scripts in order."""

    caption: str
    css: str
    html: str
    scripts: tuple[str, ...]


@dataclass(frozen=True)
class Cells:
    """A finished table: headers and rows of text."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Card:
    """One target as a reader meets it first: the share, the verdict, what it is made of.

    `certainty` says whether the data can tell; `tone` is the verdict, empty where they cannot.
    """

    title: str
    share: str
    verdict: str
    why: str
    colour: str
    symbol: str
    lines: tuple[str, ...]
    certainty: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the report with facts, sentences, a table and a figure (SVG made by us)."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    sentences: tuple[str, ...] = ()
    table: Cells | None = None
    figure: str = ""
    mark: str = ""
    mark_colour: str = ""


@dataclass(frozen=True)
class Page:
    """A whole report."""

    say: Texts
    title: str
    programme: str
    lines: tuple[str, ...]
    notices: tuple[str, ...]
    cards: tuple[Card, ...]
    figures: tuple[tuple[str, str], ...]
    drawings: tuple[MapDrawing, ...]
    table: Cells | None
    sections: tuple[Section, ...]
    head: str
    log: str = ""
    """Where the log ended: count and hash, for `hotspots verify --report`."""
    remarks: tuple[str, ...] = ()
    readings: tuple[Card, ...] = ()
    """The second target read in three ways, under the first one's card."""
    readings_title: str = ""
    readings_note: str = ""
    outlook: tuple[Section, ...] = ()
    """How the year is likely to end, and the targets by group, under the figures."""
    on_one: bool = False
    """Whether the report is on one ward or hotspot: then that comes first and the map after it."""


def render(page: Page) -> str:
    """Return the report as HTML text."""
    scripts = tuple(dict.fromkeys(text for drawn in page.drawings for text in drawn.scripts))
    return _template().render(
        page=page,
        say=page.say,
        policy=_policy(scripts),
        running_head=_css_text(" · ".join(page.notices)),
        running_foot=_css_text(f"{page.title} · "),
        map_css=Markup("".join(dict.fromkeys(each.css for each in page.drawings))),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - made by geo.maps
        drawn=lambda text: Markup(text),  # noqa: S704 - made by geo.maps
        figure=lambda text: Markup(text),  # noqa: S704 - SVG drawn by reports.charts
    )


def _css_text(text: str) -> Markup:
    """Return text as a CSS string of code points, in which nothing can end the string."""
    return Markup('"' + "".join(f"\\{ord(sign):06x}" for sign in text) + '"')  # noqa: S704


def _policy(scripts: Sequence[str]) -> str:
    """Return a policy that lets exactly these scripts run and nothing be fetched."""
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("hotspots.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")
