"""Columns with people in them are found, ordinary ones are not, and values never leave."""

from __future__ import annotations

import csv
import string
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotspots.measures.file_kinds import FileKind, template
from hotspots.measures.personal_data import (
    ASKED_KINDS,
    ENOUGH,
    REFUSED_KINDS,
    Guard,
    Suspicion,
    scan_text,
)
from hotspots.measures.personal_patterns import (
    SIEVES,
    plain_signs,
)

DATA = Path(__file__).parents[2] / "data"


def ward_names(file: str) -> list[str]:
    with (DATA / file).open(encoding="utf-8") as rows:
        return [row["name"] for row in csv.DictReader(rows)]


TODAY_WARDS = ward_names("hcmc_wards_2025.csv")
OLD_WARDS = ward_names("hcmc_wards_before_july_2025.csv")
ALL_WARDS = TODAY_WARDS + OLD_WARDS


def found(
    name: str, cells: Sequence[object], wards: Sequence[str] = ALL_WARDS
) -> tuple[Suspicion, ...]:
    guard = Guard([name], wards)
    guard.look(pd.DataFrame({name: list(cells)}))
    return guard.suspicions()


def verdicts(
    name: str, cells: Sequence[object], wards: Sequence[str] = ALL_WARDS
) -> dict[str, str]:
    return {suspicion.kind: suspicion.grade for suspicion in found(name, cells, wards)}


# Made up, all of it. Kind expected, name of the column, cells.
REFUSED = [
    ("identity_number", "Mã", ["079203001234"]),
    ("identity_number", "Mã", ["001", "002", "'079203001234"]),
    ("identity_number", "Mã", ["079 203 001 234"]),
    ("identity_number", "Mã", ["079.203.001.234"]),
    ("identity_number", "Mã", ["079-2-03-001234"]),
    ("identity_number", "Mã", ["0 7 9 2 0 3 0 0 1 2 3 4"]),
    ("identity_number", "Mã", ["0\u200b79203\u200b001234"]),
    ("identity_number", "Mã", ["079\u00a0203\u00a0001234"]),
    ("identity_number", "Mã", ["\ufeff０７９２０３００１２３４"]),
    ("identity_number", "Mã", ["𝟎𝟕𝟗𝟐𝟎𝟑𝟎𝟎𝟏𝟐𝟑𝟒"]),
    ("identity_number", "Mã", ["٠٧٩٢٠٣٠٠١٢٣٤"]),
    ("identity_number", "Mã", ["079203001234.0"]),
    ("identity_number", "Nội dung", ["Bắt quả tang, CCCD079203001234, thu giữ tang vật"]),
    ("identity_number", "Nội dung", ["kiểm tra hành chính (cc 0792\u20130300\u20131234)"]),
    ("phone", "Mã", ["0903123456"]),
    ("phone", "Mã", ["0903.123.456", "", ""]),
    ("phone", "Mã", ["0903 123456"]),
    ("phone", "Mã", ["0903.123456"]),
    ("phone", "Mã", ["090 312 3456"]),
    ("phone", "Mã", ["09.03.12.34.56"]),
    ("phone", "Mã", ["(028) 3829 1234"]),
    ("phone", "Mã", ["02513822222"]),
    ("phone", "Mã", ["+84 903 123 456"]),
    ("phone", "Mã", ["(+84) 0903-123-456"]),
    ("phone", "Mã", ["84903123456"]),
    ("phone", "Mã", ["+1 (415) 555 2671"]),
    ("phone", "Mã", ["'0351234567"]),
    ("phone", "Nội dung", ["Người dân báo tin qua số 0903123456 lúc 20h"]),
    ("phone", "Nội dung", ["zalo: 0 9 0 3 1 2 3 4 5 6"]),
    ("email", "Liên kết", ["nguyen.a@example.com"]),
    ("email", "Liên kết", ["x", "gửi về a_b+c@mail.example.vn."]),
    ("email", "Liên kết", ["nguyen＠example．com"]),
    ("number_plate", "Mã", ["59A-123.45"]),
    ("number_plate", "Mã", ["59-X1 123.45"]),
    ("number_plate", "Mã", ["51F12345"]),
    ("number_plate", "Mã", ["29-MĐ1 123.45"]),
    ("number_plate", "Mã", ["59x1-12345"]),
    ("number_plate", "Mã", ["29A-1234"]),
    ("number_plate", "Nội dung", ["đi xe máy BKS 59X1-123.45 bỏ chạy"]),
    ("birth_date", "Nội dung", ["Nguyễn Văn A, sinh năm 1990"]),
    ("birth_date", "Nội dung", ["đối tượng (SN 1990)"]),
    ("birth_date", "Nội dung", ["sinh ngày 01/02/1990 tại Long An"]),
    ("birth_date", "Nội dung", ["sinh ngày 1 tháng 2 năm 1990"]),
    ("house_address", "Vị trí", ["123 Nguyễn Trãi"]),
    ("house_address", "Vị trí", ["45/6A Lê Văn Sỹ, P.1"]),
    ("house_address", "Vị trí", ["số nhà 12"]),
    ("house_address", "Vị trí", ["Số 12/3 đường Trần Hưng Đạo"]),
    ("house_address", "Vị trí", ["12 đường Nguyễn Thị Tú"]),
    ("house_address", "Vị trí", ["212 Cách Mạng Tháng 8"]),
    ("house_address", "Vị trí", ["hẻm 45/6"]),
    ("house_address", "Nội dung", ["tại quán nước số 88 Võ Thị Sáu xảy ra xô xát"]),
]

