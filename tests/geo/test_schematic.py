"""The sketched city: a valid coverage with every seat at home."""

import datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import GeoError
from geo.schematic import schematic_wards
from geo.wards import WARDS_COLUMNS

DAY = datetime.date(2025, 7, 1)


@pytest.fixture(scope="module")
def seats() -> pd.DataFrame:
    path = Path(__file__).parents[2] / "data" / "hcmc_wards_2025.csv"
    return pd.read_csv(path, dtype={"code": str}).sort_values("code", ignore_index=True)


@pytest.fixture(scope="module")
def city(seats: pd.DataFrame) -> gpd.GeoDataFrame:
    return schematic_wards(seats, DAY)


def _at_home(wards: gpd.GeoDataFrame, seats: pd.DataFrame) -> bool:
    points = shapely.points(seats.sort_values("code")[["lon", "lat"]].to_numpy())
    return bool(shapely.contains_properly(wards.geometry.to_numpy(), points).all())


def test_the_city_is_a_wards_table_with_every_seat_at_home(
    city: gpd.GeoDataFrame, seats: pd.DataFrame
) -> None:
    assert list(city.columns) == list(WARDS_COLUMNS)
    assert city[["code", "name", "kind"]].values.tolist() == (
        seats[["code", "name", "kind"]].values.tolist()
    )
    assert _at_home(city, seats)


def test_the_city_is_a_valid_coverage_of_about_its_area(
    city: gpd.GeoDataFrame, seats: pd.DataFrame
) -> None:
    assert shapely.coverage_is_valid(city.geometry.to_numpy())
    assert city.is_valid.all()
    assert (city.geom_type == "Polygon").all()
    assert city["area_km2"].sum() == pytest.approx(seats["area_km2"].sum(), rel=0.02)


def test_the_mainland_is_one_piece_and_con_dao_an_island(city: gpd.GeoDataFrame) -> None:
    pieces = shapely.get_parts(city.union_all())
    assert len(pieces) == 2
    assert [len(piece.interiors) for piece in pieces] == [0, 0]
    alone = city[city.geometry.apply(lambda ward: any(ward.equals(piece) for piece in pieces))]
    assert alone["code"].tolist() == ["26732"]


def test_the_city_has_no_spikes(city: gpd.GeoDataFrame) -> None:
    """Compactness 4 pi area / perimeter^2: a disc has 1, real wards .3 to .6, a needle under .1."""
    metres = city.to_crs("EPSG:32648")
    assert (4 * np.pi * metres.area / metres.length**2).min() > 0.2


def test_the_same_seats_give_the_same_city(city: gpd.GeoDataFrame, seats: pd.DataFrame) -> None:
    again = schematic_wards(seats.sample(frac=1, random_state=1), DAY)
    assert again[["code", "name", "kind"]].equals(city[["code", "name", "kind"]])
    assert shapely.area(
        shapely.symmetric_difference(again.geometry.to_numpy(), city.geometry.to_numpy())
    ).max() == pytest.approx(0, abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.5, 3.0]))
def test_any_seats_give_a_valid_coverage(count: int, seed: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    seats = pd.DataFrame(
        {
            "code": [f"{number:05}" for number in range(count)],
            "name": "x",
            "kind": "",
            "lon": 106 + spread * random.uniform(size=count).round(3),
            "lat": 11 + spread * random.uniform(size=count).round(3),
            "area_km2": random.lognormal(2, 1, size=count),
        }
    ).drop_duplicates(["lon", "lat"])
    wards = schematic_wards(seats, DAY)
    assert shapely.coverage_is_valid(wards.geometry.to_numpy())
    assert _at_home(wards, seats)


def test_seats_that_are_no_places_are_named(seats: pd.DataFrame) -> None:
    bad = seats.head(5).assign(
        lon=[106.7, 10.8, 106.8, 106.8, 106.9],
        lat=[10.7, 106.7, 10.9, 10.9, 10.7],
        area_km2=[0, 1, 1, 1, 1],
    )
    with pytest.raises(GeoError) as refused:
        schematic_wards(bad, DAY)
    assert refused.value.facts["codes"] == tuple(bad["code"][:4])
    with pytest.raises(GeoError) as refused:
        schematic_wards(seats.drop(columns="lon"), DAY)
    assert refused.value.facts["missing"] == ("lon",)
