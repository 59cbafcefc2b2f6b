"""The risk of relapse, its alarms and how far to trust it, in words: for screen and console."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from hotspots.errors import NotFound
from hotspots.measures.alarms import AlarmFinding
from hotspots.measures.levels import SEASON_MONTHS
from hotspots.measures.reasons import Reason
from hotspots.measures.relapse_backtest import Backtest
from hotspots.measures.relapse_cases import HORIZONS
from hotspots.measures.relapse_ladder import RUNGS, CalibratedRisk, Source
from hotspots.measures.relapse_model import LEAST_CASES, LEAST_FITTED, LEAST_RELAPSES, enough
from hotspots.programme.acknowledgement import REOPENS_AFTER_DAYS
from hotspots.programme.plan import AlarmSettings
from hotspots.programme.status import ALARM_LEVELS
from hotspots.relapse_watch import AlarmBoard, ModelCard
from hotspots.reports.html import Cells
from hotspots.reports.pages import risk_note
from hotspots.snapshot import Snapshot
from hotspots.text import Texts

_CHANCES: Final = ("p6", "p6_without")
"""Reasons that name a probability: left out where it may not be shown."""


# -- probabilities and reasons


def chance(p: float, say: Texts) -> str:
    """Write a probability; what is nearly sure is not written as certain, none as a dash.

    Examples
    --------
    >>> from hotspots.text import texts
    >>> [chance(p, texts("en")) for p in (0.998, 0.41, float("nan"))]
    ['over 99%', '41%', '–']
    """
    return say.chance(p) if np.isfinite(p) else "–"


def sentence(reason: Reason, say: Texts) -> str:
    """Say a reason; a probability in it as `chance` writes it."""
    told = {name: chance(float(reason.facts[name]), say) for name in _CHANCES & reason.facts.keys()}
    return say.reason(reason.code, {**reason.facts, **told})


def reason_lines(snapshot: Snapshot, hotspot: str, say: Texts) -> tuple[str, ...]:
    """Return why a hotspot's risk is what it is, in words."""
    return tuple(sentence(each, say) for each in snapshot.reasons(hotspot))


# -- how the probabilities came about


def standing_lines(snapshot: Snapshot, say: Texts) -> tuple[str, ...]:
    """Say how the probabilities came about, why some are hidden, what the next rung needs."""
    return tuple(_standing_lines(snapshot, say))


def _standing_lines(snapshot: Snapshot, say: Texts) -> Iterator[str]:
    note = risk_note(snapshot, say)
    if note:
        yield note
    for found in snapshot.calibrated.values():
        yield from (sentence(each, say) for each in hidden_reasons(found))
        yield from (sentence(each, say) for each in found.needs)


def hidden_reasons(standing: CalibratedRisk) -> tuple[Reason, ...]:
    """Return why probabilities that could be calculated may not be shown, by horizon."""
    return tuple(
        standing.verdicts[horizon]
        for horizon, shown in standing.shown.items()
        if not shown and standing.rungs[horizon] > 0
    )


# -- the watched hotspots and their alarms


@dataclass(frozen=True)
class WatchCounts:
    """The numbers on top: hotspots under watch, of them red and amber, alarms still open.

    `red` and `amber` are None where no probability may be shown.
    """

    watched: int
    red: int | None
    amber: int | None
    open: int
    hotspots: int


def watch_counts(snapshot: Snapshot, board: AlarmBoard) -> WatchCounts:
    """Count what a commander asks first; `hotspots` have the `open` alarms."""
    alarms = snapshot.hotspots["alarm"]
    shown = snapshot.risk is None or bool(snapshot.hotspots["p6"].notna().any())
    opened = [each for each in board.findings if each.open]
    return WatchCounts(
        int(snapshot.hotspots["watched_until"].notna().sum()),
        int(alarms.eq("red").sum()) if shown else None,
        int(alarms.eq("amber").sum()) if shown else None,
        len(opened),
        len({each.hotspot for each in opened}),
    )


