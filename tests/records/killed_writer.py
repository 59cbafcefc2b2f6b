"""A process of its own that writes to a store until it is killed, for `test_faults`.

It reads commands (one line of JSON each), forks a child for each (imports take longer than a
round), and tells the child's process id, every write that the store acknowledged, and its end.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime

from hotspots.errors import StoreError
from hotspots.programme.status import Event, EventType, Place
from hotspots.records.audit import Audit, AuditAction
from hotspots.records.log import append, read_events
from hotspots.records.store import Store

DAY = date(2025, 10, 20)
PLACE = Place("26734", "2025-07-01", "Phường Bến Thành", frozenset({1}))
LONGEST = 120
"""Seconds after which a child ends by itself."""


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # at once, and whole


def group(name: str) -> list[Event]:
    """A new hotspot's first three events, to be written at once."""
    now = datetime.now(UTC)
    first = Event(
        f"{name}-0", name, EventType.DESIGNATED, DAY, now, "an", plan_year=2025, place=PLACE
    )
    more = [
        Event(f"{name}-{n}", name, EventType.INSPECTED, DAY, now, "an", note="x" * 300)
        for n in (1, 2)
    ]
    return [first, *more]


def write_until_killed(store: Store, name: str) -> None:
    """Write groups with an audit each; one that is refused is looked for, then tried again."""
    for number in itertools.count():
        this = f"{name}-{number}"
        if acknowledged(lambda this=this: write(store, this), this):  # type: ignore[misc]
            continue
        while not acknowledged(lambda this=this: write_if_missing(store, this), this):  # type: ignore[misc]
            time.sleep(0.02)


def write(store: Store, name: str) -> None:
    noted = Audit(AuditAction.IMPORTED, "an", datetime.now(UTC), name)
    append(store.database, group(name), audit=[noted])


def write_if_missing(store: Store, name: str) -> None:
    """A server that stopped may have kept what it did not acknowledge."""
    if not read_events(store.database, name):
        write(store, name)


def acknowledged(work: Callable[[], object], name: str) -> bool:
    try:
        work()
    except StoreError as error:
        tell(f"refused {error.reason}")
        return False
    tell(f"wrote {name}")
    return True


def acknowledge_too_early(store: Store, name: str) -> None:
    """A mutant: says that it has written before it has."""
    for number in itertools.count():
        tell(f"wrote {name}-{number}")
        time.sleep(0.02)
        write(store, f"{name}-{number}")


def write_in_pieces(store: Store, name: str) -> None:
    """A mutant: a group is not one transaction."""
    for number in itertools.count():
        for event in group(f"{name}-{number}"):
            append(store.database, [event])
            time.sleep(0.01)
        tell(f"wrote {name}-{number}")


def contend(store: Store, name: str, threads: int, attempts: int) -> None:
    """Write inspections to the hotspots that are there, each as of what the writer had seen."""
    writers = [
        threading.Thread(target=_contend, args=(store, f"{name}-{number}", attempts))
        for number in range(threads)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


def _contend(store: Store, name: str, attempts: int) -> None:
    chance = random.Random(name)  # noqa: S311 - the same every time
    hotspots = sorted({event.hotspot for event in read_events(store.database)})
    for number in range(attempts):
        hotspot = chance.choice(hotspots)
        seen = len(read_events(store.database, hotspot))
        event = Event(
            f"{name}-{number}",
            hotspot,
            EventType.INSPECTED,
            DAY,
            datetime.now(UTC),
            name,
            note=f"saw {seen}",
        )
        acknowledged(
            lambda event=event, seen=seen: append(  # type: ignore[misc]
                store.database, [event], {event.hotspot: seen}
            ),
            event.event_id,
        )


WORK = {
    "write": write_until_killed,
    "contend": contend,
    "too early": acknowledge_too_early,
    "in pieces": write_in_pieces,
}


def obey(command: dict[str, object]) -> None:
    with closing(Store(str(command.pop("location")))) as store:
        WORK[str(command.pop("do"))](store, **command)  # type: ignore[operator]


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.alarm(LONGEST)
            status = 1
            tell(f"child {os.getpid()}")
            try:
                obey(json.loads(line))
                status = 0
            except BaseException as error:
                tell(f"failed {error!r}")
            os._exit(status)
        os.waitpid(child, 0)
        tell("end")


if __name__ == "__main__":
    main()