# Numbers of people behind a decimal sign, in words.
BEHIND_A_SIGN = [
    ("phone", "gọi số 3,0903123456"),
    ("phone", "gọi số 3.0903123456"),
    ("phone", "gọi số 3,0903 123 456"),
    ("phone", "gọi số 3,0903.123.456"),
    ("phone", "Tổ 12, khu phố 1.234,0903123456"),
    ("identity_number", "3,079203001234 Nguyễn"),
    ("identity_number", "-3.079203001234 Nguyễn"),
    ("identity_number", "stt 3,079 203 001 234"),
    ("identity_number", "POINT (106,079203001234 10.77) của Nguyễn"),
    ("nine_digits", "CMND 3,023456789"),
]

HEADERS = [
    *["Họ tên", "Họ và tên", "HỌ TÊN", "ho_ten", "HoTen", "hoten", "Họ tên nạn nhân"],
    *["Tên đối tượng", "Bị can", "Nạn nhân", "nan_nhan", "Nghi phạm", "Đối tượng", "Chủ hộ"],
    *["Người bị hại", "Người báo tin", "Tuổi nạn nhân", "Giới tính bị can", "Bí danh"],
    *["CMND", "CCCD", "Số CCCD/CMND", "Căn cước công dân", "Số định danh cá nhân", "Hộ chiếu"],
    *["SĐT", "sdt", "ĐT", "Số ĐT", "Điện thoại", "Số điện thoại", "SoDienThoai", "Số di động"],
    *["Biển số", "Biển số xe", "bien_so_xe", "BKS", "Biển kiểm soát"],
    *["Ngày sinh", "Năm sinh", "Ngày, tháng, năm sinh", "NgaySinh", "Sinh ngày", "Nơi sinh"],
    *["Địa chỉ", "dia_chi", "Số nhà", "Hộ khẩu thường trú", "Quê quán", "Nơi ở", "Chỗ ở hiện nay"],
    *["Thường trú", "Tạm trú", "Email", "E-mail", "Số tài khoản"],
    *["Full name", "fullName", "First Name", "Surname", "victim", "Victim name", "suspect"],
    *["Plate", "License plate", "DOB", "date_of_birth", "Passport No.", "Phone number", "Address"],
    *["Họ\u200b tên", "Ｈọ tên", "Ho\u0323 te\u0302n", " họ  tên "],
]

