"""How much a file may hold and how much its reading may cost; one table for all readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What is allowed; sizes in bytes, times in seconds.

    The defaults are for one office: 5 million rows of a CSV, workbooks and maps of one city.
    """

    table_bytes: int = 2_000_000_000  # CSV and Parquet
    document_bytes: int = 25_000_000  # workbooks, GeoJSON, GeoPackage, zipped shapefiles
    unpacked_bytes: int = 200_000_000  # all members of a zip together
    zip_members: int = 2_000
    zip_ratio: float = 200.0  # unpacked to packed, of one member
    columns: int = 500
    header_bytes: int = _MIB
    cell_bytes: int = _MIB
    workbook_rows: int = 1_000_000
    table_rows: int = 50_000_000
    features: int = 20_000
    vertices: int = 1_000_000  # of all features together
    feature_vertices: int = 200_000
    geometry_depth: int = 32
    listed_rows: int = 100_000  # ragged rows that are listed; a file with more is refused
    batch_rows: int = 200_000
    memory_bytes: int = 1_000_000_000  # resident memory of the child
    address_bytes: int = 4_000_000_000  # mapped memory of the child (RLIMIT_AS)
    written_bytes: int = 8_000_000_000  # the largest file the child may write
    open_files: int = 256
    cpu_seconds: int = 300
    wall_seconds: float = 300.0
    wall_seconds_per_gb: float = 600.0  # more for every 10^9 bytes of a table file

    def as_dict(self) -> dict[str, int | float]:
        """Return the limits as plain values, to be sent to the child."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int | float]) -> Limits:
        """Return limits from `as_dict`."""
        return cls(**values)  # type: ignore[arg-type] # the names and kinds are our own


LIMITS = Limits()


@dataclass(frozen=True)
class Wish:
    """What the person decided about the reading of a file; all of it optional.

    Attributes
    ----------
    encoding : str, optional
        One of `encodings.ENCODINGS`.
    separator : str, optional
        Of a CSV.
    sheet : str, optional
        Of a workbook.
    header_row : int, optional
        The row of the file that holds the names, from 1.
    layer : str, optional
        Of a GeoPackage, or of a zip with several shapefiles.
    crs : str, optional
        As ``EPSG:3405``; what the file says is not believed then.
    swap_axes : bool
        The file has latitude before longitude.
    """

    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    layer: str | None = None
    crs: str | None = None
    swap_axes: bool = False
