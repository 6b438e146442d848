"""The rows for one target: checked, written to a temporary file line by line, counted, and never held in memory.

The file is newline-delimited JSON as BigQuery's load jobs read it. It is deleted when it is closed, and by the
operating system if the process is killed, since it has no name.
"""

from __future__ import annotations

import hashlib
import tempfile
from datetime import date, timedelta
from json.encoder import encode_basestring
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.encode import ENCODERS, SAFE_INTEGER, UnstorableValue, encode_date
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange
from airflow_provider_iginsights.errors import LoadError, RowRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.tables import Column, Table

# "Quotas and limits: load jobs": the largest size of one row of newline-delimited JSON.
MAX_BYTES = 100 * 1000 * 1000
_REMEMBERED = 512
_LONGEST = 100
_BUNDLE = 200  # lines
_LARGE = 1 << 16  # bytes of a line that does not wait for others
_ABSENT: Any = object()
_FIGURES = ("NUMERIC", "INT64", "BOOL")
"""Seldom the same, and of types whose values equal some that their column refuses: True is 1."""


class RowFile:
    """The rows for one target. ``rows``, ``size`` (bytes), ``payload`` (sha256) describe what was written.

    A context manager; closing twice is harmless. Not for use by several threads at once.

    :param repeated_within: how many days apart one key can come again, where the day is not part of it.
    :param moves: a key may stand in any day; so it is for the media in any case.
    """

    def __init__(self, target: TargetTable, *, repeated_within: timedelta = timedelta(0), moves: bool = False) -> None:
        self.target = target
        self.moves: bool = moves or target.table.moves
        self._repeated_within = repeated_within
        self._account_ids: set[object] = set()
        self.rows: int = 0
        self.size: int = 0
        self._days: set[object] = set()
        self._hash = hashlib.sha256()
        self._lines: list[bytes] = []
        self._shared: str | None = None
        self._width = len(target.table.columns)
        self._columns = list(map(_Member, target.table.columns))
        self._figures = [column for column in self._columns if column.column.type in _FIGURES]
        self._groups = _group_columns(target.table)
        self._partition = target.table.partition_by
        # Without a name, so that nothing is left on the worker's disk when the process is killed.
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="iginsights-", suffix=".ndjson")  # noqa: SIM115

    def write(self, row: Mapping[str, object]) -> None:
        """Append one row. Raises RowRefused, which names the row's key and the column; the row is then not written."""
        try:
            text, shared = self._encode(row)
            line = text.encode()
        except UnicodeEncodeError:
            raise self._unwritable(row) from None
        except UnstorableValue as fault:
            raise self._refusal(row, fault=f"cannot be stored: column {fault}") from None
        if len(line) > MAX_BYTES:
            raise self._refusal(row, fault="is larger than the 100 MB that BigQuery takes for one row")
        if shared is None or shared is not self._shared:
            self._days.add(row[self._partition])
            self._account_ids.add(row["account_id"])
            self._shared = shared
        self._lines.append(line)
        self.rows += 1
        self.size += len(line)
        if len(self._lines) >= _BUNDLE or len(line) > _LARGE:
            self._bundle()

    @property
    def payload(self) -> str:
        """Return the hash of everything written so far, in hex digits."""
        self._bundle()
        return self._hash.hexdigest()

    @property
    def days(self) -> list[str]:
        """Return the distinct partition days of the rows, ISO, ascending."""
        return sorted({encode_date(day)[1:-1] for day in self._days})

    @property
    def partitions(self) -> PartitionRange:
        """Return the days and accounts of which the target can hold the rows' keys. There must be rows."""
        first, last = (date.fromisoformat(day) for day in (self.days[0], self.days[-1]))
        return PartitionRange(
            start=(first - self._repeated_within).isoformat(),
            end=(last + self._repeated_within).isoformat(),
            account_ids=tuple(sorted(map(str, self._account_ids))),
        )

    def reading(self) -> IO[bytes]:
        """Return the file, at its beginning."""
        if self._file.closed:
            raise LoadError(f"The rows for {self.target.path} were already discarded. Run the task again.")
        self._bundle()
        self._file.flush()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Delete the file."""
        self._lines.clear()
        self._file.close()

    def _bundle(self) -> None:
        """Hash and write the lines that wait, at once: a call for each would cost as much as encoding a column."""
        if self._lines:
            lines = b"".join(self._lines)
            self._lines.clear()
            self._hash.update(lines)
            self._file.write(lines)

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _encode(self, row: Mapping[str, object]) -> tuple[str, str | None]:
        """Return the row's line, and the part of it that other rows share; None = no part is known to be shared.

        Raises UnstorableValue or RowRefused.
        """
        if self._groups and len(row) == self._width:
            shared, names = self._groups
            try:
                first, second = shared.pick(row), names.pick(row)
                text = shared.known.get(first) or shared.encode(first)
                named = names.known.get(second) or names.encode(second)
                figures = ""
                for column in self._figures:
                    value = row[column.name]
                    if type(value) is int and column.is_number and -SAFE_INTEGER <= value <= SAFE_INTEGER:
                        figures += f",{column.prefix}{value}"
                    elif figure := column.encode(value):
                        figures += f",{figure}"
            except (KeyError, TypeError):
                pass  # a column that the table does not have, or a list or an object, which cannot be looked up
            else:
                return f"{{{text},{named}{figures}}}\n", text
        return f"{{{','.join(self._members(row))}}}\n", None

    def _members(self, row: Mapping[str, object]) -> list[str]:
        """Return the row's ``"column":value`` texts, column by column; one that the row does not have is NULL."""
        members, absent = [], 0
        for column in self._columns:
            value = row.get(column.name, _ABSENT)
            if value is _ABSENT:
                absent += 1
                value = None
            if text := column.encode(value):
                members.append(text)
        if len(row) + absent != self._width:
            unknown = set(row).difference(self.target.table.column_names)
            listed = ", ".join(sorted(map(str, unknown)))
            raise self._refusal(row, fault=f"cannot be stored: the table has no column {listed[:200]}")
        return members

    def _unwritable(self, row: Mapping[str, object]) -> RowRefused:
        broken = [name for name, value in row.items() if isinstance(value, str) and not _is_unicode(value)]
        return self._refusal(row, fault=f"cannot be stored: column {', '.join(broken)} is not valid Unicode text")

    def _refusal(self, row: Mapping[str, object], *, fault: str) -> RowRefused:
        key = ", ".join(f"{name}={ascii(row.get(name))[:80]}" for name in self.target.table.key)
        return RowRefused(
            f"A row for {self.target.path} ({key}) {fault}. This row is not written. "
            "This is a fault of the provider or of Meta's answer: report it with this message."
        )


