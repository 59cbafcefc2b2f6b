"""The targets in words: three readings as cards, the year's end, tables by group.

Screen, report and command line all take their sentences here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from hotspots.measures.projection import Projection
from hotspots.measures.survival import Survival
from hotspots.measures.targets import TargetResult
from hotspots.outlook import GROUPINGS, NO_KIND, NO_REGION, GroupShares, Outlook
from hotspots.programme.plan import Programme
from hotspots.reports.colours import verdict_style
from hotspots.reports.html import Card, Cells
from hotspots.snapshot import Snapshot
from hotspots.text import Texts

_VERY, _LIKELY = 0.9, 0.7


def readings(outlook: Outlook, say: Texts) -> tuple[Card, Card, Card]:
    """Return the three readings of the non-relapse target, the official one first."""
    return _official_card(outlook, say), _cohort_card(outlook, say), _survival_card(outlook, say)


def _official_card(outlook: Outlook, say: Texts) -> Card:
    result = outlook.official
    lines = [say("outlook.official_how", day=outlook.as_of), *_counted(result, say)]
    if result.denominator:
        followed = str(result.count("followed"))
        lines.append(say("target.followed", followed=followed, whole=str(result.denominator)))
    return _card(
        say("outlook.official"), result, [*lines, *_end_line(outlook.official_end, say)], say
    )


def _cohort_card(outlook: Outlook, say: Texts) -> Card:
    year, result = outlook.cohort_year, outlook.cohort
    if year is None or result is None:
        none = (say("outlook.cohort_none"),)
        return _framed(say("outlook.cohort"), None, "cannot_be_measured", "", None, none, say)
    how = say("outlook.cohort_how", year=year, until_year=str(year + 1))
    lines = [how, *_counted(result, say), *_end_line(outlook.cohort_end, say)]
    return _card(say("outlook.cohort_year", year=year), result, lines, say)


def _survival_card(outlook: Outlook, say: Texts) -> Card:
    found = outlook.survival
    measured = found.verdict != "cannot_be_measured"
    return _framed(
        say("outlook.survival"),
        found.share,
        found.verdict,
        say(f"why.{found.why}"),
        found.data_can_tell if measured else None,
        tuple(_survival_lines(found, say)),
        say,
    )


def _survival_lines(found: Survival, say: Texts) -> Iterator[str]:
    months = {"window": found.window, "horizon": found.horizon}
    yield say("outlook.survival_how", **months)
    if found.hotspots:
        yield say(
            "outlook.survival_of",
            hotspots=len(found.hotspots),
            followed=found.followed,
            relapsed=len(found.relapsed),
            horizon=found.horizon,
        )
    if found.interval is None or found.probability is None or found.effective is None:
        yield say("outlook.survival_none", horizon=found.horizon)
        return
    yield say(
        "outlook.survival_interval",
        low=say.percent(found.interval.low),
        high=say.percent(found.interval.high),
        effective=say.number(found.effective, 0 if _is_whole(found.effective) else 1),
    )
    target, p = say.percent(found.target, 0), _percent(found.probability, say)
    yield say("outlook.survival_probability", target=target, p=p)


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 0.05


def long_line(outlook: Outlook, say: Texts) -> str:
    """Say how many are still transformed after the long horizon."""
    found = outlook.survival_long
    middle = found.share_after(outlook.survival.horizon)
    if found.share is None or middle is None:
        return say("outlook.survival_long_none", horizon=found.horizon)
    return say(
        "outlook.survival_long",
        window=found.window,
        hotspots=len(found.hotspots),
        middle=say.percent(middle),
        horizon=found.horizon,
        share=say.percent(found.share),
    )


def _counted(result: TargetResult, say: Texts) -> Iterator[str]:
    part, whole = str(result.numerator), str(result.denominator)
    fraction = say("target.fraction", numerator=part, denominator=whole)
    yield f"{fraction} · {say('target.at_least', target=say.percent(result.target, 0))}"
    if result.interval is not None:
        low, high = say.percent(result.interval.low), say.percent(result.interval.high)
        yield say("target.interval", low=low, high=high)


def _end_line(projection: Projection | None, say: Texts) -> Iterator[str]:
    if projection is not None and projection.open:
        title = say("outlook.year_end", day=projection.until)
        yield f"{title}: {likelihood(projection, say)}"


def _card(title: str, result: TargetResult, lines: list[str], say: Texts) -> Card:
    measured = result.verdict != "cannot_be_measured"
    return _framed(
        title,
        result.share,
        result.verdict,
        say(f"why.{result.why}"),
        result.data_can_tell if measured else None,
        tuple(lines),
        say,
    )


def _framed(
    title: str,
    share: float | None,
    verdict: str,
    why: str,
    can_tell: bool | None,
    lines: tuple[str, ...],
    say: Texts,
) -> Card:
    style = verdict_style(verdict, sure=bool(can_tell))
    return Card(
        title=title,
        share=say.percent(share),
        verdict=say(f"verdict.{verdict}"),
        why=why,
        colour=style.colour,
        symbol=style.symbol,
        lines=lines,
        certainty="" if can_tell is None else say("outlook.sure" if can_tell else "outlook.unsure"),
        tone="" if can_tell is False else verdict,
    )


# -- the year's end


def likelihood(projection: Projection, say: Texts) -> str:
    """Say how probable it is that the year ends on target, in words and as a number."""
    p = projection.probability
    if projection.decided:
        return say("outlook.likely_lost" if projection.may_fail < 0 else "outlook.likely_done")
    words = next(
        word
        for word, least in (
            ("very", _VERY), ("yes", _LIKELY), ("open", 1 - _LIKELY), ("no", 1 - _VERY),
            ("hardly", 0.0),
        )
        if p >= least
    )  # fmt: skip
    about = say("outlook.about", p=_percent(p, say))
    return f"{say(f'outlook.likely_{words}')} ({about})"


def _percent(p: float, say: Texts) -> str:
    """Write a probability that is not certain: never 0 % and never 100 %."""
    if p < 0.01:
        return f"< {say.percent(0.01, 0)}"
    return f"> {say.percent(0.99, 0)}" if p > 0.99 else say.percent(p, 0)


def projection_title(projection: Projection, outlook: Outlook, say: Texts) -> str:
    """Return what a projection is of."""
    if projection.reading == "transformed":
        return say("outlook.end_transformed", year=projection.until.year)
    if projection.reading == "official":
        return say("outlook.end_official")
    return say("outlook.end_cohort", year=outlook.cohort_year)


def projection_lines(projection: Projection, say: Texts) -> list[str]:
    """Say where a year stands, what must still happen, and what is likely."""
    transformed = projection.reading == "transformed"
    lines = [_count_line(projection, say)]
    if not projection.open:
        lines.append(say("outlook.nothing_open"))
    else:
        lines.append(_must_line(projection, say) if transformed else _may_line(projection, say))
    low, high = projection.interval
    share = say.percent(projection.share)
    if not projection.open:
        return [*lines, say("outlook.certain", share=share)]
    if low == high:  # eight chances in ten for one number: the mean beside it would only confuse
        return [*lines, say("outlook.almost_certain", share=say.percent(low))]
    ends = {"low": say.percent(low), "high": say.percent(high)}
    return [*lines, say("outlook.expected", share=share, **ends)]


def _count_line(projection: Projection, say: Texts) -> str:
    counts = {"whole": projection.whole, "failed": projection.failed, "open": projection.open}
    if projection.reading != "transformed":
        return say("outlook.count_relapsed", **counts)
    succeeded = projection.whole - projection.failed - projection.open
    return say("outlook.count_transformed", succeeded=succeeded, **counts)


def _must_line(projection: Projection, say: Texts) -> str:
    must, still_open = projection.must_succeed, projection.open
    if must == 0:
        return say("outlook.must_none")
    if must > still_open:
        return say("outlook.must_short", short=must - still_open)
    if must == still_open:
        return say("outlook.must_all", open=still_open)
    return say("outlook.must_some", must=must, open=still_open)


def _may_line(projection: Projection, say: Texts) -> str:
    may = projection.may_fail
    if may < 0:
        return say("outlook.may_short", short=-may)
    if may >= projection.open:
        return say("outlook.may_all")
    return say("outlook.may_some", may=may) if may else say("outlook.may_none")


def basis_lines(projection: Projection, say: Texts) -> list[str]:
    """Say what a projection rests on and what it leaves out."""
    if not projection.open:
        return []
    learned, transformed = projection.calibration, projection.reading == "transformed"
    lines = []
    if learned.hotspots:
        key = f"outlook.calibrated_{'transformed' if transformed else 'relapsed'}"
        counts = {"hotspots": learned.hotspots, "failed": learned.failed}
        lines.append(say(key, years=learned.years, **counts))
    else:
        lines.append(say("outlook.not_calibrated"))
    if projection.without_own:
        lines.append(say("outlook.without_own", count=len(projection.without_own)))
    if projection.reading == "official":
        lines.append(say("outlook.official_left_out"))
    return lines


def projection_table(projection: Projection, snapshot: Snapshot, say: Texts) -> Cells:
    """Return the hotspots that can still fail, the most probable first."""
    fails = "transformed" if projection.reading == "transformed" else "relapsed"
    ordered = sorted(projection.probabilities.items(), key=lambda item: (-item[1], item[0]))
    rows = tuple(
        (
            f"{snapshot.row(name)['name']} ({name})",
            _percent(p, say) + (" *" if name in projection.without_own else ""),
        )
        for name, p in ordered
    )
    return Cells((say("column.hotspot"), say(f"outlook.fails_{fails}")), rows)


# -- groups


def group_table(
    outlook: Outlook, which: str, plan_year: int | None, programme: Programme, say: Texts
) -> Cells:
    """Return one target of every group of a plan year, or of all years together.

    Parameters
    ----------
    which : str
        `transformed` or `not_relapsed`.
    """
    groups = [each for name in GROUPINGS for each in outlook.groups_of(name, plan_year)]
    columns = ("share", "fraction", *(("open",) if which == "transformed" else ()))
    columns = (*columns, "interval", "verdict")
    rows = tuple(
        (group_name(each, programme, say), *_share_cells(getattr(each, which), say))
        for each in groups
    )
    return Cells((say("column.group"), *(say(f"column.{column}") for column in columns)), rows)


def groups_note(programme: Programme, say: Texts) -> str:
    """Say how the groups are to be read, and that there are none by region if there are none."""
    note = say("outlook.groups_note")
    return note if programme.regions else f"{note} {say('outlook.groups_no_regions')}"


def group_name(each: GroupShares, programme: Programme, say: Texts) -> str:
    """Return a group's name."""
    if each.grouping == "listing":
        return say(f"outlook.listing_{each.group}")
    if each.grouping == "region":
        return _region_name(each.group, programme, say)
    if each.group == NO_KIND:
        return say("outlook.kind_none")
    label = programme.kinds.get(int(each.group))
    return f"{each.group}. {label.of(say.language)}" if label is not None else each.group


