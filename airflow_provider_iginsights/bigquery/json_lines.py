"""The rows of one table as lines of JSON. What rows share is encoded once."""

from __future__ import annotations

from json.encoder import encode_basestring
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.encode import ENCODERS, SAFE_INTEGER, UnstorableValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_iginsights.catalog.tables import Column, Table

_REMEMBERED = 2048
"""The metrics of an account with all values of their breakdowns are some 500."""
_LONGEST = 100  # characters of a column, on average, that are kept
_ABSENT: Any = object()
_LEAST_INTEGER = -SAFE_INTEGER


class JsonLines:
    """Encodes the rows of one table. Not for use by several threads at once.

    ``shared``: the values that the row encoded last shares with others, the same object while they stay the same; None
    where the row was encoded column by column, and the line may be of any length.
    """

    __slots__ = ("_columns", "_groups", "_text", "_width", "shared", "table")

    def __init__(self, table: Table) -> None:
        self.table: Table = table
        self.shared: tuple[object, ...] | None = None
        self._text = ""
        self._width = len(table.columns)
        self._columns = [_Member(column) for column in table.columns]
        self._groups = _group_columns(table)

    def encode(self, row: Mapping[str, object]) -> str:
        """Return the row's line, with its line feed.

        :raises UnstorableValue: a column cannot store its value, or the table does not have the column.
        """
        if self._groups and len(row) == self._width:
            shared, names, number, flags = self._groups
            try:
                values, name = shared.pick(row), names.pick(row)
                if values != self.shared:
                    self.shared = None
                    self._text = (shared.known and shared.known.get(values)) or shared.encode(values)
                    self.shared = values
                named = names.known.get(name) or names.encode(name)
                value = row[number.name]
                if type(value) is not int or not _LEAST_INTEGER <= value <= SAFE_INTEGER:
                    value = number.to_json(value)
                more = "".join([f",{flag.prefix}{flag.to_json(row[flag.name])}" for flag in flags]) if flags else ""
            except (KeyError, TypeError, UnstorableValue):
                pass  # Column by column, the reason is found.
            else:
                return f"{{{self._text},{named},{number.prefix}{value}{more}}}\n"
        self.shared = None
        return f"{{{','.join(self._members(row))}}}\n"

    def _members(self, row: Mapping[str, object]) -> list[str]:
        """Return the row's ``"column":value`` texts, column by column; one that the row does not have is NULL."""
        members, found = [], 0
        for column in self._columns:
            value = row.get(column.name, _ABSENT)
            if value is _ABSENT:
                value = None
            else:
                found += 1
            if value is column.last:
                members.append(column.last_text)
            elif column.is_text and type(value) is str:
                column.last, column.last_text = value, column.prefix + encode_basestring(value)
                members.append(column.last_text)
            elif column.is_number and type(value) is int and _LEAST_INTEGER <= value <= SAFE_INTEGER:
                members.append(f"{column.prefix}{value}")
            elif text := column.encode(value):
                members.append(text)
        if found != len(row):
            unknown = ", ".join(sorted(map(str, set(row).difference(self.table.column_names))))
            raise UnstorableValue(f"the table has no column {unknown[:200]}")
        return members


class _Member:
    """One column of a line."""

    __slots__ = ("is_number", "is_required", "is_text", "last", "last_text", "name", "prefix", "to_json")

    def __init__(self, column: Column) -> None:
        self.name = column.name
        self.prefix = f'"{column.name}":'
        self.to_json = ENCODERS[column.type]
        self.is_required = column.required
        self.is_text = column.type == "STRING"
        self.is_number = column.type in ("NUMERIC", "INT64")
        self.last: object = _ABSENT
        self.last_text = ""

    def encode(self, value: object) -> str:
        """Return the column's text, '' for NULL. Raises UnstorableValue."""
        if value is self.last:  # The same object as in the row before, as in all columns of one run or answer.
            return self.last_text
        if self.is_text and type(value) is str:
            self.last, self.last_text = value, self.prefix + encode_basestring(value)
            return self.last_text
        if value is None:
            if self.is_required:
                raise UnstorableValue(f"column {self.name} is required and has no value")
            return ""
        try:
            text = self.prefix + self.to_json(value)
        except UnstorableValue as fault:
            raise UnstorableValue(f"column {self.name} {fault}") from None
        self.last, self.last_text = value, text
        return text


class _Members:
    """Several columns whose values repeat together from row to row.

    ``known``: the texts of values that were met before; empty where they do not come again.
    """

    __slots__ = ("comes_again", "known", "members", "pick")

    def __init__(self, columns: Sequence[Column]) -> None:
        # All numbers of a media come one after the other, those of an account day by day, metric by metric.
        self.comes_again = all(column.identifies != "media" for column in columns)
        self.members = [_Member(column) for column in columns]
        self.pick: Callable[[Mapping[str, object]], Any] = itemgetter(*(column.name for column in columns))
        self.known: dict[object, str] = {}

    def encode(self, values: tuple[object, ...]) -> str:
        """Return the columns' texts, and keep them where they come again.

        :raises UnstorableValue: also where they are too long to be kept.
        """
        texts = [
            member.last_text if value is member.last else member.encode(value)
            for member, value in zip(self.members, values, strict=True)
        ]
        text = ",".join(filter(None, texts))
        if len(text) > _LONGEST * len(texts):
            raise UnstorableValue("is too long to be kept")
        if len(self.known) >= _REMEMBERED:
            self.known.clear()
        if self.comes_again:
            self.known[values] = text
        return text


def _group_columns(table: Table) -> tuple[_Members, _Members, _Member, list[_Member]] | None:
    """Return what all numbers of an object share, what tells them apart, the number, and the columns of type BOOL.

    None for a table of objects, whose rows share little.
    """
    names = [column for column in table.columns if column.name in table.text_keys]
    numbers = [_Member(column) for column in table.columns if column.type in ("NUMERIC", "INT64")]
    if len(names) < 2 or len(numbers) != 1:
        return None
    # Seldom the same as in another row, and equal to values that its column refuses: True is 1.
    flags = [column for column in table.columns if column.type == "BOOL"]
    figures = ("NUMERIC", "INT64", "BOOL")
    shared = [column for column in table.columns if column not in names and column.type not in figures]
    return _Members(shared), _Members(names), numbers[0], [_Member(column) for column in flags]