ORDINARY = [
    ("Mã phường", ["26740", "26743", "00001", "27475"]),
    ("ward", ["00001 00004", "09012 34567"]),
    ("lon", ["106.70098123456789", "106.6297", "-0.903123456"]),
    ("lat", ["10.776912345678", "10,776912345"]),
    ("Tọa độ", ["10.776912345, 106.700912345", "10.7769 106.7009"]),
    ("Tọa độ", ["POINT (106.700912345678 10.776912345678)"]),
    ("lon", ["106.079203001234", "106,079203001234", "-106.0903123456", "1.0903123456e-05"]),
    ("lon", ["106.079203001234 E", "11.0903123456°B", "107.079203001234° Đ"]),
    ("Tọa độ", ["106.079203001234 11.0903123456", "(11.0903123456; 106.079203001234)"]),
    ("wkt", ["POINT Z (107.079203001234 11.0903123456 3)"]),
    ("wkt", ["SRID=4326;MULTIPOLYGON(((107.079203001234 11.0903123456, 106.1 10.0123456789)))"]),
    ("Ghi chú", ["cách chợ 1,25 km", "tọa độ 10.776912, 106.700912", "tăng 3,079203 lần"]),
    ("Ghi chú", ["từ 2,5 - 10.000.000 đồng", "1.234.090 đến 312.345.678 đồng", "2,079 - 3,001 ha"]),
    ("x_vn2000", ["603215.1234", "1193456.789", "84321.123456"]),
    ("Số vụ", ["3", "12", "1.234", "0", "-1", "2,5"]),
    ("Tỷ lệ", ["0.079203001234", "0,903123456", "12,5%"]),
    ("Diện tích (m2)", ["15.682.000", "123.456.789", "1234567.89"]),
    ("Kinh phí (đồng)", ["1.234.567.890", "84.903.123.456 đồng", "84903123000", "250000000"]),
    ("Kinh phí", ["1,234,567,890", "10.000.000 - 20.000.000 đồng"]),
    ("Ngày", ["03/04/2025", "2025-04-03", "3.4.2025", "31-12-2025"]),
    (
        "Thời điểm",
        ["2025-04-03 08:30:15", "03/04/2025 08:30", "2025-04-13T0830", "08-03-2025 0123"],
    ),
    ("Thời điểm", ["2025-04-03T08:30:15.123456+07:00", "20250403083015", "202504030830"]),
    ("Tháng", ["2025-10", "10/2025", "T10/2025", "01 02 03 04 05 06", "07 08 09 10 11"]),
    ("Kỳ", ["Quý 1/2025", "6 tháng đầu năm 2025", "12T2025"]),
    ("Nhóm", ["Trộm cắp tài sản", "Cướp, cướp giật", "Ma túy", "Giết người, cố ý gây thương tích"]),
    ("Nhóm", ["Cờ bạc, mại dâm", "Lừa đảo", "Gây rối trật tự công cộng", "Cao điểm", "Vụ án"]),
    ("Nguồn", ["người dân", "tố giác", "tin báo", "công an phát hiện", "chủ động"]),
    ("Tên phường", [*OLD_WARDS]),
    ("Tên xã", [f"Xã {name}" for name in TODAY_WARDS]),
    ("Tên địa bàn", [f"P. {name.upper()}" for name in OLD_WARDS]),
    ("ward_name", ["Nguyen Cu Trinh", "Pham Ngu Lao", "Vo Thi Sau"]),
    ("Tên đường", ["đường Lê Lợi", "đường 3 Tháng 2", "Đường số 12", "đường 30/4"]),
    ("Nơi xảy ra", ["Ngã tư Bảy Hiền", "Chợ Bến Thành", "Công viên 23/9", "Quốc lộ 13, Km 12"]),
    ("Địa điểm", ["Tổ 5, khu phố 3", "Ấp 2 Xuân Thới Sơn", "Quận 10", "Phường 12, Quận 3"]),
    ("Địa điểm", ["30/4, phường 1", "đường số 12 Phường Tân Quy", "cầu Ông Lãnh", "chợ Bà Chiểu"]),
    ("Tỉnh", ["Hà Nội", "Hà Nam", "Thái Bình", "Đồng Nai", "Lâm Đồng", "Cao Bằng", "An Giang"]),
    ("Nội dung", ["Phát sinh năm 2025: 12 vụ", "học sinh 2010", "vệ sinh 2025", "tái sinh 2024"]),
    ("Nội dung", ["Ngày 12 tháng 3 năm 2025, 3 đối tượng bị bắt", "phá 2 đường dây đánh bạc"]),
    ("Nội dung", ["Công an phường Nguyễn Cư Trinh", "tuần tra đường Nguyễn Trãi, Lê Lợi"]),
    ("Nội dung", ["Quyết định số 24/2023/TT-BCA", "KH 08-2025-1234", "HS-001-2025-00012"]),
    ("Ghi chú", ["", "x", "không", "đã xử lý @ 20h", "lớp 12A 2024", "lớp 12A-2024"]),
    ("event_id", ["3f079203-0012-4a0b-8c1d-0903123456ab"]),
    ("sha256", ["a079203001234b0903123456c59a12345d0792030012340903123456ffffffff"]),
    ("Mã hồ sơ", ["KH-2025-001", "DB.26740.01", "VV/2025/000123"]),
    ("id", ["1", "2", "100000", "99999999"]),
    ("Dân số", ["125.300", "98765", "1 234 567"]),
    ("Tổng đài", ["113", "1900 1234", "18001234"]),
    ("Mã số thuế doanh nghiệp", ["0312345678", "0301234567-001"]),
    ("edition", ["2025-07-01"]),
    ("Chỉ tiêu", ["Tỷ lệ điều tra, khám phá đạt trên 75%", "Giảm 5% so với năm 2024"]),
    ("Đơn vị", ["Công an TP.HCM", "Đội 3", "Phòng PC02", "Tổ 363"]),
    ("IP", ["192.168.1.10"]),
    ("geometry", [b"\x01\x01\x00\x00\x00079203001234"]),
]

