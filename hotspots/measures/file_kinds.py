"""The kinds of files an office brings, their columns, and a template of each in Vietnamese.

A column has a role (`ward`, `date`), the header of our template, other headers it is known by, and
a type. Names are compared without accents, capitals and signs (`cells.fold`), so "Mã phường/xã" and
"ma_phuong_xa" are one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import pandas as pd

from hotspots.measures.cells import fold
from hotspots.programme.plan import Programme


class FileKind(StrEnum):
    """What the rows of a file are."""

    INCIDENTS = "incidents"
    COUNTS = "counts"
    INDICATORS = "indicators"
    STATUS = "status"
    SCORECARDS = "scorecards"
    BOUNDARIES = "boundaries"
    CROSSWALK = "crosswalk"
    POPULATIONS = "populations"


class CellType(StrEnum):
    """What a column's cells are; the readers are in `hotspots.measures.cells`."""

    TEXT = "text"
    CODE = "code"
    WARD = "ward"
    DATE = "date"
    MONTH = "month"
    PERIOD = "period"
    YEAR = "year"
    NUMBER = "number"
    COUNT = "count"
    CATEGORY = "category"
    SOURCE = "source"
    LON = "lon"
    LAT = "lat"
    YES_NO = "yes_no"


@dataclass(frozen=True)
class Field:
    """One column of a kind of file.

    Attributes
    ----------
    role : str
        What the code calls it.
    type : CellType
    header : str
        Its name in our template.
    names : tuple of str
        Other names, the surest first; two fields of a kind may share none.
    examples : tuple of str
        One cell for each row of the template.
    kept : bool
        Whether the rows keep it. A note beside an incident may name people: it is not stored.
    """

    role: str
    type: CellType
    header: str
    names: tuple[str, ...]
    examples: tuple[str, ...]
    kept: bool = True

    @property
    def known(self) -> tuple[str, ...]:
        """Every name the column is known by, the template's own first."""
        return (self.header, self.role, *self.names)


Needs: TypeAlias = tuple[tuple[tuple[str, ...], ...], ...]
"""What a kind cannot do without: of each need one alternative, a set of roles."""

_WARD_NAMES = (
    "ward_code",
    "mã phường, xã",
    "mã phường",
    "mã xã",
    "mã xã, phường",
    "mã đơn vị hành chính",
    "mã đơn vị",
    "mã ĐVHC",
    "mã địa bàn cấp xã",
    "maxa",
    "maphuong",
    "code",
    "phường, xã",
    "xã, phường",
    "phường",
    "xã",
    "phường, xã, đặc khu",
    "tên phường, xã",
    "tên phường",
    "tên xã",
    "tên địa bàn",
    "đơn vị",
    "đơn vị hành chính",
)
_CATEGORY_NAMES = (
    "type",
    "loại",
    "nhóm",
    "loại vụ việc",
    "loại vụ",
    "loại án",
    "loại tội phạm",
    "nhóm tội phạm",
    "nhóm tội",
    "tội danh",
    "hành vi",
    "lĩnh vực",
    "category code",
    "offence",
    "crime type",
)
_SOURCE_NAMES = (
    "nguồn",
    "nguồn tin",
    "nguồn tin báo",
    "nguồn phát hiện",
    "nguồn tiếp nhận",
    "reported by",
    "detected by",
)
_EDITION_NAMES = (
    "ranh giới",
    "ranh giới ngày",
    "ngày ranh giới",
    "boundaries",
    "boundary edition",
)
_NOTE_NAMES = ("ghi chú", "chú thích", "remark", "remarks", "comment")
_DATE_NAMES = (
    "day",
    "month",
    "ngày",
    "ngày xảy ra",
    "thời gian xảy ra",
    "ngày phát hiện",
    "ngày vụ việc",
    "ngày tiếp nhận",
    "thời gian",
    "thời điểm",
    "tháng",
)


def _ward(*examples: str) -> Field:
    return Field("ward", CellType.WARD, "Mã phường, xã", _WARD_NAMES, examples)


def _category(*examples: str) -> Field:
    return Field("category", CellType.CATEGORY, "Loại vụ việc", _CATEGORY_NAMES, examples)


def _edition(*examples: str) -> Field:
    return Field("edition", CellType.DATE, "Ranh giới ngày", _EDITION_NAMES, examples)