def ranked(snapshot: Snapshot, horizon: int = 6) -> pd.DataFrame:
    """Return the measured hotspots under watch, the most at risk first."""
    found = snapshot.hotspots.dropna(subset=["risk_rank"])
    return found.sort_values([f"p{horizon}", "risk_rank"], ascending=[False, True], kind="stable")


def open_alarms(board: AlarmBoard) -> dict[str, tuple[AlarmFinding, ...]]:
    """Return the alarms that ask for attention by hotspot, the most urgent hotspot first."""
    found: dict[str, tuple[AlarmFinding, ...]] = {}
    for each in board.findings:
        if each.open:
            found[str(each.hotspot)] = (*found.get(str(each.hotspot), ()), each)
    return found


def codes_to_acknowledge(board: AlarmBoard, hotspot: str) -> tuple[str, ...]:
    """Return the codes of a hotspot's open alarms.

    Raises
    ------
    NotFound
        ``no_open_alarm``: it has none, or somebody has acknowledged them meanwhile.
    """
    codes = tuple(each.code for each in open_alarms(board).get(hotspot, ()))
    if not codes:
        raise NotFound(
            "no_open_alarm",
            f"{hotspot} has no open alarm on {board.as_of}, or they are acknowledged already.",
            hotspot=hotspot,
            on=board.as_of,
        )
    return codes


def loudest(findings: tuple[AlarmFinding, ...]) -> str:
    """Return the highest level among alarms."""
    return max((each.level for each in findings), key=ALARM_LEVELS.index)


def alarm_line(finding: AlarmFinding, say: Texts) -> str:
    """Say an alarm, with the numbers to check it by."""
    return f"{say(f'alarm_code.{finding.code}')}: {sentence(finding.reason, say)}"


def seen_line(finding: AlarmFinding, say: Texts) -> str:
    """Say who acknowledged an alarm last, and why it is open again if it is; empty if nobody."""
    seen = finding.seen
    if seen is None:
        return ""
    line = say("risk.seen", on=seen.on, by=seen.by, note=seen.note)
    if not finding.open:
        return line
    risen = ALARM_LEVELS.index(finding.level) > ALARM_LEVELS.index(seen.level)
    why = say("risk.reopened_risen" if risen else "risk.reopened_late", days=REOPENS_AFTER_DAYS)
    return f"{line} {why}"


def acknowledged_cells(board: AlarmBoard, snapshot: Snapshot, say: Texts) -> Cells:
    """Return the alarms that somebody has seen, as rows of text."""
    names = snapshot.hotspots["name"]
    headers = ("column.hotspot", "risk.alarm", "risk.level", "risk.seen_on", "risk.seen_by")
    return Cells(
        tuple(say(name) for name in (*headers, "risk.p6_then", "column.note")),
        tuple(
            (
                f"{names[str(each.hotspot)]} ({each.hotspot})",
                say(f"alarm_code.{each.code}"),
                say(f"alarm.{each.level}"),
                say.day(each.seen.on),
                each.seen.by,
                chance(np.nan if each.seen.p6 is None else each.seen.p6, say),
                each.seen.note,
            )
            for each in board.findings
            if each.seen is not None and not each.open
        ),
    )


def watch_cells(snapshot: Snapshot, board: AlarmBoard, say: Texts) -> Cells:
    """Return every measured hotspot under watch as a row of text, the most at risk first."""
    table = ranked(snapshot)
    hidden = bool(table["p6"].isna().any())
    rows = [dict(_watch_row(str(hotspot), snapshot, board, hidden, say)) for hotspot in table.index]
    return Cells(
        tuple(rows[0]) if rows else (say("column.hotspot"),),
        tuple(tuple(row.values()) for row in rows),
    )