COUNTING_HEADERS = [
    *["Số nạn nhân", "Số bị can", "Số đối tượng bắt giữ", "Tổng số người bị hại", "Nhóm đối tượng"],
    *["Trộm điện thoại", "Cướp giật điện thoại", "Số vụ lừa đảo qua Zalo", "Làm giả CCCD"],
    *["Số nhà trọ", "Số nhà nghỉ", "Số nhà hàng", "Dân số thường trú", "Số người tạm trú"],
    *["Số vụ phát sinh năm 2025", "Số học sinh nam", "Số nam sinh viên", "Tỷ lệ nạn nhân nữ"],
    *["Tên phường", "Tên xã", "Tên địa bàn", "Tên đường", "Tên", "name", "Phường", "DT (km2)"],
    *["Ngày", "Tháng", "Nhóm", "Số vụ", "Ghi chú", "Kinh độ", "Vĩ độ", "Nguồn tin", "Đơn vị"],
    *["template", "number of victims", "victim count", "ward", "Loại đối tượng", "Địa bàn"],
    *["Mã phường", "Địa điểm", "Người ghi", "Cán bộ phụ trách", "Năm kế hoạch", "Sinh hoạt"],
]

NAMES = ["Nguyễn Văn An", "Trần Thị Bình", "Lê Hoàng Cường", "Phạm Minh Đức", "Võ Thị Em"]