def _source(*examples: str) -> Field:
    return Field("source", CellType.SOURCE, "Nguồn tin", _SOURCE_NAMES, examples)


def _note(*examples: str, kept: bool = True) -> Field:
    return Field("note", CellType.TEXT, "Ghi chú", _NOTE_NAMES, examples, kept)


_HOTSPOT = Field(
    "hotspot",
    CellType.CODE,
    "Mã địa bàn trọng điểm",
    ("mã địa bàn", "địa bàn trọng điểm", "địa bàn", "hotspot id"),
    ("26743-2025", "26743-2025", "27475-2025"),
)

FIELDS: Final[Mapping[FileKind, tuple[Field, ...]]] = MappingProxyType(
    {
        FileKind.INCIDENTS: (
            Field(
                "lon",
                CellType.LON,
                "Kinh độ",
                ("lng", "long", "longitude", "kinh_do", "x", "toạ độ x", "lon wgs84"),
                ("106.6943", "106.7040", ""),
            ),
            Field(
                "lat",
                CellType.LAT,
                "Vĩ độ",
                ("latitude", "vi_do", "y", "toạ độ y", "lat wgs84"),
                ("10.7713", "10.7805", ""),
            ),
            _ward("", "", "26743"),
            Field(
                "date", CellType.DATE, "Ngày", _DATE_NAMES, ("20/10/2025", "21/10/2025", "10/2025")
            ),
            _category("Trộm cắp tài sản", "Ma túy", "Cướp, cướp giật"),
            _edition("", "", "01/07/2025"),
            _source("Người dân", "Công an", "Người dân"),
            _note("", "", "chỉ biết tháng", kept=False),
        ),
        FileKind.COUNTS: (
            _ward("26743", "26743", "26740"),
            Field(
                "month",
                CellType.MONTH,
                "Tháng",
                ("tháng", "kỳ", "thời gian", "tháng năm", "date", "ngày"),
                ("09/2025", "10/2025", "10/2025"),
            ),
            _category("Trộm cắp tài sản", "Trộm cắp tài sản", "Ma túy"),
            Field(
                "count",
                CellType.COUNT,
                "Số vụ",
                ("n", "số vụ việc", "số lượng", "tổng số vụ", "cases", "incidents"),
                ("12", "0", "3"),
            ),
            _edition("", "", "01/07/2025"),
            _source("Người dân", "Người dân", "Công an"),
            _note("", "tháng không xảy ra vụ nào ghi 0", "", kept=False),
        ),
        FileKind.INDICATORS: (
            Field(
                "period",
                CellType.PERIOD,
                "Kỳ báo cáo",
                ("kỳ", "quý", "tháng", "năm", "thời kỳ", "month", "quarter", "year"),
                ("10/2025", "Quý 3/2025", "6 tháng đầu năm 2025"),
            ),
            Field(
                "indicator",
                CellType.TEXT,
                "Chỉ tiêu",
                ("tên chỉ tiêu", "mã chỉ tiêu", "chỉ số", "nội dung", "kpi"),
                (
                    "Tin báo, tố giác đã giải quyết",
                    "Án khám phá",
                    "Án rất nghiêm trọng đã khám phá",
                ),
            ),
            Field(
                "value",
                CellType.NUMBER,
                "Giá trị",
                ("kết quả", "thực hiện", "số liệu", "trị số", "tử số"),
                ("92,5", "310", "28"),
            ),
            Field(
                "denominator",
                CellType.NUMBER,
                "Mẫu số",
                ("tổng số", "trên tổng số", "số phải thực hiện", "out of"),
                ("", "402", "30"),
            ),
            _ward("", "", "26743"),
            _edition("", "", "01/07/2025"),
            _note("đơn vị: %", "", ""),
        ),
        FileKind.STATUS: (
            _HOTSPOT,
            Field(
                "event",
                CellType.TEXT,
                "Sự kiện",
                ("trạng thái", "bước", "quyết định"),
                ("Đề xuất", "Phê duyệt vào danh sách", "Đề xuất"),
            ),
            Field(
                "on",
                CellType.DATE,
                "Ngày",
                ("ngày sự kiện", "ngày quyết định", "ngày ban hành", "date", "day"),
                ("10/01/2025", "15/02/2025", "12/01/2025"),
            ),
            _ward("26743", "", "27475"),
            _edition("01/07/2025", "", "01/07/2025"),
            Field(
                "plan_year",
                CellType.YEAR,
                "Năm kế hoạch",
                ("năm", "kế hoạch năm", "plan year", "year"),
                ("2025", "2025", "2025"),
            ),
            Field(
                "kinds",
                CellType.TEXT,
                "Loại địa bàn",
                ("loại", "diện", "nhóm", "kind"),
                ("1+3", "", "4"),
            ),
            _note("", "Quyết định 123/QĐ-UBND", ""),
            Field(
                "by",
                CellType.TEXT,
                "Đơn vị ghi",
                ("cơ quan", "người ghi", "đơn vị thực hiện", "recorded by"),
                ("BCĐ 138 phường", "UBND thành phố", "BCĐ 138 xã"),
            ),
        ),
        FileKind.SCORECARDS: (
            _HOTSPOT,
            Field(
                "criterion",
                CellType.TEXT,
                "Tiêu chí",
                ("mã tiêu chí", "tên tiêu chí", "nội dung tiêu chí", "criteria"),
                ("Tỷ lệ khám phá án", "Mô hình tự quản hoạt động", "Hộ dân được tuyên truyền"),
            ),
            Field(
                "on",
                CellType.DATE,
                "Ngày chấm",
                ("ngày", "ngày đánh giá", "thời điểm", "date", "day"),
                ("30/06/2025", "30/06/2025", "30/06/2025"),
            ),
            Field(
                "value",
                CellType.NUMBER,
                "Kết quả",
                ("giá trị", "điểm", "số liệu", "score"),
                ("82,5", "Có", "100"),
            ),
            Field(
                "met",
                CellType.YES_NO,
                "Đạt",
                ("đánh giá", "đạt hay chưa", "kết luận", "đạt/không đạt"),
                ("Đạt", "Đạt", "Chưa đạt"),
            ),
            _note("", "2 mô hình", ""),
        ),
        FileKind.BOUNDARIES: (
            Field(
                "code",
                CellType.WARD,
                "Mã phường, xã",
                tuple(name for name in _WARD_NAMES if name.startswith("mã") or name == "ward_code"),
                ("26743", "26740"),
            ),
            Field(
                "name",
                CellType.TEXT,
                "Tên phường, xã",
                ("tên", "tên phường", "tên xã", "tên đơn vị", "phường, xã", "ward name", "ward"),
                ("Bến Thành", "Sài Gòn"),
            ),
            Field(
                "kind",
                CellType.TEXT,
                "Loại đơn vị",
                ("loại", "cấp", "loại hình", "type"),
                ("phường", "phường"),
            ),
        ),
        FileKind.CROSSWALK: (
            Field(
                "old_code",
                CellType.CODE,
                "Mã cũ",
                ("mã phường, xã cũ", "mã xã cũ", "mã phường cũ", "from_code"),
                ("26743", "26746", "26746"),
            ),
            Field(
                "old_name",
                CellType.TEXT,
                "Tên cũ",
                ("tên phường, xã cũ", "tên xã cũ", "tên phường cũ", "from_name"),
                ("Bến Thành", "Nguyễn Thái Bình", "Nguyễn Thái Bình"),
            ),
            Field(
                "new_code",
                CellType.CODE,
                "Mã mới",
                ("mã phường, xã mới", "mã xã mới", "mã phường mới", "to_code"),
                ("26743", "26743", "26740"),
            ),
            Field(
                "new_name",
                CellType.TEXT,
                "Tên mới",
                ("tên phường, xã mới", "tên xã mới", "tên phường mới", "to_name"),
                ("Bến Thành", "Bến Thành", "Sài Gòn"),
            ),
            Field(
                "weight",
                CellType.NUMBER,
                "Tỷ trọng",
                ("tỷ lệ", "trọng số", "share"),
                ("1", "0,75", "0,25"),
            ),
            Field("basis", CellType.TEXT, "Căn cứ", ("cơ sở", "nguồn"), ("", "", "")),
            Field("complete", CellType.YES_NO, "Đầy đủ", ("trọn vẹn",), ("", "", "")),
        ),
        FileKind.POPULATIONS: (
            _ward("26743", "26740", "27475"),
            Field(
                "year",
                CellType.YEAR,
                "Năm",
                ("ngày", "thời điểm", "date", "day", "on"),
                ("2025", "2025", "2025"),
            ),
            Field(
                "population",
                CellType.COUNT,
                "Dân số",
                ("số dân", "số nhân khẩu", "nhân khẩu", "dân số trung bình", "people", "residents"),
                ("71.785", "47.022", "69.300"),
            ),
            _edition("01/07/2025", "01/07/2025", "01/07/2025"),
        ),
    }
)

