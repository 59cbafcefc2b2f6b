"""Points to wards: the same answer as asking every ward, and a reason where there is none."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, affinity, box

import geo.assign
from geo.assign import WardIndex, assign_wards
from geo.errors import GeoError

NAN, INF = np.nan, np.inf


def _units(polygons: list[shapely.Geometry], codes: list[str] | None = None) -> gpd.GeoDataFrame:
    codes = codes or [f"{number:03}" for number in range(len(polygons))]
    return gpd.GeoDataFrame({"code": codes}, geometry=polygons, crs="EPSG:4326")


def _by_brute_force(x: np.ndarray, y: np.ndarray, wards: gpd.GeoDataFrame) -> list[str | None]:
    """Every ward asked about every point, nothing prepared, no index."""
    wards = wards.sort_values("code")
    numbers = np.isfinite(x) & np.isfinite(y)
    points = shapely.points(np.where(numbers, x, 0), np.where(numbers, y, 0))
    found: list[str | None] = [None] * len(points)
    for code, ward in zip(wards["code"][::-1], wards.geometry[::-1], strict=True):
        for place in np.flatnonzero(shapely.intersects(ward, points) & numbers):
            found[place] = code
    return found


def _assert_as_by_brute_force(x: np.ndarray, y: np.ndarray, wards: gpd.GeoDataFrame) -> None:
    assigned = assign_wards(x, y, wards)
    assert assigned.codes.tolist() == _by_brute_force(x, y, wards)
    assert [code is None for code in assigned.codes] == [bool(why) for why in assigned.reasons]


def _ulps(values: np.ndarray, steps: np.ndarray | int) -> np.ndarray:
    """The numbers so many places further among all that a computer can write."""
    return values + steps * np.spacing(values)


@st.composite
def _coverages(draw: st.DrawFn) -> gpd.GeoDataFrame:
    """Voronoi cells in a box, some with a hole, some holes filled by an enclave, and islands.

    On top, or not: wards that overlap many others (or all), one twice, and one of a metre.
    """
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
    extras: list[shapely.Geometry] = [
        affinity.rotate(frame, float(random.uniform(0, 90))).difference(hole),
        frame.buffer(0.02),
        shapely.Point(random.uniform((106, 10), (108, 11))).buffer(0.3, quad_segs=2),
        cells[-1],
        centre.buffer(1e-5, quad_segs=1),
        Polygon(),
    ]
    cells += draw(st.lists(st.sampled_from(extras), max_size=3))
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
    _assert_as_by_brute_force(x, y, wards)


@settings(deadline=None, max_examples=60)
@given(_coverages(), st.integers(0, 2**32 - 1))
def test_a_point_a_hair_from_a_border_or_a_cell_is_placed_as_by_asking(
    wards: gpd.GeoDataFrame, seed: int
) -> None:
    """On corners of cells, and where borders cross the edges of cells; one or two ulps beside."""
    random = np.random.default_rng(seed)
    raster = WardIndex.build(wards)._raster
    assert max(raster.rows, raster.columns) > 10
    side = 1 / raster.cells_per_degree
    west_edges = raster.west + (np.arange(raster.columns) - 1.5) * side
    south_edges = raster.south + (np.arange(raster.rows) - 1.5) * side
    lattice = np.column_stack([random.choice(west_edges, 200), random.choice(south_edges, 200)])

    ends = shapely.get_coordinates(wards.geometry.to_numpy())
    one = random.integers(0, len(ends) - 1, 200)
    share = random.random((200, 1))
    on_border = ends[one] * share + ends[one + 1] * (1 - share)
    at_edge = on_border.copy()
    at_edge[:, 0] = west_edges[raster.across(on_border[:, 0]).astype(int)]
    leaning = ends[one + 1] - ends[one]
    steep = np.divide(
        leaning[:, 1], leaning[:, 0], out=np.zeros(200), where=np.abs(leaning[:, 0]) > 1e-9
    )
    at_edge[:, 1] = ends[one, 1] + steep * (at_edge[:, 0] - ends[one, 0])

    near = np.vstack([lattice, ends, on_border, at_edge])
    x, y = _ulps(near, random.integers(-2, 3, near.shape)).T
    _assert_as_by_brute_force(x, y, wards)


@pytest.mark.parametrize("upright", [False, True])
@settings(deadline=None, max_examples=60)
@given(st.integers(2, 6), st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 2**32 - 1))
def test_a_nearly_level_border_along_the_edge_of_cells_hides_no_point(
    upright: bool, row: int, left: int, right: int, seed: int
) -> None:
    """
    2 2   the border runs within a few ulps of the edge between two rows of cells, or columns;
    1 1   near 0 these are finer than what the raster can tell apart
    """

    def split(at_west: float, at_east: float) -> gpd.GeoDataFrame:
        below = Polygon([(0, 0), (1, 0), (1, at_east), (0, at_west)])
        above = Polygon([(0, at_west), (1, at_east), (1, 1), (0, 1)])
        turned = [shapely.transform(ward, lambda xy: xy[:, ::-1]) for ward in (above, below)]
        return _units(turned if upright else [above, below])

    raster = WardIndex.build(split(0.1, 0.1))._raster
    edge = np.array((row - 1.5) / raster.cells_per_degree)
    wards = split(float(_ulps(edge, left)), float(_ulps(edge, right)))
    assert WardIndex.build(wards)._raster.rows == raster.rows

    random = np.random.default_rng(seed)
    x = np.append(random.uniform(0, 1, 300), [0, 1])
    y = _ulps(edge, random.integers(-10, 11, len(x)))
    _assert_as_by_brute_force(*((y, x) if upright else (x, y)), wards)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 6), st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 2**32 - 1))
def test_a_border_through_the_corners_of_cells_hides_no_point(
    corner: int, left: int, right: int, seed: int
) -> None:
    """
    2 2 1   the border passes within a few ulps of the corners where cells meet, from one such
    2 1 1   corner, through all between, to the seventh
    """
    side = 1 / WardIndex.build(_units([box(0, 0, 1, 1)] * 2))._raster.cells_per_degree
    last = 5.5 * side
    begin, end = (float(_ulps(np.array(0.5 * side), left)), float(_ulps(np.array(last), right)))
    way = [(0, 0), (0.5 * side, begin), (last, end), (1, 1)]
    wards = _units([Polygon([*way, (0, 1)]), Polygon([*way, (1, 0)])])
    raster = WardIndex.build(wards)._raster
    near = np.full((300, 2), (corner - 1.5) / raster.cells_per_degree)
    x, y = _ulps(near, np.random.default_rng(seed).integers(-10, 11, near.shape)).T
    _assert_as_by_brute_force(x, y, wards)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_corners_on_the_middle_of_a_row_do_not_turn_a_ward_inside_out(seed: int) -> None:
    """A comb whose teeth end on a line along which the raster is filled, or an ulp beside it."""
    random = np.random.default_rng(seed)
    side = 1 / 32
    ends = _ulps(random.integers(16, 33, 40) * side, random.integers(-1, 2, 40))
    ends[::2] = random.uniform(0.01, 0.1, 20)
    comb = Polygon([(0, 0), *zip(np.linspace(0, 1, 40), ends, strict=True), (1, 0)])
    wards = _units([comb, box(0, 0, 1, 1.1)])
    x, y = random.uniform(-0.1, 1.2, (2, 500))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geo.assign, "_side_of_a_cell", lambda *_: side)
        _assert_as_by_brute_force(x, y, wards)


def test_wards_three_ulps_wide_are_told_apart() -> None:
    """Here a cell is far smaller than the distance between two numbers."""
    east = _ulps(np.array(106.0), np.arange(0, 10, 3))
    north = _ulps(np.array(10.0), np.arange(0, 10, 3))
    wards = _units(
        [
            box(east[column], north[row], east[column + 1], north[row + 1])
            for row in range(3)
            for column in range(3)
        ]
    )
    x, y = np.meshgrid(
        _ulps(np.array(106.0), np.arange(-3, 13)), _ulps(np.array(10.0), np.arange(-3, 13))
    )
    _assert_as_by_brute_force(x.ravel(), y.ravel(), wards)
    assert len(set(assign_wards(x.ravel(), y.ravel(), wards).codes)) == 9 + 1


def test_points_on_the_edge_of_the_extent_and_far_beyond_it() -> None:
    wards = _units([box(106, 10, 107, 11)])
    around = [-INF, -1e308, -180, 0, 106, 106.5, 107, 360, 1e308, INF, NAN]
    around += [*np.nextafter([106, 106, 107, 107], [0, 200, 0, 200])]
    around += [10, 10.5, 11, *np.nextafter([10, 10, 11, 11], [0, 200, 0, 200])]
    x, y = (values.ravel() for values in np.meshgrid(around, around))
    _assert_as_by_brute_force(x, y, wards)


def test_a_cell_within_two_wards_goes_to_the_lower_code() -> None:
    """
    2222    3 lies within 1 and 2, which overlap in the middle; 0 holds all of them, the last
    2133    time, so that the border of a higher ward passes through cells of a lower one
    11
    """
    one, two, three = (
        box(106, 10, 106.6, 10.6),
        box(106, 10.3, 107, 11),
        box(106.4, 10.4, 107, 10.5),
    )
    x, y = np.meshgrid(np.linspace(105.9, 107.1, 61), np.linspace(9.9, 11.1, 61))
    for wards in (
        _units([one, two, three]),
        _units([one, two, three], ["3", "2", "1"]),
        _units([box(105, 9, 108, 12), one, two, three]),
    ):
        _assert_as_by_brute_force(x.ravel(), y.ravel(), wards)


def test_more_wards_in_one_cell_than_cells_a_side() -> None:
    """A large ward, and in it a thousand of ten centimetres in one place."""
    random = np.random.default_rng(5)
    corners = random.uniform((106.5, 10.5), (106.5001, 10.5001), (1_000, 2))
    small = [box(x, y, x + 1e-6, y + 1e-6) for x, y in corners]
    wards = _units([*small, box(106, 10, 107, 11)])
    x, y = np.vstack([corners, corners + 5e-7, random.uniform(106.4999, 106.5002, (50, 2))]).T
    _assert_as_by_brute_force(x, y, wards)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(shapely.LineString([(106, 10), (108, 12)]), id="a line"),
        pytest.param(
            shapely.GeometryCollection([box(108, 10, 109, 11), shapely.Point(105, 9)]), id="mixed"
        ),
        pytest.param(box(-1e308, 9, 1e308, 12), id="beyond all bounds"),
        pytest.param(Polygon(), id="empty"),
        pytest.param(None, id="missing"),
    ],
)
def test_what_is_no_ordinary_polygon_is_asked_all_the_same(odd: shapely.Geometry | None) -> None:
    wards = _units([odd, box(106, 10, 107, 11)])  # type: ignore[list-item]
    x, y = np.array([[105, 9], [106, 10], [106.5, 10.5], [108.5, 10.5], [1e308, 10], [NAN, 10]]).T
    _assert_as_by_brute_force(x, y, wards)
    _assert_as_by_brute_force(x, y, wards.iloc[:1])


def test_wards_collapsed_to_a_line_have_their_points() -> None:
    wards = _units([Polygon([(106, 10), (107, 10), (106.5, 10)])])
    assert assign_wards([106.2, 106.2], [10, 10.1], wards).codes.tolist() == ["000", None]


def test_no_wards_place_nothing() -> None:
    assigned = assign_wards([106.0, 0.0, NAN], [10.0, 0.0, 0.0], _units([]))
    assert assigned.codes.tolist() == [None] * 3
    # As for any other point without a ward: 10 E 106 N is no place, exchanged it is in Viet Nam.
    assert assigned.reasons.tolist() == ["outside", "outside", "not_a_number"]
    assert assign_wards([10.0], [106.0], _units([])).reasons.tolist() == ["swapped_suspected"]


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
    monkeypatch.setattr(geo.assign, "_CHUNK", 77)
    monkeypatch.setattr(geo.assign, "_LOOK_UP", 7)
    pieces = assign_wards(x, y, wards)
    assert pieces.codes.tolist() == whole.codes.tolist()
    assert pieces.reasons.tolist() == whole.reasons.tolist()


def test_an_index_answers_as_its_table() -> None:
    wards = _units([box(107, 10, 108, 11), box(106, 10, 107, 11)], ["00010", "00009"])
    index = WardIndex.build(wards)
    x, y = np.random.default_rng(3).uniform((105, 9), (109, 12), (1_000, 2)).T
    codes = assign_wards(x, y, wards).codes.tolist()
    assert assign_wards(x, y, index).codes.tolist() == codes
    assert [[*index.codes, None][number] for number in index.positions(x, y)] == codes


def test_lengths_and_crs_must_fit() -> None:
    wards = _units([box(106, 10, 107, 11)])
    with pytest.raises(GeoError, match="one length") as refused:
        assign_wards([106.0], [10.0, 11.0], wards)
    assert refused.value.reason == "lengths_differ"
    with pytest.raises(GeoError, match="one length"):
        WardIndex.build(wards).positions([[106.0]], [[10.0]])
    for ask in (lambda table: assign_wards([106.0], [10.0], table), WardIndex.build):
        with pytest.raises(GeoError) as refused:
            ask(wards.to_crs("EPSG:32648"))
        assert refused.value.reason == "crs_not_storage"


# ---- the indexes that are kept


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of wards of every index built, with nothing kept from before."""
    monkeypatch.setattr(geo.assign, "_INDEXES", geo.assign._KeptIndexes(2))
    built: list[int] = []
    build: Callable[..., WardIndex] = WardIndex._of_wkb

    def counted(codes: np.ndarray, wkb: np.ndarray) -> WardIndex:
        built.append(len(codes))
        return build(codes, wkb)

    monkeypatch.setattr(WardIndex, "_of_wkb", counted)
    return built