@pytest.mark.parametrize(("kind", "name", "cells"), REFUSED)
def test_a_column_with_personal_data_is_refused(kind: str, name: str, cells: list[str]) -> None:
    assert verdicts(name, cells).get(kind) == "refused"


@pytest.mark.parametrize(("kind", "text"), BEHIND_A_SIGN)
def test_a_number_of_a_person_is_no_fraction(kind: str, text: str) -> None:
    assert kind in scan_text(text)
    grade = "asked" if kind == "nine_digits" else "refused"
    assert verdicts("Nội dung", ["x", text]).get(kind) == grade


@pytest.mark.parametrize("name", HEADERS)
def test_a_column_whose_name_announces_a_person_is_refused(name: str) -> None:
    [suspicion] = found(name, ["một", "hai"])
    assert (suspicion.kind, suspicion.grade, suspicion.cells) == ("person_header", "refused", 0)


@pytest.mark.parametrize(("name", "cells"), ORDINARY)
def test_a_column_of_an_ordinary_file_is_not_suspected(name: str, cells: list[object]) -> None:
    assert verdicts(name, cells) == {}


@pytest.mark.parametrize("name", COUNTING_HEADERS)
def test_a_column_that_counts_or_places_is_not_taken_for_a_person(name: str) -> None:
    assert verdicts(name, ["3", "0", "12"]) == {}


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(REFUSED) >= 40
    assert len(ORDINARY) >= 40
    assert {kind for kind, _, _ in REFUSED} | {"person_header"} == set(REFUSED_KINDS)


@pytest.mark.parametrize(
    "cells",
    [
        NAMES,
        [name.upper() for name in NAMES],
        ["nguyễn văn an", "trần thị bình"],
        ["Nguyen Van An", "Tran Thi Binh"],
        ["Nguyễn Văn An"] * 20,
        [*NAMES, "không rõ", "", ""],
        ["Ông Nguyễn Văn A trình báo", *["không"] * 50],
        ["Nguyễn Văn A (25 tuổi) bị bắt", *["không"] * 50],
    ],
)
def test_names_of_people_are_asked_about(cells: list[str]) -> None:
    assert verdicts("Nội dung", cells) == {"personal_name": "asked"}


def test_streets_named_after_people_are_asked_about_at_most() -> None:
    streets = ["Lê Lợi", "Trần Hưng Đạo", "Nguyễn Huệ", "Võ Thị Sáu", "Lý Thường Kiệt"]
    assert verdicts("Tuyến", streets) == {"personal_name": "asked"}


def test_a_ward_column_is_not_suspected_though_a_fifth_of_it_is_unknown() -> None:
    cells = ["Nguyễn Cư Trinh"] * 80 + ["Nguyễn Văn An"] * 20
    assert verdicts("Nơi", cells) == {}
    assert verdicts("Nơi", cells, wards=[]) == {"personal_name": "asked"}


@pytest.mark.parametrize("wards", [TODAY_WARDS, OLD_WARDS])
def test_ward_names_as_a_whole_do_not_look_like_people_even_to_who_knows_none(
    wards: list[str],
) -> None:
    assert verdicts("Tên", wards, wards=[]) == {}


@pytest.mark.parametrize("cells", [["123456789"], ["023456789", "301234567"], ["123 456 789"]])
def test_nine_digits_are_only_asked_about(cells: list[str]) -> None:
    assert verdicts("Mã", cells) == {"nine_digits": "asked"}


def test_a_few_nine_digit_amounts_among_others_are_not_asked_about() -> None:
    assert verdicts("Kinh phí", ["12345678", "98765", "4321", "123456789", "55"]) == {}


def test_identity_numbers_that_lost_their_zero_are_asked_about() -> None:
    assert verdicts("Mã", ["79203001234", "79199004321"]) == {"identity_number": "asked"}
    assert verdicts("Mã", [79203001234.0, 79199004321.0]) == {"identity_number": "asked"}


