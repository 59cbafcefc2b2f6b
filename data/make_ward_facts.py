"""Write the facts about the wards, today's and those of before, from vietnamadminunits 1.0.4.

The package is needed only here, never at run time (it can call a geocoder)::

    pip install vietnamadminunits==1.0.4
    python data/make_ward_facts.py

Its table `admin_units` holds, for each of the 3,321 units of 1 July 2025, the code, the name, the
kind, the point of the administrative seat and the published area. `admin_units_legacy` holds the
10,040 units of before; only their codes, names, kinds and districts are read, for their points and
boxes come from the Google Geocoding API, whose terms may forbid to pass them on.
`converter_2025.json` says which old unit went to which new one, without shares.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

KINDS = {"Phường": "phuong", "Xã": "xa", "Đặc khu": "dac_khu", "Thị trấn": "thi_tran"}
HO_CHI_MINH_CITY = "79"
NEW_PROVINCE = "thanhphohochiminh"
# Ho Chi Minh City, Bình Dương, Bà Rịa - Vũng Tàu as they were.
OLD_PROVINCES = ("79", "74", "77")
CON_DAO = "26732"


@dataclass(frozen=True)
class NewWard:
    """A unit of today."""

    code: str
    name: str
    kind: str
    lon: float
    lat: float
    area_km2: float


@dataclass(frozen=True)
class OldWard:
    """A unit of before; the key is the one that the converter knows it by."""

    key: str
    code: str
    name: str
    kind: str
    district: str


def main() -> None:
    """Read the package's files as files, without running any of the package's code."""
    spec = importlib.util.find_spec("vietnamadminunits")
    if spec is None or spec.origin is None:
        raise SystemExit("vietnamadminunits is missing: pip install vietnamadminunits==1.0.4")
    folder = Path(spec.origin).parent / "data"
    with sqlite3.connect(f"{(folder / 'dataset.db').as_uri()}?mode=ro", uri=True) as connection:
        new_by_key = _new_wards(connection)
        old_wards = _old_wards(connection)
    converter = json.loads((folder / "converter_2025.json").read_text("utf-8"))
    pairs = _pairs(converter, old_wards, new_by_key)
    _write_new_wards(new_by_key.values())
    _write_old_wards(old_wards)
    _write_crosswalk(pairs)


def _new_wards(connection: sqlite3.Connection) -> dict[str, NewWard]:
    rows = connection.execute(
        "SELECT wardKey, wardCode, wardShort, wardType, wardLon, wardLat, wardAreaKm2"
        " FROM admin_units WHERE provinceCode = ? ORDER BY wardCode",
        (HO_CHI_MINH_CITY,),
    )
    return {key: NewWard(code, name, KINDS[kind], *rest) for key, code, name, kind, *rest in rows}


def _old_wards(connection: sqlite3.Connection) -> list[OldWard]:
    rows = connection.execute(
        "SELECT provinceKey, districtKey, wardKey, wardCode, wardShort, wardType, district"
        " FROM admin_units_legacy WHERE provinceCode IN (?, ?, ?)",
        OLD_PROVINCES,
    )
    return sorted((_old_ward(*row) for row in rows), key=lambda ward: ward.code)


def _old_ward(
    province_key: str,
    district_key: str,
    ward_key: str | None,
    code: str | None,
    name: str,
    kind: str | None,
    district: str,
) -> OldWard:
    if code is None:
        # Côn Đảo was a district without communes: the table has neither code nor name nor kind of
        # a ward for it. It gets the code it has today; its name carries the kind, which none of
        # the four words is.
        if district != "Huyện Côn Đảo":
            raise SystemExit(f"A unit of {district} has no code.")
        code, name = CON_DAO, district
    key = f"{province_key}_{district_key}_{ward_key or ''}"
    return OldWard(key, code, name, KINDS[kind] if kind else "", district)


# -- which old ward went where

Pairs = list[tuple[OldWard, NewWard]]


def _pairs(
    converter: dict[str, dict[str, dict[str, list[object]]]],
    old_wards: Sequence[OldWard],
    new_by_key: dict[str, NewWard],
) -> Pairs:
    """Return the official pairs, of whole and of divided old wards, sorted by their codes."""
    old_by_key = {ward.key: ward for ward in old_wards}
    whole = converter["DICT_PROVINCE_WARD_NO_DIVIDED"][NEW_PROVINCE]
    divided = converter["DICT_PROVINCE_WARD_DIVIDED"][NEW_PROVINCE]
    keys = [(str(old), new) for new, olds in whole.items() for old in olds]
    keys += [
        (old, str(part["newWardKey"]))
        for old, parts in divided.items()
        for part in parts
        if isinstance(part, dict)
    ]
    lost = old_by_key.keys() ^ {old for old, _ in keys}
    lost |= new_by_key.keys() ^ {new for _, new in keys}
    if lost or len(set(keys)) != len(keys):
        raise SystemExit(f"The list of pairs and the lists of wards do not agree: {lost}")
    pairs = [(old_by_key[old], new_by_key[new]) for old, new in keys]
    return sorted(pairs, key=lambda pair: (pair[0].code, pair[1].code))


# -- the files


def _write_new_wards(wards: Iterable[NewWard]) -> None:
    rows = [(w.code, w.name, w.kind, w.lon, w.lat, w.area_km2) for w in wards]
    _write("hcmc_wards_2025.csv", ["code", "name", "kind", "lon", "lat", "area_km2"], rows)


def _write_old_wards(wards: Sequence[OldWard]) -> None:
    rows = [(w.code, w.name, w.kind, w.district) for w in wards]
    _write("hcmc_wards_before_july_2025.csv", ["code", "name", "kind", "district"], rows)


def _write_crosswalk(pairs: Pairs) -> None:
    parts = Counter(old.code for old, _ in pairs)
    print(f"{sum(count > 1 for count in parts.values())} of {len(parts)} old wards were divided")
    _write(
        "hcmc_crosswalk_july_2025.csv",
        ["old_code", "old_name", "new_code", "new_name"],
        [(old.code, old.name, new.code, new.name) for old, new in pairs],
    )


def _write(name: str, columns: list[str], rows: Sequence[tuple[object, ...]]) -> None:
    with Path(__file__).with_name(name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    print(f"{len(rows)} rows written to {name}")


if __name__ == "__main__":
    main()
