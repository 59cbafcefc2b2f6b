"""Text that Markdown shows as it is."""

from __future__ import annotations

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=])")


def plain(text: str) -> str:
    """Return text so that Markdown shows it as it is: no images, links, colours or formulas.

    >>> plain("![x](http://e)")
    '\\\\!\\\\[x\\\\]\\\\(http\\\\://e\\\\)'
    """
    return _MARKDOWN.sub(r"\\\1", text)
