"""The real wards of Ho Chi Minh City and of the country, and half a million real points."""

import datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.assign import assign_wards
from geo.wards import ReadWards, drawing_copy, read_wards

pytestmark = pytest.mark.real_data


@pytest.fixture
def read(shared_data: Path, edition: datetime.date) -> ReadWards:
    return read_wards(shared_data / "hcmc_wards_2025.parquet", edition)


def test_the_168_wards_are_read_as_an_edition(read: ReadWards, shared_data: Path) -> None:
    original = gpd.read_parquet(shared_data / "hcmc_wards_2025.parquet").set_index("code")
    wards = read.wards.set_index("code")
    assert len(wards) == read.findings.units == 168
    assert shapely.coverage_is_valid(wards.geometry.to_numpy())
    assert read.findings.islands == ("26732",)
    assert read.findings.invalid_rings == ()
    assert read.findings.largest_area_change_ha < 0.01
    assert wards["kind"].value_counts().to_dict() == {"phuong": 113, "xa": 54, "dac_khu": 1}
    assert wards["name"].equals(original["name"].sort_index())
    # UTM 48 N is drawn .11 % too large at the city's eastern end; the rest is equal.
    change = wards["area_km2"] / original["area_geom_km2"].sort_index() - 1
    assert change.abs().max() < 0.0012
    assert (change.abs() < 0.001).sum() >= 165


def test_the_drawing_copy_is_a_valid_coverage(read: ReadWards) -> None:
    copy = drawing_copy(read.wards)
    assert shapely.coverage_is_valid(copy.geometry.to_numpy())
    assert copy.count_coordinates().sum() < 40_000
    assert copy.to_crs("EPSG:32648").area.sum() / 1e6 == pytest.approx(
        read.wards["area_km2"].sum(), rel=0.001
    )


@pytest.mark.parametrize(
    ("file", "units"),
    [("hcmc_wards_273", 273), ("hcmc_wards_312", 312), ("vn_wards_2025_s100", 3_321)],
)
def test_other_editions_are_read(
    file: str, units: int, shared_data: Path, edition: datetime.date
) -> None:
    read = read_wards(shared_data / f"{file}.parquet", edition)
    assert read.findings.units == units
    assert shapely.coverage_is_valid(read.wards.geometry.to_numpy())
    assert read.findings.gap_ha < 1


def test_half_a_million_points_are_placed_as_geopandas_places_them(
    read: ReadWards, shared_data: Path
) -> None:
    wards = read.wards
    points = pd.read_parquet(shared_data / "crime_points_small.parquet", columns=["lon", "lat"])
    west, south, east, north = wards.total_bounds
    lon = _stretched(points["lon"], west, east)
    lat = _stretched(points["lat"], south, north)

    assigned = assign_wards(lon, lat, wards)
    placed = assigned.codes != None  # noqa: E711 (element by element)
    assert len(assigned.codes) == 562_470
    assert (placed == (assigned.reasons == "")).all()
    assert set(assigned.reasons) == {"", "outside"}
    assert placed.sum() > 100_000

    sample = np.random.default_rng(7).choice(len(lon), 20_000, replace=False)
    assert assigned.codes[sample].tolist() == _by_sjoin(lon[sample], lat[sample], wards)


@pytest.mark.parametrize("file", ["hcmc_wards_2025", "vn_wards_2025_s100"])
def test_points_on_and_a_hair_beside_the_borders_are_placed_as_geopandas_places_them(
    file: str, shared_data: Path
) -> None:
    wards = gpd.read_parquet(shared_data / f"{file}.parquet")
    random = np.random.default_rng(7)
    corners = shapely.get_coordinates(wards.geometry.to_numpy())
    west, south, east, north = wards.total_bounds
    points = np.vstack(
        [
            random.choice(corners, 20_000),
            (corners[1:] + corners[:-1])[random.choice(len(corners) - 1, 10_000)] / 2,
            random.uniform((west, south), (east, north), (50_000, 2)),
            [[west, south], [east, north], [west, north], [np.nextafter(east, 200), north]],
        ]
    )
    points[::2] += random.integers(-1, 2, points[::2].shape) * np.spacing(points[::2])
    lon, lat = points.T
    assigned = assign_wards(lon, lat, wards)
    assert assigned.codes.tolist() == _by_sjoin(lon, lat, wards)
    assert (assigned.codes == None).sum() > 10_000  # noqa: E711 (element by element)


def _by_sjoin(lon: np.ndarray, lat: np.ndarray, wards: gpd.GeoDataFrame) -> list[str | None]:
    """The lowest code of the wards that geopandas finds for each point."""
    asked = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326").sjoin(
        wards[["code", "geometry"]], how="left", predicate="intersects"
    )
    lowest = asked["code"].groupby(asked.index).min()
    return [None if pd.isna(code) else code for code in lowest]


def _stretched(values: pd.Series, low: float, high: float) -> np.ndarray:
    share = (values - values.min()) / (values.max() - values.min())
    return (low + share * (high - low)).to_numpy()