def _region_name(code: str, programme: Programme, say: Texts) -> str:
    if code == NO_REGION:
        return say("outlook.region_none")
    region = programme.regions.get(code)
    return code if region is None else region.label.of(say.language)


def _share_cells(result: TargetResult, say: Texts) -> tuple[str, ...]:
    transformed = result.reading == "transformed"
    if not result.denominator:
        return ("–",) * (5 if transformed else 4)
    interval = "–"
    if result.interval is not None:
        low, high = say.percent(result.interval.low), say.percent(result.interval.high)
        interval = f"{low} – {high}"
    fraction = f"{result.numerator}/{result.denominator}"
    still_open = (str(result.count("open")),) if transformed else ()
    return say.percent(result.share), fraction, *still_open, interval, verdict_cell(result, say)


def verdict_cell(result: TargetResult, say: Texts) -> str:
    """Return a verdict for a table, with a word where the data cannot tell."""
    verdict = say(f"verdict.{result.verdict}")
    if result.verdict == "cannot_be_measured" or result.data_can_tell:
        return verdict
    return f"{verdict} · {say('outlook.unsure_short')}"


# -- as plain text


def outlook_lines(outlook: Outlook, programme: Programme, say: Texts) -> Iterator[str]:
    """Say the three readings, the year's end and the targets by group, line by line."""
    target = say.percent(outlook.survival.target, 0)
    yield ""
    yield say("outlook.not_relapsed_title", target=target)
    for card in readings(outlook, say):
        verdict = " · ".join(filter(None, (card.verdict, card.certainty)))
        yield f"  {card.title}: {card.share} · {verdict}"
        yield from (f"      {line}" for line in card.lines)
    yield f"  {long_line(outlook, say)}"
    yield f"  {say('outlook.curve')}:"
    yield from (f"      {line}" for line in _number_lines(outlook.survival, say))
    for each in outlook.projections:
        yield ""
        until = say("outlook.year_end", day=each.until)
        yield f"{until} · {projection_title(each, outlook, say)}: {likelihood(each, say)}"
        yield from (
            f"    {line}" for line in [*projection_lines(each, say), *basis_lines(each, say)]
        )
    for which in ("transformed", "not_relapsed") if outlook.groups else ():
        table = group_table(outlook, which, None, programme, say)
        yield ""
        yield f"{say(f'outlook.{which}')} · {say('outlook.groups').lower()}"
        yield from (f"    {' · '.join(row)}" for row in table.rows)
    if outlook.groups:
        yield f"    {groups_note(programme, say)}"


