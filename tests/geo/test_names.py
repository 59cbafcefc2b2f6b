"""Names as people write them: what is the same, what only looks so, what is left to a person."""

import unicodedata
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import GeoError
from geo.names import FOUND_COLUMNS, find_wards, match_names, ward_key, ward_kind


def _wards(*rows: tuple[str, str, str], edition: str = "2025-07-01") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["code", "name", "kind"]).assign(edition=edition)


@pytest.fixture
def wards() -> pd.DataFrame:
    return _wards(
        ("00001", "Phường 1", "phuong"),
        ("00010", "Phường 10", "phuong"),
        ("00020", "Hoà Bình", "phuong"),
        ("00030", "Tân An", "phuong"),
        ("00031", "Xã Tân An", "xa"),
        ("00040", "Thanh An", "xa"),
        ("00041", "Thạnh An", "xa"),
        ("00050", "Thị trấn Củ Chi", "thi_tran"),
        ("00060", "Đặc khu Côn Đảo", "dac_khu"),
    )


# -- one key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hoà Bình", "Hòa Bình"),
        ("Thuỷ", "Thủy"),
        ("khoẻ", "khỏe"),
        ("Nguyễn Uý", "Nguyễn Úy"),
        ("HOÀ HƯNG", "hòa hưng"),
        ("Phú Thọ Hoà", "Phú\u00a0Thọ  Hòa "),
        ("Bình Hưng Hoà A", "Bình Hưng Hòa A"),
        ("Hoà-Bình", "Hòa – Bình"),
        ("Phường 1", "Phường 01"),
        ("Phường 1", "P. 1"),
        ("Phường 1", "P.01"),
        ("Phường 1", "p1"),
        ("Phường 10", "P 010"),
        ("Xã Tân An", "X. Tân An"),
        ("Thị trấn Củ Chi", "TT. Củ Chi"),
        ("Thị trấn Củ Chi", "TT Củ Chi"),
        ("Đặc khu Côn Đảo", "Côn Đảo"),
        ("Hiệp Bình", "Hie\u0323\u0302p Bình"),
        ("Hiệp Bình", "Hie\u0302\u0323p Bình"),
        ("Hiệp Bình", "Hiệp\u200b Bình\ufeff"),
        ("Hiệp Bình", "Hiệp \u200b Bình"),
        ("Hiệp Bình", "Hiệp\tBình\n"),
        ("Đa Kao", "Ða Kao"),  # the Icelandic letter looks the same
        ("Đa Kao", "D\u0335a Kao"),
        ("Ea H'Leo", "Ea H’Leo"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert ward_key(one) == ward_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Thanh An", "Thạnh An"),
        ("Thanh An", "Thành An"),
        ("Tân Quy", "Tân Quý"),
        ("Mỹ Quý", "Mỹ Quí"),
        ("Quý", "Qúy"),  # after q there is one right place for the tone
        ("Qui Đức", "Quy Đức"),
        ("Đa Kao", "Da Kao"),
        ("Phường 1", "Phường 10"),
        ("Phường 1", "Phường 11"),
        ("An Lạc", "An Lạc A"),
        ("già", "gìa"),  # the i of gìa would be a vowel: another syllable
        ("Hoàng", "Hòang"),
        ("loà", "loá"),
    ],
)
def test_names_that_differ_keep_different_keys(one: str, other: str) -> None:
    assert ward_key(one) != ward_key(other)


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [
        ("Phường Tân Định", "phuong", "tân định"),
        ("XÃ Tân An", "xa", "tân an"),
        ("tt.Nhà Bè", "thi_tran", "nhà bè"),
        ("ĐK. Côn Đảo", "dac_khu", "côn đảo"),
        ("Phương Liệt", "", "phương liệt"),
        ("Phường Phương Liệt", "phuong", "phương liệt"),
        ("Phường Xã Tắc", "phuong", "xã tắc"),
        ("Xãng", "", "xãng"),
        ("Phường", "", "phường"),
        ("P.", "", "p."),
        ("Pleiku", "", "pleiku"),
        ("Thị xã Tân An", "", "thị xã tân an"),
        ("", "", ""),
    ],
)
def test_the_kind_is_split_off_and_not_lost(name: str, kind: str, key: str) -> None:
    assert (ward_kind(name), ward_key(name)) == (kind, key)


