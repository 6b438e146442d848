"""Keeps values out of the rows: columns that are left empty, and columns that hold a hash instead of a text.

Every row that is read from Meta passes here once, on its way out of this room and before anything else sees it: a
transfer that writes, one that stages, and a reader of rows for another destination get the same rows.

The hash of a text is its HMAC-SHA256 under the salt, in hex: of the very text that would be stored, in UTF-8, without
any normalisation. So it is the same in every table and run with this salt. ``''`` and NULL stay what they are.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.rows import Row, TableRow

ColumnsByTable = Mapping[str, frozenset[str]]
"""Table name -> some of its columns."""

_FINGERPRINT = "airflow-provider-iginsights: fingerprint of a salt"
_FINGERPRINT_LENGTH = 32


class TextHasher:
    """Hashes texts under a salt, which it does not keep. ``fingerprint``: a text that tells this salt from others."""

    __slots__ = ("_keyed", "fingerprint")

    def __init__(self, salt: str) -> None:
        self._keyed: hmac.HMAC = hmac.new(salt.encode(), digestmod="sha256")
        self.fingerprint: str = self.hash(_FINGERPRINT)[:_FINGERPRINT_LENGTH]

    def hash(self, text: str) -> str:
        """Return the HMAC-SHA256 of a text: 64 lower-case hex digits."""
        keyed = self._keyed.copy()
        # A lone surrogate is no valid text: a plain column refuses it, and its hash is stored like any other.
        keyed.update(text.encode(errors="surrogatepass"))
        return keyed.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProtection:
    """Which columns of which tables are left empty (``excluded``), and which are hashed.

    ``hasher`` is None where nothing is hashed.
    """

    excluded: ColumnsByTable = field(default_factory=dict)
    hashed: ColumnsByTable = field(default_factory=dict)
    hasher: TextHasher | None = None

    def __bool__(self) -> bool:
        """Return whether any column is protected."""
        return any(self.excluded.values()) or any(self.hashed.values())

    def covers(self, table: str, column: str) -> bool:
        """Return whether the column is not stored as Meta sent it."""
        return column in self.excluded.get(table, ()) or column in self.hashed.get(table, ())

    def find_fingerprint(self, table: str) -> str | None:
        """Return the fingerprint of the salt, where columns of the table are hashed."""
        return self.hasher.fingerprint if self.hasher and self.hashed.get(table) else None

    def apply(self, table: str, row: Row) -> Row:
        """Take out of a row what its table must not hold, and return the row."""
        for name in self.excluded.get(table, ()):
            if name in row:
                row[name] = None
        if self.hasher is not None:
            for name in self.hashed.get(table, ()):
                if isinstance(text := row.get(name), str) and text:
                    row[name] = self.hasher.hash(text)
        return row


def protect_rows(
    read: Callable[..., Iterator[TableRow]], protection: ColumnProtection
) -> Callable[..., Iterator[TableRow]]:
    """Return a reader of accounts (``ReadAccount``) whose rows are protected."""
    if not protection:
        return read

    def read_account(account_id: str, *unanswered: Any) -> Iterator[TableRow]:
        for name, row in read(account_id, *unanswered):
            yield name, protection.apply(name, row)

    return read_account