def test_a_column_of_old_dates_is_asked_about_as_births() -> None:
    assert verdicts("Ngày", ["01/02/1985", "1991-03-04", "2003-05-06"]) == {"birth_date": "asked"}
    assert verdicts("Ngày", ["01/02/1995", *["01/02/2025"] * 9]) == {}


def test_a_count_of_victims_is_no_person_until_something_else_stands_in_it() -> None:
    assert verdicts("Nạn nhân", ["0", "3", "12"]) == {}
    assert verdicts("Nạn nhân", ["0", "3", "chị Tư"]) == {"person_header": "refused"}
    assert verdicts("Nạn nhân", []) == {"person_header": "refused"}


def test_a_suspicion_says_how_many_cells_of_how_many_rows() -> None:
    guard = Guard(["a", "b"], [])
    guard.look(pd.DataFrame({"a": ["0903123456", "x", "0903123456"], "b": ["1", "2", "3"]}))
    guard.look(pd.DataFrame({"a": ["0903123457", ""], "b": ["059", "59A-123.45"]}))
    assert guard.suspicions() == (
        Suspicion("a", "phone", "refused", 3, 5, 0),
        Suspicion("b", "number_plate", "refused", 1, 5, 1),
    )


def test_one_cell_at_the_end_of_a_long_file_is_found() -> None:
    guard = Guard(["note"], [])
    for start in range(0, 5000, 1000):
        guard.look(pd.DataFrame({"note": [f"vụ {row}" for row in range(start, start + 1000)]}))
    guard.look(pd.DataFrame({"note": ["báo qua 0903123456"]}))
    assert [(seen.kind, seen.cells) for seen in guard.suspicions()] == [("phone", 1)]


def test_a_column_that_is_clearly_refused_is_not_read_to_its_end() -> None:
    guard = Guard(["a"], [])
    for _ in range(3):
        guard.look(pd.DataFrame({"a": [f"0903{number:06}" for number in range(ENOUGH)]}))
    assert [(seen.cells, seen.rows) for seen in guard.suspicions()] == [(ENOUGH, 3 * ENOUGH)]


def test_a_column_of_many_different_notes_is_counted_like_any_other() -> None:
    notes: list[str | None] = [f"vụ {number}" for number in range(9000)]
    notes[100:103] = ["báo qua 0903123456", "báo qua 0903123456", None]
    [phones] = found("Nội dung", notes)
    assert (phones.kind, phones.cells, phones.rows) == ("phone", 2, 9000)


def test_a_batch_put_together_from_parts_is_looked_at() -> None:
    parts = [
        pd.DataFrame({"a": pd.Series(cells, dtype="str")}) for cells in (["x"], ["0903123456"])
    ]
    empty = pd.DataFrame({"a": pd.Series([], dtype="object")})
    guard = Guard(["a"], [])
    guard.look(pd.concat(parts))
    guard.look(empty)
    guard.look(pa.table({"a": pa.chunked_array([["x"], ["0903123456"]])}).to_pandas())
    assert [(seen.kind, seen.cells, seen.rows) for seen in guard.suspicions()] == [("phone", 2, 4)]


def test_a_batch_that_lacks_a_column_is_not_vouched_for() -> None:
    with pytest.raises(ValueError, match="lacks 1 of the 2 columns"):
        Guard(["a", "b"], []).look(pd.DataFrame({"a": ["1"]}))


def test_missing_cells_and_columns_of_any_type_are_looked_at() -> None:
    assert verdicts("Mã", [None, float("nan"), 903123456, "0903123456"]) == {
        "phone": "refused",
        "nine_digits": "asked",
    }
    assert verdicts("Mã", [1, 2, 3]) == {}
    categorical = pd.DataFrame({"a": pd.Categorical(["0903123456", None, "x"])})
    guard = Guard(["a"], [])
    guard.look(categorical)
    assert [seen.kind for seen in guard.suspicions()] == ["phone"]


