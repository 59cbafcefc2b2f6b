"""The proof that the log is what was written: every row, every stream, every file, every anchor.

It walks the chain from the first row, reads every payload, and plays every stream of a hotspot
again, event by event, by the rules that let it be written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from hotspots.errors import MoveRefused, StoreError
from hotspots.programme.status import (
    DECISIONS,
    Event,
    EventType,
    check_decision,
    check_move,
    pending,
    resolve,
    state_of,
)
from hotspots.records.anchors import Anchor, missing_anchor
from hotspots.records.audit import AUDIT, AuditAction, row_malformed
from hotspots.records.chain import GENESIS, Head, canonical, hash_of
from hotspots.records.database import Database, events, guards_missing
from hotspots.records.log import HOTSPOT, event_of
from hotspots.records.payloads import is_moment, problem_of_audit
from hotspots.records.simulation import Simulation, simulation_of
from hotspots.records.store import Store


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    events, streams : int
        How many of each were looked at.
    head : Head
        Where the log ends, to compare with a report.
    broken : StoreError or None
        The first row that is not as it was written: its reason says what differs, its facts where
        (`seq`, `stream`).
    problems : tuple of StoreError
        All that was found: `broken`, anchors that are not in the log, a demonstration of which
        setting and log do not say the same, guards that are missing, files that are missing or
        changed, imports that cannot be read.
    """

    events: int
    streams: int
    head: Head
    broken: StoreError | None
    problems: tuple[StoreError, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def verify(where: Database | Store, anchors: Iterable[Anchor] = ()) -> Verification:
    """Walk the log and say what is not as it was written.

    Parameters
    ----------
    where : Database or Store
        Of a store the files are looked at too.
    anchors : iterable of Anchor
        Heads known from reports or anchor files, which the log must hold.
    """
    database = where.database if isinstance(where, Store) else where
    with database.reading() as connection:
        found = verify_log(connection, anchors)
    if not isinstance(where, Store):
        return found
    problems = (*found.problems, *where.file_problems(), *where.batch_problems())
    return Verification(found.events, found.streams, found.head, found.broken, problems)


def verify_log(connection: sa.Connection, anchors: Iterable[Anchor] = ()) -> Verification:
    """Walk the log as a connection sees it."""
    walk = _Walk()
    query = sa.select(events).order_by(events.c.seq).execution_options(yield_per=5000)
    broken: StoreError | None = None
    with connection.execute(query) as rows:
        try:
            for row in rows.mappings():
                walk.step(row)
        except StoreError as error:
            broken = error
    replayed = _first_refused(walk.streams)  # a move before the broken row comes first
    if replayed is not None:
        broken = replayed
    problems = [] if broken is None else [broken]
    lost = missing_anchor(connection, anchors)
    if lost is not None:
        problems.append(_anchor_lost(lost, walk.head))
    simulation = simulation_of(connection)
    if simulation.setting != simulation.log:
        problems.append(_simulation_differs(simulation))
    missing = guards_missing(connection)
    if missing:
        problems.append(_unguarded(missing))
    return Verification(walk.head.count, len(walk.versions), walk.head, broken, tuple(problems))


@dataclass
class _Walk:
    """How far the walk has come."""

    head: Head = field(default_factory=lambda: Head(0, GENESIS))
    moment: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    streams: dict[str, list[Event]] = field(default_factory=dict)

    def step(self, row: Mapping[Any, Any]) -> None:
        values = dict(row)
        written = values.pop("hash")
        seq, stream = values["seq"], values["stream"]
        if seq != self.head.count + 1:
            raise _row_gap(seq, stream, self.head.count + 1)
        if values["prev_hash"] != self.head.hash:
            raise _row_previous(seq, stream)
        if hash_of(values) != written:
            raise _row_hash(seq, stream)
        version = self.versions.get(stream, 0) + 1
        if values["version"] != version:
            raise _row_version(seq, stream, values["version"], version)
        event = _read(values)
        if values["recorded_at"] < self.moment:
            raise _row_moment(seq, stream)
        if event is not None:
            self.streams.setdefault(event.hotspot, []).append(event)
        self.versions[stream] = version
        self.moment = values["recorded_at"]
        self.head = Head(seq, written)


def _read(row: Mapping[str, Any]) -> Event | None:
    """Return a hotspot's event, or None for an audit event, if the row holds what it may hold."""
    try:
        if row["kind"] == HOTSPOT:
            event = event_of(row)
        elif row["kind"] == AUDIT == row["stream"]:
            event = None
            _check_audit(row)
        else:
            raise row_malformed(row["seq"], "kind")
        if canonical(json.loads(row["payload"])) != row["payload"]:
            raise row_malformed(row["seq"], "payload")
    except StoreError as error:
        raise _row_content(row["seq"], row["stream"], error.facts["part"]) from error
    return event


def _check_audit(row: Mapping[str, Any]) -> None:
    if row["type"] not in set(AuditAction):
        raise row_malformed(row["seq"], "type")
    if not is_moment(row["recorded_at"]):
        raise row_malformed(row["seq"], "recorded_at")
    try:
        date.fromisoformat(row["effective_on"])
        wrong = problem_of_audit(json.loads(row["payload"]))
    except (ValueError, AttributeError):
        wrong = "payload"
    if wrong is not None:
        raise row_malformed(row["seq"], wrong)


# -- the rules


def _first_refused(streams: Mapping[str, Sequence[Event]]) -> StoreError | None:
    """Return the first event of the log that the rules would not have let in."""
    refused = [found for stream in streams.values() if (found := _refused(stream)) is not None]
    return min(refused, key=lambda found: found[0].seq)[1] if refused else None


def _refused(stream: Sequence[Event]) -> tuple[Event, StoreError] | None:
    """Return the first event of a stream that the rules would not have let in."""
    if _replays(stream):
        return None
    for number, event in enumerate(stream):  # slow, and only where something is wrong
        try:
            _check(stream[:number], event)
        except MoveRefused as error:
            return event, _row_refused(event, error)
    return None


def _check(before: Sequence[Event], event: Event) -> None:
    if event.type in DECISIONS:
        check_decision(before, event)
    else:
        check_move(before, event)


def _replays(stream: Sequence[Event]) -> bool:
    """Tell whether the rules would have let in every event, without asking them each time.

    As long as events only add to the end of a history, and are approved one by one, the history
    of every prefix is a prefix of the history, so one fold at the end has checked them all. What
    is not so plain (a correction, an event of an earlier day, something sent back) is put to the
    rules itself, after a fold of what came before.
    """
    history: list[Event] = []  # what is believed, and what waits as if it were approved
    waiting: list[Event] = []
    plain = True
    try:
        for number, event in enumerate(stream):
            if plain and _adds_to_the_end(event, history, waiting):
                history.append(_counting(event))
                if event.needs_approval:
                    waiting.append(event)
            elif plain and _approves_the_only(event, waiting):
                waiting = []
            else:
                if plain:
                    _fold(history)
                _check(stream[:number], event)
                so_far = stream[: number + 1]
                plain = not pending(so_far)
                history, waiting = [_counting(each) for each in resolve(so_far)], []
        _fold(history)
    except MoveRefused:
        return False
    return True


def _counting(event: Event) -> Event:
    return replace(event, needs_approval=False) if event.needs_approval else event


def _adds_to_the_end(event: Event, history: Sequence[Event], waiting: Sequence[Event]) -> bool:
    return (
        bool(history)
        and event.type is not EventType.CORRECTED
        and event.type not in DECISIONS
        and event.effective_on >= history[-1].effective_on
        and (event.needs_approval or not waiting)
    )


def _approves_the_only(event: Event, waiting: Sequence[Event]) -> bool:
    """Tell whether this is the approval of what alone waits, by what is plainly another person."""
    if event.type is not EventType.APPROVED or [e.event_id for e in waiting] != [event.about]:
        return False
    author, second = waiting[0].recorded_by, event.recorded_by
    plain_names = (author + second).isascii()
    return plain_names and author.strip().casefold() != second.strip().casefold()


def _fold(history: Sequence[Event]) -> None:
    if history:
        state_of(history[0].hotspot, history, date.max)


# -- what is said


def _row_gap(seq: int, stream: str, expected: int) -> StoreError:
    return StoreError(
        "row_gap",
        f"Row {expected} of the log is missing; row {seq} ({stream}) comes in its place.",
        seq=seq,
        stream=stream,
        expected=expected,
    )


def _row_previous(seq: int, stream: str) -> StoreError:
    return StoreError(
        "row_previous_hash",
        f"Row {seq} of the log ({stream}) was not written after the row that stands before it: "
        "that one, or this one, was put there later.",
        seq=seq,
        stream=stream,
    )


def _row_hash(seq: int, stream: str) -> StoreError:
    return StoreError(
        "row_hash",
        f"Row {seq} of the log ({stream}) was changed after it was written: its hash differs.",
        seq=seq,
        stream=stream,
    )


def _row_version(seq: int, stream: str, version: int, expected: int) -> StoreError:
    return StoreError(
        "row_version",
        f"Row {seq} of the log says it is number {version} of {stream}; it is number {expected}.",
        seq=seq,
        stream=stream,
        version=version,
        expected=expected,
    )


def _row_moment(seq: int, stream: str) -> StoreError:
    return StoreError(
        "row_moment",
        f"Row {seq} of the log ({stream}) says it was written before the row that stands before "
        "it.",
        seq=seq,
        stream=stream,
    )


def _row_content(seq: int, stream: str, key: object) -> StoreError:
    return StoreError(
        "row_content",
        f"Row {seq} of the log ({stream}) does not hold what its type may hold: {key}.",
        seq=seq,
        stream=stream,
        part=key,
    )


def _row_refused(event: Event, refused: MoveRefused) -> StoreError:
    stream = f"{HOTSPOT}/{event.hotspot}"
    if event.type in DECISIONS:
        error = StoreError(
            "row_decision",
            f"Row {event.seq} of the log ({event.hotspot}) is a decision {event.type} that the "
            f"rules do not allow there: {refused}",
            seq=event.seq,
            stream=stream,
            event=event.type,
            rule=refused.reason,
        )
    else:
        error = StoreError(
            "row_move",
            f"Row {event.seq} of the log ({event.hotspot}) is an event {event.type} that the rules "
            f"do not allow there: {refused}",
            seq=event.seq,
            stream=stream,
            event=event.type,
            rule=refused.reason,
        )
    error.__cause__ = refused
    return error


def _anchor_lost(anchor: Anchor, head: Head) -> StoreError:
    return StoreError(
        "anchor_not_in_log",
        f"The log once ended with event {anchor.count} and hash {anchor.hash[:16]} "
        f"({anchor.where or 'a report'}); it holds no such event. Its end was cut off, or it was "
        "written anew.",
        count=anchor.count,
        hash=anchor.hash[:16],
        where=anchor.where or "-",
        events=head.count,
    )


def _simulation_differs(simulation: Simulation) -> StoreError:
    setting, log = simulation.setting or "-", simulation.log or "-"
    return StoreError(
        "simulation_differs",
        f"A setting says up to which day the data are simulated: {setting}; the log says: {log}. "
        "The setting was changed by other means than this product.",
        setting=setting,
        log=log,
    )


def _unguarded(missing: Sequence[str]) -> StoreError:
    return StoreError(
        "guards_missing",
        "The database does not guard the log any more; these triggers are missing, switched off "
        f"or changed: {', '.join(missing)}. Restore a backup into a new store.",
        triggers=", ".join(missing),
    )
