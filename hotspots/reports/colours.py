"""The colours and signs of the stages, the same on screen and paper.

Okabe and Ito's palette, told apart by colour-blind readers; the sign beside the colour tells the
stages apart in a black-and-white print.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Style(NamedTuple):
    """A colour and the sign drawn beside it."""

    colour: str
    symbol: str


STAGE_STYLE: Mapping[str, Style] = {
    "relapsed": Style("#d55e00", "!"),
    "not_transformed": Style("#cc79a7", "×"),
    "in_work": Style("#e69f00", "▲"),
    "proposed": Style("#f0e442", "○"),
    "under_watch": Style("#56b4e9", "◆"),
    "stable": Style("#009e73", "✓"),
    "not_listed": Style("#e9edf1", ""),
}

VERDICT_STYLE: Mapping[str, Style] = {
    "met": Style("#00694d", "✓"),
    "not_met": Style("#b34700", "✕"),
    "cannot_be_measured": Style("#5b6b7b", "?"),
}

UNSURE_COLOUR = "#3f6384"


def verdict_style(verdict: str, *, sure: bool) -> Style:
    """Return how a verdict looks; it has its colour only where the data can tell.

    Of programmes whose true rate is just the target about half show more than it in a year.
    """
    style = VERDICT_STYLE[verdict]
    if sure or verdict == "cannot_be_measured":
        return style
    return Style(UNSURE_COLOUR, style.symbol)


ACCENT = "#0b4f8a"
"""The theme's blue (also in `.streamlit/config.toml`)."""
