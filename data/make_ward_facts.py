"""Write `hcmc_wards_2025.csv` from the package vietnamadminunits 1.0.4.

The package is needed only here, never at run time (it can call a geocoder)::

    pip install vietnamadminunits==1.0.4
    python data/make_ward_facts.py

Its table `admin_units` holds, for each of the 3,321 units of 1 July 2025, the code, the name,
the kind, the point of the administrative seat and the published area.
"""

import csv
import importlib.util
import sqlite3
from pathlib import Path

KINDS = {"Phường": "phuong", "Xã": "xa", "Đặc khu": "dac_khu"}
HO_CHI_MINH_CITY = "79"


def main() -> None:
    """Read the package's database as a file, without running any of the package's code."""
    spec = importlib.util.find_spec("vietnamadminunits")
    if spec is None or spec.origin is None:
        raise SystemExit("vietnamadminunits is missing: pip install vietnamadminunits==1.0.4")
    database = Path(spec.origin).parent / "data" / "dataset.db"
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True) as connection:
        units = connection.execute(
            "SELECT wardCode, wardShort, wardType, wardLon, wardLat, wardAreaKm2"
            " FROM admin_units WHERE provinceCode = ? ORDER BY wardCode",
            (HO_CHI_MINH_CITY,),
        ).fetchall()
    target = Path(__file__).with_name("hcmc_wards_2025.csv")
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "name", "kind", "lon", "lat", "area_km2"])
        writer.writerows((code, name, KINDS[kind], *rest) for code, name, kind, *rest in units)
    print(f"{len(units)} wards written to {target.name}")


if __name__ == "__main__":
    main()
