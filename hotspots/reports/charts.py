"""Figures as functions of a table: Altair on the screen, the same figure as SVG in a report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, TypeAlias

import altair as alt
import pandas as pd
import vl_convert

from hotspots.measures.projection import Projection
from hotspots.measures.survival import Survival
from hotspots.measures.targets import Interval, TargetResult
from hotspots.programme.status import MOVES_NOTHING, Event, EventType
from hotspots.reports.colours import ACCENT
from hotspots.text import Texts

Figure: TypeAlias = alt.LayerChart | alt.FacetChart

_FONT = "Source Sans Pro, Noto Sans, DejaVu Sans, sans-serif"
_TARGET = "#b34700"


def monthly_chart(
    monthly: pd.DataFrame,
    events: Sequence[Event],
    say: Texts,
    height: int = 230,
    breaks: Sequence[date] = (),
) -> Figure:
    """Draw a ward's incidents by month with its hotspot's events as lines.

    What was carried by an estimated share stands in a lighter tone on top of what was counted; a
    month of which a part is missing is only outlined.

    Parameters
    ----------
    monthly : DataFrame
        `month` (text 2025-10), `category`, `count`, `estimated`, `known`.
    breaks : sequence of date
        Days on which new boundaries came into force.
    events : sequence of Event
        The turns (listed, assessed, relapsed, withdrawn) are drawn with their names; other events
        but inspections as thin lines.
    """
    totals = _monthly_totals(monthly, say)
    bars = (
        alt.Chart(totals)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("yearmonth(month):T", title=None, axis=_MONTH_AXIS),
            y=alt.Y("count:Q", title=say("chart.cases"), axis=alt.Axis(tickMinStep=1)),
            color=_part_colour(totals, say),
            stroke=alt.condition("datum.order == 2", alt.value("#7b90a3"), alt.value(None)),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("month:T", title=say("chart.months"), format="%m/%Y"),
                alt.Tooltip("part:N", title=say("chart.part")),
                alt.Tooltip("shown:N", title=say("chart.cases")),
            ],
        )
    )
    layers = [bars, *_break_layers(breaks, say), *_event_layers(events, totals, say)]
    return _framed(alt.layer(*layers).resolve_scale(color="independent"), height=height)


_PART_COLOUR: Mapping[str, str] = {
    "counted": "#a9bdcd",
    "estimated": "#e3c98f",
    "incomplete": "#f7f9fb",
}


def _monthly_totals(monthly: pd.DataFrame, say: Texts) -> pd.DataFrame:
    """Return one row a month and part: counted, estimated, or a month that is not complete."""
    sums = monthly.groupby("month").agg(
        count=("count", "sum"), estimated=("estimated", "sum"), known=("known", "all")
    )
    rows = [
        (month, part, order, value)
        for month, total, estimated, known in sums.itertuples()
        for order, (part, value) in enumerate(
            [("counted", total - estimated), ("estimated", estimated)]
            if known
            else [("counted", 0.0), ("estimated", 0.0), ("incomplete", total)]
        )
        if value > 0 or (known and order == 0)
    ]
    table = pd.DataFrame(rows, columns=["month", "key", "order", "count"])
    return table.assign(
        month=pd.to_datetime(table["month"] + "-01"),
        part=[say(f"chart.part_{key}") for key in table["key"]],
        shown=[_amount(value, say) for value in table["count"]],
    )


def _amount(value: float, say: Texts) -> str:
    return say.number(value, 0 if abs(value - round(value)) < 0.05 else 1)


def _part_colour(totals: pd.DataFrame, say: Texts) -> alt.Color:
    """Colour by part, with a legend only where there is more than one."""
    keys = [key for key in _PART_COLOUR if key in set(totals["key"])]
    scale = alt.Scale(
        domain=[say(f"chart.part_{key}") for key in keys],
        range=[_PART_COLOUR[key] for key in keys],
    )
    legend = alt.Legend(
        title=None, orient="bottom", symbolStrokeColor="#7b90a3", symbolStrokeWidth=1,
        labelLimit=320, columns=1,
    )  # fmt: skip
    return alt.Color("part:N", scale=scale, legend=legend if len(keys) > 1 else None)


def _break_layers(breaks: Sequence[date], say: Texts) -> list[alt.Chart]:
    """Draw a line where new boundaries came into force, named at its foot: events at the top."""
    if not breaks:
        return []
    table = pd.DataFrame(
        {
            "day": pd.to_datetime(list(breaks)),
            "label": [say("chart.break", day=day) for day in breaks],
        }
    )
    base = alt.Chart(table).encode(x="day:T", tooltip=alt.Tooltip("label:N", title=None))
    style: dict[str, Any] = {"angle": 270, "align": "left", "dx": 4, "dy": -7, "fontSize": 10.5}
    words = base.mark_text(**style, fontStyle="italic", color="#5a2ca0")
    halo = base.mark_text(**style, stroke="white", strokeWidth=4)
    foot = alt.value("height")  # of the plot: a legend takes of what was asked for
    return [
        base.mark_rule(color="#5a2ca0", strokeWidth=2, strokeDash=[5, 3]),
        halo.encode(text="label:N", y=foot),
        words.encode(text="label:N", y=foot),
    ]


_MONTH_AXIS = alt.Axis(
    format="%m/%Y",
    labelAngle=0,
    labelOverlap=True,
    labelSeparation=8,
    tickCount={"interval": "month", "step": 6},
)


def _event_layers(events: Sequence[Event], totals: pd.DataFrame, say: Texts) -> list[alt.Chart]:
    if totals.empty:
        return []
    first = totals["month"].min().date()
    shown = [e for e in events if e.type not in MOVES_NOTHING and e.effective_on >= first]
    table = pd.DataFrame(
        {
            "day": pd.to_datetime([event.effective_on for event in shown]),
            "event": [say(f"event.{event.type}") for event in shown],
            "colour": [_EVENT_COLOUR.get(event.type, "#8c9aa8") for event in shown],
            "turn": [event.type in _EVENT_COLOUR for event in shown],
            "on": [say.day(event.effective_on) for event in shown],
        }
    )
    turns, others = table[table["turn"]], table[~table["turn"]]
    layers = (
        [_event_lines(others).mark_rule(strokeWidth=1, strokeDash=[2, 2])] if len(others) else []
    )
    if len(turns):
        words = _event_lines(turns).encode(text="event:N", y=alt.value(3))
        style: dict[str, Any] = {"angle": 270, "align": "right", "dy": -7, "fontSize": 10.5}
        layers += [
            _event_lines(turns).mark_rule(strokeWidth=1.8),
            words.mark_text(**style, fontWeight=700, stroke="white", strokeWidth=4),
            words.mark_text(**style, fontWeight=700),
        ]
    return [_with_tooltip(layer, say) for layer in layers]


def _event_lines(table: pd.DataFrame) -> alt.Chart:
    return alt.Chart(table).encode(x="day:T", color=alt.Color("colour:N", scale=None))


def _with_tooltip(layer: alt.Chart, say: Texts) -> alt.Chart:
    return layer.encode(
        tooltip=[
            alt.Tooltip("event:N", title=say("chart.event")),
            alt.Tooltip("on:N", title=say("column.on")),
        ]
    )


_EVENT_COLOUR: Mapping[EventType, str] = {
    EventType.DESIGNATED: "#8a5a00",
    EventType.CARRIED_OVER: "#8a5a00",
    EventType.ASSESSED_TRANSFORMED: "#00694d",
    EventType.ASSESSED_NOT_TRANSFORMED: "#8e3f6b",
    EventType.RELAPSED: "#b34700",
    EventType.WITHDRAWN: "#33475b",
}


def last_year(monthly: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a series' last twelve months of which nothing is missing."""
    whole = monthly[monthly["known"]]
    months = sorted(whole["month"].unique())[-12:]
    return whole[whole["month"].isin(months)]


