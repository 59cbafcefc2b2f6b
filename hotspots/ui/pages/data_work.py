"""The file that a session is bringing in: what was read, what the person answered, what it gave.

It lives in the session and nowhere else: another session, also of the same person, has its own.
When the session forgets it, the private folder of what was read goes with it.
"""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from geo.crosswalk import ReadCrosswalk
from geo.errors import GeoError
from geo.wards import ReadWards
from hotspots.errors import HotspotsError
from hotspots.importing import Decision, Trial, Upload
from hotspots.measures.file_kinds import FileKind
from hotspots.measures.mapping import ColumnMapping, Guess
from hotspots.programme.roles import Permission
from hotspots.records.intake import Wish
from hotspots.ui import session

_CURRENT, _ROUND, _FAILED = "data.work", "data.round", "data.failed"

CELL_SHOWN = 200
"""Signs of a cell that are shown: one of a file can hold a megabyte."""

OF_BOUNDARIES = (FileKind.BOUNDARIES, FileKind.CROSSWALK)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Done:
    """What became of a file that was written.

    Attributes
    ----------
    lines : tuple of str
        In the language of the moment.
    log : (int, str)
        Where the log ended then: its count and hash.
    mapping : str
        TOML, to be used again; "" where there is none.
    figures : bool
        Whether it was a table of figures, and no boundaries.
    """

    lines: tuple[str, ...]
    sha256: str
    log: tuple[int, str]
    mapping: str
    figures: bool


@dataclass
class Work:
    """A file on its way, from the upload to the receipt.

    Attributes
    ----------
    user : str, optional
        Whose it is: on a screen that changes hands it goes.
    given : ColumnMapping
        A saved mapping that the person brought along; what it says is where answers start.
    stage : str
        ``look``, ``trying``, ``tried`` or ``done``.
    starts : dict
        Where each answer started, to tell what the person has changed.
    """

    name: str
    content: bytes
    upload: Upload
    user: str | None
    wish: Wish = Wish()  # noqa: RUF009 - frozen
    given: ColumnMapping = field(default_factory=ColumnMapping)
    stage: str = "look"
    answers: dict[str, Any] = field(default_factory=dict)
    starts: dict[str, Any] = field(default_factory=dict)
    problem: HotspotsError | GeoError | None = None
    decision: Decision | None = None
    trial: Trial | None = None
    found: ReadWards | ReadCrosswalk | None = None
    done: Done | None = None
    token: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    _kept: dict[object, Any] = field(default_factory=dict, repr=False)

    def close(self) -> None:
        """Remove what was read, staged and kept of the file."""
        self.upload.reading.close()
        self.forget_trial()
        self.content = b""
        self._kept.clear()

    def forget_trial(self) -> None:
        """Give a dry run up; what it staged goes."""
        if self.trial is not None:
            self.trial.close()
        self.trial = self.found = None

    # -- answers: kept here, because Streamlit forgets a widget that is not drawn

    def key(self, name: str) -> str:
        """Return the key of the widget that asks for an answer."""
        return f"data:{self.token}:{name}"

    def answer(self, name: str, otherwise: Any = None) -> Any:
        """Return an answer as it is now, also before its widget is drawn."""
        return st.session_state.get(self.key(name), self.answers.get(name, otherwise))

    def put(self, name: str, value: object) -> None:
        """Answer for the person, for example with what was suggested."""
        self.answers[name] = value
        st.session_state.pop(self.key(name), None)

    def ask(self, name: str, draw: Callable[[str], _Answer], start: _Answer) -> _Answer:
        """Draw a widget that keeps its answer; one never changed follows a new start."""
        key = self.key(name)
        kept = st.session_state.get(key, self.answers.get(name, start))
        if name in self.starts and kept == self.starts[name]:
            kept = start
        self.starts[name] = start
        st.session_state[key] = kept
        self.answers[name] = answer = draw(key)
        return answer

    def choose(
        self,
        name: str,
        options: list[Any],
        draw: Callable[[str], _Answer],
        start: Any = None,
    ) -> _Answer:
        """Ask as `ask` for one of a list; an answer that is no longer on it is asked for anew."""
        start = start if start in options else None
        if self.answer(name) not in options:
            self.answers.pop(name, None)
            st.session_state.pop(self.key(name), None)
        return self.ask(name, draw, start)

    # -- what the file seems to be

    @property
    def shown_columns(self) -> list[str]:
        """Return the columns that may be looked into: no suspected one but for a reason."""
        hidden = {*self.upload.refused, *self.upload.asked} - set(self.kept)
        return [name for name in self.upload.reading.columns if name not in hidden]

    @property
    def dropped(self) -> frozenset[str]:
        """Return the columns that the person left out."""
        refused = self.upload.refused if self.answers.get("refused dropped") else ()
        left_out = [name for name in self.upload.asked if self.answer(asked(name)) == "drop"]
        return frozenset([*refused, *left_out])

    @property
    def kept(self) -> dict[str, str]:
        """Return the suspected columns that the person keeps, with the reasons."""
        kept = [name for name in self.upload.asked if self.answer(asked(name)) == "keep"]
        reasons = {name: str(self.answer(f"why {asked(name)}") or "").strip() for name in kept}
        return {name: reason for name, reason in reasons.items() if reason}

    def guess(self, kind: FileKind, chosen: Mapping[str, str] | None = None) -> Guess:
        """Say what the columns seem to be if the file is of a kind, with columns chosen or not."""
        shown = self.shown_columns
        if chosen is None and kind is self.upload.guess.kind and not self.kept:
            return self.upload.guess

        def work() -> Guess:
            return session.tracker().guess_columns(
                self.upload, kind, shown, today=session.today(), chosen=chosen
            )

        columns = None if chosen is None else tuple(sorted(chosen.items()))
        return self._once(("guess", kind, columns, tuple(shown)), work)

    def sample(self) -> pd.DataFrame:
        """Return the first rows to be shown, without suspected columns."""
        return self._once("sample", self.upload.sample)

    def _once(self, key: object, work: Callable[[], _Answer]) -> _Answer:
        if key not in self._kept:
            self._kept[key] = work()
        answer: _Answer = self._kept[key]
        return answer

    def read_again(self, wish: Wish, progress: Callable[[float], None]) -> None:
        """Read the file as wished; what the person has answered stays."""
        upload = session.tracker().open_upload(
            self.content, name=self.name, today=session.today(), wish=wish, progress=progress
        )
        self.upload.reading.close()
        self._kept.clear()
        self.upload, self.wish = upload, wish


