"""Draws the tables for docs/ from the catalogue: how they hang together, and what feeds which. ``make reference``.

Plain SVG: the libraries that lay out graphs need a program (Graphviz) or a browser (Mermaid), and a column of boxes
needs no layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from airflow_provider_iginsights.catalog.columns import Table, TableName
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
from airflow_provider_iginsights.catalog.tables import ACCOUNTS, MEDIA
from airflow_provider_iginsights.catalog.views import VIEWS
from tests.support.pages import DOCS

IG_USER, IG_MEDIA = "/{ig-user-id}", "/{ig-media-id}"
RUN = "each run of a transfer"
EDGES: Mapping[TableName, tuple[str, ...]] = {
    "account_insights": (f"{IG_USER}/insights",),
    "accounts": (IG_USER,),
    "media": (f"{IG_USER}/media", f"{IG_USER}/stories"),
    "media_children": (f"{IG_USER}/media",),
    "media_insights": (f"{IG_USER}/media", f"{IG_MEDIA}/insights"),
    "story_insights": (f"{IG_USER}/stories", f"{IG_MEDIA}/insights", "webhook story_insights"),
    "story_polls": (f"{IG_USER}/stories",),
    "account_status": (RUN,),
    "runs": (RUN,),
    "left_out": (RUN,),
}
"""Table -> the edges of the Graph API whose answers fill it, and what else does."""
_LINE, _PAD, _GAP, _LETTER = 17, 9, 16, 7.3
_COLORS = {"edge": "#fff4d6", "table": "#e3efff", "view": "#e4f6e6"}
_STYLE = "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1f2328}.head{font-weight:bold}"


@dataclass(slots=True)
class Box:
    """A box: a head, the lines below it, and where it stands."""

    head: str
    lines: Sequence[str]
    color: str
    x: float = 0
    y: float = 0

    @property
    def width(self) -> float:
        """Return its width, in pixels."""
        return max(len(line) for line in (self.head, *self.lines)) * _LETTER + 2 * _PAD

    @property
    def height(self) -> float:
        """Return its height, in pixels."""
        return (1 + len(self.lines)) * _LINE + _PAD

    @property
    def middle(self) -> float:
        """Return where its lines begin and end."""
        return self.y + self.height / 2


def draw_relations() -> str:
    """Return how the tables hang together: the key of each, and where the account and the post of a row stand."""
    boxes = {table.name: Box(table.default_id, tuple(_list_key(table)), _COLORS["table"]) for table in ALL_TABLES}
    of_media = [table for table in ALL_TABLES if table.id_column("media") and table != MEDIA]
    of_accounts = [table for table in ALL_TABLES if not table.id_column("media") and table != ACCOUNTS]
    columns = [of_accounts, [ACCOUNTS, MEDIA], of_media]
    lines = [(boxes[table.name], boxes[ACCOUNTS.name], "n : 1") for table in (*of_accounts, MEDIA)]
    lines += [(boxes[table.name], boxes[MEDIA.name], "n : 1") for table in of_media]
    return _draw([[boxes[table.name] for table in column] for column in columns], lines)


def draw_lineage() -> str:
    """Return what feeds which: edges of the Graph API, tables, views."""
    edges = {
        name: Box(name, (), _COLORS["edge"]) for name in dict.fromkeys(each for of in EDGES.values() for each in of)
    }
    tables = {table.name: Box(table.default_id, (), _COLORS["table"]) for table in ALL_TABLES}
    # Below one another as their tables are, so that few lines cross.
    ordered = sorted(VIEWS, key=lambda view: ALL_TABLES.index(view.table))
    views = {view.name: Box(view.view_id(view.table.default_id), (), _COLORS["view"]) for view in ordered}
    lines = [(edges[edge], tables[name], "") for name, of in EDGES.items() for edge in of]
    lines += [(tables[table.name], views[view.name], "") for view in VIEWS for table in (view.table, *view.tables)]
    return _draw([list(edges.values()), list(tables.values()), list(views.values())], lines)


def write_diagrams(folder: Path = DOCS / "images") -> None:
    """Write both pictures."""
    for name, drawn in DIAGRAMS.items():
        (folder / name).write_text(drawn, "utf-8")


def _list_key(table: Table) -> Iterable[str]:
    yield from (f"* {name}" for name in table.key)
    yield f"  and {len(table.columns) - len(table.key)} more"


def _draw(columns: Sequence[Sequence[Box]], lines: Iterable[tuple[Box, Box, str]]) -> str:
    width = _place(columns)
    height = max(box.y + box.height for column in columns for box in column) + _GAP
    svg = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:.0f} {height:.0f}", role="img")
    ET.SubElement(svg, "style").text = _STYLE
    ET.SubElement(svg, "rect", width="100%", height="100%", fill="#ffffff")
    for start, end, words in lines:
        _draw_line(svg, start, end, words)
    for box in (box for column in columns for box in column):
        _draw_box(svg, box)
    ET.indent(svg)
    return ET.tostring(svg, encoding="unicode") + "\n"


def _place(columns: Sequence[Sequence[Box]]) -> float:
    """Put the boxes below one another, column by column, each column in the middle; return the whole width."""
    heights = [sum(box.height + _GAP for box in column) for column in columns]
    x = float(_GAP)
    for column, height in zip(columns, heights, strict=True):
        y = _GAP + (max(heights) - height) / 2
        for box in column:
            box.x, box.y = x, y
            y += box.height + _GAP
        x += max(box.width for box in column) + 5 * _GAP
    return x - 4 * _GAP


def _draw_line(svg: ET.Element, start: Box, end: Box, words: str) -> None:
    left, right = sorted((start, end), key=lambda box: box.x)
    if left.x == right.x:
        upper, lower = sorted((start, end), key=lambda box: box.y)
        path = f"M{upper.x + 30:.0f} {upper.y + upper.height:.0f}V{lower.y:.0f}"
    else:
        x, far, high, low = left.x + left.width, right.x, round(left.middle), round(right.middle)
        bend = (x + far) / 2
        path = f"M{x:.0f} {high}C{bend:.0f} {high} {bend:.0f} {low} {far:.0f} {low}"
    line = ET.SubElement(svg, "path", d=path, fill="none", stroke="#8c959f")
    ET.SubElement(line, "title").text = f"{start.head} - {end.head}{f' ({words})' if words else ''}"


def _draw_box(svg: ET.Element, box: Box) -> None:
    place = {"x": f"{box.x:.0f}", "y": f"{box.y:.0f}", "width": f"{box.width:.0f}", "height": f"{box.height:.0f}"}
    ET.SubElement(svg, "rect", place, rx="4", fill=box.color, stroke="#57606a")
    for number, line in enumerate((box.head, *box.lines), start=1):
        at = {"x": f"{box.x + _PAD:.0f}", "y": f"{box.y + number * _LINE:.0f}"}
        ET.SubElement(svg, "text", at if number > 1 else at | {"class": "head"}).text = line


DIAGRAMS: Mapping[str, str] = {"tables.svg": draw_relations(), "lineage.svg": draw_lineage()}