def _watch_row(
    hotspot: str, snapshot: Snapshot, board: AlarmBoard, hidden: bool, say: Texts
) -> Iterator[tuple[str, str]]:
    row = snapshot.row(hotspot)
    yield say("column.hotspot"), f"{row['name']} ({hotspot})"
    yield say("risk.level"), say(f"alarm.{row['alarm']}") if row["alarm"] else "–"
    for horizon in HORIZONS:
        if snapshot.hotspots[f"p{horizon}"].notna().any():
            yield say("risk.within", horizon=horizon), chance(row[f"p{horizon}"], say)
    if hidden:
        yield say("column.rank"), say.number(row["risk_rank"])
        yield say("risk.points"), say("risk.of_nine", points=int(row["points"]))
    yield say("risk.share"), _share_of_threshold(row, say)
    if board.feedback is not None:
        yield say("risk.without_police"), _without_police(hotspot, board, row["p6"], say)
    yield say("column.status"), say(f"status.{row['status']}")
    yield say("column.watched_until"), say.day(row["watched_until"])
    inspected = row["last_inspected_on"]
    yield say("risk.inspected"), say.day(None if pd.isna(inspected) else inspected)


def _share_of_threshold(row: Mapping[str, Any], say: Texts) -> str:
    if not np.isfinite(row["threshold"]) or row["threshold"] <= 0:
        return "–"
    return say.percent(row["level"] / row["threshold"], 0)


def _without_police(hotspot: str, board: AlarmBoard, p6: float, say: Texts) -> str:
    """Compare the risk on all counts with that without what the police found themselves."""
    if board.feedback is None or hotspot not in board.feedback.index:
        return "–"
    found = board.feedback.to_dict("index")[hotspot]
    if not np.isfinite(p6) or not np.isfinite(found["difference"]):
        return "–"
    both, without = float(found["p6"]), float(found["p6_without"])
    pair = f"{chance(both, say)} → {chance(without, say)}"
    return f"≠ {pair}" if found["differs"] else pair


def feedback_lines(snapshot: Snapshot, board: AlarmBoard, say: Texts) -> tuple[str, ...]:
    """Say by hotspot what changes without the incidents that the police found themselves."""
    return tuple(
        f"{snapshot.row(str(hotspot))['name']}: {sentence(reason, say)}"
        for hotspot, reason in board.feedback_reasons.items()
    )


def risk_cell_line(row: Mapping[str, Any], horizon: int, say: Texts) -> str:
    """Return a hotspot's probability, or its rank and points where it may not be shown."""
    p = row[f"p{horizon}"]
    if np.isfinite(p):
        return chance(p, say)
    points = say("risk.of_nine", points=int(row["points"]))
    return say("risk.rank_points", rank=int(row["risk_rank"]), points=points)


def chances(row: Mapping[str, Any], say: Texts) -> tuple[tuple[str, str], ...]:
    """Return the probabilities of a hotspot that may be shown, each with its horizon in words."""
    return tuple(
        (say("risk.within", horizon=horizon), chance(row[f"p{horizon}"], say))
        for horizon in HORIZONS
        if np.isfinite(row[f"p{horizon}"])
    )


# -- how far to trust it


@dataclass(frozen=True)
class Step:
    """One rung of the ladder: `state` is "done", "here" or "ahead"; `need` what is missing."""

    name: str
    text: str
    state: Literal["done", "here", "ahead"]
    need: str


def ladder(standing: CalibratedRisk, say: Texts) -> tuple[Step, ...]:
    """Return the four rungs, the one reached, and what the next one needs."""
    return tuple(_step(rung, standing, say) for rung in range(len(RUNGS)))


