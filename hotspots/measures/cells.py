"""What one cell of an office's file says: numbers, dates, periods, totals rows, ward codes.

Everything here is strict. A cell is read in the one way that its column is written in, or it comes
back with a reason; where a column can be read in two ways that differ, the answer is that it can
(`Ambiguous`), and a person decides.

Every reader answers with two columns of the index it was given: what was read, and the reason
against it ("" for none). All reasons are listed in `NUMBER_PROBLEMS`, `COUNT_PROBLEMS`,
`DATE_PROBLEMS`, `PERIOD_PROBLEMS` and `CODE_PROBLEMS`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from math import isfinite
from typing import Any, Final

import numpy as np
import pandas as pd

DATE_ORDERS: Final = ("dmy", "mdy", "ymd", "serial")
"""How a column writes its days: 20/10/2025, 10/20/2025, 2025/10/20, or 45950 (Excel's number)."""
NUMBER_STYLES: Final = ("vi", "en")
"""How a column writes its numbers: 1.234,5 or 1,234.5."""

MOST_COUNT: Final = 1_000_000
"""More than this in one ward, month and category is an identity or phone number, or a sum."""
MOST_PEOPLE: Final = 20_000_000
MOST_NUMBER: Final = 1e15
EARLIEST_YEAR: Final = 1990

NUMBER_PROBLEMS: Final = (
    "number_missing",
    "value_not_a_number",
    "number_ambiguous",
    "number_too_large",
)
COUNT_PROBLEMS: Final = (
    "count_missing",
    "not_a_count",
    "number_ambiguous",
    "count_negative",
    "count_fractional",
    "count_too_large",
)
DATE_PROBLEMS: Final = ("date_not_read", "date_out_of_range", "date_in_future")
PERIOD_PROBLEMS: Final = ("period_not_read", "period_out_of_range", "period_in_future")
CODE_PROBLEMS: Final = (
    "code_with_decimals",
    "code_as_power",
    "code_with_other_zeros",
    "code_with_blanks",
    "code_with_letters",
    "name_instead_of_code",
    "unknown_ward",
)

_BLANKS = re.compile(r"[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_NO_WORD = re.compile(r"[\W_]+")
_EXAMPLES = 3


@dataclass(frozen=True)
class Ambiguous:
    """A column that can be read in more than one way, with cells that would differ.

    Attributes
    ----------
    options : tuple of str
        The ways that fit, the customary one here first: offered, never taken.
    examples : tuple of str
        Cells that would be read differently.
    """

    options: tuple[str, ...]
    examples: tuple[str, ...]


# -- text


def fold(text: str) -> str:
    """Return a text without accents, capitals and signs, to compare headers and names.

    >>> fold("Mã phường/xã"), fold("  MA_PHUONG-XA ")
    ('ma phuong xa', 'ma phuong xa')
    """
    apart = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d").replace("ð", "d"))
    plain = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return _NO_WORD.sub(" ", plain).strip()


def tidy(text: str) -> str:
    """Return a cell with single blanks, without unseen signs and Excel's apostrophe in front.

    >>> tidy("\\ufeff'1\\u00a0234 ")
    '1 234'
    """
    if text.isascii() and text.isalnum():
        return text
    seen = _BLANKS.sub(" ", _UNSEEN.sub("", text)).strip()
    return seen[1:].lstrip() if seen.startswith(("'", "\u2019")) else seen


def as_text(column: pd.Series) -> pd.Series:
    """Return a column as trimmed text, with nothing for a missing value, numbered from 0."""
    return column.astype("string").fillna("").str.strip().reset_index(drop=True).astype(object)


def once_per_value(column: pd.Series, read: Callable[[str], object]) -> pd.Series:
    """Apply a reader to each different value once: files repeat a few hundred values."""
    codes, values = pd.factorize(column)
    answers = np.empty(len(values), dtype=object)
    answers[:] = [read(str(value)) for value in values]
    found = answers[codes] if len(values) else answers
    return pd.Series(found, index=column.index, dtype=object)


def _different(column: pd.Series) -> list[str]:
    """Return the different cells of a column that say anything, tidied."""
    values = (tidy(str(value)) for value in pd.unique(column.dropna().astype(str)))
    return [value for value in dict.fromkeys(values) if value]


# -- numbers

_GROUPS = r"[1-9][0-9]{0,2}"
_FORMS = {
    "vi": re.compile(
        rf"(?:{_GROUPS}(?:\.[0-9]{{3}})+|{_GROUPS}(?: [0-9]{{3}})+|[0-9]+)(?:,[0-9]+)?\Z"
    ),
    "en": re.compile(
        rf"(?:{_GROUPS}(?:,[0-9]{{3}})+|{_GROUPS}(?: [0-9]{{3}})+|[0-9]+)(?:\.[0-9]+)?\Z"
    ),
}
_MINUS = re.compile("[-\u2010-\u2015\u2212]\\s?")
_LONGEST_NUMBER = 40


def read_numbers(
    text: pd.Series, style: str = "", *, percent: bool = False
) -> tuple[pd.Series, pd.Series]:
    """Read a column of numbers.

    Parameters
    ----------
    text : Series of str
    style : str
        One of `NUMBER_STYLES`. Without it the column decides, and a cell that the two styles would
        read differently is reported as such where nothing else in the column decides.
    percent : bool
        Read "92,5%" as 0.925; otherwise the sign is refused.

    Returns
    -------
    (Series of float, Series of str)
        NaN where there is a reason. Infinity, powers (1E5), digits of other scripts and anything
        that is no number are refused.

    Examples
    --------
    >>> values, problems = read_numbers(pd.Series(["1.234", "12,5", "1 234", "inf", "1e400"]))
    >>> list(values)
    [1234.0, 12.5, 1234.0, nan, nan]
    >>> list(problems)
    ['', '', '', 'value_not_a_number', 'value_not_a_number']
    """
    styles = (style,) if style else number_styles(text)
    return _answers(text, lambda cell: _read_number(cell, styles, percent), np.nan, float)


def read_counts(
    text: pd.Series, style: str = "", *, most: int = MOST_COUNT
) -> tuple[pd.Series, pd.Series]:
    """Read a column of whole numbers of 0 or more; 0 stands where there is a reason.

    "1.234" is 1234: nobody counts 1.234 cases. "12.000" is twelve thousand or twelve, and decided
    by the other cells or by `style`.

    >>> values, problems = read_counts(pd.Series(["1.234", "12", "-3", "2,5", "", "0905123456"]))
    >>> list(values)
    [1234, 12, 0, 0, 0, 0]
    >>> list(problems)
    ['', '', 'count_negative', 'count_fractional', 'count_missing', 'count_too_large']
    """
    styles = (style,) if style else number_styles(text, counts=True)
    return _answers(text, lambda cell: _read_count(cell, styles, most), 0, np.int64)


def number_styles(text: pd.Series, *, counts: bool = False) -> tuple[str, ...]:
    """Return the styles that a column of numbers may be written in, the customary one first.

    Two are returned only where both fit equally many cells and would read one differently; of two
    that read every cell alike the first is as good. Text that is no number at all decides nothing.

    >>> number_styles(pd.Series(["1.234", "7"])), number_styles(pd.Series(["1.234", "12,5"]))
    (('vi', 'en'), ('vi',))
    >>> number_styles(pd.Series(["1.234", "7"]), counts=True)
    ('vi',)
    >>> number_styles(pd.Series(["106.7012", "12.5"]))
    ('en',)
    """
    cells = _different(text)
    read = {style: [_number(cell, style, counts=counts) for cell in cells] for style in _FORMS}
    fitting = {style: sum(value is not None for value in values) for style, values in read.items()}
    best = tuple(style for style in NUMBER_STYLES if fitting[style] == max(fitting.values()))
    differ = any(
        vi is not None and en is not None and vi != en
        for vi, en in zip(read["vi"], read["en"], strict=True)
    )
    return best if len(best) == 1 or differ else best[:1]


def choose_style(text: pd.Series, *, counts: bool = False) -> str | Ambiguous:
    """Return the style of a column of numbers, or that it can be read in two ways."""
    styles = number_styles(text, counts=counts)
    if len(styles) == 1:
        return styles[0]
    return Ambiguous(styles, _differing(text, lambda cell: [_number(cell, s) for s in styles]))


def _number(cell: str, style: str, *, counts: bool = False) -> float | None:
    """Return what a tidied cell says in a style; with `counts` only what may be a count."""
    unsigned = _MINUS.sub("", cell, count=1) if _MINUS.match(cell) else cell.removeprefix("+")
    unsigned = unsigned.removesuffix("%").rstrip()
    if len(unsigned) > _LONGEST_NUMBER or not _FORMS[style].match(unsigned):
        return None
    group, point = (".", ",") if style == "vi" else (",", ".")
    value = float(unsigned.replace(" ", "").replace(group, "").replace(point, "."))
    if counts and value != int(value):
        return None
    return -value if _MINUS.match(cell) else value


def _read_number(cell: str, styles: tuple[str, ...], percent: bool) -> tuple[float, str]:
    given = tidy(cell)
    if not given:
        return np.nan, "number_missing"
    if given.endswith("%") and not percent:
        return np.nan, "value_not_a_number"
    values = {value for style in styles if (value := _number(given, style)) is not None}
    if not values:
        return np.nan, "value_not_a_number"
    if len(values) > 1:
        return np.nan, "number_ambiguous"
    value = values.pop() / (100 if given.endswith("%") else 1)
    if not isfinite(value) or abs(value) > MOST_NUMBER:
        return np.nan, "number_too_large"
    return value, ""


def _read_count(cell: str, styles: tuple[str, ...], most: int) -> tuple[int, str]:
    value, problem = _read_number(cell, styles, percent=False)
    if problem:
        codes = {
            "number_missing": "count_missing",
            "value_not_a_number": "not_a_count",
            "number_too_large": "count_too_large",
        }
        return 0, _count_like(cell) or codes.get(problem, problem)
    if value < 0:
        return 0, "count_negative"
    if value != int(value):
        return 0, "count_fractional"
    return (0, "count_too_large") if value > most else (int(value), "")


def _count_like(cell: str) -> str:
    """Say of a cell that its column's style does not fit what is wrong with it in any style."""
    given = tidy(cell)
    values = [value for style in _FORMS if (value := _number(given, style)) is not None]
    if "%" in given or not values:
        return ""
    return "count_fractional" if all(value != int(value) for value in values) else ""


def _answers(
    text: pd.Series, read: Callable[[str], tuple[object, str]], missing: object, kind: Any
) -> tuple[pd.Series, pd.Series]:
    """Read every different cell once, into a column of answers and one of reasons."""
    codes, values = pd.factorize(text)
    both = [read(str(value)) for value in values] + [read("")]  # the last for missing cells, -1
    answers = [missing if answer is None else answer for answer, _ in both]
    problems = np.array([problem for _, problem in both], dtype=object)
    return (
        pd.Series(np.array(answers, dtype=kind)[codes], index=text.index),
        pd.Series(problems[codes], index=text.index, dtype=object),
    )


def _differing(
    text: pd.Series, readings: Callable[[str], Iterable[object]], most: int = _EXAMPLES
) -> tuple[str, ...]:
    """Return some cells that are read in more than one way."""
    unlike = (
        cell
        for cell in _different(text)
        if len({value for value in readings(cell) if value not in (None, "")}) > 1
    )
    return tuple(islice(unlike, most))


# -- days and months

_TIME = r"[0-9]{1,2}[:hg][0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?(?:am|pm|sa|ch))?"
_BEFORE = rf"(?:(?:{_TIME})?,? ?(?:ngày )?)"
_AFTER = rf"(?:,? (?:{_TIME}))?\Z"
_ISO = re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})(?:-(?P<d>[0-9]{2})(?:[T ].*)?)?\Z")
_MONTH = re.compile(
    r"(?:(?:tháng ?|thang ?|t|m)?(?P<m>[0-9]{1,2}) ?[/.-] ?(?P<y>[0-9]{4})"
    r"|(?:tháng|thang) ?(?P<m2>[0-9]{1,2}),? (?:năm|nam) (?P<y2>[0-9]{4})"
    r"|(?P<y3>[0-9]{4})[/.](?P<m3>[0-9]{1,2}))\Z",
    re.IGNORECASE,
)
_WORDS = re.compile(
    rf"{_BEFORE}(?P<d>[0-9]{{1,2}}) tháng (?P<m>[0-9]{{1,2}}),? năm (?P<y>[0-9]{{4}}){_AFTER}",
    re.IGNORECASE,
)
_ORDERED = {
    "dmy": re.compile(
        rf"{_BEFORE}(?P<d>[0-9]{{1,2}})(?P<s>[/.-])(?P<m>[0-9]{{1,2}})(?P=s)(?P<y>[0-9]{{4}}){_AFTER}",
        re.IGNORECASE,
    ),
    "mdy": re.compile(
        rf"{_BEFORE}(?P<m>[0-9]{{1,2}})(?P<s>[/.-])(?P<d>[0-9]{{1,2}})(?P=s)(?P<y>[0-9]{{4}}){_AFTER}",
        re.IGNORECASE,
    ),
    "ymd": re.compile(
        r"(?P<y>[0-9]{4})(?:(?P<s>[/.-])(?P<m>[0-9]{1,2})(?P=s)(?P<d>[0-9]{1,2})"
        rf"|(?P<m2>[0-9]{{2}})(?P<d2>[0-9]{{2}})){_AFTER}",
        re.IGNORECASE,
    ),
}
_PLAIN = (
    _ISO,
    re.compile(r"(?:(?P<d>[0-9]{1,2})/)?(?P<m>[0-9]{1,2})/(?P<y>[0-9]{4})\Z"),
)
_SERIAL = re.compile(r"[0-9]{1,6}(?:[.,][0-9]+)?\Z")
_BEFORE_SERIAL_1 = date(1899, 12, 31)
_NO_SUCH_DAY = 60  # Excel counts 29 February 1900, which never was
_FIRST_SERIAL, _LAST_SERIAL = 32874, 73415  # 1990-01-01, 2100-12-31


