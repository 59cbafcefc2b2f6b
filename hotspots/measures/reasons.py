"""A reason as a code with its numbers; the sentences in each language are made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why a probability or a rank is what it is, in a form any language can say.

    Attributes
    ----------
    code : str
        Stable name; the module that makes the reason lists its codes and their facts.
    facts : Mapping[str, float | str]
        The numbers (and months, written 2025-10) a reader can check by hand.

    Examples
    --------
    >>> Reason("short_history", {"months": 14, "needed": 24}).facts["months"]
    14
    """

    code: str
    facts: Mapping[str, float | str]
