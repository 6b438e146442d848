"""Plain text of rows: aligned tables, and a line of blocks for a curve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-:=+*#"
"""For a terminal whose encoding has no blocks."""
_NOTHING = "-"


def format_table(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield the lines of a table: the names of the columns, then a line a row. Numbers stand to the right.

    :param rows: all with the same columns; None is shown as ``-``, which is not 0. No rows make no lines.
    """
    if not rows:
        return
    names = list(rows[0])
    cells = [names, *([_format(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    numeric = [all(_is_number(row[name]) for row in rows) for name in names]
    for line in cells:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        yield "  ".join(padded).rstrip()


def draw_sparkline(values: Sequence[float], *, blocks: str = BLOCKS) -> str:
    """Return a character a value: the lowest for 0, the highest for the largest value. Values are not negative."""
    largest = max(values, default=0) or 1
    top = len(blocks) - 1
    return "".join(blocks[round(value / largest * top)] for value in values)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _format(value: object) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:,}"
    return value.isoformat() if isinstance(value, date) else str(value)
