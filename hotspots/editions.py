"""The boundary editions of a store, and what crosses from one to another.

A ward's code or name alone identifies nothing: 167 of Ho Chi Minh City's 168 codes of 1 July 2025
had been codes of other wards before. The key is everywhere (code, edition).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import geopandas as gpd
import pandas as pd

from geo.coverage import covered_share
from geo.crosswalk import (
    Crosswalk,
    ReadCrosswalk,
    measured_again,
    pairs_of,
    read_pairs,
    route,
    weights_from,
    write_pairs,
)
from geo.names import find_wards
from geo.neighbours import Neighbours, neighbours, within_distance
from geo.wards import drawing_copy, feature_collection, read_edition, write_edition
from hotspots.errors import NotFound, StoreError
from hotspots.records.audit import Audit
from hotspots.records.store import Edition, KeptCrosswalk, Store, sha256_of
from hotspots.snapshot import Lineage, LineageStep, Part

_Value = TypeVar("_Value")

_COVERED = 0.98
"""Two makers draw the same border a little apart; less than this of a ward is a part missing."""


class Editions:
    """Boundary editions, crosswalks between them, and the history of a ward.

    Parameters
    ----------
    store : Store
    once : callable
        Answers from memory while the store is unchanged: (key, work) -> the work's answer.
    """

    def __init__(
        self, store: Store, once: Callable[[object, Callable[[], object]], object]
    ) -> None:
        self._store = store
        self._once = once

    def _kept(self, key: object, work: Callable[[], _Value]) -> _Value:
        answer: _Value = self._once(key, work)  # type: ignore[assignment]
        return answer

    # -- editions

    def keep(
        self,
        wards: gpd.GeoDataFrame,
        edition: date,
        now: datetime,
        source: str,
        findings: Mapping[str, object],
        *,
        used: Collection[str],
        schematic: bool = False,
        replace_edition: bool = False,
        audit: Audit | None = None,
    ) -> Edition:
        """Keep a wards table as an edition.

        Parameters
        ----------
        used : collection of str
            Codes of this edition that the store's records name already; boundaries without them
            are refused.
        """
        name = edition.isoformat()
        _refuse_without(set(used) | self._of_crosswalks(name), wards, edition)
        drawing = feature_collection(drawing_copy(wards))
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / "wards.parquet"
            write_edition(wards, temporary)
            content = temporary.read_bytes()
        # Named by both contents: an edition that is refused must not overwrite the one in force.
        stem = f"{edition.isoformat()}-{sha256_of(content + drawing)[:12]}"
        wards_file = self._store.write_file("boundaries", f"{stem}.parquet", content)
        kept = Edition(
            edition=edition.isoformat(),
            source=source,
            schematic=schematic,
            units=len(wards),
            findings=findings,
            wards_file=wards_file,
            drawing_file=self._store.write_file("drawing", f"{stem}.geojson", drawing),
        )
        self._store.add_edition(kept, now, replace=replace_edition, audit=audit)
        self._measure_again(name, now)
        return kept

    def _of_crosswalks(self, edition: str) -> set[str]:
        """Return the wards that crosswalks to an edition lead to."""
        return {
            str(code)
            for crosswalk in self.crosswalks()
            if crosswalk.to_edition == edition
            for code in crosswalk.pairs["new_code"]
        }

    def without_boundary(self, edition: str) -> set[str]:
        """Return the codes of an edition that are known from a crosswalk only."""
        there = next((item for item in self.all() if item.edition == edition), None)
        if there is None:
            return set()
        return set(self.names(edition).index) - set(self.wards(there)["code"])

    def _measure_again(self, edition: str, now: datetime) -> None:
        """Weigh divided wards anew where real boundaries have come for a sketch."""
        for kept in self.kept_crosswalks():
            days = (kept.from_edition, kept.to_edition)
            old, new = (self.named(day) for day in days)
            if edition not in days or old.schematic or new.schematic:
                continue
            crosswalk = pairs_of(kept.pairs_file, *days)
            found = measured_again(crosswalk, self.wards(old), self.wards(new))
            if found is not None:
                names = crosswalk.pairs.set_index("old_code")["old_name"].to_dict()
                behind = tuple((code, names[code]) for code in found.cannot_be_carried())
                findings = {**kept.findings, "cannot_be_carried": behind}
                findings["weights_from"] = weights_from(found)
                self._keep_crosswalk(found, kept.source, findings, now)

    def all(self) -> list[Edition]:
        """Return all editions, oldest first."""
        return self._store.editions()

    def on(self, day: date) -> Edition:
        """Return the edition valid on a day.

        Raises
        ------
        NotFound
            ``no_boundaries``: the store has none; ``no_edition`` (day, first): none was valid yet.
        """
        near = self.near(day)
        if near.edition > day.isoformat():
            raise NotFound(
                "no_edition",
                f"No boundaries are known for {day}: the first are of {near.edition}, and the same "
                "code may have been another ward before. Add the boundaries valid on that day "
                "('hotspots boundaries add FILE --edition YYYY-MM-DD'), or say which edition the "
                "codes belong to (a column 'edition', or --edition).",
                day=day,
                first=date.fromisoformat(near.edition),
            )
        return near

    def valid_on(self, day: date) -> Edition | None:
        """Return the edition valid on a day; None if the store has none."""
        try:
            return self.on(day)
        except NotFound as error:
            if error.reason != "no_edition":
                raise
            return None

    def near(self, day: date) -> Edition:
        """Return the edition valid on a day; before the first, the first, which must be said.

        Raises
        ------
        NotFound
            If the store has no boundaries.
        """
        editions = self.all()
        if not editions:
            raise NotFound(
                "no_boundaries",
                "The store has no ward boundaries yet; add a file with "
                "'hotspots boundaries add FILE --edition YYYY-MM-DD'.",
            )
        valid = [edition for edition in editions if edition.edition <= day.isoformat()]
        return valid[-1] if valid else editions[0]

    def named(self, edition: str) -> Edition:
        """Return an edition by its day.

        Raises
        ------
        NotFound
            ``unknown_edition`` (edition, editions).
        """
        editions = self.all()
        found = next((item for item in editions if item.edition == edition), None)
        if found is None:
            there = [item.edition for item in editions]
            raise NotFound(
                "unknown_edition",
                f"There are no boundaries of {edition}; there are those of {', '.join(there)}.",
                edition=edition,
                editions=", ".join(there) or "–",
            )
        return found

    def wards(self, edition: Edition) -> gpd.GeoDataFrame:
        """Return the wards of an edition; one shared table, not to be changed."""
        return self._kept(("wards", edition.wards_file), lambda: read_edition(edition.wards_file))

    def names(self, edition: str) -> pd.DataFrame:
        """Return `name` and `kind` of every code known in an edition, by code.

        Known are its wards, and the old wards that a crosswalk from it names: their boundaries may
        be missing, their codes are still codes of that time.
        """
        return self._kept(("names", edition), lambda: self._names(edition))

    def _names(self, edition: str) -> pd.DataFrame:
        wards = self.wards(self.named(edition)).set_index("code")[["name", "kind"]]
        tables = [pd.DataFrame(wards)]
        for crosswalk in self.crosswalks():
            if crosswalk.from_edition == edition:
                old = crosswalk.pairs.drop_duplicates("old_code").set_index("old_code")
                tables.append(old[["old_name"]].set_axis(["name"], axis=1).assign(kind=""))
        table = pd.concat(tables)
        return table[~table.index.duplicated()].sort_index()

    # -- crosswalks

    def read_crosswalk(
        self,
        table: pd.DataFrame,
        from_edition: date,
        to_edition: date,
        *,
        used: Collection[str] = (),
    ) -> ReadCrosswalk:
        """Read and check the official list of where the wards of an edition went.

        Parameters
        ----------
        used : collection of str
            Codes of the earlier edition that the store's records name; a list that leaves out one
            known from an earlier list only is refused.

        Raises
        ------
        StoreError
            ``crosswalk_backward``: the first edition is not the earlier one.
        NotFound
            If the store lacks one of the editions.
        GeoError
            With all rows that cannot be used.
        """
        if from_edition >= to_edition:
            raise StoreError(
                "crosswalk_backward",
                f"A crosswalk leads from an earlier edition to a later one, not from "
                f"{from_edition} to {to_edition}.",
                earlier=from_edition,
                later=to_edition,
            )
        editions = [self.named(day.isoformat()) for day in (from_edition, to_edition)]
        old, new = (self.wards(edition) for edition in editions)
        measurable = not any(edition.schematic for edition in editions)
        read = read_pairs(table, old, new, measure=measurable)
        lacking = set(used) - set(old["code"]) - set(read.crosswalk.pairs["old_code"])
        if lacking:
            shown = ", ".join(sorted(lacking)[:10])
            raise StoreError(
                "crosswalk_lacks_wards",
                f"The store's records of {from_edition} name {len(lacking)} wards that neither the "
                f"boundaries nor this list has: {shown}. Add them to the list.",
                edition=from_edition,
                count=len(lacking),
                wards=shown,
            )
        return read

    def keep_crosswalk(
        self, read: ReadCrosswalk, source: str, now: datetime, audit: Audit | None = None
    ) -> KeptCrosswalk:
        """Keep a crosswalk that was read; the same again changes nothing."""
        return self._keep_crosswalk(read.crosswalk, source, asdict(read.findings), now, audit)

    def _keep_crosswalk(
        self,
        crosswalk: Crosswalk,
        source: str,
        findings: Mapping[str, object],
        now: datetime,
        audit: Audit | None = None,
    ) -> KeptCrosswalk:
        content = write_pairs(crosswalk)
        days = crosswalk.from_edition, crosswalk.to_edition
        name = f"{days[0]}-{days[1]}-{sha256_of(content)[:12]}.parquet"
        there = [item for item in self.kept_crosswalks() if item.pairs_file.name == name]
        if there:
            return there[0]
        file = self._store.write_file("crosswalks", name, content)
        kept = KeptCrosswalk(0, *days, source, findings, file)
        self._store.add_crosswalk(kept, now, audit=audit)
        return next(
            kept for kept in self.kept_crosswalks() if (kept.from_edition, kept.to_edition) == days
        )

    def kept_crosswalks(self) -> list[KeptCrosswalk]:
        """Return the crosswalks in force with what was found in their files."""
        return self._store.crosswalks()

    def crosswalks(self) -> list[Crosswalk]:
        """Return the crosswalks in force."""
        return [
            self._kept(
                ("pairs", kept.pairs_file),
                lambda kept=kept: pairs_of(  # type: ignore[misc]
                    kept.pairs_file, kept.from_edition, kept.to_edition
                ),
            )
            for kept in self.kept_crosswalks()
        ]

    def route(self, earlier: str, later: str) -> Crosswalk | None:
        """Return the crosswalk from an edition to a later one, over several changes if need be."""
        return self._kept(
            ("route", earlier, later), lambda: route(self.crosswalks(), earlier, later)
        )

    def unchanged(self, ward: str, earlier: str, later: str) -> str | None:
        """Return the ward of a later edition that took over a ward's territory unchanged."""
        crosswalk = self.route(earlier, later) if earlier < later else None
        return None if crosswalk is None else successor(crosswalk, ward)

    def partly_outside(self, wards: Edition, coverage: Edition) -> frozenset[str]:
        """Return the wards of an edition that the boundaries of another do not cover.

        Points placed on that other edition were refused in the part outside it, so these wards'
        counts of that time are not known. Nothing can be said of sketches.
        """
        if wards.schematic or coverage.schematic or wards.edition == coverage.edition:
            return frozenset()

        def measure() -> frozenset[str]:
            table = drawing_copy(self.wards(wards))
            other = drawing_copy(self.wards(coverage))
            share = covered_share(table.geometry.to_numpy(), other.geometry.to_numpy())
            return frozenset(table["code"][share < _COVERED])

        return self._kept(("outside", wards.wards_file, coverage.wards_file), measure)

    # -- the history of a ward

    def lineage(self, code: str, edition: str) -> Lineage:
        """Return which wards a ward was made of, and what became of it.

        Raises
        ------
        NotFound
            ``unknown_ward``.
        """
        names = self.names(edition)
        if code not in names.index:
            raise unknown_ward(code, edition)
        days = [item.edition for item in self.all()]
        earlier = [day for day in reversed(days) if day < edition]
        later = [day for day in days if day > edition]
        before = [self._step(day, self.route(day, edition), code, back=True) for day in earlier]
        after = [self._step(day, self.route(edition, day), code, back=False) for day in later]
        return Lineage(
            code=code,
            name=str(names.loc[code, "name"]),
            kind=str(names.loc[code, "kind"]),
            edition=edition,
            before=tuple(step for step in before if step is not None),
            after=tuple(step for step in after if step is not None),
        )

    def _step(
        self, other: str, crosswalk: Crosswalk | None, code: str, *, back: bool
    ) -> LineageStep | None:
        """Return the wards of another edition that a ward was made of, or that it went to."""
        if crosswalk is None:
            return None
        pairs = crosswalk.parents(code) if back else crosswalk.children(code)
        names = self.names(other)
        side = "old_code" if back else "new_code"
        parts = tuple(
            Part(
                code=str(found),
                name=str(names["name"].get(found, "")),
                kind=str(names["kind"].get(found, "")),
                share=None if pd.isna(weight) else float(weight),
                whole=not part,
                basis=str(basis),
            )
            for found, weight, part, basis in zip(
                pairs[side], pairs["weight"], pairs["part"], pairs["basis"], strict=True
            )
        )
        return LineageStep(other, parts) if parts else None

    def neighbours(
        self, edition: Edition, *, corners: bool = False, km: float | None = None
    ) -> Neighbours:
        """Return which wards of an edition touch, or lie within a distance of each other."""
        wards = self.wards(edition)
        if km is not None:
            return within_distance(wards, km)
        return neighbours(wards, corners=corners)

    def find(self, text: str) -> pd.DataFrame:
        """Return every ward of every edition that a person may mean by a name or code."""
        tables = [
            self.names(item.edition).rename_axis("code").reset_index().assign(edition=item.edition)
            for item in self.all()
        ]
        if not tables:
            self.near(date.max)  # says that there are no boundaries
        return find_wards(text, pd.concat(tables, ignore_index=True))


