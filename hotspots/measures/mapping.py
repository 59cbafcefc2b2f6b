"""Which column of a file is what: guessed, corrected by a person, kept as TOML and used again.

A guess never decides what a person should: where days can be read in two orders, numbers in two
styles, or a field is found in two columns, it asks; what an unknown category, source or ward may
be called in the programme is suggested and not applied.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import SequenceMatcher
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from hotspots.errors import IntakeError
from hotspots.measures.cells import (
    DATE_ORDERS,
    EARLIEST_YEAR,
    NUMBER_STYLES,
    Ambiguous,
    CodeHints,
    as_text,
    choose_order,
    choose_style,
    date_orders,
    fold,
    is_total_row,
    read_dates,
    tidy,
)
from hotspots.measures.file_kinds import (
    FIELDS,
    NEEDS,
    SOURCES,
    CellType,
    Field,
    FileKind,
    fields,
    missing_roles,
    source_of,
)
from hotspots.programme.plan import Programme

KNOWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "lon": ("lon", "lng", "long", "longitude", "kinh_do", "kinh độ", "x"),
    "lat": ("lat", "latitude", "vi_do", "vĩ độ", "y"),
    "ward": ("ward", "ward_code", "code", "ma_phuong", "mã phường", "ma_xa", "mã xã"),
    "date": ("date", "day", "month", "ngay", "ngày", "thang", "tháng"),
    "category": ("category", "type", "loai", "loại", "nhom", "nhóm"),
    "count": ("count", "n", "so_vu", "số vụ"),
    "month": ("month", "thang", "tháng", "date"),
    "edition": ("edition", "ranh_gioi", "ranh giới"),
}
"""Column names looked for first without a mapping, in this order; `file_kinds` has more."""

Wish: TypeAlias = str | int | bool

_READING: Final[Mapping[str, type]] = {
    "encoding": str,
    "separator": str,
    "sheet": str,
    "header_row": int,
    "layer": str,
    "crs": str,
    "swap_axes": bool,
}
"""How a file wants to be opened; only kept here, `hotspots.records.intake` knows what it means."""

_LEAST_ALIKE = 0.6
_LEAST_SHARE = 0.8
_LON_BOX, _LAT_BOX = (102.0, 118.0), (6.5, 24.0)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


@dataclass(frozen=True)
class ColumnMapping:
    """Which column holds what, how its cells are written, and what their words mean here.

    Read from TOML::

        kind = "counts"
        date_order = "dmy"
        edition = "2025-07-01"
        [columns]
        month = "Tháng"
        [numbers]
        count = "vi"
        [categories]
        "Trộm vặt" = "theft"
        [sources]
        "Viện kiểm sát" = ""
        [wards]
        "P. Bến Thành" = "26743"
        [reading]
        encoding = "cp1258"

    Attributes
    ----------
    columns : Mapping
        Role to the column's header; "" says that the file has no such column.
    categories, sources, wards : Mapping
        A word of the file to a category of the programme, to one of `file_kinds.SOURCES` ("" is
        not known), to a ward code.
    kind : FileKind, optional
        With it the mapping is complete: a role that `columns` does not name is not looked for.
    date_order : str
        One of `cells.DATE_ORDERS`; without it only ISO and 20/10/2025 are read.
    numbers : Mapping
        Role to one of `cells.NUMBER_STYLES`.
    edition : str
        Boundary edition of the ward codes where the row does not say, as an ISO day.
    reading : Mapping
        Encoding, separator, sheet and the like, for opening the next such file.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    kind: FileKind | None = None
    date_order: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    edition: str = ""
    wards: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, Wish] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """Something that a person decides before, or may want to look at.

    Attributes
    ----------
    code : str
        ``kind`` (which kind of file), ``column_missing``, ``column_choice`` (two columns fit),
        ``date_order``, ``number_style``, ``axes_swapped``, ``dates_half_converted`` (Excel has
        taken some days for months), ``names_for_codes`` (the ward column holds names).
    role, column : str
        What it is about; empty for the whole file.
    options : tuple of str
    offered : str
        The customary answer; never taken without the person.
    examples : tuple of str
        Cells that show why. They come from the file: only show them of columns that the
        personal-data guard lets pass.
    must : bool
        Whether the file cannot be read without an answer.
    """

    code: str
    role: str = ""
    column: str = ""
    options: tuple[str, ...] = ()
    offered: str = ""
    examples: tuple[str, ...] = ()
    must: bool = True


