"""Reads a report as a person's browser would: its tables, texts and scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_iginsights.report.build import build_report
from airflow_provider_iginsights.report.drawing import Charts
from airflow_provider_iginsights.report.period import Period
from airflow_provider_iginsights.report.rows import ReportRows

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
UNCLOSED = frozenset({"meta", "img", "br", "path", "line", "rect", "circle"})


class ReadPage(HTMLParser):
    """A page that was read. ``tables``: rows of cells by id, the titles first. ``texts``: by tag, no scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: dict[str, list[str]] = {}
        self.scripts: list[str] = []
        self._table: list[list[str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        self.attributes.append((tag, dict(attrs)))
        if tag not in UNCLOSED:
            self.tags.append(tag)
        if tag == "table":
            self._table = self.tables.setdefault(dict(attrs)["id"] or "", [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append("")
        elif tag == "script":
            self.scripts.append("")
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        """Close an element, which must be the last that was opened."""
        if tag not in UNCLOSED:
            assert self.tags.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        """Add text to the elements that are open."""
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += data
            return
        for tag in self.tags:
            self.texts[tag][-1] += data
        if {"td", "th"} & set(self.tags):
            self._table[-1][-1] += data

    @property
    def policy(self) -> str:
        """The content security policy."""
        [found] = [each["content"] for _, each in self.attributes if each.get("http-equiv")]
        return found or ""

    @property
    def specs(self) -> dict[str, Any]:
        """The charts that the script draws."""
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found

    def list_rows(self, key: str) -> list[list[str]]:
        """Return the rows of a table without its titles."""
        return self.tables[f"table-{key}"][1:]

    def read_headlines(self) -> dict[str, str]:
        """Return the numbers that are told first, by title."""
        found = re.findall(r'<dt>(.*?)</dt><dd class="number">(.*?)</dd>', self.html)
        return dict(found)


def read_number(cell: str) -> float | None:
    """Return the number of a cell; shares as such."""
    if cell == "–":
        return None
    return float(cell.removesuffix(" %").replace(",", "")) / (100 if cell.endswith("%") else 1)


def build(period: tuple[Any, Any], *, charts: Charts = "none", zone: str = "UTC", **rows: Any) -> ReadPage:
    """Return the page of an account of which BigQuery holds these rows."""
    made = ReportRows(account_id="17841405822304914", period=Period(*period, ZoneInfo(zone)), **rows)
    return ReadPage(build_report(made, charts=charts, now=NOW).decode())


def digest(script: str) -> str:
    """Return a script's hash as a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def list_colors(style: str, *, dark: bool) -> Mapping[str, str]:
    """Return the colours of a style sheet by variable."""
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", blocks[1 if dark else 0]))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, "contrast ratio")."""
    first, second = sorted((_luminance(one), _luminance(other)))
    return (second + 0.05) / (first + 0.05)


def _luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