def _step(rung: int, standing: CalibratedRisk, say: Texts) -> Step:
    state: Literal["done", "here", "ahead"] = "ahead"
    if rung <= standing.rung:
        state = "here" if rung == standing.rung else "done"
    needs = standing.needs if rung == standing.rung + 1 else ()
    name = RUNGS[rung]
    return Step(
        say(f"risk.rung_{name}"),
        say(
            f"risk.rung_{name}_text",
            months=SEASON_MONTHS,
            hotspots=LEAST_FITTED if name == "fitted" else LEAST_CASES,
            relapses=LEAST_RELAPSES,
        ),
        state,
        " ".join(sentence(each, say) for each in needs),
    )


def label_cells(card: ModelCard, say: Texts) -> Cells:
    """Return by horizon what is known of the past, on record and by the written rule."""
    columns = ("horizon", "labels", "hotspots", "relapsed", "recorded", "rung", "shown")
    return Cells(
        tuple(say(f"risk.column_{name}") for name in columns),
        tuple(_label_row(card, horizon, say) for horizon in HORIZONS),
    )


def _label_row(card: ModelCard, horizon: int, say: Texts) -> tuple[str, ...]:
    source, standing = card.past.source(horizon), card.standing
    known = _known(card.past.cases(horizon), horizon)
    rung = shown = "–"
    if standing is not None:
        rung = say(f"risk.rung_{RUNGS[standing.rungs[horizon]]}")
        shown = say("risk.yes" if standing.shown[horizon] else "risk.no")
    on_record = _known(card.past.recorded, horizon)
    return (
        say("risk.months", months=horizon),
        say(f"risk.labels_{source}"),
        say.number(known[0]),
        say.number(known[1]),
        say("risk.recorded_of", hotspots=on_record[0], relapsed=on_record[1]),
        rung,
        shown,
    )


def _known(cases: pd.DataFrame, horizon: int) -> tuple[int, int]:
    """Return how many hotspots have a label for a horizon, and how many of them relapsed."""
    label = f"y{horizon}"
    known = cases[cases[label].notna()]
    return known["hotspot"].nunique(), known.loc[known[label] == 1, "hotspot"].nunique()


def verdict_lines(card: ModelCard, say: Texts) -> tuple[str, ...]:
    """Say by horizon whether the probabilities are better than the base rate."""
    return tuple(
        f"{say('risk.months', months=horizon)}: "
        + sentence(card.tested[card.past.source(horizon)].verdicts[horizon].reason, say)
        for horizon in HORIZONS
    )


def record_lines(card: ModelCard, say: Texts) -> tuple[str, ...]:
    """Compare forecasts with the record where it is too small to be what the models learn from."""
    return tuple(
        _record_line(card, horizon, say)
        for horizon in HORIZONS
        if card.past.source(horizon) == "emulated"
        and model_in_force(card, "emulated", horizon) != RUNGS[0]
        and "recorded" in card.tested
        and horizon in horizons_tested(card, "recorded")
    )


def _record_line(card: ModelCard, horizon: int, say: Texts) -> str:
    row = _metrics(card, "recorded", horizon).iloc[0]
    points = calibration_points(card, "recorded", horizon)
    return say(
        "risk.on_record",
        horizon=horizon,
        cases=int(row["cases"]),
        hotspots=int(row["hotspots"]),
        predicted=say.percent(float(np.average(points["predicted"], weights=points["cases"])), 0),
        observed=say.percent(row["prevalence"], 0),
    )


def sources_tested(card: ModelCard) -> tuple[Source, ...]:
    """Return which pasts there is something to show of, the one in force first."""
    known = [each for each, tested in card.tested.items() if len(tested.metrics)]
    return tuple(sorted(known, key=lambda each: each != card.past.source(6)))


def model_in_force(card: ModelCard, source: Source, horizon: int) -> str:
    """Return the model that the past says to use at a horizon; the score on the lowest rung."""
    if card.standing is not None and card.standing.rungs[horizon] == 0:
        return RUNGS[0]
    return card.tested[source].verdicts[horizon].model