@dataclass(frozen=True)
class Unknown:
    """A word of the file that the programme does not know, and what it may mean ("": no idea)."""

    given: str
    rows: int
    suggestion: str


@dataclass(frozen=True)
class Guess:
    """What a file seems to be.

    Attributes
    ----------
    mapping : ColumnMapping
        With everything that is sure; what is asked about is left out of it.
    kind : FileKind
    questions : tuple of Question
    unknown_categories, unknown_sources, unknown_wards : tuple of Unknown
        Suggested by similarity, most frequent first; rows with them come back unless mapped.
    unused : tuple of str
        Columns that are not read.
    """

    mapping: ColumnMapping
    kind: FileKind
    questions: tuple[Question, ...] = ()
    unknown_categories: tuple[Unknown, ...] = ()
    unknown_sources: tuple[Unknown, ...] = ()
    unknown_wards: tuple[Unknown, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing must be answered first."""
        return not any(question.must for question in self.questions)


# -- finding columns


def columns_of(
    kind: FileKind, columns: Iterable[object], mapping: ColumnMapping | None = None
) -> dict[str, str]:
    """Return the column of every role that a file has, by mapping or by the names known.

    Raises
    ------
    IntakeError
        If the mapping was made for another kind of file.
    """
    mapping = mapping or ColumnMapping()
    if mapping.kind not in (None, kind):
        raise IntakeError(
            "mapping_other_kind",
            f"The mapping is for {mapping.kind}, the file is brought in as {kind}. Choose the "
            "mapping of this kind, or let it be guessed again.",
            given=str(mapping.kind),
            kind=str(kind),
        )
    headers = [str(name) for name in columns]
    exact = {_plain(name): name for name in reversed(headers)}
    folded = {fold(name): name for name in reversed(headers)}
    found: dict[str, str] = {}
    for role, known in fields(kind).items():
        if role in mapping.columns:
            column = exact.get(_plain(mapping.columns[role]))
        elif mapping.kind is not None:
            column = None
        else:
            by_name = (exact.get(_plain(name)) for name in KNOWN_NAMES.get(role, ()))
            alike = (folded.get(fold(name)) for name in known.known)
            column = next((name for name in (*by_name, *alike) if name is not None), None)
        if column is not None:
            found[role] = column
    return found


def require(
    kind: FileKind,
    raw: pd.DataFrame,
    column_of: Mapping[str, str],
    mapping: ColumnMapping | None = None,
) -> None:
    """Refuse a file without a column that its kind needs, or that the mapping names."""
    there = [str(name) for name in raw.columns]
    wanted = {} if mapping is None else mapping.columns
    strange = [name for role, name in wanted.items() if name and role not in column_of]
    if strange:
        raise IntakeError(
            "mapped_columns_missing",
            f"The mapping names the columns {strange}; the file has {there}. Correct the mapping, "
            "or let it be guessed again.",
            missing=strange,
            columns=there,
        )
    missing = list(missing_roles(kind, frozenset(column_of)))
    if missing:
        raise IntakeError(
            "columns_missing",
            f"No column for {missing}; the file has {there}. Rename them, or name them in a "
            "mapping file under [columns].",
            missing=missing,
            roles=missing,
            columns=there,
        )


def same_word(name: str) -> str:
    """Return one spelling of a word, to look it up: letters composed, small, single blanks."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _plain(header: str) -> str:
    return unicodedata.normalize("NFC", header).strip().casefold()


def category_codes(programme: Programme, mapping: ColumnMapping) -> dict[str, str]:
    """Return the category that each word means, by `same_word`: codes, labels, the mapping's."""
    codes: dict[str, str] = {}
    for code, category in programme.categories.items():
        for name in (code, category.label.vi, category.label.en):
            codes.setdefault(same_word(name), code)
    codes.update({same_word(name): code for name, code in mapping.categories.items()})
    return codes


# -- guessing


def guess(
    kind: FileKind | None,
    columns: Iterable[object],
    sample: pd.DataFrame,
    programme: Programme,
    known_wards: Mapping[str, str] | None = None,
    chosen: Mapping[str, str] | None = None,
) -> Guess:
    """Say what the columns of a file seem to hold, and ask what cannot be seen.

    Parameters
    ----------
    kind : FileKind, optional
        Where the person has said it; otherwise the kind whose columns fit best.
    columns : iterable of str
    sample : DataFrame
        Rows of the file as text, the more the better: orders of days and styles of numbers are
        those that fit most of its cells.
    programme : Programme
    known_wards : Mapping of str to str, optional
        Name of every ward by its code.
    chosen : Mapping of str to str, optional
        Role to column, where the person has chosen them: no other is looked for.
    """
    headers = [str(name) for name in columns]
    cells = {name: as_text(sample[name]) for name in headers if name in sample.columns}
    wards = known_wards or {}
    looked_at = tuple(FileKind) if kind is None else (kind,)
    if kind is not None and chosen is not None:
        found = {kind: {role: chosen[role] for role in fields(kind) if chosen.get(role)}}
    else:
        found = {each: _find(each, headers, cells, programme, wards) for each in looked_at}
    best = max(found, key=lambda each: _fit(each, found[each]))
    column_of, questions = found[best], []
    if kind is None:
        questions += _ask_kind(found, best)
    questions += _ask_columns(best, headers, column_of)
    mapping = ColumnMapping(columns=column_of, kind=best)
    for role in column_of:
        mapping, asked = _read_column(mapping, fields(best)[role], cells)
        questions += asked
    questions += _ask_axes(column_of, cells)
    unknown_wards, names = _unknown_wards(column_of, cells, wards)
    questions += names
    return Guess(
        mapping=mapping,
        kind=best,
        questions=tuple(questions),
        unknown_categories=_unknown_categories(column_of, cells, programme, mapping),
        unknown_sources=_unknown_sources(column_of, cells),
        unknown_wards=unknown_wards,
        unused=tuple(name for name in headers if name not in column_of.values()),
    )


Cells: TypeAlias = Mapping[str, pd.Series]


def _find(
    kind: FileKind,
    headers: list[str],
    cells: Cells,
    programme: Programme,
    wards: Mapping[str, str],
) -> dict[str, str]:
    """Return the column of every role, by its header, else by what its cells say."""
    found: dict[str, str] = {}
    for role, names in fields(kind).items():
        fitting = [name for name in _by_header(names, headers) if name not in found.values()]
        if fitting:
            found[role] = fitting[0]
    for alternatives in NEEDS[kind]:
        if any(set(roles) <= set(found) for roles in alternatives):
            continue
        for roles in alternatives:
            seen = _find_by_cells(kind, roles, found, cells, programme, wards)
            if set(roles) <= set(seen):
                found = seen
                break
    source = found.get("source", "")
    if kind in (FileKind.INCIDENTS, FileKind.COUNTS) and source in cells:
        words = [word for word in cells[source].unique() if word]
        if words and not any(map(source_of, words)):
            del found["source"]  # a column of that name that speaks of something else
    order = [role for role in fields(kind) if role in found]
    return {role: found[role] for role in order}


def _find_by_cells(
    kind: FileKind,
    roles: tuple[str, ...],
    found: Mapping[str, str],
    cells: Cells,
    programme: Programme,
    wards: Mapping[str, str],
) -> dict[str, str]:
    """Return the columns found so far and those of more roles whose cells speak for themselves."""
    more = dict(found)
    for role in roles:
        known = fields(kind)[role].type
        for name in cells:
            if role in more:
                break
            if name not in more.values() and _cells_say(known, cells[name], programme, wards):
                more[role] = name
    return more


def _by_header(names: Field, headers: list[str]) -> list[str]:
    """Return the columns whose header is one of a field's names, the surest first.

    A header may go on behind a name of two words ("Ngày xảy ra vụ việc"); behind one word it means
    something else ("Ngày sinh").
    """
    folded = {name: fold(_BRACKETS.sub(" ", name)) or fold(name) for name in headers}
    known = list(dict.fromkeys(fold(name) for name in names.known))
    whole = [name for each in known for name in headers if folded[name] == each]
    longer = [
        name
        for each in sorted(known, key=len, reverse=True)
        if " " in each
        for name in headers
        if folded[name].startswith(f"{each} ")
    ]
    return list(dict.fromkeys(whole + longer))


def _cells_say(
    kind: CellType, cells: pd.Series, programme: Programme, wards: Mapping[str, str]
) -> bool:
    """Tell whether most different cells of a column are of a type that can be seen."""
    values = [value for value in cells.unique() if value]
    if not values:
        return False
    if kind is CellType.WARD:
        return _share(value in wards for value in values) >= _LEAST_SHARE
    if kind is CellType.CATEGORY:
        codes = category_codes(programme, ColumnMapping())
        return _share(same_word(value) in codes for value in values) >= _LEAST_SHARE
    if kind in (CellType.DATE, CellType.MONTH):
        orders = date_orders(pd.Series(values))
        days = any(re.search(r"[0-9]{4}", value) for value in values)
        return days and bool(orders) and orders != ("serial",) and not _all_plain(values)
    if kind in (CellType.LON, CellType.LAT):
        box = _LON_BOX if kind is CellType.LON else _LAT_BOX
        return _all_plain(values) and _inside(cells, box) and _has_decimals(values)
    return False


def _share(answers: Iterable[bool]) -> float:
    return float(np.mean([float(answer) for answer in answers] or [0.0]))


def _all_plain(values: list[str]) -> bool:
    """Tell whether all cells are bare numbers (a year, a code, a coordinate)."""
    return all(re.fullmatch(r"-?[0-9]+(?:[.,][0-9]+)?", value) for value in values)


def _has_decimals(values: list[str]) -> bool:
    return any(re.search(r"[.,][0-9]{2}", value) for value in values)


def _inside(cells: pd.Series, box: tuple[float, float]) -> bool:
    degrees = _degrees(cells)
    return bool(len(degrees)) and bool(degrees.between(*box).mean() >= _LEAST_SHARE)


def _degrees(cells: pd.Series) -> pd.Series:
    said = cells[cells.ne("")].str.replace(",", ".", regex=False)
    return pd.to_numeric(said, errors="coerce")


def _fit(kind: FileKind, column_of: Mapping[str, str]) -> tuple[bool, int, int]:
    missing = len(missing_roles(kind, frozenset(column_of)))
    return missing == 0, len(column_of) - 2 * missing, -list(FileKind).index(kind)


def _ask_kind(found: Mapping[FileKind, Mapping[str, str]], best: FileKind) -> list[Question]:
    """Ask for the kind where none fits, or another fits as well as the best."""
    complete, columns, _ = _fit(best, found[best])
    alike = [each for each in found if _fit(each, found[each])[:2] == (complete, columns)]
    if complete and len(alike) == 1:
        return []
    options = tuple(str(each) for each in (alike if complete else found))
    return [Question("kind", options=options, offered=str(best))]


def _ask_columns(
    kind: FileKind, headers: list[str], column_of: Mapping[str, str]
) -> list[Question]:
    asked = []
    for role in missing_roles(kind, frozenset(column_of)):
        free = tuple(name for name in headers if name not in column_of.values())
        asked.append(Question("column_missing", role=role, options=free))
    for role, chosen in column_of.items():
        others = set(column_of.values()) - {chosen}
        fitting = [n for n in _by_header(fields(kind)[role], headers) if n not in others]
        if len(fitting) > 1:
            options = tuple(fitting)
            asked.append(
                Question("column_choice", role, chosen, options, offered=chosen, must=False)
            )
    return asked


def _read_column(
    mapping: ColumnMapping, known: Field, cells: Cells
) -> tuple[ColumnMapping, list[Question]]:
    """Add how a column is written to the mapping, or ask."""
    column = mapping.columns[known.role]
    if column not in cells:
        return mapping, []
    given = cells[column]
    if known.type in (CellType.DATE, CellType.MONTH, CellType.YEAR) and known.role != "edition":
        return _read_order(mapping, known.role, column, given)
    if known.type in (CellType.NUMBER, CellType.COUNT):
        style = choose_style(given, counts=known.type is CellType.COUNT)
        if isinstance(style, Ambiguous):
            options, examples = style.options, style.examples
            return mapping, [
                Question("number_style", known.role, column, options, options[0], examples)
            ]
        return replace(mapping, numbers={**mapping.numbers, known.role: style}), []
    if known.type in (CellType.LON, CellType.LAT) and given.str.contains(",", regex=False).any():
        return replace(mapping, numbers={**mapping.numbers, known.role: "vi"}), []
    return mapping, []


def _read_order(
    mapping: ColumnMapping, role: str, column: str, given: pd.Series
) -> tuple[ColumnMapping, list[Question]]:
    said = given[given.ne("") & ~given.map(_is_year)]
    if said.empty:
        return mapping, []
    if not any(read_dates(said, today=date.max)[1].ne("")) and date_orders(said) == ("ymd",):
        return mapping, []  # read without being told; the next file may write days in our way
    order = choose_order(said)
    if isinstance(order, Ambiguous):
        options = order.options or DATE_ORDERS
        offered = order.options[0] if order.options else ""
        return mapping, [Question("date_order", role, column, options, offered, order.examples)]
    halves = _half_converted(said) if order == "dmy" else ()
    asked = [Question("dates_half_converted", role, column, examples=halves, must=False)]
    return replace(mapping, date_order=order), asked if halves else []


def _is_year(cell: str) -> bool:
    return bool(re.fullmatch(r"(?:19|20)[0-9]{2}", cell)) and int(cell) >= EARLIEST_YEAR


def _half_converted(given: pd.Series) -> tuple[str, ...]:
    """Return examples of days that Excel seems to have exchanged with months, if there are any.

    Excel set to English takes 03/04/2025 for 4 March and leaves 13/04/2025 as text. What is left
    then are texts with days above 12 only, beside true dates with days up to 12 only.
    """
    true = [value for value in given.unique() if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)]
    texts = [value for value in given.unique() if re.match(r"[0-9]{1,2}/[0-9]{1,2}/", value)]
    suspicious = (
        len(true) > 2
        and len(texts) > 2
        and all(int(value[8:10]) <= 12 for value in true)
        and all(int(value.split("/")[0]) > 12 for value in texts)
    )
    return (true[0], texts[0]) if suspicious else ()


