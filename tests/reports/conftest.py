"""A small store of hostile names for the reports: four square wards and what was recorded there."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from hotspots.programme.status import EventType
from hotspots.tracker import Entry, Tracker

DAY = date(2026, 10, 31)
NOW = datetime(2026, 10, 31, 9, tzinfo=UTC)
HOSTILE = {
    "1": "<img src=x onerror=window.ran=1>",
    "2": "{{7*7}}{{ cycler.__init__.__globals__.os.mkdir(dict(ssti=1)|first) }}",
    "3": "</script><script>window.ran=1</script>{% Tân",
    "4": "${window.ran=1}`\\`'\"><svg onload=window.ran=1>",
}
CORNERS = {"1": (106, 10), "2": (106.1, 10), "3": (106, 10.1), "4": (106.1, 10.1)}
PROGRAMME = Path(__file__).parents[2] / "data" / "hcmc_programme.toml"


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """
    3 4    a store whose wards, notes and authors try to be code
    1 2
    """
    monkeypatch.chdir(tmp_path)
    tracker = Tracker.open(tmp_path / "store", create=True)
    text = PROGRAMME.read_text("utf-8").replace("required = true", "required = false")
    tracker.add_programme(text, NOW)
    tracker.add_boundaries(_boundaries(tmp_path), date(2025, 7, 1), NOW)
    counts = pd.DataFrame(
        [
            {"ward": ward, "month": str(month), "category": "theft", "count": 3 + int(ward)}
            for ward in HOSTILE
            for month in pd.period_range("2025-01", "2026-10", freq="M")
        ]
    )
    counts.to_parquet(tmp_path / "counts.parquet")
    tracker.import_counts(tmp_path / "counts.parquet", today=DAY, now=NOW)
    for ward, name in HOSTILE.items():
        steps = (
            (EventType.DESIGNATED, date(2025, 8, 1), 2025),
            (EventType.WORK_STARTED, date(2025, 9, 1), None),
            (EventType.ASSESSED_TRANSFORMED, date(2025, 12, 15), None),
        )
        for event, on, year in steps:
            entry = Entry(
                f"{ward}-2025", event, on, name, NOW, note=name, plan_year=year, ward=ward
            )
            tracker.record(entry, today=DAY)
    return tracker


def _boundaries(folder: Path) -> Path:
    features = []
    for code, (lon, lat) in CORNERS.items():
        corners = [(0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1), (0, 0)]
        ring = [[round(lon + x, 3), round(lat + y, 3)] for x, y in corners]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        properties = {"code": code, "name": HOSTILE[code]}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    path = folder / "wards.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