def unknown_ward(code: str, edition: str) -> NotFound:
    """Return the error that a code is no ward of an edition."""
    return NotFound(
        "unknown_ward",
        f"{code!r} is not a ward of edition {edition}. Did the boundary change? Add the boundaries "
        "valid on that day, or correct the code.",
        ward=code,
        edition=edition,
    )


def _refuse_without(used: Collection[str], wards: gpd.GeoDataFrame, edition: date) -> None:
    """Refuse boundaries that lack wards which the store's records of that edition name."""
    lacking = sorted(set(used) - set(wards["code"]))
    if lacking:
        name = edition.isoformat()
        raise StoreError(
            "edition_lacks_wards",
            f"The store's records of edition {name} name {len(lacking)} wards that the file "
            f"does not have: {', '.join(lacking[:10])}. Give another edition day or another "
            "file.",
            edition=name,
            count=len(lacking),
            wards=", ".join(lacking[:10]),
        )


def successor(crosswalk: Crosswalk, ward: str) -> str | None:
    """Return the ward that took over a ward's territory unchanged, if one did."""
    children = crosswalk.children(ward)
    if len(children) != 1 or children["weight"].iloc[0] != 1:
        return None
    new = str(children["new_code"].iloc[0])
    return new if len(crosswalk.parents(new)) == 1 else None