def _ask_axes(column_of: Mapping[str, str], cells: Cells) -> list[Question]:
    if not {"lon", "lat"} <= set(column_of):
        return []
    lon, lat = column_of["lon"], column_of["lat"]
    if not {lon, lat} <= set(cells):
        return []
    if not (_inside(cells[lon], _LAT_BOX) and _inside(cells[lat], _LON_BOX)):
        return []
    examples = (f"{cells[lon].iloc[0]} {cells[lat].iloc[0]}",)
    return [Question("axes_swapped", "lon", lon, ("swap", "keep"), "swap", examples)]


def _unknown_categories(
    column_of: Mapping[str, str], cells: Cells, programme: Programme, mapping: ColumnMapping
) -> tuple[Unknown, ...]:
    codes = category_codes(programme, mapping)
    return _unknowns(
        column_of,
        "category",
        cells,
        known=lambda word: same_word(word) in codes or is_total_row([word]),
        suggest=lambda word: similar_category(word, programme),
    )


def _unknown_sources(column_of: Mapping[str, str], cells: Cells) -> tuple[Unknown, ...]:
    return _unknowns(
        column_of, "source", cells, known=lambda word: bool(source_of(word)), suggest=_like_source
    )


def _unknown_wards(
    column_of: Mapping[str, str], cells: Cells, wards: Mapping[str, str]
) -> tuple[tuple[Unknown, ...], list[Question]]:
    """Return the cells that are no ward codes; ask where they are names altogether."""
    if not wards or "ward" not in column_of:
        return (), []
    hints = CodeHints(wards)

    def one_code(word: str) -> str:
        code = hints.of(word)[1]["code"]
        return code if code in wards else ""

    unknown = _unknowns(
        column_of,
        "ward",
        cells,
        known=lambda word: word in wards or is_total_row([word]),
        suggest=one_code,
    )
    # a number alone is a wrong code rather than the name of "Phường 1"
    words = [each for each in unknown if not each.given.isdecimal()]
    named = [each for each in words if hints.codes_of(each.given)]
    if not named or len(named) < _LEAST_SHARE * len(unknown):
        return unknown, []
    column = column_of["ward"]
    examples = tuple(each.given for each in named[:3])
    return unknown, [Question("names_for_codes", "ward", column, examples=examples, must=False)]


