"""Names of wards: what counts as the same name. Names help people find a ward; codes join tables.

The same ward is written "Phường Hòa Bình", "P. Hoà Bình" or "hoà  bình" with the letters composed
or not. `ward_key` makes these equal and nothing else: names that differ in a letter or a tone
(Thanh An, Thạnh An; Tân Quy, Tân Quý) stay different and are at most suggested.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from geo.errors import GeoError

FOUND_COLUMNS = ("code", "name", "kind", "edition", "match")

_KIND_WORDS = {"phường": "phuong", "xã": "xa", "thị trấn": "thi_tran", "đặc khu": "dac_khu"}
_KIND_LETTERS = {"p": "phuong", "x": "xa", "tt": "thi_tran", "đk": "dac_khu"}
_WORD = re.compile(rf"({'|'.join(_KIND_WORDS)})\s+(?=\S)")
# No name begins with a lone p or x, so "P 1" and "P1" are read like "P. 1".
_LETTERS = re.compile(rf"({'|'.join(_KIND_LETTERS)})(?:\.\s*|\s+|(?=[0-9]))(?=\w)")
_WORD_PLAIN = re.compile(r"^(?:phuong|xa|thi tran|dac khu)\s+(?=\S)")

# Letters that look like đ, or are put together from d and a stroke.
_D_STROKE = re.compile("ð|ɖ|d[\u0335\u0336]")
_DASHES = re.compile(r"\s*[-\u2010-\u2015\u2212]\s*")
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u02b9\u00b4`]")
_ZEROS_IN_FRONT = re.compile(r"(?<![0-9])0+(?=[0-9])")

_TONES = "\u0300\u0301\u0303\u0309\u0323"
# Hoà, khoẻ, thuỷ to hòa, khỏe, thủy: only these three rhymes, only where nothing follows, are
# written both ways. After q the u belongs to the consonant: quý has one spelling.
_NEW_TONE = re.compile(rf"(?<!q)(o(?=[ae])|u(?=y))([aey])([{_TONES}])(?![^\W0-9_]|[\u0300-\u036f])")

Found: TypeAlias = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Matched:
    """Names of a list, sorted by what the wards of an edition say to them.

    Attributes
    ----------
    matched : dict
        Name to the code of the only ward that has it.
    ambiguous : dict
        Name to the codes of all wards that have it, sorted.
    unknown : dict
        Name that no ward has, to the codes of those with a similar one (perhaps none), sorted.
    """

    matched: dict[str, str]
    ambiguous: Found
    unknown: Found


def ward_key(name: str, kind: str = "") -> str:
    """One spelling for a ward's name, without its kind; two names are the same if it is equal.

    Equal become composed and decomposed letters, small and capital ones, all sorts of blanks,
    dashes and apostrophes, the old and the new place of the tone mark (Hòa, Hoà), and numbers with
    and without zeros in front. Accents are never dropped, and "qui" is not "quy".

    The kind in front (Phường, Xã, Thị trấn, Đặc khu; P., X., TT., ĐK.) is split off once, because
    tables have it in the name, in a column or not at all. A ward and a commune can therefore have
    one key: where that matters, compare `ward_kind` as well, as `find_wards` and `match_names` do.

    Parameters
    ----------
    name : str
        As people write it, with its accents.
    kind : str
        Kind of the ward, where a table says it. Another kind in front is then a part of the name:
        "Xã Gào" is the commune Gào, but a ward "Xã Tắc" is called so. Without it, both are read as
        communes.

    Examples
    --------
    >>> ward_key("Phường  Hoà Bình") == ward_key("P. HÒA BÌNH") == ward_key("hòa bình")
    True
    >>> ward_key("Phường 01"), ward_key("P.1")
    ('1', '1')
    >>> ward_key("Phường Xã Tắc"), ward_key("Xã Tắc", kind="phuong"), ward_key("Xã Tắc")
    ('xã tắc', 'xã tắc', 'tắc')
    >>> ward_key("Xã Thanh An") == ward_key("Xã Thạnh An")
    False
    """
    return _without_kind(_spelling(name), kind)


def ward_kind(name: str) -> str:
    """Kind that a name begins with: "phuong", "xa", "thi_tran", "dac_khu", or "" if it says none.

    Examples
    --------
    >>> ward_kind("Phường 1"), ward_kind("TT. Củ Chi"), ward_kind("Phương Liệt"), ward_kind("Xã")
    ('phuong', 'thi_tran', '', '')
    """
    return _split(_spelling(name))[0]


def find_wards(text: str, wards: pd.DataFrame) -> pd.DataFrame:
    """Wards that a person may mean by a code or a name, the surest first; nothing is chosen.

    Parameters
    ----------
    text : str
        A code, or a name with or without kind.
    wards : DataFrame
        ``code``, ``name``, ``kind`` and ``edition``; several editions may stand in it. Give the
        wards of one district to find the right "Phường 1".

    Returns
    -------
    DataFrame
        ``code``, ``name``, ``kind``, ``edition`` and ``match``, sorted by match, edition and code,
        with the index of `wards`. ``match`` is "code", "name" (equal `ward_key`, and kinds that do
        not contradict each other) or "similar" (only a suggestion: another kind, equal without
        accents, or i for y).

    Examples
    --------
    >>> wards = pd.DataFrame({"code": ["27685", "25846"], "name": ["Thạnh An", "Thanh An"],
    ...                       "kind": "xa", "edition": "2025-07-01"})
    >>> find_wards("xã Thạnh An", wards)[["code", "match"]].values.tolist()
    [['27685', 'name'], ['25846', 'similar']]
    >>> find_wards("25846", wards)["match"].tolist()
    ['code']
    """
    asked = _spelling(text)
    index = _Index(wards)
    match = dict.fromkeys(index.similar(asked), "similar")
    match |= dict.fromkeys(index.same(asked), "name")
    match |= dict.fromkeys(np.flatnonzero(wards["code"] == _visible(text)).tolist(), "code")
    found = wards.iloc[list(match)][list(FOUND_COLUMNS[:-1])].assign(
        match=pd.array(list(match.values()), dtype="str")
    )
    return found.sort_values(["match", "edition", "code"], key=_sureness_first)


def match_names(names: Iterable[str], wards: pd.DataFrame) -> Matched:
    """Codes for a list of names, where there is no doubt, and everything else for a person.

    Parameters
    ----------
    names : iterable of str
        With or without kind; each is answered once, as it was written.
    wards : DataFrame
        ``code``, ``name``, ``kind`` and ``edition`` of one edition. Where names repeat between
        districts ("Phường 1"), match district by district.

    Raises
    ------
    GeoError
        The wards are of several editions: the codes in the answer would not say which.

    Examples
    --------
    >>> wards = pd.DataFrame({
    ...     "code": ["1", "2", "3"], "name": ["Phường Tân An", "Xã Tân An", "Phường Quý"],
    ...     "kind": ["phuong", "xa", "phuong"], "edition": "2025-07-01"})
    >>> match_names(["P. Tân An", "Tân An", "Phường Quy"], wards)
    Matched(matched={'P. Tân An': '1'}, ambiguous={'Tân An': ('1', '2')}, \
unknown={'Phường Quy': ('3',)})
    """
    _refuse_several_editions(wards)
    index, codes = _Index(wards), wards["code"].tolist()
    matched: dict[str, str] = {}
    ambiguous: Found = {}
    unknown: Found = {}
    for name in dict.fromkeys(names):
        asked = _spelling(name)
        same = tuple(sorted(codes[row] for row in index.same(asked)))
        if len(same) == 1:
            matched[name] = same[0]
        elif same:
            ambiguous[name] = same
        else:
            unknown[name] = tuple(sorted(codes[row] for row in index.similar(asked)))
    return Matched(matched, ambiguous, unknown)


class _Index:
    """Rows of a wards table by key and by accent-free key."""

    def __init__(self, wards: pd.DataFrame) -> None:
        self._kinds: list[str] = []
        self._by_key: dict[str, set[int]] = {}
        self._by_plain: dict[str, set[int]] = {}
        for row, (name, kind) in enumerate(zip(wards["name"], wards["kind"], strict=True)):
            spelling = _spelling(name)
            self._kinds.append(_visible(kind) or _split(spelling)[0])
            for key in _keys(spelling, self._kinds[row]):
                self._by_key.setdefault(key, set()).add(row)
            for plain in _plain_keys(spelling, self._kinds[row]):
                self._by_plain.setdefault(plain, set()).add(row)

    def same(self, asked: str) -> list[int]:
        """Rows with the name asked for; a kind rules out the other kinds if both sides name one."""
        kind, key = _split(asked)
        by_name = self._by_key.get(key, ())
        rows = {row for row in by_name if not kind or self._kinds[row] in ("", kind)}
        return sorted(rows.union(self._by_key.get(asked, ())))

    def similar(self, asked: str) -> list[int]:
        """Rows whose name is equal without accents, whatever the kind."""
        return sorted(
            {row for plain in _plain_keys(asked) for row in self._by_plain.get(plain, ())}
        )


def _keys(spelling: str, kind: str = "") -> set[str]:
    """The name without its kind, and as it stands: "xã tắc" is a commune Tắc, or a name."""
    return {_without_kind(spelling, kind), spelling} - {""}


def _plain_keys(spelling: str, kind: str = "") -> set[str]:
    """Accent-free keys; a kind typed without accents is split off too (phuong tan dinh)."""
    plain = {_plain(key) for key in _keys(spelling, kind)}
    return plain | {_WORD_PLAIN.sub("", key) for key in plain}


def _without_kind(spelling: str, kind: str) -> str:
    said, name = _split(spelling)
    return spelling if kind and said != kind else name


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d"))
    letters = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return letters.replace("y", "i")


def _split(spelling: str) -> tuple[str, str]:
    """Kind and name of a spelling; the kind is "" where none is said or nothing would be left."""
    for words, kinds in ((_WORD, _KIND_WORDS), (_LETTERS, _KIND_LETTERS)):
        if said := words.match(spelling):
            return kinds[said[1]], spelling[said.end() :]
    return "", spelling


def _spelling(text: object) -> str:
    """Fold all that is not spelling; "" for a missing value."""
    folded = _D_STROKE.sub("đ", _visible(text).casefold())
    dashed = _DASHES.sub("-", _APOSTROPHES.sub("'", folded))
    decomposed = unicodedata.normalize("NFD", _ZEROS_IN_FRONT.sub("", dashed))
    return unicodedata.normalize("NFC", _NEW_TONE.sub(r"\1\3\2", decomposed))


def _visible(text: object) -> str:
    """NFC with single blanks and without invisible signs; "" for a missing value."""
    if not isinstance(text, str):
        return ""
    shown = "".join(
        sign
        for sign in text
        if sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )
    return " ".join(unicodedata.normalize("NFC", shown).split())


def _sureness_first(column: pd.Series) -> pd.Series:
    return column.map({"code": 0, "name": 1, "similar": 2}) if column.name == "match" else column


def _refuse_several_editions(wards: pd.DataFrame) -> None:
    editions = tuple(sorted(map(str, set(wards["edition"]))))
    if len(editions) > 1:
        raise GeoError(
            "several_editions",
            f"The wards are of the editions {', '.join(editions)}, and a code means something in "
            "one only. Match the names with one edition at a time.",
            editions=editions,
        )
