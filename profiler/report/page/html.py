"""The report as one HTML file that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import profiler
from profiler.report.charts import plots
from profiler.report.charts.frontier_chart import frontier_panel
from profiler.report.charts.reliability import reliability_panel
from profiler.report.model.cells import MARKS, Sheet, number_parts, split_note
from profiler.report.model.contents import ReportInput
from profiler.report.model.records import (
    Group,
    clean,
    drawn_groups,
    groups,
    not_drawn,
    records,
)
from profiler.report.model.theme import DARK, LIGHT, NARROW, WIDE, recoloured
from profiler.report.page.layout import SCRIPT, STYLE
from profiler.report.tables import stress
from profiler.report.tables.missing import missing_sheet
from profiler.report.tables.pivot import hardware_sheets
from profiler.report.tables.render import main_sheets, other_starts
from profiler.schema.columns import Row
from profiler.units import format_size

if TYPE_CHECKING:
    pass

# A page that may load nothing cannot report to anyone. Vega compiles its expressions, hence eval.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "img-src data:"
)
_SIZES = {"wide": WIDE, "narrow": NARROW}


def page(report: ReportInput) -> str:
    """The complete page. Everything that came from a user or a device is escaped."""
    rows = records(report.frame)
    figures = _figures(report, rows)
    among = groups(rows)
    tables = [*main_sheets(rows), *other_starts(among)]
    if len({row["target"] for row in rows}) > 1:
        tables += hardware_sheets(rows)
    tables += report.sheets
    gone = missing_sheet(rows)
    study = _text(report.study_name)
    body = [
        f"<header><h1>{study}</h1><p class='meta'>{_counts(rows)} · profiler "
        f"{_text(profiler.__version__)} · {_text(_moment(report.created))}</p></header>",
        "<main>",
        _choice(report),
        _warnings(report.warnings),
        *(_figure(key, specs) for key, specs in figures.items() if key.startswith(("f", "r"))),
        _note(not_drawn(among)),
        "<h2>All trials</h2>",
        *(_table(sheet) for sheet in tables),
        _missing(gone),
        *_stress(report, figures),
        *(_figure(key, specs) for key, specs in figures.items() if key.startswith("l")),
        _measured_box(report),
        _facts(report.targets),
        _artifacts(report.artifacts),
        "</main>",
        "<footer><p>This file is self-contained: it loads nothing from the network.</p></footer>",
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{study}: latency and accuracy</title>",
            f"<style>{STYLE}</style></head><body>",
            *(part for part in body if part),
            _scripts(figures),
            "</body></html>",
            "",
        ]
    )


def _text(value: object) -> str:
    return escape(clean(value), quote=True)


def _prose(text: str) -> str:
    """Escaped, and no line break between a number and its unit."""
    return re.sub(r"(?<=\d) (?=%|[a-zµ]{1,2}\b|[kMG]?B\b)", "\u00a0", _text(text))


def _moment(iso: str) -> str:
    """'2026-01-15 10:24 UTC'; another text as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def _counts(rows: Sequence[Row]) -> str:
    parts = []
    for status, word in (("ok", "measured"), ("failed", "failed"), ("excluded", "excluded")):
        count = sum(row["status"] == status for row in rows)
        if count or status == "ok":
            parts.append(f"{count} {word}")
    return f"{len(rows)} trial{'' if len(rows) == 1 else 's'}: " + ", ".join(parts)


def _note(text: str) -> str:
    return f"<p class='notes'>{_text(text)}</p>" if text else ""


def _choice(report: ReportInput) -> str:
    if not report.choice.strip():
        return ""
    head, *rest = (_prose(line) for line in report.choice.strip().splitlines() if line.strip())
    others = "".join(f"<li>{_prose(reason)}</li>" for reason in report.runners_up)
    return (
        f'<section class="choice" aria-label="Choice"><p class="head">'
        f'<span aria-hidden="true">★ </span>{head}</p>'
        + "".join(f"<p>{line}</p>" for line in rest)
        + (f"<ul>{others}</ul>" if others else "")
        + "</section>"
    )


def _warnings(warnings: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(warning)}</li>" for warning in warnings)
    if not items:
        return ""
    return (
        '<section class="warnings" aria-label="Warnings"><p><strong>Warnings</strong></p>'
        f"<ul>{items}</ul></section>"
    )