def _unknowns(
    column_of: Mapping[str, str], role: str, cells: Cells, known: Any, suggest: Any
) -> tuple[Unknown, ...]:
    column = column_of.get(role)
    if column is None or column not in cells:
        return ()
    given = cells[column][cells[column].ne("")]
    rows = given.value_counts(sort=True)
    return tuple(
        Unknown(str(word), int(count), suggest(str(word)))
        for word, count in rows.items()
        if not known(str(word))
    )


def similar_category(word: str, programme: Programme) -> str:
    """Return the category whose name is most like a word, or "" if none is.

    Half of the score are letters in common, half are whole words of the shorter name that stand in
    the longer one: "Trộm cắp TS" is like "Trộm cắp tài sản".
    """
    scores = {
        code: max(_alike(word, name) for name in (code, category.label.vi, category.label.en))
        for code, category in programme.categories.items()
    }
    best = max(scores, key=lambda code: scores[code], default="")
    return best if best and scores[best] >= _LEAST_ALIKE else ""


def _alike(one: str, other: str) -> float:
    first, second = fold(one), fold(other)
    if not first or not second:
        return 0.0
    letters = SequenceMatcher(None, first, second, autojunk=False).ratio()
    words, others = set(first.split()), set(second.split())
    common = len(words & others) / min(len(words), len(others))
    return max(letters, (letters + common) / 2)


