"""Which rows of earlier imports a later one replaces: by month, category and ward.

Files never change. What a batch replaces is kept with it as its scope, and a row of an earlier
batch counts as long as the scope of no later batch contains it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hotspots.errors import StoreError

REPLACEABLE = frozenset({"incidents", "counts"})
"""The kinds of batches whose rows have a month, a category and a ward."""

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True)
class Scope:
    """What a batch replaces of the batches before it.

    Attributes
    ----------
    months : frozenset of str
        Text 2025-10.
    categories : frozenset of str
    wards : frozenset of (code, edition), optional
        By default every ward.
    kinds : frozenset of str
        Of batches: ``incidents``, ``counts`` or both.
    """

    months: frozenset[str]
    categories: frozenset[str]
    wards: frozenset[tuple[str, str]] | None = None
    kinds: frozenset[str] = frozenset({"incidents"})

    def __post_init__(self) -> None:
        if not self.months or not self.categories or self.wards == frozenset():
            raise ValueError("A scope without months, categories or wards replaces nothing.")
        if not self.kinds or self.kinds - REPLACEABLE:
            raise ValueError(f"{sorted(self.kinds)}: only {sorted(REPLACEABLE)} can be replaced.")
        if not all(_MONTH.fullmatch(month) for month in self.months):
            raise ValueError(f"{sorted(self.months)} are not all months like 2025-10.")

    @classmethod
    def of(
        cls, rows: pd.DataFrame, *, kinds: Collection[str] = ("incidents",), wards: bool = False
    ) -> Scope:
        """Return the scope that a table speaks of: all its months in all its categories.

        Parameters
        ----------
        rows : DataFrame
            `month`, `category`, with `wards` also `ward`, `edition`.
        wards : bool
            Replace its own wards only; for an office that reports for a few.
        """
        named = zip(rows["ward"], rows["edition"], strict=True) if wards else None
        return cls(
            frozenset(rows["month"].unique()),
            frozenset(rows["category"].unique()),
            None if named is None else frozenset(named),
            frozenset(kinds),
        )

    def text(self) -> str:
        """Return the one way to write the scope down.

        Examples
        --------
        >>> Scope(frozenset({"2025-10"}), frozenset({"theft"})).text()
        '{"categories":["theft"],"kinds":["incidents"],"months":["2025-10"],"wards":null}'
        """
        content = {
            "months": sorted(self.months),
            "categories": sorted(self.categories),
            "wards": None if self.wards is None else sorted(map(list, self.wards)),
            "kinds": sorted(self.kinds),
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def covers(self, rows: pd.DataFrame) -> np.ndarray:
        """Tell of each row whether it lies in the scope.

        Parameters
        ----------
        rows : DataFrame
            `month`, `category`, and `ward`, `edition` if the scope names wards.
        """
        inside: np.ndarray = (
            rows["month"].isin(self.months) & rows["category"].isin(self.categories)
        ).to_numpy(bool, copy=True)
        if self.wards is not None and inside.any():
            pairs = pd.MultiIndex.from_frame(rows.loc[inside, ["ward", "edition"]])
            inside[inside] = pairs.isin(list(self.wards))
        return inside

    def touches(self, year: int) -> bool:
        """Tell whether the scope has a month of a year."""
        return any(month.startswith(f"{year:04d}-") for month in self.months)


def read_scope(text: str) -> Scope | None:
    """Return the scope that a batch was kept with; None if it replaces nothing.

    Raises
    ------
    StoreError
        ``batch_malformed``, if the text is not one that `Scope.text` writes.
    """
    if text == "":
        return None
    try:
        content = json.loads(text)
        wards = content["wards"]
        scope = Scope(
            frozenset(content["months"]),
            frozenset(content["categories"]),
            None if wards is None else frozenset((code, edition) for code, edition in wards),
            frozenset(content["kinds"]),
        )
        written = scope.text()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        written = None
    if written != text:
        raise StoreError(
            "batch_malformed",
            f"An import in the store says that it replaces {text[:80]!r}, which this product does "
            "not write. Restore the store from a backup.",
            given=text[:80],
        )
    return scope


def are_superseded(rows: pd.DataFrame, scopes: Sequence[Scope]) -> np.ndarray:
    """Tell of each row of a batch whether the scope of a later batch contains it.

    Parameters
    ----------
    rows : DataFrame
        See `Scope.covers`.
    scopes : sequence of Scope
        Of all later batches that replace rows of this kind.
    """
    found = np.zeros(len(rows), dtype=bool)
    months = set(rows["month"].unique()) if scopes else set()
    for scope in scopes:
        if not scope.months.isdisjoint(months):  # of many corrections few speak of these months
            found |= scope.covers(rows)
    return found


def needed_columns(scopes: Iterable[Scope]) -> list[str]:
    """Return the columns by which rows are superseded."""
    by_ward = any(scope.wards is not None for scope in scopes)
    return ["month", "category", *(("ward", "edition") if by_ward else ())]