def test_a_name_that_looks_like_a_kind_is_kept_where_the_kind_is_known() -> None:
    assert ward_key("Xã Tắc", kind="phuong") == "xã tắc"
    assert ward_key("Xã Gào", kind="xa") == "gào"
    wards = _wards(("1", "Xã Tắc", "phuong"), ("2", "Xã Gào", "xa"))
    names = ["Xã Tắc", "Phường Xã Tắc", "Gào", "Tắc"]
    found = match_names(names, wards)
    assert found.matched == {"Xã Tắc": "1", "Phường Xã Tắc": "1", "Gào": "2"}
    assert found.unknown == {"Tắc": ("1",)}


_SIGNS = st.sampled_from("aàoòóuúyýqghđ ơ01.-P\u0300\u0301\u0323\u0302\u200b\u00a0")


@given(st.text(_SIGNS))
def test_a_key_is_its_own_key_unless_it_begins_with_another_kind(name: str) -> None:
    key = ward_key(name)
    assert ward_kind(key) or ward_key(key) == key
    assert ward_key(unicodedata.normalize("NFD", name)) == key
    assert ward_key(name.upper()) == key
    assert ward_key(f"  {name}\u200b ") == key


# -- finding


def test_a_code_is_found_as_it_is_written(wards: pd.DataFrame) -> None:
    found = find_wards(" 00030 ", wards)
    assert found[["code", "match"]].values.tolist() == [["00030", "code"]]
    assert list(found.columns) == list(FOUND_COLUMNS)
    assert find_wards("30", wards).empty


def test_a_name_with_and_without_its_kind_is_found(wards: pd.DataFrame) -> None:
    assert find_wards("Phường Hòa Bình", wards)["code"].tolist() == ["00020"]
    assert find_wards("hoà bình", wards)["code"].tolist() == ["00020"]
    assert find_wards("Củ Chi", wards)["code"].tolist() == ["00050"]


def test_a_ward_and_a_commune_of_one_name_are_both_shown(wards: pd.DataFrame) -> None:
    found = find_wards("Tân An", wards)
    assert found[["code", "match"]].values.tolist() == [["00030", "name"], ["00031", "name"]]


def test_a_kind_that_contradicts_makes_a_name_a_suggestion(wards: pd.DataFrame) -> None:
    found = find_wards("Xã Tân An", wards)
    assert found[["code", "match"]].values.tolist() == [["00031", "name"], ["00030", "similar"]]


@pytest.mark.parametrize("text", ["thanh an", "Thành An", "xa thanh an", "Phường Thành An"])
def test_names_equal_without_accents_are_only_suggested(text: str, wards: pd.DataFrame) -> None:
    found = find_wards(text, wards).set_index("code")["match"]
    assert set(found.index) == {"00040", "00041"}
    assert found["00041"] == "similar"


def test_every_edition_is_shown_and_none_chosen() -> None:
    old = _wards(("27685", "Xã Thạnh An", "xa"), edition="2025-01-01")
    new = _wards(("27685", "Thạnh An", "xa"))
    found = find_wards("Thạnh An", pd.concat([new, old]))
    assert found["edition"].tolist() == ["2025-01-01", "2025-07-01"]
    assert found["match"].tolist() == ["name", "name"]


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "Nowhere"])
def test_nothing_is_found_for_nothing(text: str, wards: pd.DataFrame) -> None:
    found = find_wards(text, wards)
    assert found.empty
    assert list(found.columns) == list(FOUND_COLUMNS)


# -- a list of names


def test_only_names_without_doubt_get_a_code(wards: pd.DataFrame) -> None:
    names = ["Phường 01", "Tân An", "P. Tân An", "Thành An", "Nowhere", "Phường 01", ""]
    found = match_names(names, wards)
    assert found.matched == {"Phường 01": "00001", "P. Tân An": "00030"}
    assert found.ambiguous == {"Tân An": ("00030", "00031")}
    assert found.unknown == {"Thành An": ("00040", "00041"), "Nowhere": (), "": ()}