NEEDS: Final[Mapping[FileKind, Needs]] = MappingProxyType(
    {
        FileKind.INCIDENTS: ((("date",),), (("category",),), (("lon", "lat"), ("ward",))),
        FileKind.COUNTS: ((("ward",),), (("month",),), (("category",),), (("count",),)),
        FileKind.INDICATORS: ((("period",),), (("indicator",),), (("value",),)),
        FileKind.STATUS: ((("hotspot",),), (("event",),), (("on",),)),
        FileKind.SCORECARDS: ((("hotspot",),), (("criterion",),), (("on",),), (("value",),)),
        FileKind.BOUNDARIES: ((("code",),), (("name",),)),
        FileKind.CROSSWALK: ((("old_code",),), (("new_code",),)),
        FileKind.POPULATIONS: ((("ward",),), (("year",),), (("population",),)),
    }
)

SOURCES: Final = ("citizen", "police")
"""Who made an incident known: people who reported it, or police who looked."""

_SOURCE_WORDS = {
    "citizen": (
        "citizen",
        "citizens",
        "public",
        "reported",
        "người dân",
        "nhân dân",
        "quần chúng",
        "quần chúng nhân dân",
        "công dân",
        "dân báo",
        "người dân báo",
        "người dân trình báo",
        "trình báo",
        "tố giác",
        "tố giác của người dân",
        "tin báo",
        "tin báo, tố giác",
        "tố giác, tin báo",
        "tin báo tố giác tội phạm",
        "tố giác, tin báo về tội phạm",
        "bị hại trình báo",
        "113",
    ),
    "police": (
        "police",
        "patrol",
        "proactive",
        "police initiated",
        "công an",
        "CA",
        "công an phát hiện",
        "CA phát hiện",
        "lực lượng công an",
        "lực lượng công an phát hiện",
        "cơ quan công an phát hiện",
        "chủ động",
        "chủ động phát hiện",
        "công an chủ động phát hiện",
        "phát hiện",
        "phát hiện quả tang",
        "bắt quả tang",
        "tuần tra",
        "tuần tra phát hiện",
        "kiểm tra phát hiện",
    ),
}
_SOURCE_OF: Final = {
    fold(word): source for source, words in _SOURCE_WORDS.items() for word in words
}


