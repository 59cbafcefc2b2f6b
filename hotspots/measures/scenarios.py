"""Two lists side by side, and whom a list covers.

How many hotspots of a list would be transformed is not known beforehand. What is known is how many
must be: the target's share of the list, rounded up.

Reason codes and their facts (shares in percent):

===================  ============================================================================
follows_patrols      police, citizens, times: the list covers far more of what the police found by
                     themselves than of what citizens reported
not_patrol_led       police, citizens
patrols_unknown      (no counts of incidents found by the police were given)
patrols_unnamed      unnamed: of too many incidents nobody said who reported them
patrols_too_few      counted, needed
===================  ============================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

import pandas as pd

from hotspots.measures.reasons import Reason
from hotspots.measures.selection import compare_with_last_year

TARGET: Final = 0.60
"""Share of a list that must be transformed, if the programme does not say otherwise."""

KEPT: Final = 0.85
"""Share of the transformed that must not relapse, if the programme does not say otherwise."""

MOST_UNNAMED: Final = 0.2
"""Share of the incidents of which nobody said who reported them, above which nothing is told."""

FAR_MORE_TIMES: Final = 1.5
FAR_MORE_SHARE: Final = 0.10
LEAST_PATROL_COUNTS: Final = 20


@dataclass(frozen=True)
class Scenarios:
    """Two lists compared.

    Attributes
    ----------
    both, only_a, only_b : tuple of str
        Wards, in the order given.
    table : pd.DataFrame
        Rows `a` and `b`: `wards`, `must_succeed` (the target's share of them, rounded up),
        `may_fail`, `may_relapse` (of those that must succeed, the most that the second target
        lets relapse), `index_share` (of the city's index a year).
    """

    both: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    table: pd.DataFrame


@dataclass(frozen=True)
class Equity:
    """Whom a list covers.

    Attributes
    ----------
    wards_share : float
        Of all wards, those on the list.
    population_share, citizens_share, police_share : float
        Of the residents, of the incidents reported by citizens, and of those found by the police
        by themselves (patrols, raids); NaN = not known.
    reason : Reason
    """

    wards_share: float
    population_share: float
    citizens_share: float
    police_share: float
    reason: Reason

    @property
    def is_warning(self) -> bool:
        """Whether the list only follows the patrols."""
        return self.reason.code == "follows_patrols"


def compare_choices(
    a: Collection[str],
    b: Collection[str],
    index: pd.Series[float],
    *,
    target: float = TARGET,
    kept: float = KEPT,
) -> Scenarios:
    """Set two lists of wards side by side.

    Parameters
    ----------
    a, b : collection of str
        Ward codes.
    index : pd.Series
        Index a year by ward of the whole city (`last12` of `selection.rank_wards`).
    target, kept : float
        Share of the list that must be transformed, and share of these that must not relapse.

    Examples
    --------
    >>> index = pd.Series({"26734": 60.0, "26737": 30.0, "26740": 10.0})
    >>> compared = compare_choices(["26734"], ["26734", "26740"], index)
    >>> compared.only_b, compared.table.loc["b", "must_succeed"].item()
    (('26740',), 2)
    """
    parted = compare_with_last_year(a, b)
    rows = {name: _covered(wards, index, target, kept) for name, wards in _named(a, b)}
    return Scenarios(
        both=parted.kept,
        only_a=parted.new,
        only_b=parted.dropped,
        table=pd.DataFrame.from_dict(rows, orient="index"),
    )


def equity(
    chosen: Collection[str],
    *,
    wards: Collection[str],
    citizens: pd.Series[float],
    police: pd.Series[float] | None = None,
    population: Mapping[str, float] | None = None,
    unnamed: float = 0.0,
) -> Equity:
    """Return whom a list covers, and whether it only follows the patrols.

    Parameters
    ----------
    chosen : collection of str
        Ward codes of the list.
    wards : collection of str
        All wards of the city.
    citizens, police : pd.Series
        Incidents of the past by ward: reported by citizens, and found by the police by themselves.
        A ward that is not in it had none.
    population : mapping of str to float, optional
        Residents by ward.
    unnamed : float
        Share of all incidents of which nobody said who reported them.

    Examples
    --------
    >>> citizens, police = pd.Series({"a": 50, "b": 50}), pd.Series({"a": 90, "b": 10})
    >>> found = equity(["a"], wards=["a", "b"], citizens=citizens, police=police)
    >>> found.citizens_share, found.police_share, found.reason.code
    (0.5, 0.9, 'follows_patrols')
    """
    listed = set(chosen)
    reported = _share(citizens, listed, wards)
    found = float("nan") if police is None else _share(police, listed, wards)
    residents = None if population is None else pd.Series(population, dtype=float)
    return Equity(
        wards_share=len(listed & set(wards)) / len(set(wards)) if wards else float("nan"),
        population_share=float("nan")
        if residents is None or residents.reindex(sorted(wards)).isna().any()
        else _share(residents, listed, wards),
        citizens_share=reported,
        police_share=found,
        reason=_follows(reported, found, police, unnamed),
    )


def _named(a: Collection[str], b: Collection[str]) -> tuple[tuple[str, list[str]], ...]:
    return ("a", list(dict.fromkeys(a))), ("b", list(dict.fromkeys(b)))


def _covered(
    wards: list[str],
    index: pd.Series[float],
    target: float,
    kept: float,
) -> dict[str, float]:
    must = ceil(len(wards) * target - 1e-9)  # 0.6 of 5 is 3, not 3.0000000000000004
    return {
        "wards": len(wards),
        "must_succeed": must,
        "may_fail": len(wards) - must,
        "may_relapse": must - ceil(must * kept - 1e-9),
        "index_share": _share(index, set(wards), list(index.index)),
    }


def _share(counted: pd.Series[float], listed: set[str], wards: Collection[str]) -> float:
    of_city = counted.reindex(sorted(set(wards))).fillna(0.0)
    total = float(of_city.sum())
    return float(of_city[of_city.index.isin(list(listed))].sum()) / total if total else float("nan")


def _follows(
    citizens: float, found: float, police: pd.Series[float] | None, unnamed: float
) -> Reason:
    if police is None:
        return Reason("patrols_unknown", {})
    if unnamed > MOST_UNNAMED:
        return Reason("patrols_unnamed", {"unnamed": round(unnamed * 100, 1)})
    if police.sum() < LEAST_PATROL_COUNTS or not citizens >= 0:
        facts = {"counted": float(police.sum()), "needed": LEAST_PATROL_COUNTS}
        return Reason("patrols_too_few", facts)
    percent = {"police": round(found * 100, 1), "citizens": round(citizens * 100, 1)}
    if found - citizens >= FAR_MORE_SHARE and found >= FAR_MORE_TIMES * citizens:
        times = found / citizens if citizens else float("inf")
        return Reason("follows_patrols", percent | {"times": times})
    return Reason("not_patrol_led", percent)