def _like_source(word: str) -> str:
    plain = f" {fold(word)} "
    citizens = any(f" {part} " in plain for part in ("nguoi dan", "to giac", "tin bao", "bi hai"))
    police = any(f" {part} " in plain for part in ("cong an", "ca", "phat hien", "tuan tra"))
    return "" if citizens == police else SOURCES[0] if citizens else SOURCES[1]


# -- TOML


def read_mapping(text: str, programme: Programme) -> ColumnMapping:
    """Read a mapping file and check it against the programme.

    Raises
    ------
    IntakeError
        If it is not TOML, names a column or a category that there is not, or a value that is not
        allowed.
    """
    data = _toml(text)
    strange = sorted(set(data) - {"kind", "date_order", "edition", "reading", *_TABLES})
    if strange:
        allowed = ", ".join(("kind", "date_order", "edition", *_TABLES, "reading"))
        raise _not_allowed(strange[0], data[strange[0]], allowed)
    tables = {name: _table(data, name) for name in _TABLES}
    kind = _one_of("kind", str(data.get("kind", "")), ("", *FileKind))
    _check_names(tables, FileKind(kind) if kind else None, programme)
    for source in tables["sources"].values():
        _one_of("sources", source, ("", *SOURCES))
    for style in tables["numbers"].values():
        _one_of("numbers", style, NUMBER_STYLES)
    return ColumnMapping(
        columns=tables["columns"],
        categories=tables["categories"],
        kind=FileKind(kind) if kind else None,
        date_order=_one_of("date_order", str(data.get("date_order", "")), ("", *DATE_ORDERS)),
        sources=tables["sources"],
        numbers=tables["numbers"],
        edition=_edition(str(data.get("edition", ""))),
        wards=tables["wards"],
        reading=_reading(data.get("reading", {})),
    )