def test_the_index_of_a_table_is_built_once(built: list[int]) -> None:
    wards = _units([box(106, 10, 107, 11), box(107, 10, 108, 11)])
    for same in (wards, wards.copy(), wards.iloc[::-1], wards.assign(name="read again")):
        assert assign_wards([107.5], [10.5], same).codes.tolist() == ["001"]
    assert built == [2]


def test_a_changed_table_is_not_answered_from_an_old_index(built: list[int]) -> None:
    wards = _units([box(106, 10, 107, 11)])
    assert assign_wards([107.5], [10.5], wards).codes.tolist() == [None]
    wards.loc[0, "geometry"] = box(106, 10, 108, 11)
    assert assign_wards([107.5], [10.5], wards).codes.tolist() == ["000"]
    wards.loc[0, "code"] = "009"
    assert assign_wards([107.5], [10.5], wards).codes.tolist() == ["009"]
    assert built == [1, 1, 1]


def test_the_index_not_used_longest_is_forgotten(built: list[int]) -> None:
    one, two, three = (_units([box(106, 10, 107, 11)] * count) for count in (1, 2, 3))
    for wards in (one, two, one, three, one, two):
        assign_wards([106.5], [10.5], wards)
    assert built == [1, 2, 3, 2]


def test_threads_share_one_index_and_agree(built: list[int]) -> None:
    random = np.random.default_rng(11)
    centres = random.uniform((106, 10), (107, 11), (30, 2))
    wards = _units([shapely.Point(*centre).buffer(0.2, quad_segs=200) for centre in centres])
    corners = shapely.get_coordinates(wards.geometry.to_numpy())
    x, y = _ulps(corners, random.integers(-1, 2, corners.shape)).T
    start = Barrier(8)

    def ask(_: int) -> list[str | None]:
        start.wait()
        found: list[str | None] = assign_wards(x, y, wards).codes.tolist()
        return found

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert built == [30]
    assert answers == [_by_brute_force(x, y, wards)] * 8


def test_a_table_is_not_changed_by_asking_it() -> None:
    wards = _units([box(106, 10, 107, 11), None])  # type: ignore[list-item]
    before = wards.copy(deep=True)
    assign_wards([106.5], [10.5], wards)
    assert wards.equals(before)
    assert not shapely.is_prepared(wards.geometry.to_numpy()).any()
