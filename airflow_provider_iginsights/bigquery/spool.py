"""Rows on their way: checked, written to a temporary file line by line, counted, and never held in memory.

The file is newline-delimited JSON as BigQuery's load jobs read it. It is deleted when the spool is closed, and by the
operating system if the process is killed, since it has no name.
"""

from __future__ import annotations

import hashlib
import tempfile
from datetime import date
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.encode import ENCODERS, Refused, encode_date
from airflow_provider_iginsights.bigquery.span import Span
from airflow_provider_iginsights.errors import LoadError, RowRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from airflow_provider_iginsights.bigquery.destination import Destination
    from airflow_provider_iginsights.bigquery.encode import Encoder

MOST_BYTES = 100 * 1000 * 1000
_REMEMBERED = 4096
_LONGEST = 100
_BUNDLE = 200  # lines
_LARGE = 1 << 16  # bytes of a line that does not wait for others
_REPEATING = frozenset({str, date})


class Spool:
    """The rows for one destination. ``rows``, ``size`` (bytes), ``payload`` (sha256) describe what was written.

    A context manager; closing twice is harmless. Not for use by several threads at once.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.rows = 0
        self.size = 0
        self._days: set[object] = set()
        self._hash = hashlib.sha256()
        self._lines: list[bytes] = []
        columns = destination.table.columns
        # What repeats from row to row (ids, dates, versions) is encoded once: name, prefix, encoder, known texts.
        self._columns: list[tuple[str, str, Encoder, dict[object, str]]] = [
            (column.name, f'"{column.name}":', ENCODERS[column.type], {}) for column in columns
        ]
        self._known = {column.name for column in columns}
        self._required = {column.name for column in columns if column.required}
        self._partition = destination.table.partition_by
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="iginsights-", suffix=".ndjson")  # noqa: SIM115

    def write(self, row: Mapping[str, object]) -> None:
        """Append one row. Raises RowRefused, which names the row's key and the column; the row is then not written."""
        try:
            line = f"{{{','.join(self._members(row))}}}\n".encode()
        except UnicodeEncodeError:
            raise self._unwritable(row) from None
        if len(line) > MOST_BYTES:
            raise self._refusal(row, fault="is larger than the 100 MB that BigQuery takes for one row")
        self._days.add(row[self._partition])
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
        """Return the partition days that the rows lie in. There must be rows."""
        return Span(start=self.days[0], end=self.days[-1])

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
        members = []
        get = row.get
        for name, prefix, encode, known in self._columns:
            value = get(name)
            if value is None:
                if name in self._required:
                    raise self._refusal(row, fault=f"cannot be stored: column {name} is required and has no value")
                continue
            member = known.get(value) if type(value) in _REPEATING else None
            if member is None:
                try:
                    member = prefix + encode(value)
                except Refused as fault:
                    raise self._refusal(row, fault=f"cannot be stored: column {name} {fault}") from None
                if type(value) in _REPEATING:
                    _remember(known, value, member)
            members.append(member)
        if not self._known.issuperset(row):
            unknown = ", ".join(sorted(map(str, set(row) - self._known)))
            raise self._refusal(row, fault=f"cannot be stored: the table has no column {unknown[:200]}")
        return members

    def _unwritable(self, row: Mapping[str, object]) -> RowRefused:
        broken = [name for name, value in row.items() if isinstance(value, str) and not _is_unicode(value)]
        return self._refusal(row, fault=f"cannot be stored: column {', '.join(broken)} is not valid Unicode text")

    def _refusal(self, row: Mapping[str, object], *, fault: str) -> RowRefused:
        key = ", ".join(f"{name}={ascii(row.get(name))[:80]}" for name in self.destination.table.key)
        return RowRefused(
            f"A row for {self.destination.path} ({key}) {fault}. Nothing of the load was written. "
            "This is a fault of the provider or of Meta's answer: report it with this message."
        )


def _remember(known: dict[object, str], value: object, member: str) -> None:
    if len(member) <= _LONGEST:
        if len(known) >= _REMEMBERED:
            known.clear()
        known[value] = member


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