def read_dates(text: pd.Series, order: str = "", *, today: date) -> tuple[pd.Series, pd.Series]:
    """Read a column of days or months as ISO text: 2025-10-20, or 2025-10 for a month.

    Parameters
    ----------
    text : Series of str
    order : str
        One of `DATE_ORDERS`, for the whole column. Whatever it is, ISO cells are read as ISO, and
        months (10/2025, tháng 10 năm 2025) as months. Without it only ISO and 20/10/2025 are read.
    today : date
        Later days are refused, and those before 1990.

    Examples
    --------
    >>> cells = pd.Series(["3/4/2025", "2025-04-03", "T4/2025", "31/02/2025", "45750"])
    >>> days, problems = read_dates(cells, "dmy", today=date(2026, 1, 5))
    >>> list(days), list(problems)
    (['2025-04-03', '2025-04-03', '2025-04', '', ''], ['', '', '', 'date_not_read', 'date_not_read'])
    >>> read_dates(pd.Series(["45750"]), "serial", today=date(2026, 1, 5))[0][0]
    '2025-04-03'
    """  # noqa: E501 - the second answer of an example must stand on one line
    return _answers(text, lambda cell: _read_date(cell, order, today), "", object)


def date_orders(text: pd.Series) -> tuple[str, ...]:
    """Return the orders that every cell of a column fits, the customary one first; maybe none.

    Cells that say the same in any order (ISO, months) decide nothing; where there are no others
    the column is in ISO: `("ymd",)`.

    >>> date_orders(pd.Series(["03/04/2025", "2025-04-30"]))
    ('dmy', 'mdy')
    >>> date_orders(pd.Series(["03/04/2025", "13/04/2025"])), date_orders(pd.Series(["45750"]))
    (('dmy',), ('serial',))
    """
    cells = [cell for cell in _different(text) if not _same_in_any_order(cell)]
    if not cells:
        return ("ymd",)
    return tuple(order for order in DATE_ORDERS if all(_fits(cell, order) for cell in cells))