def horizons_tested(card: ModelCard, source: Source) -> tuple[int, ...]:
    """Return the horizons of which a past has something to show."""
    there = set(card.tested[source].metrics["horizon"])
    return tuple(horizon for horizon in HORIZONS if horizon in there)


def measured_line(card: ModelCard, source: Source, horizon: int, say: Texts) -> str:
    """Say what a table of metrics is made of."""
    row = _metrics(card, source, horizon).iloc[0]
    return say(
        "risk.measured_on",
        horizon=horizon,
        cases=int(row["cases"]),
        hotspots=int(row["hotspots"]),
        relapsed=int(row["relapsed"]),
        prevalence=say.percent(row["prevalence"], 0),
        source=say(f"risk.labels_{source}").lower(),
    )


def few_line(card: ModelCard, source: Source, horizon: int, say: Texts) -> str:
    """Warn where there are too few hotspots to judge by; empty where there are enough."""
    reason = card.tested[source].verdicts[horizon].reason
    return say("risk.too_few") if reason.code == "not_yet_tested" else ""


def _metrics(card: ModelCard, source: Source, horizon: int) -> pd.DataFrame:
    """Return the metrics of the models there were: none of a fitted one that was never fitted."""
    table = card.tested[source].metrics
    there = table["horizon"].eq(horizon)
    return table[there & (table["model"].ne("fitted") | _was_fitted(card, source, horizon))]


def _was_fitted(card: ModelCard, source: Source, horizon: int) -> bool:
    past = card.past.recorded if source == "recorded" else card.past.emulated
    return bool(enough(past, horizon, LEAST_FITTED))


def metrics_cells(card: ModelCard, source: Source, horizon: int, say: Texts) -> Cells:
    """Return how well each model would have done at a horizon, as rows of text."""
    columns = ("model", "auc", "pr_auc", "skill", "slope", "ece", "precision")
    force = model_in_force(card, source, horizon)
    return Cells(
        tuple(say(f"risk.column_{name}") for name in columns),
        tuple(
            (
                _model(str(row["model"]), force, say),
                _number(row["auc"], say, 3),
                _number(row["pr_auc"], say, 3),
                _skill(row, say),
                _number(row["slope"], say, 2),
                _percent(row["ece"], say, 1),
                _percent(row["precision"], say),
            )
            for row in _metrics(card, source, horizon).to_dict("records")
        ),
    )


def _model(name: str, force: str, say: Texts) -> str:
    words = say(f"risk.model_{name}")
    return f"▶ {words}" if name == force else words


def _skill(row: Mapping[Hashable, Any], say: Texts) -> str:
    low, high = _percent(row["skill_low"], say), _percent(row["skill_high"], say)
    if not np.isfinite(row["skill_low"]):
        return _percent(row["skill"], say)
    return say("risk.from_to", value=_percent(row["skill"], say), low=low, high=high)


def _percent(value: float, say: Texts, decimals: int = 0) -> str:
    return say.percent(value, decimals).replace("-", "−") if np.isfinite(value) else "–"


def _number(value: float, say: Texts, decimals: int) -> str:
    return say.number(value, decimals).replace("-", "−") if np.isfinite(value) else "–"


_ALARM_MODELS: Final = ("points", "simulation", "recalibrated", "fitted")


def backtest_alarm_cells(card: ModelCard, source: Source, say: Texts) -> Cells:
    """Return how alarms would have gone by model and threshold, as rows of text."""
    columns = ("model", "kind", "foreseen", "early", "lead", "alarms", "per_relapse", "alarmed")
    table = card.tested[source].alarms
    models = [m for m in _ALARM_MODELS if m != "fitted" or _was_fitted(card, source, 6)]
    rows = table[table["model"].isin(models)].to_dict("records") if len(table) else []
    force = model_in_force(card, source, 6)
    return Cells(
        tuple(say(f"risk.column_{name}") for name in columns),
        tuple(
            (
                _model(str(row["model"]), force, say),
                say(f"risk.kind_{row['kind']}", threshold=say.percent(row["threshold"], 0)),
                _share_of(row["foreseen"], row["relapses"], say),
                _share_of(row["foreseen_early"], row["relapses"], say),
                _number(row["median_lead"], say, 1),
                _number(row["alarms"], say, 0),
                _number(row["alarms_per_relapse"], say, 1),
                _percent(row["alarmed"], say),
            )
            for row in rows
        ),
    )