def test_a_cell_with_broken_signs_is_looked_at_too() -> None:
    guard = Guard(["a"], [])
    guard.look(pd.DataFrame({"a": pd.Series(["\ud8000903123456", 1], dtype="object")}))
    assert [seen.kind for seen in guard.suspicions()] == ["phone"]


@pytest.mark.parametrize("file", sorted(DATA.glob("*.csv")), ids=lambda file: file.name)
def test_the_shipped_tables_are_not_suspected(file: Path) -> None:
    table = pd.read_csv(file, dtype="str")
    guard = Guard(list(table.columns), [])
    guard.look(table)
    assert guard.suspicions() == ()


@pytest.mark.parametrize("kind", list(FileKind))
def test_the_templates_people_fill_in_are_not_suspected(kind: FileKind) -> None:
    filled = template(kind)
    guard = Guard(list(filled.columns), ALL_WARDS)
    guard.look(filled)
    assert guard.suspicions() == ()


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("079203001234", "identity_number"),
        ("0903 123 456", "phone"),
        ("123 Lê Lợi", "house_address"),
    ],
)
def test_a_file_without_header_does_not_give_its_first_row_away(header: str, kind: str) -> None:
    guard = Guard(["a", header], ALL_WARDS)
    guard.look(pd.DataFrame({"a": ["x"], header: ["y"]}))
    [suspicion] = guard.suspicions()
    assert (suspicion.column, suspicion.position) == ("#2", 1)
    assert (suspicion.kind, suspicion.grade, suspicion.cells) == (kind, "refused", 1)
    assert header not in repr(suspicion)


def test_a_name_as_header_is_asked_about_and_a_ward_as_header_is_not() -> None:
    assert [seen.column for seen in found("Nguyễn Văn An", ["1"])] == ["#1"]
    assert found("Nguyễn Cư Trinh", ["1"]) == ()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("", ()),
        ("Đã họp khu phố, thống nhất đưa ra khỏi danh sách", ()),
        ("Chuyển hóa từ 01/01/2025, kèm QĐ số 123/QĐ-UBND", ()),
        ("Nguyễn Văn A", ("personal_name",)),
        ("đ/c Trần Thị Bình đề xuất", ("personal_name",)),
        ("sđt 0903123456, cccd 079203001234", ("identity_number", "phone")),
        ("xe 59X1-123.45 đậu trước số nhà 12", ("number_plate", "house_address")),
        ("CMND 023456789", ("nine_digits",)),
        ("a@example.com", ("email",)),
    ],
)
def test_notes_are_scanned_for_the_same_kinds(text: str, kinds: tuple[str, ...]) -> None:
    assert scan_text(text) == kinds


HARMLESS_SIGNS = st.text(
    alphabet=string.ascii_letters + " ,.;:()\u200b\u00a0'ăâđêôơưÁÒẢ", max_size=30
)


@given(before=HARMLESS_SIGNS, after=HARMLESS_SIGNS, number=st.integers(0, 99_999_999))
@settings(max_examples=300, deadline=None)
def test_an_identity_number_is_found_in_any_text(before: str, after: str, number: int) -> None:
    assert "identity_number" in scan_text(f"{before}0792{number:08}{after}")


@given(
    number=st.integers(0, 99_999_999).map(lambda tail: f"0791{tail:08}"),
    signs=st.lists(st.sampled_from(["", "\u200b", "\ufeff", "\u00ad", "\u2060"]), min_size=12),
    wide=st.booleans(),
)
@settings(deadline=None)
def test_unseen_signs_and_wide_digits_hide_nothing(
    number: str, signs: list[str], wide: bool
) -> None:
    digits = (
        number.translate({ord(d): chr(ord(d) + 0xFEE0) for d in "0123456789"}) if wide else number
    )
    hidden = "".join(a + b for a, b in zip(digits, signs, strict=False))
    assert verdicts("Mã", [hidden]) == {"identity_number": "refused"}


