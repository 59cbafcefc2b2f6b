"""An opened file, what importing it would do and did, in words: for the screen and the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from math import isfinite

import pandas as pd

from hotspots.importing import Receipt, Trial, Upload
from hotspots.measures.file_kinds import fields
from hotspots.measures.mapping import ColumnMapping, Question, Unknown
from hotspots.measures.personal_data import Suspicion
from hotspots.measures.reasons import Reason
from hotspots.records.intake import Reading, Wish
from hotspots.records.store import Batch
from hotspots.reports.html import Cells
from hotspots.reports.tables import rejected_rows
from hotspots.text import Texts

_MOST_REASONS = 8
_MOST_WORDS = 10


def reading_lines(reading: Reading, say: Texts) -> tuple[str, ...]:
    """Say how a file was read, and what was noticed in it."""
    said = say(
        "import.read_as",
        file=reading.name,
        format=say(f"file_format.{reading.format}"),
        rows=reading.rows,
        columns=len(reading.columns),
    )
    how = {
        "encoding": reading.encoding,
        "separator": {"\t": "Tab"}.get(reading.separator, reading.separator),
        "sheet": reading.sheet,
        "layer": reading.layer,
        "crs": reading.crs,
    }
    details = [say(f"import.{name}", value=value) for name, value in how.items() if value]
    found = (say_found(item.code, item.facts, say) for item in reading.found)
    return ((" · ".join([said, *details])), *found)


def say_found(code: str, facts: Mapping[str, object], say: Texts) -> str:
    """Say one remark of a reader."""
    key = f"found.{code}"
    return say(key, **facts) if say.has(key) else code


def suspicion_line(suspicion: Suspicion, say: Texts) -> str:
    """Say why a column is refused or asked about."""
    by_name = suspicion.grade == "refused" and not suspicion.cells
    return say(
        "personal_data.refused_by_header" if by_name else f"personal_data.{suspicion.grade}",
        column=suspicion.column,
        kind=say(f"personal_data.{suspicion.kind}"),
        cells=suspicion.cells,
        rows=suspicion.rows,
    )


def question_line(question: Question, say: Texts) -> str:
    """Say one thing that a person has to decide or to look at."""
    line = say(
        f"question.{question.code}",
        column=question.column,
        examples="; ".join(question.examples),
        offered=question.offered,
    )
    return f"{line} ({say(f'field.{question.role}')})" if question.role else line


def upload_lines(upload: Upload, say: Texts) -> tuple[str, ...]:
    """Say what an opened file seems to be."""
    guess = upload.guess
    lines = [*reading_lines(upload.reading, say)]
    if upload.earlier:
        lines.append(_earlier_line(upload.earlier[-1], say))
    asked = [upload.label(column) for column in upload.asked]
    lines += [
        suspicion_line(each, say)
        for each in upload.suspicions
        if each.grade == "refused" or each.column in asked
    ]
    lines.append(say("import.kind", kind=say(f"file_kind.{guess.kind}")))
    roles = fields(guess.kind)
    for role, column in guess.mapping.columns.items():
        if role in roles:
            lines.append(say("import.column_is", column=column, field=say(f"field.{role}")))
    if guess.unused:
        lines.append(say("import.unused", columns=", ".join(guess.unused)))
    lines += [question_line(each, say) for each in guess.questions]
    for name, words in (
        ("categories", guess.unknown_categories),
        ("sources", guess.unknown_sources),
        ("wards", guess.unknown_wards),
    ):
        if words:
            shown = [
                f"{each.given} → {each.suggestion}?" if each.suggestion else each.given
                for each in words[:_MOST_WORDS]
            ]
            lines.append(say(f"import.unknown_{name}", count=len(words), words="; ".join(shown)))
    return tuple(lines)


def mapping_of(upload: Upload, wish: Wish, *, accept: bool = False) -> ColumnMapping:
    """Return the guessed mapping with how the file was read, to be kept and used again.

    Parameters
    ----------
    accept : bool
        Take what is suggested for unknown categories, sources and wards too.
    """
    guess = upload.guess
    reading = {name: value for name, value in asdict(wish).items() if value}
    mapping = replace(guess.mapping, reading=reading)
    if not accept:
        return mapping
    return replace(
        mapping,
        categories=_suggested(guess.unknown_categories),
        sources=_suggested(guess.unknown_sources),
        wards=_suggested(guess.unknown_wards),
    )


def _suggested(words: Sequence[Unknown]) -> dict[str, str]:
    return {each.given: each.suggestion for each in words if each.suggestion}


def _earlier_line(batch: Batch, say: Texts) -> str:
    when = datetime.fromisoformat(batch.recorded_at).astimezone()
    return say("import.earlier_file", file=batch.source, when=say.show(when))


def trial_lines(trial: Trial, say: Texts) -> tuple[str, ...]:
    """Say what importing a file would do, and what looks odd."""
    lines = [say_found(item.code, item.facts, say) for item in trial.found]
    lines += receipt_lines(trial.receipt, say)
    lines += [warning_line(each, say) for each in trial.warnings]
    if trial.in_part:
        lines.append(say("data.in_part_warning"))
    return tuple(lines)


def warning_line(warning: Reason, say: Texts) -> str:
    """Say why a month looks as if it were reported in part."""
    facts = {
        name: say.month(str(value)) if name == "month" else value
        for name, value in warning.facts.items()
    }
    return say(f"month_in_part.{warning.code}", **facts)


def receipt_lines(receipt: Receipt, say: Texts, most: int = _MOST_REASONS) -> tuple[str, ...]:
    """Say what became of a file's rows, the commonest reasons first."""
    lines = [
        say(
            "import.summary",
            source=receipt.source,
            rows=receipt.rows,
            accepted=receipt.accepted,
            rejected=len(receipt.rejected),
            new=receipt.new,
            there=receipt.already_there,
        )
    ]
    if receipt.replaced:
        lines.append(say("import.replaced", count=receipt.replaced))
    if receipt.waiting:
        lines.append(say("import.waiting", count=receipt.waiting))
    if receipt.placed_on_earliest:
        lines.append(say("import.earliest", count=receipt.placed_on_earliest))
    if receipt.on_sketch:
        lines.append(say("import.sketch"))
    table = reason_cells(receipt, say)
    lines += [
        say("import.reason", count=count, reason=reason, row=row, value=value)
        for count, reason, row, value in table[:most]
    ]
    if len(table) > most:
        lines.append(say("cli.rejected_more", count=len(table) - most))
    if receipt.new == 0 and not receipt.replaced:
        lines.append(say("import.nothing_new"))
    return tuple(lines)