class _Member:
    """One column of a line."""

    __slots__ = ("column", "is_number", "is_text", "last", "last_text", "name", "prefix", "to_json")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.name = column.name
        self.prefix = f'"{column.name}":'
        self.to_json = ENCODERS[column.type]
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
            if self.column.required:
                raise UnstorableValue(f"{self.name} is required and has no value")
            return ""
        try:
            text = self.prefix + self.to_json(value)
        except UnstorableValue as fault:
            raise UnstorableValue(f"{self.name} {fault}") from None
        self.last, self.last_text = value, text
        return text


class _Members:
    """Several columns whose values repeat together from row to row. ``known`` maps values met before to their text."""

    __slots__ = ("known", "members", "pick")

    def __init__(self, columns: Sequence[Column]) -> None:
        self.members = [_Member(column) for column in columns]
        self.pick: Callable[[Mapping[str, object]], Any] = itemgetter(*(column.name for column in columns))
        self.known: dict[object, str] = {}

    def encode(self, values: tuple[object, ...]) -> str:
        """Return the columns' texts. Raises UnstorableValue."""
        texts = [member.encode(value) for member, value in zip(self.members, values, strict=True)]
        text = ",".join(filter(None, texts))
        if len(text) <= _LONGEST * len(texts):
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[values] = text
        return text


def _group_columns(table: Table) -> list[_Members]:
    """Return columns that repeat together: what all numbers of an object share, and what tells them apart.

    None for a table of objects, whose rows share little.
    """
    names = [column for column in table.columns if column.name in table.text_keys]
    if len(names) < 2:
        return []
    shared = [column for column in table.columns if column not in names and column.type not in _FIGURES]
    return [_Members(shared), _Members(names)]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
