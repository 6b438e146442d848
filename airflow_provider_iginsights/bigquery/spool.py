"""Rows on their way: checked, written to a temporary file line by line, counted, and never held in memory.

The file is newline-delimited JSON as BigQuery's load jobs read it. It is deleted when the spool is closed, and by the
operating system if the process is killed, since it has no name.
"""

from __future__ import annotations

import hashlib
import tempfile
from datetime import date, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.encode import ENCODERS, Refused, encode_date
from airflow_provider_iginsights.bigquery.span import Span
from airflow_provider_iginsights.errors import LoadError, RowRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

    from airflow_provider_iginsights.bigquery.destination import Destination
    from airflow_provider_iginsights.catalog.tables import Column, Table

MOST_BYTES = 100 * 1000 * 1000
_REMEMBERED = 4096
_LONGEST = 100
_BUNDLE = 200  # lines
_LARGE = 1 << 16  # bytes of a line that does not wait for others
_REPEATING = frozenset({str, date})
_FIGURES = ("NUMERIC", "INT64", "BOOL")
"""Seldom the same, and of types whose values equal some that their column refuses: True is 1."""


class Spool:
    """The rows for one destination. ``rows``, ``size`` (bytes), ``payload`` (sha256) describe what was written.

    A context manager; closing twice is harmless. Not for use by several threads at once.

    :param repeated_within: how many days apart one key can come again, where the day is not part of it.
    :param moves: a key may stand in any day; so it is for the media in any case.
    """

    def __init__(
        self, destination: Destination, *, repeated_within: timedelta = timedelta(0), moves: bool = False
    ) -> None:
        self.destination = destination
        self.moves: bool = moves or destination.table.moves
        self._repeated_within = repeated_within
        self._account_ids: set[object] = set()
        self.rows: int = 0
        self.size: int = 0
        self._days: set[object] = set()
        self._hash = hashlib.sha256()
        self._lines: list[bytes] = []
        self._width = len(destination.table.columns)
        self._groups = _group_columns(destination.table)
        self._partition = destination.table.partition_by
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="iginsights-", suffix=".ndjson")  # noqa: SIM115

    def write(self, row: Mapping[str, object]) -> None:
        """Append one row. Raises RowRefused, which names the row's key and the column; the row is then not written."""
        try:
            line = f"{{{','.join(self._members(row))}}}\n".encode()
        except UnicodeEncodeError:
            raise self._unwritable(row) from None
        except Refused as fault:
            raise self._refusal(row, fault=f"cannot be stored: column {fault}") from None
        if len(line) > MOST_BYTES:
            raise self._refusal(row, fault="is larger than the 100 MB that BigQuery takes for one row")
        self._days.add(row[self._partition])
        self._account_ids.add(row["account_id"])
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
    def span(self) -> Span:
        """Return the days and accounts of which the target can hold the rows' keys. There must be rows."""
        first, last = (date.fromisoformat(day) for day in (self.days[0], self.days[-1]))
        return Span(
            start=(first - self._repeated_within).isoformat(),
            end=(last + self._repeated_within).isoformat(),
            account_ids=tuple(sorted(map(str, self._account_ids))),
        )

    def reading(self) -> IO[bytes]:
        """Return the file, at its beginning."""
        if self._file.closed:
            raise LoadError(f"The rows for {self.destination.path} were already discarded. Run the task again.")
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

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _members(self, row: Mapping[str, object]) -> list[str]:
        """Return the row's ``"column":value`` texts."""
        if len(row) != self._width:
            row = self._complete(row)
        members = []
        try:
            for group in self._groups:
                values = group.pick(row)
                text = group.known.get(values)
                if text is None:
                    text = group.encode(values)
                if text:
                    members.append(text)
        except KeyError:
            return self._members(self._complete(row))
        except TypeError:  # a list or an object, which cannot be looked up and which no column takes
            return [_Member(column).encode(row[column.name]) for column in self.destination.table.columns]
        return members

    def _complete(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """Return the row with all columns: None where it had none."""
        names = self.destination.table.column_names
        if unknown := set(row).difference(names):
            listed = ", ".join(sorted(map(str, unknown)))
            raise self._refusal(row, fault=f"cannot be stored: the table has no column {listed[:200]}")
        return {name: row.get(name) for name in names}

    def _unwritable(self, row: Mapping[str, object]) -> RowRefused:
        broken = [name for name, value in row.items() if isinstance(value, str) and not _is_unicode(value)]
        return self._refusal(row, fault=f"cannot be stored: column {', '.join(broken)} is not valid Unicode text")

    def _refusal(self, row: Mapping[str, object], *, fault: str) -> RowRefused:
        key = ", ".join(f"{name}={ascii(row.get(name))[:80]}" for name in self.destination.table.key)
        return RowRefused(
            f"A row for {self.destination.path} ({key}) {fault}. This row is not written. "
            "This is a fault of the provider or of Meta's answer: report it with this message."
        )


class _Member:
    """One column. ``pick`` returns its value of a row; ``known`` maps values met before to their text."""

    __slots__ = ("column", "known", "pick", "prefix", "spell")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.prefix = f'"{column.name}":'
        self.spell = ENCODERS[column.type]
        self.pick: Callable[[Mapping[str, object]], Any] = itemgetter(column.name)
        self.known: dict[object, str] = {}

    def encode(self, value: object) -> str:
        """Return the column's text, '' for NULL. Raises Refused."""
        if value is None:
            if self.column.required:
                raise Refused(f"{self.column.name} is required and has no value")
            return ""
        try:
            text = self.prefix + self.spell(value)
        except Refused as fault:
            raise Refused(f"{self.column.name} {fault}") from None
        if type(value) in _REPEATING and len(text) <= _LONGEST:
            _remember(self.known, value, text)
        return text


class _Members:
    """Several columns whose values repeat together from row to row."""

    __slots__ = ("known", "members", "pick")

    def __init__(self, columns: Sequence[Column]) -> None:
        self.members = [_Member(column) for column in columns]
        self.pick: Callable[[Mapping[str, object]], Any] = itemgetter(*(column.name for column in columns))
        self.known: dict[object, str] = {}

    def encode(self, values: tuple[object, ...]) -> str:
        """Return the columns' texts. Raises Refused."""
        texts = [
            member.known.get(value) or member.encode(value) for member, value in zip(self.members, values, strict=True)
        ]
        text = ",".join(filter(None, texts))
        if len(text) <= _LONGEST * len(texts):
            _remember(self.known, values, text)
        return text


def _group_columns(table: Table) -> list[_Member | _Members]:
    """Return columns that repeat together: what all numbers of an object share, and what tells them apart."""
    figures = [column for column in table.columns if column.type in _FIGURES]
    names = [column for column in table.columns if column.name in table.text_keys]
    shared = [column for column in table.columns if column not in names and column not in figures]
    if len(names) > 1:
        return [_Members(shared), _Members(names), *map(_Member, figures)]
    return list(map(_Member, table.columns))


def _remember(known: dict[object, str], values: object, text: str) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[values] = text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