def choose_order(text: pd.Series) -> str | Ambiguous:
    """Return the order of a column of days, or that it can be read in two ways.

    A few cells that fit no order do not count: they come back as rows with their reason. If no
    order fits most cells, the answer is that nothing fits: `Ambiguous` without options.
    """
    cells = [cell for cell in _different(text) if not _same_in_any_order(cell)]
    fitting = {order: sum(_fits(cell, order) for cell in cells) for order in DATE_ORDERS}
    most = max(fitting.values())
    if not cells:
        return "ymd" if _different(text) else Ambiguous((), ())
    if 2 * most < len(cells):
        return Ambiguous((), tuple(cells[:_EXAMPLES]))
    orders = tuple(order for order in DATE_ORDERS if fitting[order] == most)
    examples = _differing(text, lambda cell: [_in_order(cell, order) for order in orders])
    return Ambiguous(orders, examples) if len(orders) > 1 and examples else orders[0]


def _same_in_any_order(cell: str) -> bool:
    forms = (_ISO, _MONTH, _WORDS)
    return any(_iso(found) != "" for form in forms if (found := form.match(cell)))


def _fits(cell: str, order: str) -> bool:
    """Tell whether a cell is a day of the years of this product in an order."""
    if order == "serial":
        return bool(_SERIAL.match(cell)) and _FIRST_SERIAL <= _whole(cell) <= _LAST_SERIAL
    return _in_order(cell, order) != ""


