"""Errors that say what was given, what is allowed and what to do, in any language.

Each error carries a stable `reason` and the `facts` behind it, so that a screen can say it in the
reader's language (`hotspots.text`); `str()` is the English sentence.
"""

from __future__ import annotations


class HotspotsError(Exception):
    """Something the product refuses to do, and why.

    Parameters
    ----------
    reason : str
        Stable code, for example ``"move_not_allowed"``; `hotspots.text` has a sentence for each.
    message : str
        The English sentence: what was given, what is allowed, what to do.
    **facts
        The values named in the sentence.

    Examples
    --------
    >>> error = HotspotsError("unknown_hotspot", "No hotspot 'X'.", hotspot="X")
    >>> error.reason, error.facts["hotspot"], str(error)
    ('unknown_hotspot', 'X', "No hotspot 'X'.")
    """

    def __init__(self, reason: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.reason = reason
        self.facts = facts


class ProgrammeError(HotspotsError):
    """A programme file that cannot be used."""


class MoveRefused(HotspotsError):  # noqa: N818 - the word of the trade
    """An event that the rules do not allow at that point of a hotspot's history."""


class IntakeError(HotspotsError):
    """A file that cannot be read at all; single bad rows are returned, not raised."""


class StoreError(HotspotsError):
    """The store is missing, of another kind, or refuses the request."""


class NotFound(HotspotsError):  # noqa: N818 - the word of the trade
    """A ward, hotspot, edition or programme that the store does not hold."""


class CannotMeasure(HotspotsError):  # noqa: N818 - an answer, not a failure
    """The data do not allow this measure yet; the reason says what is missing."""


class NotAllowed(HotspotsError):  # noqa: N818 - the word of the trade
    """Something that this person, or this session of theirs, may not do."""
