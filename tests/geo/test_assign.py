"""Points to wards: the same answer as asking every ward, and a reason where there is none."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

import geo.assign
from geo.assign import assign_wards
from geo.errors import GeoError


def _units(polygons: list[shapely.Geometry], codes: list[str] | None = None) -> gpd.GeoDataFrame:
    codes = codes or [f"{number:03}" for number in range(len(polygons))]
    return gpd.GeoDataFrame({"code": codes}, geometry=polygons, crs="EPSG:4326")


def _by_brute_force(x: np.ndarray, y: np.ndarray, wards: gpd.GeoDataFrame) -> list[str | None]:
    pairs = sorted(zip(wards["code"], wards.geometry, strict=True), key=lambda pair: pair[0])
    return [
        next((code for code, ward in pairs if ward.intersects(shapely.Point(*xy))), None)
        if np.isfinite(xy).all()
        else None
        for xy in zip(x, y, strict=True)
    ]


@st.composite
def _coverages(draw: st.DrawFn) -> gpd.GeoDataFrame:
    """Voronoi cells in a box, some with a hole, some holes filled by an enclave, and an island."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame = box(106, 10, 107, 11)
    seats = shapely.MultiPoint(random.uniform((106, 10), (107, 11), (draw(st.integers(2, 9)), 2)))
    cells = list(shapely.get_parts(shapely.voronoi_polygons(seats, extend_to=frame)))
    cells = [cell.intersection(frame) for cell in cells]
    centre = cells[0].representative_point()
    hole = centre.buffer(cells[0].exterior.distance(centre) / 2, quad_segs=2)
    cells[0] = cells[0].difference(hole)
    if draw(st.booleans()):
        cells.append(hole)
    cells.append(shapely.MultiPolygon([box(107.5, 10, 107.6, 10.1), box(107.8, 10, 107.9, 10.2)]))
    codes = [f"{number:03}" for number in random.permutation(len(cells))]
    return _units(cells, codes)


@settings(deadline=None, max_examples=60)
@given(_coverages(), st.integers(0, 2**32 - 1))
def test_every_point_gets_what_asking_all_wards_gives(wards: gpd.GeoDataFrame, seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = shapely.get_coordinates(wards.geometry.to_numpy())
    halfway = (corners[1:] + corners[:-1]) / 2
    anywhere = random.uniform((105.8, 9.8), (108, 11.2), (60, 2))
    x, y = np.vstack([corners, halfway, anywhere, [[np.nan, 10], [106, np.inf]]]).T
    assigned = assign_wards(x, y, wards)
    assert assigned.codes.tolist() == _by_brute_force(x, y, wards)
    assert [code is None for code in assigned.codes] == [bool(why) for why in assigned.reasons]


def test_no_points_give_no_answers() -> None:
    assigned = assign_wards([], [], _units([box(106, 10, 107, 11)]))
    assert assigned.codes.shape == assigned.reasons.shape == (0,)
    assert assigned.codes.dtype == assigned.reasons.dtype == object


def test_a_shared_border_goes_to_the_lowest_code_in_any_order() -> None:
    squares = [box(106, 10, 107, 11), box(107, 10, 108, 11)]
    for codes in (["00009", "00010"], ["00010", "00009"]):
        assert assign_wards([107.0], [10.5], _units(squares, codes)).codes.tolist() == ["00009"]


def test_a_point_without_a_ward_says_why() -> None:
    """In Ha Noi and swapped; in a ward outside the country's box and swapped; at sea; no number."""
    wards = _units([box(106, 10, 107, 11), box(0, 50, 1, 51)])
    assigned = assign_wards([21.0, 50.5, 0.0, np.nan, np.inf], [105.8, 0.5, 0.0, 10.5, 10.5], wards)
    assert assigned.codes.tolist() == [None] * 5
    assert assigned.reasons.tolist() == [
        "swapped_suspected",
        "swapped_suspected",
        "outside",
        "not_a_number",
        "not_a_number",
    ]


def test_pieces_of_a_long_file_give_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    wards = _units([box(106, 10, 107, 11), box(107, 10, 108, 11)])
    x, y = np.random.default_rng(3).uniform((105, 9), (109, 12), (1_000, 2)).T
    whole = assign_wards(x, y, wards)
    monkeypatch.setattr(geo.assign, "_CHUNK", 7)
    pieces = assign_wards(x, y, wards)
    assert pieces.codes.tolist() == whole.codes.tolist()
    assert pieces.reasons.tolist() == whole.reasons.tolist()


def test_lengths_and_crs_must_fit() -> None:
    wards = _units([box(106, 10, 107, 11)])
    with pytest.raises(GeoError, match="one length") as refused:
        assign_wards([106.0], [10.0, 11.0], wards)
    assert refused.value.reason == "lengths_differ"
    with pytest.raises(GeoError) as refused:
        assign_wards([106.0], [10.0], wards.to_crs("EPSG:32648"))
    assert refused.value.reason == "crs_not_storage"