def _in_order(cell: str, order: str) -> str:
    """Return the ISO text that a tidied cell is in an order, or ""."""
    if order == "serial":
        return _of_serial(cell)
    found = _ORDERED[order].match(cell)
    return _iso(found) if found else ""


def _read_date(cell: str, order: str, today: date) -> tuple[str, str]:
    """Return the day (or month) in ISO form and the reason against it, if there is one."""
    if not order:
        iso = next((_iso(found) for form in _PLAIN if (found := form.match(cell))), "")
    else:
        given = tidy(cell)
        forms = (_ISO, _MONTH, _WORDS)
        readings = (_iso(found) for form in forms if (found := form.match(given)))
        iso = next(readings, "") or _in_order(given, order)
    if not iso:
        return "", "date_not_read"
    if int(iso[:4]) < EARLIEST_YEAR:
        return "", "date_out_of_range"
    if iso > (today.isoformat() if len(iso) > len("2025-10") else today.isoformat()[:7]):
        return "", "date_in_future"
    return iso, ""


def _iso(found: re.Match[str]) -> str:
    """Return what a form found as ISO text, or "" if the calendar has no such day."""
    parts = found.groupdict()
    year = int(parts.get("y") or parts.get("y2") or parts.get("y3") or 0)
    month = int(parts.get("m") or parts.get("m2") or parts.get("m3") or 0)
    day = parts.get("d") or parts.get("d2")
    try:
        first = date(year, month, int(day) if day else 1)
    except ValueError:
        return ""
    return first.isoformat() if day else f"{year:04d}-{month:02d}"