def test_names_are_not_matched_with_several_editions(wards: pd.DataFrame) -> None:
    with pytest.raises(GeoError) as refused:
        match_names(["Tân An"], pd.concat([wards, wards.assign(edition="2021-01-01")]))
    assert refused.value.reason == "several_editions"
    assert refused.value.facts["editions"] == ("2021-01-01", "2025-07-01")


# -- the real names


@pytest.fixture
def new_wards(shared_data: Path) -> pd.DataFrame:
    return _table(shared_data / "hcmc_wards_2025.parquet", "2025-07-01")


@pytest.fixture
def old_wards(shared_data: Path) -> pd.DataFrame:
    return _table(shared_data / "hcmc_wards_273.parquet", "2025-01-01")


def _table(path: Path, edition: str) -> pd.DataFrame:
    wards = gpd.read_parquet(path).drop(columns="geometry")
    kinds = wards["type"] + " x" if "type" in wards else wards["name"]
    return wards.assign(kind=kinds.map(ward_kind), edition=edition)


@pytest.mark.real_data
def test_each_of_the_168_names_is_found_once_however_it_is_written(new_wards: pd.DataFrame) -> None:
    codes = dict(zip(new_wards["full_name"], new_wards["code"], strict=True))
    assert match_names(codes, new_wards).matched == codes
    for rewritten in (
        lambda name: unicodedata.normalize("NFD", name),
        str.upper,
        lambda name: name.replace("oà", "òa").replace("Xã ", "X.").replace("Phường ", "P. "),
        lambda name: name.replace(" ", "\u00a0\u200b "),
    ):
        found = match_names(map(rewritten, codes), new_wards)
        assert list(found.matched.values()) == list(codes.values())


@pytest.mark.real_data
def test_thanh_an_and_thanh_an_with_a_dot_are_two_communes(new_wards: pd.DataFrame) -> None:
    names = ["Thanh An", "Thạnh An", "Thanh Án"]
    found = match_names(names, new_wards)
    first, second = (found.matched[name] for name in names[:2])
    assert first != second
    assert found.unknown == {"Thanh Án": tuple(sorted([first, second]))}
    assert find_wards("thạnh an", new_wards)["match"].tolist() == ["name", "similar"]


@pytest.mark.real_data
def test_the_ten_wards_number_one_are_told_apart_by_their_district_only(
    old_wards: pd.DataFrame,
) -> None:
    found = match_names(["Phường 01"], old_wards)
    assert found.matched == {}
    assert len(found.ambiguous["Phường 01"]) == 10
    for _, district in old_wards[old_wards["name"].eq("Phường 1")].groupby("district"):
        inside = old_wards[old_wards["district"].isin(district["district"])]
        assert match_names(["P.1"], inside).matched == {"P.1": district["code"].item()}


@pytest.mark.real_data
def test_of_the_273_names_only_those_that_repeat_are_ambiguous(old_wards: pd.DataFrame) -> None:
    found = match_names(old_wards["name"], old_wards)
    counts = old_wards["name"].value_counts()
    assert set(found.ambiguous) == set(counts.index[counts > 1])
    assert found.unknown == {}
    assert len(found.matched) == (counts == 1).sum()


@pytest.mark.real_data
def test_similar_old_names_are_suggestions(old_wards: pd.DataFrame) -> None:
    names = dict(zip(old_wards["code"], old_wards["name"], strict=True))
    quy = find_wards("Phường Tân Quý", old_wards)
    assert quy["name"].tolist() == ["Phường Tân Quý", "Phường Tân Quy"]
    assert quy["match"].tolist() == ["name", "similar"]
    (suggested,) = match_names(["Xã Quy Đức"], old_wards).unknown["Xã Quy Đức"]
    assert names[suggested] == "Xã Qui Đức"


@pytest.mark.real_data
def test_a_name_of_two_editions_is_shown_with_both(
    old_wards: pd.DataFrame, new_wards: pd.DataFrame
) -> None:
    """Bình Chánh: a commune before and after, of another territory; the new one is a new code."""
    found = find_wards("Bình Chánh", pd.concat([old_wards, new_wards]))
    assert found["edition"].tolist() == ["2025-01-01", "2025-07-01"]
    assert set(found["match"]) == {"name"}