def _number_lines(found: Survival, say: Texts) -> Iterator[str]:
    """Write the curve as rows: month, share still transformed, how many followed so long."""
    if found.curve.empty:
        yield say("outlook.curve_empty", window=found.window)
        return
    yield f"{say('chart.months')}  {say('outlook.share_kept')}  {say('outlook.at_risk')}"
    for month, at_risk in zip(found.numbers["month"], found.numbers["at_risk"], strict=True):
        share = found.share_after(int(month))
        if share is not None:
            yield f"{month:>5}  {say.percent(share):>8}  {at_risk:>5}"


# -- for machines


def facts(outlook: Outlook) -> dict[str, Any]:
    """Return everything as plain values, for JSON."""
    cohort = None if outlook.cohort is None else asdict(outlook.cohort)
    return {
        "readings": {
            "official": asdict(outlook.official),
            "cohort": cohort and {"year": outlook.cohort_year, **cohort},
            "survival": _survival_facts(outlook.survival),
            "survival_long": _survival_facts(outlook.survival_long),
        },
        "year_end": [
            {
                **asdict(each),
                "open": each.open,
                "may_fail": each.may_fail,
                "must_succeed": each.must_succeed,
                "probability": each.probability,
                "share": each.share,
                "interval_80": each.interval,
            }
            for each in outlook.projections
        ],
        "groups": [asdict(each) for each in outlook.groups],
    }


def _survival_facts(found: Survival) -> dict[str, Any]:
    values = dict(vars(found))
    values["interval"] = None if found.interval is None else asdict(found.interval)
    values["curve"] = found.curve.to_dict("records")
    values["numbers"] = found.numbers.to_dict("records")
    return values
