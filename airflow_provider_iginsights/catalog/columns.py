"""What a table and a column are: the vocabulary of the tables that we write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["STRING", "INT64", "NUMERIC", "BOOL", "DATE", "TIMESTAMP"]
TableName = Literal[
    "account_insights",
    "accounts",
    "media",
    "media_children",
    "media_insights",
    "story_insights",
    "story_polls",
    "account_status",
    "runs",
    "left_out",
    "media_insights_current",
    "story_insights_current",
]
IdKind = Literal["account", "media"]
Role = Literal["stated", "kept", "text"]  # META-10: Meta leaves out what is hidden, and that is not null
"""What becomes of a stored value when the newer row has none.

``stated``: it goes; each row says all of it (key, number, how the row came to be). ``kept``: it stays, since Meta
leaves fields out now and then, and hides some later (counts, who and what it is). ``text``: the owner's own words,
which the owner can delete: ``''`` in the newer row empties it (stored as NULL), an absent one leaves it.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A BigQuery column. ``required`` = mode REQUIRED, else NULLABLE.

    * ``field``: the field of Meta's node (IG User, IG Media) that fills it, ``owner.id`` for one of a node inside it;
      ``''`` where it comes from elsewhere.
      ``field_since``: the first version that knows the field; an older one refuses the whole request for it.
    * ``identifies``: of what it holds the id: the account or the media that a row is about.
    * ``volatile``: a change of this column alone is no reason to write a stored row again.
      ``moves_after_days``: unless its value, an instant, is so many days later than the stored one.
    """

    name: str
    type: ColumnType
    description: str
    required: bool = False
    role: Role = "stated"
    field: str = ""
    field_since: str = "v10.0"
    identifies: IdKind | None = None
    volatile: bool = False
    moves_after_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A target table: ``key`` identifies a row, ``partition_by`` is a DATE column.

    ``former_keys`` are those of earlier releases: a table that claims one of them is given the key of today.
    ``group``: the columns of the key that name the rows which one answer of Meta states completely; None = each row is
    an answer by itself. ``is_state``: its rows say how things are now, so that ``merge``, too, deletes the rows of a
    group that the newer answer does not have. ``moves``: a key's partition can be another one from fetch to fetch.
    ``is_optional``: it exists only where an argument of a transfer asks for it. ``claims_key``: a new one has the key
    as its primary key.
    """

    name: TableName
    default_id: str
    description: str
    key: tuple[str, ...]
    partition_by: str
    cluster_by: tuple[str, ...]
    columns: tuple[Column, ...]
    former_keys: tuple[tuple[str, ...], ...] = ()
    group: tuple[str, ...] | None = None
    is_state: bool = False
    moves: bool = False
    is_optional: bool = False
    claims_key: bool = True

    def __hash__(self) -> int:
        """Return a hash that costs nothing: what is remembered per table is looked up for every row."""
        return hash(self.name)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Return the column names in table order."""
        return tuple(column.name for column in self.columns)

    @property
    def text_keys(self) -> tuple[str, ...]:
        """Return the key's text columns that are no ids, in table order: which number of an object a row holds."""
        texts = (column.name for column in self.columns if column.type == "STRING" and column.identifies is None)
        return tuple(name for name in texts if name in self.key)

    def id_column(self, kind: IdKind) -> str | None:
        """Return the column that holds the id of an account or of a media; None = the table has none."""
        return next((column.name for column in self.columns if column.identifies == kind), None)

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the columns whose change makes a row worth rewriting: all but the key and the volatile ones."""
        return tuple(column.name for column in self.columns if column.name not in self.key and not column.volatile)

    @property
    def protectable(self) -> tuple[str, ...]:
        """Return the columns that a user may have left empty or hashed: nullable texts about an account or a media.

        What the key, the partition or the clusters need is none, nor what tells how a row came to be.
        """
        bound = {*self.key, *self.cluster_by, self.partition_by}
        return tuple(
            column.name
            for column in self.columns
            if column.type == "STRING" and not column.required and column.role != "stated" and column.name not in bound
        )