def _stress(report: ReportInput, figures: Mapping[str, Any]) -> Iterable[str]:
    """Each model's curves, then the same as tables, then what the probes brought."""
    for n, section in enumerate(report.stress):
        yield f"<h2>Stress: {_text(section.name)}</h2>"
        key = f"stress-{n}"
        if key in figures:
            yield _figure(key, figures[key])
        yield from (_table(sheet) for sheet in stress.sheets(section))


def _figures(report: ReportInput, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Figure id -> look -> Vega-Lite specification. A figure without data is left out."""
    among = groups(rows)
    found: dict[str, dict[str, Any]] = {}

    def add(key: str, make: Any) -> None:
        specs = {}
        for label, size in _SIZES.items():
            chart = make(size)
            if chart is None:
                return
            spec = plots.specification(plots.configured(chart, size, LIGHT))
            specs[f"{label}-light"] = spec
            specs[f"{label}-dark"] = recoloured(spec, LIGHT, DARK)
        found[key] = specs

    for n, group in enumerate(drawn_groups(among)):
        add(f"frontier-{n}", _panel_maker(frontier_panel, report, group, among))
    for n, group in enumerate(drawn_groups(among)):
        add(f"ratio-{n}", _panel_maker(plots.ratio_panel, report, group, among))
    add("reliability", lambda size: reliability_panel(report, size=size))
    for n, section in enumerate(report.stress):
        add(f"stress-{n}", partial(stress.draw, section))
    return found


def _panel_maker(draw: Any, report: ReportInput, group: Group, among: Sequence[Group]) -> Any:
    return lambda size: draw(report, group, among, size=size)


def _figure(key: str, specs: Mapping[str, Any]) -> str:
    """The picture with its words; the script draws the interactive one in its place."""
    light = specs["wide-light"]
    picture = base64.b64encode(plots.to_svg(light).encode()).decode()
    words = _text(light.get("description", ""))
    return (
        f'<figure id="{key}"><div class="live"></div>'
        f'<img src="data:image/svg+xml;base64,{picture}" alt="{words}"></figure>'
    )


def _scripts(figures: Mapping[str, Any]) -> str:
    if not figures:
        return ""
    import vl_convert

    first = next(iter(figures.values()))["wide-light"]
    bundle = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=plots.vegalite_version(first)
    )
    # inside a script element only '</script' and '<!--' can do harm: no '<' in the data at all
    data = json.dumps(figures, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    code = bundle.replace("</script", "<\\/script")
    return (
        f'<script type="application/json" id="figures">{data}</script>\n'
        f"<script>{code}</script>\n<script>{SCRIPT}</script>"
    )


def _wide(table: str, label: str) -> str:
    """A table that scrolls sideways in its own region, also by keyboard."""
    return f'<div class="wide" role="region" aria-label="{label}" tabindex="0">{table}</div>'


def _cell_class(number: bool) -> str:
    return ' class="n"' if number else ""


def _table(sheet: Sheet) -> str:
    head = "".join(
        f'<th scope="col"{_cell_class(c.number)}>{_text(c.title)}</th>' for c in sheet.columns
    )
    columns = []
    for i, column in enumerate(sheet.columns):
        texts = [line.cells[i] for line in sheet.lines]
        columns.append(_numbers(texts) if column.number else [escape(text) for text in texts])
    body = []
    for n, line in enumerate(sheet.lines):
        mark = MARKS[line.standing].strip()
        words = "" if line.standing == "plain" else line.standing
        cells = [
            f'<td><span aria-hidden="true">{mark}</span><span class="hidden">{words}</span></td>'
        ]
        for i, column in enumerate(sheet.columns):
            tag = 'th scope="row"' if i == 0 else "td"
            cells.append(f"<{tag}{_cell_class(column.number)}>{columns[i][n]}</{tag.split()[0]}>")
        body.append(f'<tr class="{line.standing}">{"".join(cells)}</tr>')
    title = _text(sheet.title)
    legend = " · ".join(
        f"<span>{_text('grey: dominated' if part.startswith('dim:') else part)}</span>"
        for part in sheet.legend
    )
    notes = "".join(f"<br>{_text(note)}" for note in sheet.notes)
    table = (
        f'<table class="sheet"><caption>{title}</caption><thead><tr>'
        f'<th scope="col"><span class="hidden">standing</span></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )
    below = f'<p class="notes">{legend}{notes}</p>' if legend or notes else ""
    return _wide(table, title) + below


def _numbers(texts: Sequence[str]) -> list[str]:
    """Numbers whose decimal points line up when set flush right.

    The missing decimals are there, invisible: no space is exactly as wide as a full stop.
    """
    parts = number_parts(texts)
    longest = max((len(part[1]) for part in parts if part), default=0)
    cells = []
    for text, part in zip(texts, parts, strict=True):
        if part is None:
            cells.append(escape(text))
            continue
        head, decimals, rest = part
        lacking = (
            "0" * (longest - len(decimals))
            if decimals
            else "." + "0" * (longest - 1)
            if longest
            else ""
        )
        following, letter = split_note(rest)
        if following.startswith("–"):  # an interval: a gap in its middle would look like a fault
            lacking = ""
        pad = f'<span class="pad" aria-hidden="true">{lacking}</span>' if lacking else ""
        # a footnote letter stands at once behind its number and takes no room
        note = f'<span class="note">{letter}</span>' if letter else ""
        after = escape(following) + note if following else note
        cells.append(escape(head + decimals) + (pad + after if following else after + pad))
    return cells


def _missing(sheet: Sheet | None) -> str:
    if sheet is None:
        return ""
    rows = "".join(
        f'<tr class="{line.standing}"><th scope="row">{_text(line.cells[0])}</th>'
        f"<td>{_text(line.cells[1])}</td><td>{_text(line.cells[2])}</td>"
        f'<td class="reason">{_text(line.cells[3])}</td></tr>'
        for line in sheet.lines
    )
    titles = [column.title for column in sheet.columns]
    return "<h2>Not measured</h2>" + _plain_table(
        titles, rows, "Failed and excluded trials", "missing"
    )


def _plain_table(titles: Iterable[str], rows: str, label: str, style: str) -> str:
    head = "".join(f'<th scope="col">{_text(title)}</th>' for title in titles)
    return _wide(
        f'<table class="{style}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>', label
    )


def _measured_box(report: ReportInput) -> str:
    items = "".join(
        f"<dt>{_text(key)}</dt><dd>{_text(value)}</dd>" for key, value in report.settings.items()
    )
    return (
        "<h2>How it was measured</h2><p>A round is one fresh process of every trial. 95 % "
        "intervals of latency describe how far a number moves from round to round; ratios compare "
        "trials within the same round. Intervals of accuracy describe the choice of evaluation "
        "rows.</p>" + (f"<dl>{items}</dl>" if items else "")
    )


def _facts(targets: Sequence[Mapping[str, str]]) -> str:
    if not targets:
        return ""
    labels = dict.fromkeys(key for facts in targets for key in facts if key != "target")
    rows = "".join(
        f'<tr><th scope="row">{_text(label)}</th>'
        + "".join(f"<td>{_text(facts.get(label, '–'))}</td>" for facts in targets)
        + "</tr>"
        for label in labels
    )
    titles = ["fact", *(facts.get("target", "target") for facts in targets)]
    return "<h2>Machines</h2>" + _plain_table(titles, rows, "Facts of each target", "facts")


def _artifacts(artifacts: Sequence[Mapping[str, Any]]) -> str:
    if not artifacts:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_text(item.get("model", "–"))}</th>'
        f"<td>{_text(item.get('variant', '–'))}</td>"
        f'<td class="n">{_text(format_size(item.get("bytes")))}</td>'
        f"<td>{_made_by(item.get('made_by') or {})}</td>"
        f"<td>{_text(item.get('parity') or '–')}</td>"
        f'<td><code title="{_text(item.get("sha", ""))}">{_text(item.get("sha", ""))[:12]}</code>'
        "</td></tr>"
        for item in artifacts
    )
    titles = ("model", "variant", "file", "made by", "agreement with source", "SHA-256")
    return "<h2>Variants and how each was made</h2>" + _plain_table(
        titles, rows, "Variants", "variants"
    )


def _made_by(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{_text(key)} {_text(value)}" for key, value in facts.items()) or "–"
