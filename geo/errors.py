"""What went wrong with a map, a boundary file or a point, in a form that can be translated."""

from __future__ import annotations


class GeoError(ValueError):
    """Geography that cannot be used, with a stable reason and the facts behind it.

    Parameters
    ----------
    reason : str
        Stable snake_case code; a user interface looks its own sentence up under it.
    message : str
        The English sentence: what was given, what is allowed, what to do.
    **facts : object
        The values in the sentence (rows, codes, columns), for a translated one.

    Examples
    --------
    >>> error = GeoError("crs_missing", "The file names no CRS.", path="wards.shp")
    >>> error.reason, error.facts, str(error)
    ('crs_missing', {'path': 'wards.shp'}, 'The file names no CRS.')
    """

    def __init__(self, reason: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.reason = reason
        self.facts = facts
