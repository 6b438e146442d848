"""What a report is made of, before it is HTML: sections, figures, tables, and how numbers and texts are written."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

Number = int | float
Kind = Literal["text", "number", "share", "days"]
NOTHING = "–"
"""Stands where there is no number."""
# Overrides of the direction of text, which would reach beyond the text ("Unicode Bidirectional Algorithm", 2).
_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C))
# What XML has no place for beside control characters: vl-convert ends the whole process over it (XML 1.0, "Char").
_NOT_XML = dict.fromkeys((0xFFFE, 0xFFFF, *range(0xD800, 0xE000)))
_ISOLATE, _POP = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to an address."""

    text: str
    address: str | None


Cell = str | int | float | date | Link | None


@dataclass(frozen=True, slots=True)
class TableColumn:
    """The title of a column and what its cells are."""

    title: str
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class FigureTable:
    """The numbers behind a figure. ``left_out``: so many rows are not shown."""

    columns: tuple[TableColumn, ...]
    rows: Sequence[Sequence[Cell]]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Swatch:
    """An entry of a legend: what the colour (a variable of the style sheet) means."""

    color: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with its table. ``spec``: Vega-Lite; None = there is nothing to draw, and ``empty`` says why.

    ``width``: of a picture without a script, in pixels.
    """

    key: str
    title: str
    table: FigureTable
    spec: Mapping[str, Any] | None
    note: str = ""
    legend: tuple[Swatch, ...] = ()
    empty: str = ""
    width: int = 680


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report with its own heading."""

    key: str
    title: str
    intro: str = ""
    figures: tuple[Figure, ...] = ()
    remarks: tuple[str, ...] = ()


def to_number(value: Decimal | Number | None) -> Number | None:
    """Return a whole number where it is one."""
    if value is None or isinstance(value, int):
        return value
    return int(value) if value == int(value) else float(value)


def divide(part: Number | None, whole: Number | None) -> float | None:
    """Return a share; None where either is unknown or the whole is 0."""
    return None if part is None or not whole else part / whole


def add_up(numbers: Iterable[Number | None]) -> Number | None:
    """Return the sum of the known numbers; None where none is known."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def write_number(value: Number | None) -> str:
    """Return ``1,234``, ``0.25`` or the sign for no number."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def write_share(value: Number | None) -> str:
    """Return ``12.3 %`` or the sign for no number."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def write_moment(moment: datetime) -> str:
    """Return ``2026-11-20 14:05``."""
    return f"{moment:%Y-%m-%d %H:%M}"


def shorten(text: str | None, length: int) -> str:
    """Return a text as one line of at most ``length`` characters, which leaves the direction of others alone."""
    line = " ".join((text or "").translate(_DIRECTIONS | _NOT_XML).split())
    line = "".join(sign for sign in line if unicodedata.category(sign) != "Cc")
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def isolate(text: str) -> str:
    """Return a shortened text for a chart, with a direction of its own."""
    return f"{_ISOLATE}{text}{_POP}"