def _whole(cell: str) -> int:
    return int(re.split("[.,]", cell)[0])


def _of_serial(cell: str) -> str:
    """Return the day that Excel means by a number (system of 1900), or "".

    >>> _of_serial("1"), _of_serial("59"), _of_serial("60"), _of_serial("61"), _of_serial("45950.6")
    ('1900-01-01', '1900-02-28', '', '1900-03-01', '2025-10-20')
    """
    number = _whole(cell) if _SERIAL.match(cell) else 0
    if number == 0 or number == _NO_SUCH_DAY:
        return ""
    days = number - 1 if number > _NO_SUCH_DAY else number
    return (_BEFORE_SERIAL_1 + timedelta(days=days)).isoformat()


# -- periods

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4}
_PERIODS = {
    "quarter": re.compile(
        r"(?:q|quy|quarter) ?(?P<n>[1-4]|i{1,3}|iv) (?:nam )?(?P<y>[0-9]{4})\Z"
        r"|(?P<y2>[0-9]{4}) ?q(?P<n2>[1-4])\Z"
    ),
    "half": re.compile(
        r"(?:h(?P<n>[12])|(?:6|sau) thang (?P<w>dau|cuoi)(?: nam)?|nua (?P<w2>dau|cuoi)(?: nam)?)"
        r" (?P<y>[0-9]{4})\Z"
        r"|(?P<y2>[0-9]{4}) ?h(?P<n2>[12])\Z"
    ),
    "year": re.compile(r"(?:(?:ca )?nam |year )?(?P<y>[0-9]{4})\Z"),
}
_MONTHS_OF = {"quarter": 3, "half": 6, "year": 12}


def read_periods(text: pd.Series, *, today: date) -> tuple[pd.Series, pd.Series]:
    """Read a column of reporting periods: 2025-10, 2025-Q1, 2025-H1 or 2025.

    A period may be running; one that has not begun is refused, and one before 1990.

    >>> cells = pd.Series(["Quý I/2025", "6 tháng đầu năm 2025", "năm 2025", "T10/2025", "Q5/2025"])
    >>> list(read_periods(cells, today=date(2026, 1, 5))[0])
    ['2025-Q1', '2025-H1', '2025', '2025-10', '']
    """
    return _answers(text, lambda cell: _read_period(cell, today), "", object)