def to_toml(mapping: ColumnMapping) -> str:
    r"""Return a mapping as the text that `read_mapping` reads.

    >>> print(to_toml(ColumnMapping({"month": "Tháng"}, {'"Trộm"': "theft"}, date_order="dmy")))
    date_order = "dmy"
    <BLANKLINE>
    [columns]
    "month" = "Tháng"
    <BLANKLINE>
    [categories]
    "\"Trộm\"" = "theft"
    <BLANKLINE>
    """
    single = {
        "kind": str(mapping.kind or ""),
        "date_order": mapping.date_order,
        "edition": mapping.edition,
    }
    lines = [f"{name} = {_quoted(value)}" for name, value in single.items() if value]
    for name in (*_TABLES, "reading"):
        table: Mapping[str, Wish] = getattr(mapping, name)
        if table:
            lines += ["", f"[{name}]"] if lines else [f"[{name}]"]
            lines += [f"{_quoted(key)} = {_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


_TABLES = ("columns", "categories", "sources", "numbers", "wards")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(text: str) -> str:
    signs = (
        _ESCAPES.get(sign) or (sign if sign >= " " and sign != "\x7f" else f"\\u{ord(sign):04x}")
        for sign in text
    )
    return f'"{"".join(signs)}"'


def _value(value: Wish) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise IntakeError(
            "mapping_not_toml", f"The mapping is not TOML: {error}.", problem=str(error)
        ) from error


def _table(data: Mapping[str, Any], name: str) -> dict[str, str]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        problem = f"[{name}] must be a table"
        raise IntakeError("mapping_not_toml", f"The mapping: {problem}.", problem=problem)
    return {str(key): str(value) for key, value in table.items()}


def _check_names(
    tables: Mapping[str, Mapping[str, str]], kind: FileKind | None, programme: Programme
) -> None:
    kinds = (FileKind.INCIDENTS, FileKind.COUNTS) if kind is None else (kind,)
    roles = {each.role for one in kinds for each in FIELDS[one]}
    unknown = sorted(set(tables["categories"].values()) - set(programme.categories))
    unknown += sorted((set(tables["columns"]) | set(tables["numbers"])) - roles)
    if unknown:
        raise IntakeError(
            "mapping_invalid",
            f"The mapping names {unknown}; allowed are the columns {sorted(roles)} and the "
            f"programme's categories {sorted(programme.categories)}.",
            given=unknown,
            columns=sorted(roles),
            categories=sorted(programme.categories),
        )


def _one_of(name: str, given: str, allowed: tuple[str, ...]) -> str:
    if given not in allowed:
        raise _not_allowed(name, given, ", ".join(each for each in allowed if each))
    return given


def _not_allowed(name: str, given: object, allowed: str) -> IntakeError:
    return IntakeError(
        "mapping_value_invalid",
        f"The mapping says {name} = {given!r}; allowed: {allowed}. Correct it, or let it be "
        "guessed again.",
        name=name,
        given=str(given)[:80],
        allowed=allowed,
    )


def _edition(given: str) -> str:
    try:
        if given and date.fromisoformat(given).isoformat() != given:
            raise ValueError(given)
    except ValueError as error:
        raise _not_allowed("edition", given, "2025-07-01") from error
    return given


def _reading(given: object) -> dict[str, Wish]:
    if not isinstance(given, dict):
        raise _not_allowed("reading", given, ", ".join(_READING))
    for name, value in given.items():
        if name not in _READING:
            raise _not_allowed("reading", name, ", ".join(_READING))
        if type(value) is not _READING[name]:
            raise _not_allowed(f"reading.{name}", value, _READING[name].__name__)
    return dict(given)


def ward_words(mapping: ColumnMapping) -> dict[str, str]:
    """Return the ward code that each word of the mapping means, by `same_word`."""
    return {same_word(tidy(name)): code for name, code in mapping.wards.items()}
