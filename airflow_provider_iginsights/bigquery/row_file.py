"""The rows for one target: checked, written to a temporary file line by line, counted, and never held in memory.

The file is newline-delimited JSON as BigQuery's load jobs read it. It is deleted when it is closed, and by the
operating system if the process is killed, since it has no name.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from datetime import date, timedelta
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.encode import UnstorableValue, encode_date
from airflow_provider_iginsights.bigquery.json_lines import JsonLines
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange
from airflow_provider_iginsights.errors import LoadError, RowRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from airflow_provider_iginsights.bigquery.target import TargetTable

# "Quotas and limits: load jobs": the largest size of one row of newline-delimited JSON.
MAX_BYTES = 100 * 1000 * 1000
_BUNDLE = 1000  # lines that wait for others
_LARGE = 1 << 19  # bytes of those of them that may be long
_NONE_SHARED: tuple[object, ...] = ()


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
        self._days: set[object] = set()
        self._hash = hashlib.sha256()
        self._json_lines = JsonLines(target.table)
        self._lines: list[bytes] = []
        self._rows = self._size = 0
        self._waiting = 0
        self._shared: tuple[object, ...] = _NONE_SHARED
        self._partition = target.table.partition_by
        with self._naming_disk_trouble():
            # Without a name, so that nothing is left on the worker's disk when the process is killed.
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="iginsights-", suffix=".ndjson")  # noqa: SIM115

    def write(self, row: Mapping[str, object]) -> None:
        """Append one row.

        :raises RowRefused: names the row's key and the column; the row is then not written.
        :raises LoadError: the worker's disk takes no more.
        """
        json_lines, lines = self._json_lines, self._lines
        try:
            line = json_lines.encode(row).encode()
        except UnicodeEncodeError:
            raise self._unwritable(row) from None
        except UnstorableValue as fault:
            raise self._refusal(row, fault=f"cannot be stored: {fault}") from None
        if json_lines.shared is not self._shared:
            self._record_values(row, size=len(line))
        lines.append(line)
        if len(lines) >= _BUNDLE:
            self._bundle()

    def _record_values(self, row: Mapping[str, object], *, size: int) -> None:
        """Record the day and the account of a row that does not share them with the one before."""
        shared = self._json_lines.shared
        if shared is None:  # Only such a line may be long.
            if size > MAX_BYTES:
                raise self._refusal(row, fault="is larger than the 100 MB that BigQuery takes for one row")
            self._waiting += size
            if self._waiting > _LARGE:
                self._bundle()
        self._days.add(row[self._partition])
        self._account_ids.add(row["account_id"])
        self._shared = shared or _NONE_SHARED

    @property
    def rows(self) -> int:
        """Return the number of rows written so far."""
        return self._rows + len(self._lines)

    @property
    def size(self) -> int:
        """Return the number of bytes of everything written so far."""
        self._bundle()
        return self._size

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
            raise self._discarded()
        self._bundle()
        with self._naming_disk_trouble():
            self._file.flush()
            self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Delete the file."""
        self._rows += len(self._lines)
        self._lines.clear()
        # What is still in Python's buffer is written first, and a full disk refuses it; nobody reads it any more.
        with contextlib.suppress(OSError):
            self._file.close()

    def _bundle(self) -> None:
        """Hash and write the lines that wait, at once: a call for each would cost as much as encoding a column."""
        if self._lines:
            lines, count = b"".join(self._lines), len(self._lines)
            self._lines.clear()
            self._waiting = 0
            self._rows += count
            self._size += len(lines)
            self._hash.update(lines)
            with self._naming_disk_trouble():
                self._file.write(lines)

    @contextlib.contextmanager
    def _naming_disk_trouble(self) -> Iterator[None]:
        try:
            yield
        except ValueError:
            # A task that Airflow stops closes the file while another thread of it still writes.
            raise self._discarded() from None
        except OSError as error:
            folder = tempfile.tempdir or "the folder for temporary files"
            raise LoadError(
                f"The rows for {self.target.path} could not be kept in a temporary file in {folder} of the worker: "
                f"{error.strerror or error}. Nothing was written to the table. Make room there, or let TMPDIR name a "
                "folder that has more, and run the task again."
            ) from error

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _discarded(self) -> LoadError:
        return LoadError(f"The rows for {self.target.path} were already discarded. Run the task again.")

    def _unwritable(self, row: Mapping[str, object]) -> RowRefused:
        broken = [name for name, value in row.items() if isinstance(value, str) and not _is_unicode(value)]
        return self._refusal(row, fault=f"cannot be stored: column {', '.join(broken)} is not valid Unicode text")

    def _refusal(self, row: Mapping[str, object], *, fault: str) -> RowRefused:
        key = ", ".join(f"{name}={ascii(row.get(name))[:80]}" for name in self.target.table.key)
        return RowRefused(
            f"A row for {self.target.path} ({key}) {fault}. This row is not written. "
            "This is a fault of the provider or of Meta's answer: report it with this message."
        )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