def reason_cells(receipt: Receipt, say: Texts) -> list[tuple[int, str, int, str]]:
    """Return how many rows were rejected for each reason, with the first: row and value."""
    found = []
    for reason, rows in receipt.rejected.groupby("reason"):
        first = rows.iloc[0]
        row, value = int(first["row"]), str(first["value"])
        problem = receipt.problems.get(row)
        shown = value if problem is None else say.error(problem)
        found.append((len(rows), reason_words(str(reason), say), row, shown))
    return sorted(found, key=lambda item: -item[0])


def reason_words(reason: str, say: Texts) -> str:
    """Say one reason against a row."""
    key = f"reject.{reason}"
    return say(key) if say.has(key) else reason


def rejected_table(trial: Trial, say: Texts) -> pd.DataFrame:
    """Return the rejected rows as they stood in the file, each with its reason in words."""
    problems = trial.receipt.problems
    rejected = trial.receipt.rejected
    words = [
        say.error(problems[int(row)])
        if int(row) in problems
        else f"{reason_words(str(reason), say)}: {value}"
        for row, reason, value in zip(
            rejected["row"], rejected["reason"], rejected["value"], strict=True
        )
    ]
    reasons = pd.DataFrame({"row": rejected["row"], "reason_text": words})
    return rejected_rows(
        trial.rejected_rows, reasons, row_name=say("column.row"), reason_name=say("column.reason")
    )


def import_cells(batches: Sequence[Batch], say: Texts) -> Cells:
    """Return what has been brought in, as a table of text."""
    columns = ("recorded_at", "source", "file_kind", "rows", "accepted", "rejected", "replaces")
    rows = tuple(
        (
            say.show(datetime.fromisoformat(batch.recorded_at).astimezone()),
            batch.source,
            say(f"file_kind.{batch.kind}"),
            say.number(batch.rows),
            say.number(batch.accepted),
            say.number(batch.rejected),
            say(f"word.{str(bool(batch.replaces)).lower()}"),
        )
        for batch in batches
    )
    return Cells(tuple(say(f"column.{column}") for column in columns), rows)


def indicator_cells(values: pd.DataFrame, say: Texts) -> Cells:
    """Return indicators as a table of text (`Tracker.indicators`)."""
    columns = ("period", "indicator", "value", "denominator", "ward", "note")
    rows = tuple(
        (
            say.period(str(row.period)),
            str(row.indicator),
            _number(row.value, say),
            _number(row.denominator, say),
            str(row.ward) or say("import.whole_city"),
            str(row.note),
        )
        for row in values.itertuples(index=False)
    )
    return Cells(tuple(_capital(say(f"field.{column}")) for column in columns), rows)


def scorecard_cells(lines: pd.DataFrame, say: Texts) -> Cells:
    """Return a scorecard as a table of text (`Tracker.scorecard`)."""
    columns = ("criterion", "on", "value", "met", "note")
    rows = tuple(
        (
            str(row.criterion),
            say.day(date.fromisoformat(str(row.on))),
            say(f"word.{str(bool(row.value)).lower()}") if row.yes_no else _number(row.value, say),
            {"yes": say("word.met"), "no": say("word.not_met")}.get(str(row.met), "–"),
            str(row.note),
        )
        for row in lines.itertuples(index=False)
    )
    return Cells(tuple(_capital(say(f"field.{column}")) for column in columns), rows)


def _number(value: object, say: Texts) -> str:
    number = float(str(value))
    if not isfinite(number):
        return "–"
    return say.number(number, 0 if number == int(number) else 1)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