def _share_of(share: float, whole: float, say: Texts) -> str:
    if not np.isfinite(share):
        return "–"
    return f"{round(share * whole)}/{round(whole)} ({say.percent(share, 0)})"


def calibration_points(
    card: ModelCard, source: Source, horizon: int, model: str | None = None
) -> pd.DataFrame:
    """Return `predicted`, `observed` and `cases` of a model's bins, for `calibration_chart`."""
    curve = card.tested[source].curve
    wanted = model or model_in_force(card, source, horizon)
    there = curve["horizon"].eq(horizon) & curve["model"].eq(wanted)
    return curve.loc[there, ["predicted", "observed", "cases"]].reset_index(drop=True)


def settings_line(settings: AlarmSettings, say: Texts) -> str:
    """Say from where on there is an alarm, and where that is set."""
    return say(
        "risk.settings",
        amber=say.percent(settings.amber, 0),
        red=say.percent(settings.red, 0),
        months=settings.inspection_months,
    )


def card_tables(card: ModelCard, say: Texts) -> Iterator[tuple[str, Cells]]:
    """Return every table of the model card with its title: for the console."""
    yield say("risk.labels_title"), label_cells(card, say)
    for source in sources_tested(card):
        for horizon in horizons_tested(card, source):
            yield (
                measured_line(card, source, horizon, say),
                metrics_cells(card, source, horizon, say),
            )
        alarms = backtest_alarm_cells(card, source, say)
        if alarms.rows:
            title = say("risk.alarms_title")
            yield f"{title} · {say(f'risk.labels_{source}').lower()}", alarms


# -- as plain values


def reason_data(reason: Reason) -> dict[str, object]:
    """Return a reason as plain values."""
    return {"code": reason.code, **reason.facts}


def finding_data(finding: AlarmFinding) -> dict[str, object]:
    """Return an alarm as plain values."""
    return {
        "code": finding.code,
        "level": finding.level,
        "open": finding.open,
        "reason": reason_data(finding.reason),
        "seen": None if finding.seen is None else asdict(finding.seen),
    }


def standing_data(standing: CalibratedRisk) -> dict[str, object]:
    """Return the rung in force as plain values."""
    return {
        "rung": standing.rung,
        "model": RUNGS[standing.rung],
        "rungs": dict(standing.rungs),
        "sources": dict(standing.sources),
        "labels": standing.labels.reset_index().to_dict("records"),
        "shown": dict(standing.shown),
        "verdicts": {h: reason_data(why) for h, why in standing.verdicts.items()},
        "needs": [reason_data(each) for each in standing.needs],
    }


def card_data(card: ModelCard) -> dict[str, object]:
    """Return the model card as plain values, for JSON."""
    return {
        "as_of": card.as_of,
        "edition": card.edition,
        "sources": {horizon: card.past.source(horizon) for horizon in HORIZONS},
        "standing": None if card.standing is None else standing_data(card.standing),
        "backtest": {source: _backtest_data(each) for source, each in card.tested.items()},
    }


def _backtest_data(tested: Backtest) -> dict[str, object]:
    return {
        "metrics": tested.metrics.to_dict("records"),
        "curve": tested.curve.to_dict("records"),
        "alarms": tested.alarms.to_dict("records"),
        "verdicts": {
            horizon: {"model": each.model, "shown": each.shown, "reason": reason_data(each.reason)}
            for horizon, each in tested.verdicts.items()
        },
    }
