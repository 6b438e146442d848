"""Writes a report as one HTML file that asks no server for anything; its content security policy holds it to that."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from html import escape
from importlib.resources import files
from urllib.parse import urlsplit

from airflow_provider_iginsights.report.figures import (
    NOTHING,
    Cell,
    Figure,
    FigureTable,
    Link,
    Number,
    Section,
    TableColumn,
    shorten,
    write_number,
    write_share,
)

INSTAGRAM_HOSTS = ("www.instagram.com", "instagram.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a report shows. ``headlines``: (title, number, remark)."""

    title: str
    about: Sequence[str]
    headlines: Sequence[tuple[str, Number | None, str]]
    sections: Sequence[Section]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How the charts come onto the page.

    ``script``: draws them in the browser; ``""`` = none. ``images``: SVG by the key of the figure, in place of it.
    """

    script: str = ""
    images: Mapping[str, str] = field(default_factory=dict)


def write_page(page: Page, drawing: Drawing) -> str:
    """Return the HTML."""
    return "".join(_write(page, drawing))


def read_text(name: str) -> str:
    """Return a text file that lies beside this module."""
    return files("airflow_provider_iginsights.report").joinpath(name).read_text("utf-8")


_read_once = cache(read_text)


def _write(page: Page, drawing: Drawing) -> Iterator[str]:
    title = escape(shorten(page.title, 100))
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(drawing.script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>\n{_read_once('style.css')}</style>\n</head>\n<body>\n"
    )
    yield f"<header>\n<h1><bdi>{title}</bdi></h1>\n"
    yield "".join(f'<p class="about">{escape(line)}</p>\n' for line in page.about)
    links = "".join(f'<li><a href="#{each.key}">{escape(each.title)}</a></li>' for each in page.sections)
    yield f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n<main>\n<dl class="headlines">\n'
    for name, number, remark in page.headlines:
        yield (
            f'<div><dt>{escape(name)}</dt><dd class="number">{write_number(number)}</dd>'
            f'<dd class="remark">{escape(remark)}</dd></div>\n'
        )
    yield "</dl>\n"
    for section in page.sections:
        yield from _write_section(section, drawing)
    yield f"</main>\n<footer><p>{NOTHING} means that there is no number; it is never 0.</p></footer>\n"
    yield from _write_scripts(page, drawing)
    yield "</body>\n</html>\n"


def _policy(script: str) -> str:
    """Return a policy that allows no request, and no script but this one."""
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" if script else "'none'"
    # Vega sets styles of its own; with default-src 'none' a style can ask no server for anything either.
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _write_section(section: Section, drawing: Drawing) -> Iterator[str]:
    yield f'<section id="{section.key}" aria-labelledby="{section.key}-heading">\n'
    yield f'<h2 id="{section.key}-heading">{escape(section.title)}</h2>\n'
    if section.intro:
        yield f'<p class="intro">{escape(section.intro)}</p>\n'
    yield f'<div class="figures-{len(section.figures)}">\n'
    for figure in section.figures:
        yield from _write_figure(figure, drawing)
    yield "</div>\n"
    if section.remarks:
        yield f'<ul class="remarks">{"".join(f"<li>{escape(remark)}</li>" for remark in section.remarks)}</ul>\n'
    elif not section.figures:
        yield '<p class="empty">There is nothing to note.</p>\n'
    yield "</section>\n"


def _write_figure(figure: Figure, drawing: Drawing) -> Iterator[str]:
    yield f'<figure aria-labelledby="{figure.key}-title">\n<h3 id="{figure.key}-title">{escape(figure.title)}</h3>\n'
    is_drawn = figure.spec is not None
    if figure.spec is None:
        yield f'<p class="empty">{escape(figure.empty)}</p>\n'
    elif drawing.images:
        yield f'<div class="chart static">{drawing.images[figure.key]}</div>\n'
    elif drawing.script:
        # Nearly as high as it will be, so that little moves while one chart after the other is drawn.
        height = figure.spec.get("height", 0)
        yield f'<div class="chart" id="chart-{figure.key}" style="min-height: {height}px"></div>\n'
    if is_drawn and (drawing.images or drawing.script) and figure.legend:
        entries = (f'<li style="--swatch: var({each.color})">{escape(each.text)}</li>' for each in figure.legend)
        yield f'<ul class="legend">{"".join(entries)}</ul>\n'
    if figure.note:
        yield f'<p class="note">{escape(figure.note)}</p>\n'
    if figure.table.rows:
        is_open = "" if is_drawn and (drawing.images or drawing.script) else " open"
        yield f"<details{is_open}><summary>Table: {escape(figure.title)}</summary>\n"
        yield from _write_table(figure.table, figure)
        yield "</details>\n"
    yield "</figure>\n"


def _write_table(table: FigureTable, figure: Figure) -> Iterator[str]:
    if table.left_out:
        count = len(table.rows)
        yield f'<p class="left-out">The first {count:,} of {count + table.left_out:,}.</p>\n'
    # A box that scrolls can be reached by the keyboard, and says what it is.
    yield f'<div class="table" tabindex="0" role="region" aria-label="{escape(figure.title)}">'
    yield f'<table id="table-{figure.key}"><thead><tr>'
    for column in table.columns:
        yield f'<th scope="col"{_class(column)}>{escape(column.title)}</th>'
    yield "</tr></thead><tbody>\n"
    for row in table.rows:
        cells = (_write_cell(cell, column) for cell, column in zip(row, table.columns, strict=True))
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody></table></div>\n"


def _class(column: TableColumn) -> str:
    return ' class="text"' if column.kind in ("text", "days") else ""


def _write_cell(cell: Cell, column: TableColumn) -> str:
    return f"<td{_class(column)}>{_write_value(cell, column)}</td>"


def _write_value(cell: Cell, column: TableColumn) -> str:
    if isinstance(cell, Link):
        text = f"<bdi>{escape(cell.text)}</bdi>"
        address = cell.address or ""
        return f'<a href="{escape(address)}" rel="noreferrer">{text}</a>' if _is_safe(address) else text
    if isinstance(cell, str):
        return f"<bdi>{escape(cell)}</bdi>"
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    return write_share(cell) if column.kind == "share" else write_number(cell)


def _is_safe(address: str) -> bool:
    """Return whether an address leads to Instagram and nowhere else."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.netloc in INSTAGRAM_HOSTS


def _write_scripts(page: Page, drawing: Drawing) -> Iterator[str]:
    if not drawing.script:
        return
    specs = {f"chart-{each.key}": each.spec for section in page.sections for each in section.figures if each.spec}
    # No text can end the element or open a comment in it ("The script element", Restrictions for contents).
    data = json.dumps(specs, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    yield '<noscript><p class="empty">Charts need JavaScript; the tables hold the same numbers.</p></noscript>\n'
    yield f'<script type="application/json" id="charts">{data}</script>\n<script>{drawing.script}</script>\n'