def _read_period(cell: str, today: date) -> tuple[str, str]:
    period, first_month = _period(tidy(cell))
    if not period:
        return "", "period_not_read"
    if int(period[:4]) < EARLIEST_YEAR:
        return "", "period_out_of_range"
    begins = f"{period[:4]}-{first_month:02d}"
    return ("", "period_in_future") if begins > today.isoformat()[:7] else (period, "")


def _period(cell: str) -> tuple[str, int]:
    """Return a period and its first month."""
    months = (_iso(found) for form in (_ISO, _MONTH) if (found := form.match(cell)))
    month = next(months, "")
    if month:
        return (month, int(month[5:])) if len(month) == len("2025-10") else ("", 0)
    plain = fold(cell)
    for kind, form in _PERIODS.items():
        found = form.match(plain)
        if found is None:
            continue
        parts = found.groupdict()
        year = parts["y"] or parts.get("y2")
        number = _part_of_year(parts)
        letter = {"quarter": f"-Q{number}", "half": f"-H{number}", "year": ""}[kind]
        return f"{year}{letter}", (number - 1) * _MONTHS_OF[kind] + 1
    return "", 0


def _part_of_year(parts: Mapping[str, str | None]) -> int:
    word = parts.get("w") or parts.get("w2")
    if word:
        return 1 if word == "dau" else 2
    number = parts.get("n") or parts.get("n2") or "1"
    return _ROMAN.get(number) or int(number)


# -- yes or no

_YES = frozenset({"co", "dat", "dung", "x", "yes", "y", "true", "met"})
_NO = frozenset({"khong", "khong dat", "chua", "chua dat", "sai", "no", "n", "false", "not met"})


def read_yes_no(cell: str) -> bool | None:
    """Return what "Có", "Đạt", "Không", "Chưa đạt", "yes" or "no" says; nothing else is read.

    >>> read_yes_no("Đạt"), read_yes_no("chưa đạt"), read_yes_no("1")
    (True, False, None)
    """
    plain = fold(cell)
    return True if plain in _YES else False if plain in _NO else None


# -- totals rows

_TOTAL = re.compile(
    r"(?:(?:[ivx]+|[a-d]|[0-9]+) )?"
    r"(?:tong(?: hop| toan (?:thanh pho|tinh|quan|huyen|phuong|xa))?|tong (?:cong|so)(?: .*)?"
    r"|cong(?: don| (?:quy|thang|nam) .{1,12})?|toan (?:thanh pho|tinh|quan|huyen)"
    r"|(?:grand |sub ?)?totals?|sum)\Z"
)


def is_total_row(cells: Iterable[str]) -> bool:
    """Tell whether a row sums up others: one of its cells says "Tổng cộng", "Cộng", "Total".

    A ward named Cộng Hòa is none.

    >>> is_total_row(["", "Tổng cộng:", "12"]), is_total_row(["Phường Cộng Hòa", "12"])
    (True, False)
    """
    return any(_is_total(cell) for cell in cells)


def _is_total(cell: str) -> bool:
    if not any(sign in cell for sign in "tTcCsS"):
        return False
    return bool(_TOTAL.match(fold(cell)))


def total_rows(columns: Iterable[pd.Series]) -> np.ndarray:
    """Return which rows have a cell in these columns that says that they sum up others."""
    found: np.ndarray | None = None
    for column in columns:
        here = once_per_value(as_text(column), _is_total).to_numpy(dtype=bool)
        found = here if found is None else found | here
    return np.zeros(0, dtype=bool) if found is None else found


# -- ward codes and names

_KIND = re.compile(r"(?:phuong|xa|thi tran|dac khu|tt|p|x|dk)(?: (?=\S)|(?=[0-9]))")
_POWER = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,2}\Z")
_DECIMALS = re.compile(r"([0-9]+)[.,]0+\Z")
_LOOK_ALIKES = str.maketrans({"O": "0", "o": "0", "I": "1", "l": "1"})
_DIGIT_LIKE = re.compile("[0-9OoIl]+\\Z")