@given(text=st.text(max_size=200))
@example("0" * 5000)
@example("1 " * 5000)
@example("0 " * 5000)
@example("-1." * 5000)
@example("a@" * 5000)
@example("12/" * 5000)
@settings(max_examples=300, deadline=None)
def test_any_text_is_scanned_and_answered_with_kinds_only(text: str) -> None:
    assert set(scan_text(text)) <= set(REFUSED_KINDS + ASKED_KINDS)


SLOW = """0|1 |0 |07 08 |-1.|1,111,|a@|a.|12/|1 Aa Bb |a|sinh |sn: |Nguyễn A |LÊ|51F-|so nha  |số 1
| |\n|\u200b|é|ngõ 1/|+84 |sinh  |(0) """


@pytest.mark.parametrize("unit", SLOW.split("|"))
def test_a_long_text_made_to_be_slow_takes_no_longer_than_it_is(unit: str) -> None:
    """Twice the text is about twice the work; going over it again and again would be four times."""

    def seconds(length: int) -> float:
        text = "sinh năm 1 số nhà 1 Lê " + unit * (length // len(unit)) + " x 0 Lê L"
        started = time.process_time()
        scan_text(text)
        return time.process_time() - started

    assert seconds(80_000) < max(1.0, 8 * seconds(20_000))


PIECES = """0903|123|456|079203001234|59X1|-|.| |/|số nhà |12|3a|Nguyễn |Văn |A|sinh năm |1990
|SN |@|b.vn|ông |hẻm |, |đường |Lê |Lợi|2025|+84|(|)|(25 tuổi)|phố |x1|12345"""
LIKELY = st.lists(st.sampled_from(PIECES.split("|")), max_size=8).map("".join)


@given(texts=st.lists(LIKELY, min_size=20, max_size=100, unique=True))
@settings(max_examples=50, deadline=None)
def test_the_fast_sieve_lets_everything_through_that_the_close_look_would_find(
    texts: list[str],
) -> None:
    plain = [plain_signs(text) for text in texts]
    for sieve in SIEVES:
        telling = [text for text in plain if sieve.kinds(text)]
        let_through = pc.match_substring_regex(pa.array(telling, pa.string()), sieve.pattern)
        assert telling == [
            text for text, let in zip(telling, let_through, strict=True) if let.as_py()
        ]


@given(
    values=st.lists(
        st.from_regex(
            r"079[12][0-9]{8,10}|090[0-9]{7}|59[A-H]-[0-9]{5}|[a-z]{8}@[a-z]{8}\.vn", fullmatch=True
        ),
        min_size=1,
        max_size=5,
    ),
    as_header=st.booleans(),
)
@settings(deadline=None)
def test_no_value_appears_in_what_the_guard_says(values: list[str], as_header: bool) -> None:
    name = values[0] if as_header else "Cột"
    guard = Guard([name], ALL_WARDS)
    guard.look(pd.DataFrame({name: values}))
    said = f"{guard!r} {guard} {guard.suspicions()!r} {[str(seen) for seen in guard.suspicions()]}"
    assert not [value for value in values if value in said]
    assert not any(value in str(scan_text(value)) for value in values)


@given(
    cells=st.lists(st.sampled_from(["0903123456", "59A-123.45", "x", "", "Nguyễn Văn An", "12"])),
    cut=st.integers(0, 20),
)
@settings(deadline=None)
def test_batches_of_any_size_say_the_same_as_the_whole(cells: list[str], cut: int) -> None:
    in_parts = Guard(["c"], [])
    in_parts.look(pd.DataFrame({"c": pd.Series(cells[:cut], dtype="str")}))
    in_parts.look(pd.DataFrame({"c": pd.Series(cells[cut:], dtype="str")}))
    assert in_parts.suspicions() == found("c", cells, wards=[])