class _Held:
    """The session's hold on its file: once the session lets go, what was kept of it is removed.

    The widgets' callbacks hold the work itself, for as long as Streamlit remembers them.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        weakref.finalize(self, work.close)


def current() -> Work | None:
    """Return the file that the session is bringing in, if it is this user's."""
    held: _Held | None = st.session_state.get(_CURRENT)
    if held is None:
        return None
    if held.work.user != session.user_name():
        drop()
        return None
    return held.work


def begin(
    name: str,
    content: bytes,
    given: ColumnMapping,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Open a file and make it the session's.

    Raises
    ------
    HotspotsError
        What is wrong with it; nothing has changed then.
    """
    wish = Wish(**given.reading)  # type: ignore[arg-type] # read_mapping checks the types
    upload = session.tracker().open_upload(
        content, name=name, today=session.today(), wish=wish, progress=progress
    )
    drop()
    work = Work(name, content, upload, session.user_name(), wish=wish, given=given)
    st.session_state[_CURRENT] = _Held(work)


def drop() -> None:
    """Give the session's file up: nothing of it stays."""
    held: _Held | None = st.session_state.pop(_CURRENT, None)
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.session_state.pop(_FAILED, None)
    if held is not None:
        held.work.close()
        for key in list(st.session_state):
            if str(key).startswith(held.work.key("")):
                del st.session_state[key]


def round_of_uploads() -> int:
    """Return a number that changes with every file: the box to drop one in begins empty again."""
    return int(st.session_state.get(_ROUND, 0))


def failed(file_id: str) -> HotspotsError | None:
    """Return why an uploaded file could not be opened, if it was tried already."""
    known, error = st.session_state.get(_FAILED, ("", None))
    return error if known == file_id else None


def note_failure(file_id: str, error: HotspotsError) -> None:
    """Remember that an uploaded file could not be opened: it is not tried at every click."""
    st.session_state[_FAILED] = (file_id, error)


def kinds_allowed() -> list[FileKind]:
    """Return the kinds of files that the session's user may bring in."""
    shared = session.tracker()
    figures = shared.may(Permission.IMPORT)
    boundaries = shared.may(Permission.MANAGE_BOUNDARIES)
    return [kind for kind in FileKind if (boundaries if kind in OF_BOUNDARIES else figures)]


def asked(column: str) -> str:
    """Return the name of the question whether a suspected column is kept."""
    return f"asked:{short(column)}"


def short(word: str) -> str:
    """Return a short name for a word of a file: keys are sent to the browser, words need not be."""
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def shortened(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text whose long cells are cut."""
    return table.map(lambda cell: f"{cell[:CELL_SHOWN]}…" if len(cell) > CELL_SHOWN else cell)


@contextmanager
def shown_progress(text: str) -> Iterator[Callable[[float], None]]:
    """Show how far a long piece of work is."""
    bar = st.progress(0.0, text=text)
    shown = 0.0

    def progress(share: float) -> None:
        nonlocal shown
        if share - shown >= 0.01:
            shown = share
            bar.progress(min(1.0, share), text=text)

    try:
        yield progress
    finally:
        bar.empty()