def name_key(name: str) -> str:
    """Return a ward's name without its kind, accents and capitals, to look for it.

    Names that differ in accents alone (Tân Quy, Tân Quý) have one key: it only ever suggests.

    >>> name_key("P. Bến Thành") == name_key("Phường  Bến thành"), name_key("Phường 01")
    (True, '1')
    """
    plain = fold(name)
    without = _KIND.sub("", plain, count=1) if _KIND.match(plain) else plain
    return re.sub(r"\b0+(?=[0-9])", "", without)


class CodeHints:
    """What a cell that is no known ward code may have meant; nothing is ever replaced.

    Parameters
    ----------
    wards : Mapping of str to str
        Name by code, of the edition that the row belongs to.
    """

    def __init__(self, wards: Mapping[str, str]) -> None:
        self._wards = wards
        self._named: dict[str, list[str]] = {}
        for code, name in wards.items():
            self._named.setdefault(name_key(name), []).append(code)
        self._zeros: dict[str, list[str]] = {}
        for code in wards:
            self._zeros.setdefault(code.lstrip("0"), []).append(code)

    def of(self, given: str) -> tuple[str, dict[str, str]]:
        """Return the reason against a cell, and as `code` what it may have meant ("" if unknown).

        The reason is one of `CODE_PROBLEMS`. Several wards of one name are all given, with commas.
        """
        cell = tidy(given)
        whole = _DECIMALS.match(cell)
        if whole:
            return "code_with_decimals", {"code": self._like(whole[1])}
        if _POWER.match(cell):
            return "code_as_power", {"code": self._like(_written_out(cell))}
        if cell in self._wards and cell != given:
            return "code_with_blanks", {"code": cell}
        joined = cell.replace(" ", "")
        if joined != cell and joined in self._wards:
            return "code_with_blanks", {"code": joined}
        if cell.isdecimal() and self._like(cell):
            return "code_with_other_zeros", {"code": self._like(cell)}
        if _DIGIT_LIKE.match(cell) and not cell.isdecimal():
            return "code_with_letters", {"code": self._like(cell.translate(_LOOK_ALIKES))}
        named = self.codes_of(cell)
        if named:
            return "name_instead_of_code", {"code": ", ".join(named)}
        return "unknown_ward", {"code": ""}

    def codes_of(self, name: str) -> tuple[str, ...]:
        """Return the codes of the wards of a name: those with its accents, else all alike."""
        alike = self._named.get(name_key(name), [])
        same = [code for code in alike if _accents(self._wards[code]) == _accents(name)]
        return tuple(sorted(same or alike))

    def _like(self, digits: str) -> str:
        """Return the codes that are these digits, with or without zeros in front."""
        if digits in self._wards:
            return digits
        return ", ".join(sorted(self._zeros.get(digits.lstrip("0"), [])))


def code_hint(given: str, wards: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return why a cell is no ward code, and which it may have meant (see `CodeHints`).

    >>> wards = {"26743": "Bến Thành", "00123": "Hòa Bình"}
    >>> code_hint("26743.0", wards)
    ('code_with_decimals', {'code': '26743'})
    >>> code_hint("123", wards), code_hint("P. Hoà Bình", wards)[1]
    (('code_with_other_zeros', {'code': '00123'}), {'code': '00123'})
    """
    return CodeHints(wards).of(given)


def _accents(name: str) -> list[str]:
    """Return the accents of a name without their places: Hoà and Hòa have the same."""
    plain = _KIND_WITH_ACCENTS.sub("", unicodedata.normalize("NFC", name.casefold()).strip())
    apart = unicodedata.normalize("NFD", plain.replace("đ", "d\u0335"))
    return sorted(sign for sign in apart if unicodedata.combining(sign))


_KIND_WITH_ACCENTS = re.compile(r"(?:phường|xã|thị trấn|đặc khu)\s+(?=\S)")


def _written_out(power: str) -> str:
    """Return the digits that Excel has written as a power: 2.6743E+4 is 26743."""
    mantissa, exponent = re.split("[eE]", power.replace(",", "."))
    whole, _, decimals = mantissa.partition(".")
    places = int(exponent.removeprefix("+"))
    if places > 12 or len(decimals) > places:
        return power
    return whole + decimals + "0" * (places - len(decimals))