def category_chart(monthly: pd.DataFrame, labels: Mapping[str, str], say: Texts) -> Figure:
    """Draw the last twelve months' incidents by category, the largest first."""
    sums = last_year(monthly).groupby("category", as_index=False)["count"].sum()
    sums = sums.assign(
        label=sums["category"].map(labels).fillna(sums["category"]),
        shown=[_amount(value, say) for value in sums["count"]],
    )
    base = alt.Chart(sums).encode(
        x=alt.X("count:Q", title=say("chart.cases"), axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("label:N", sort="-x", title=None, axis=alt.Axis(labelLimit=260)),
    )
    words = base.mark_text(align="left", dx=3).encode(text="shown:N")
    return _framed(alt.layer(base.mark_bar(color="#9db4c8"), words), height=26 * max(len(sums), 1))


def transformed_chart(results: Mapping[int, TargetResult], target: float, say: Texts) -> Figure:
    """Draw the transformed share by plan year, its interval once all are assessed, the target."""

    table = pd.DataFrame(
        [
            {
                "year": str(year),
                "share": result.share,
                "low": interval.low if (interval := _final_interval(result)) else None,
                "high": interval.high if interval else None,
                "verdict": say(f"verdict.{result.verdict}"),
                "label": f"{result.numerator}/{result.denominator}",
                "colour": ACCENT if result.verdict != "cannot_be_measured" else "#9db4c8",
            }
            for year, result in results.items()
        ],
        columns=["year", "share", "low", "high", "verdict", "label", "colour"],
    )
    base = alt.Chart(table).encode(x=alt.X("year:N", title=None, axis=alt.Axis(labelAngle=0)))
    bars = base.mark_bar(size=30).encode(
        y=_share_axis("share:Q", say),
        color=alt.Color("colour:N", scale=None),
        tooltip=[
            alt.Tooltip("year:N", title=say("chart.year")),
            alt.Tooltip("label:N", title=say("chart.share")),
            alt.Tooltip("verdict:N", title=say("column.verdict")),
        ],
    )
    whiskers = base.mark_rule(color="#33475b").encode(y="low:Q", y2="high:Q")
    words = base.mark_text(dy=-8, fontWeight=600, color="white", baseline="top").encode(
        y="share:Q", text="label:N", yOffset=alt.value(12)
    )
    return _framed(alt.layer(bars, whiskers, words, _target_line(target)), height=190)


def _final_interval(result: TargetResult) -> Interval | None:
    """Return a plan's interval once all its hotspots are assessed."""
    return None if result.count("open") else result.interval


def trend_chart(trend: pd.DataFrame, target: float, say: Texts) -> Figure:
    """Draw the official non-relapse share at quarter ends with the target."""
    known = trend.dropna(subset=["official"])
    table = known.assign(
        day=pd.to_datetime(known["day"]),
        on=[say.day(day) for day in known["day"]],
        shown=[say.percent(share) for share in known["official"]],
    )
    line = (
        alt.Chart(table)
        .mark_line(point=alt.OverlayMarkDef(size=45), color=ACCENT)
        .encode(
            x=alt.X("day:T", title=None, axis=_MONTH_AXIS),
            y=_share_axis("official:Q", say),
            tooltip=[
                alt.Tooltip("on:N", title=say("column.on")),
                alt.Tooltip("shown:N", title=say("chart.share")),
                alt.Tooltip("watches:Q", title=say("column.denominator")),
            ],
        )
    )
    return _framed(alt.layer(line, _target_line(target)), height=190)


def survival_chart(found: Survival, say: Texts, height: int = 230) -> Figure:
    """Draw the share still transformed by months since recognition, its band and the target.

    Under each third month stands how many hotspots were followed at least so long: they are the
    second line of the axis, so that they keep their place on screen and on paper.
    """
    curve = found.curve.assign(
        shown=[say.percent(share) for share in found.curve["share"]],
        band=[
            f"{say.percent(low)} – {say.percent(high)}"
            for low, high in zip(found.curve["low"], found.curve["high"], strict=True)
        ],
        months=[
            say.number(month, 0 if month == int(month) else 1) for month in found.curve["month"]
        ],
    )
    at_risk = {str(row["month"]): str(row["at_risk"]) for row in found.numbers.to_dict("records")}
    axis = alt.Axis(
        values=[int(month) for month in found.numbers["month"]],
        labelExpr=f"[datum.label, {json.dumps(at_risk)}[datum.label]]",
        labelLineHeight=16,
        labelAngle=0,
        labelOverlap=False,
        labelFlush=False,
        titlePadding=8,
        titleFontWeight="normal",
    )
    scale = alt.Scale(domain=[0, found.window], nice=False)
    base = alt.Chart(curve).encode(
        x=alt.X("month:Q", title=say("outlook.months_since"), axis=axis, scale=scale)
    )
    band = base.mark_area(interpolate="step-after", opacity=0.18, color=ACCENT).encode(
        y=_share_axis("low:Q", say), y2="high:Q"
    )
    line = base.mark_line(interpolate="step-after", color=ACCENT, strokeWidth=2.4).encode(
        y=_share_axis("share:Q", say)
    )
    points = base.mark_point(opacity=0, size=180).encode(
        y=_share_axis("share:Q", say),
        tooltip=[
            alt.Tooltip("months:N", title=say("chart.months")),
            alt.Tooltip("shown:N", title=say("outlook.share_kept")),
            alt.Tooltip("band:N", title=say("outlook.band")),
            alt.Tooltip("at_risk:Q", title=say("outlook.at_risk")),
        ],
    )
    horizon = (
        alt.Chart(pd.DataFrame({"month": [found.horizon]}))
        .mark_rule(color="#8c9aa8", strokeWidth=1.2)
        .encode(x="month:Q")
    )
    layers = alt.layer(band, horizon, _target_line(found.target), line, points)
    return _framed(layers, height=height)


def projection_chart(projection: Projection, say: Texts, height: int = 230) -> Figure:
    """Draw how probable each number of successes at the year's end is, on target or not."""
    ends = [(projection.whole - k, k, p) for k, p in enumerate(projection.distribution)]
    words = {True: say("outlook.on_target"), False: say("outlook.off_target")}
    table = pd.DataFrame(
        [
            {
                "good": good,
                "p": p,
                "on": words[failed <= projection.most],
                "shown": say.percent(p),
                "share": say.percent(good / projection.whole),
            }
            for good, failed, p in sorted(ends)
            if p > 0.0005
        ]
    )
    title = "succeeded_end" if projection.reading == "transformed" else "kept_end"
    percent = "datum.label" if say.language == "en" else "replace(datum.label, '%', ' %')"
    chart = (
        alt.Chart(table)
        .mark_bar(size=max(12, min(34, 300 // len(table))))
        .encode(
            x=alt.X(
                "good:O",
                title=say(f"outlook.{title}"),
                axis=alt.Axis(labelAngle=0, titleFontWeight="normal"),
            ),
            y=alt.Y(
                "p:Q",
                title=None,
                axis=alt.Axis(format=".0%", labelExpr=percent, tickCount=4),
            ),
            color=alt.Color(
                "on:N",
                scale=alt.Scale(domain=list(words.values()), range=[ACCENT, "#d9a066"]),
                legend=alt.Legend(title=None, orient="top", symbolType="square"),
            ),
            tooltip=[
                alt.Tooltip("good:O", title=say(f"outlook.{title}")),
                alt.Tooltip("share:N", title=say("chart.share")),
                alt.Tooltip("shown:N", title=say("outlook.chance")),
                alt.Tooltip("on:N", title=say("column.verdict")),
            ],
        )
    )
    return _framed(alt.layer(chart), height=height)


def calibration_chart(points: pd.DataFrame, say: Texts, height: int = 260) -> Figure:
    """Draw how often it happened against how probable it was called, with the number of forecasts.

    Parameters
    ----------
    points : DataFrame
        One row a bin: `predicted`, `observed` (means, 0 to 1), `cases`.
    """
    table = points.assign(
        said=[say.percent(p, 0) for p in points["predicted"]],
        happened=[say.percent(p, 0) for p in points["observed"]],
        number=[say.number(n) for n in points["cases"]],
    )
    diagonal = (
        alt.Chart(pd.DataFrame({"predicted": [0.0, 1.0], "observed": [0.0, 1.0]}))
        .mark_line(color="#8c9aa8", strokeDash=[6, 4], strokeWidth=1.4)
        .encode(x=_chance_axis(alt.X, "predicted", say), y=_chance_axis(alt.Y, "observed", say))
    )
    base = alt.Chart(table).encode(
        x=_chance_axis(alt.X, "predicted", say),
        y=_chance_axis(alt.Y, "observed", say),
        tooltip=[
            alt.Tooltip("said:N", title=say("risk.predicted")),
            alt.Tooltip("happened:N", title=say("risk.observed")),
            alt.Tooltip("number:N", title=say("risk.cases")),
        ],
    )
    dots = base.mark_circle(color=ACCENT, opacity=0.85).encode(
        size=alt.Size("cases:Q", legend=None, scale=alt.Scale(range=[60, 420]))
    )
    style: dict[str, Any] = {"dy": -15, "fontSize": 11}
    halo = base.mark_text(**style, stroke="white", strokeWidth=3).encode(text="number:N")
    words = base.mark_text(**style, color="#33475b", fontWeight=600).encode(text="number:N")
    return _framed(alt.layer(diagonal, dots, halo, words), height=height)


def _chance_axis(channel: Any, field: str, say: Texts) -> Any:
    """Return an axis of probabilities, a little beyond 0 and 1 so that no dot is cut."""
    percent = "datum.label" if say.language == "en" else "replace(datum.label, '%', '\u00a0%')"
    return channel(
        f"{field}:Q",
        title=say(f"risk.{field}"),
        scale=alt.Scale(domain=[-0.04, 1.08], nice=False),
        axis=alt.Axis(
            format=".0%",
            labelExpr=percent,
            values=[0, 0.25, 0.5, 0.75, 1],
            titleFontWeight="normal",
        ),
    )


def effect_chart(course: pd.DataFrame, say: Texts) -> Figure:
    """Draw by how much the count since a designation is off the expected one, cumulated.

    Zero is what to expect without the programme, the grey band what chance alone may bring; the
    last point is the answer. Cumulated counts themselves would hide it in a steep line.

    Parameters
    ----------
    course : DataFrame
        By month (`pd.PeriodIndex`): `observed`, `expected`, `low`, `high`, cumulated.
    """
    months = course.index.astype(str)
    table = pd.DataFrame(
        {
            "month": pd.to_datetime(months + "-01"),
            "off": (course["observed"] - course["expected"]).to_numpy(),
            "low": (course["low"] - course["expected"]).to_numpy(),
            "high": (course["high"] - course["expected"]).to_numpy(),
            "on": [say.month(month) for month in months],
            "observed": list(map(say.number, course["observed"])),
            "expected": list(map(say.number, course["expected"])),
            "range": [
                f"{say.number(low)} – {say.number(high)}"
                for low, high in zip(course["low"], course["high"], strict=True)
            ],
        }
    )
    signs = "replace(datum.label, ',', '.')" if say.language == "vi" else "datum.label"
    base = alt.Chart(table).encode(
        x=alt.X("month:T", title=None, axis=_EFFECT_MONTHS),
        tooltip=[
            alt.Tooltip("on:N", title=say("chart.months")),
            alt.Tooltip("observed:N", title=say("effect.column_observed")),
            alt.Tooltip("expected:N", title=say("effect.column_expected")),
            alt.Tooltip("range:N", title=say("effect.column_band")),
        ],
    )
    axis = alt.Axis(tickCount=5, labelExpr=signs)
    y = alt.Y("off:Q", title=say("effect.chart_y"), axis=axis)
    band = base.mark_area(color="#dbe2e8").encode(y=alt.Y("low:Q", axis=axis), y2="high:Q")
    line = base.mark_line(point=alt.OverlayMarkDef(size=40), strokeWidth=2.5, color=ACCENT)
    zero = alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color="#5b6b7b", strokeDash=[5, 4])
    return _framed(alt.layer(band, zero.encode(y="zero:Q"), line.encode(y=y)), height=210)


_EFFECT_MONTHS = alt.Axis(
    format="%m/%Y", labelAngle=0, labelOverlap=True, tickCount={"interval": "month", "step": 3}
)


def places_chart(
    points: pd.DataFrame,
    outlines: Sequence[Mapping[str, Any]],
    say: Texts,
    height: int = 520,
) -> Figure:
    """Draw points over the outlines of wards: those that lie in a ward and those that do not.

    The two differ in colour and in shape. A far island, or points far from every ward, would shrink
    the city to a dot: such points are counted above the map and not drawn.

    Parameters
    ----------
    points : DataFrame
        `lon`, `lat`, `placed` (bool).
    outlines : sequence of GeoJSON features
        In degrees, with `properties.name`.
    """
    frame = _frame(outlines)
    shown = points if frame is None else points[frame.holds(points["lon"], points["lat"])]
    drawn = [each for each in outlines if frame is None or frame.meets(each)]
    kinds = {True: say("chart.placed"), False: say("chart.unplaced")}
    table = shown.assign(place=[kinds[bool(placed)] for placed in shown["placed"]])
    wards = (
        alt.Chart(alt.Data(values=drawn))  # type: ignore[no-untyped-call]
        .mark_geoshape(fill="#eef2f6", stroke="#9aa9b8", strokeWidth=0.6)
        .encode(tooltip=alt.Tooltip("properties.name:N", title=say("column.ward")))
    )
    layers: list[alt.Chart] = [wards]
    if len(table):
        domain = list(kinds.values())
        legend = alt.Legend(title=None, orient="top", labelLimit=400, symbolSize=90)
        layers += [
            alt.Chart(table)
            .mark_point(size=28, filled=True, opacity=0.75)
            .encode(
                longitude="lon:Q",
                latitude="lat:Q",
                color=alt.Color(
                    "place:N",
                    scale=alt.Scale(domain=domain, range=["#0072b2", "#d55e00"]),
                    legend=legend,
                ),
                shape=alt.Shape(
                    "place:N",
                    scale=alt.Scale(domain=domain, range=["circle", "triangle-up"]),
                    legend=legend,
                ),
                tooltip=[
                    alt.Tooltip("place:N", title=say("chart.place")),
                    alt.Tooltip("lon:Q", title=say("field.lon"), format=".5f"),
                    alt.Tooltip("lat:Q", title=say("field.lat"), format=".5f"),
                ],
            )
        ]
    # Degrees as they are, north up: a projection would take rings drawn the other way round for
    # all the rest of the world.
    chart = alt.layer(*layers).project(type="identity", reflectY=True)
    beyond = len(points) - len(shown)
    if beyond:
        title = alt.TitleParams(
            say("chart.beyond", count=beyond), anchor="start", fontSize=12, fontWeight="normal"
        )
        chart = chart.properties(title=title)
    return _framed(chart, height=height)


@dataclass(frozen=True)
class _Frame:
    """A box of degrees."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, lon: pd.Series, lat: pd.Series) -> pd.Series:
        inside: pd.Series = lon.between(self.west, self.east) & lat.between(self.south, self.north)
        return inside

    def meets(self, outline: Mapping[str, Any]) -> bool:
        return any(
            self.west <= lon <= self.east and self.south <= lat <= self.north
            for lon, lat in _corners(outline["geometry"]["coordinates"])
        )


_MARGIN = 0.25
_FAR = 0.01


def _frame(outlines: Sequence[Mapping[str, Any]]) -> _Frame | None:
    """Return the box around all but the farthest corners, and a margin; None without any."""
    corners = [place for each in outlines for place in _corners(each["geometry"]["coordinates"])]
    if not corners:
        return None
    table = pd.DataFrame(corners, columns=["lon", "lat"])
    first, last = table.quantile(_FAR), table.quantile(1 - _FAR)
    aside = _MARGIN * float((last - first).max())
    return _Frame(
        float(first["lon"]) - aside,
        float(first["lat"]) - aside,
        float(last["lon"]) + aside,
        float(last["lat"]) + aside,
    )


def _corners(coordinates: Any) -> Iterator[tuple[float, float]]:
    """Give every vertex of rings that lie one in another, however deep."""
    for part in coordinates:
        if isinstance(part[0], int | float):
            yield float(part[0]), float(part[1])
        else:
            yield from _corners(part)


def svg(chart: Figure, width: int = 680) -> str:
    """Return a figure as SVG, drawn here and not in the reader's browser."""
    return _drawn(chart.properties(width=width).to_json(indent=None))


@lru_cache(maxsize=1000)
def _drawn(specification: str) -> str:
    """Draw a figure once: a tenth of a second each, and a programme's report has fifty."""
    drawn: str = vl_convert.vegalite_to_svg(specification)
    return drawn


def _share_axis(field: str, say: Texts) -> alt.Y:
    percent = "datum.label" if say.language == "en" else "replace(datum.label, '%', ' %')"
    return alt.Y(
        field,
        title=None,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", labelExpr=percent, values=[0, 0.25, 0.5, 0.75, 1]),
    )


def _target_line(target: float) -> alt.Chart:
    base = alt.Chart(pd.DataFrame({"target": [target]})).encode(y="target:Q")
    line: alt.Chart = base.mark_rule(color=_TARGET, strokeDash=[6, 4], strokeWidth=1.8)
    return line


def _framed(chart: Figure, height: int) -> Figure:
    framed: Figure = (
        chart.properties(height=height)
        .configure(font=_FONT, background="transparent")
        .configure_view(strokeWidth=0)
        .configure_axis(gridColor="#e3e8ed", domainColor="#b8c4cf", labelFontSize=11)
    )
    return framed