def source_of(word: str) -> str:
    """Return who made it known: one of `SOURCES`, or "" for a word not known here.

    >>> source_of("Người dân"), source_of("CÔNG AN phát hiện"), source_of("Viện kiểm sát")
    ('citizen', 'police', '')
    """
    return _SOURCE_OF.get(fold(word), "")


def fields(kind: FileKind) -> dict[str, Field]:
    """Return the columns of a kind of file, by role."""
    return {field.role: field for field in FIELDS[kind]}


def missing_roles(kind: FileKind, there: frozenset[str]) -> tuple[str, ...]:
    """Return the roles that a file of a kind still needs, given those it has.

    >>> missing_roles(FileKind.INCIDENTS, frozenset({"lon", "date"}))
    ('category', 'ward')
    """
    missing: list[str] = []
    for alternatives in NEEDS[kind]:
        if not any(set(roles) <= there for roles in alternatives):
            missing += [role for role in alternatives[-1] if role not in there]
    return tuple(missing)


def template(kind: FileKind, programme: Programme | None = None) -> pd.DataFrame:
    """Return a file of a kind to fill in: headers in Vietnamese and example rows, all text.

    Parameters
    ----------
    kind : FileKind
    programme : Programme, optional
        Whose categories stand in the examples.

    Examples
    --------
    >>> list(template(FileKind.BOUNDARIES).columns)
    ['Mã phường, xã', 'Tên phường, xã', 'Loại đơn vị']
    """
    columns = {field.header: list(field.examples) for field in FIELDS[kind]}
    if programme is not None and "category" in fields(kind):
        header = fields(kind)["category"].header
        labels = [category.label.vi for category in programme.categories.values()]
        columns[header] = [labels[at % len(labels)] for at in range(len(columns[header]))]
    return pd.DataFrame(columns, dtype=object)
