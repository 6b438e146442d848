"""The arguments of a transfer by which columns are left empty or hashed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_iginsights.task.column_arguments import (
    check_columns,
    parse_columns,
    parse_salt_conn_id,
    parse_salt_variable,
)
from airflow_provider_iginsights.task.failures import failing_without_retry
from airflow_provider_iginsights.transfers.literal_arguments import LiteralArguments, is_template

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.column_protection import ColumnProtection

COLUMN_FIELDS = ("exclude_columns", "hash_columns", "hash_salt_conn_id", "hash_salt_variable")
"""All of them are templates."""


class ProtectsColumns(LiteralArguments):
    """An operator that keeps values of some columns out of its tables."""

    literal_arguments: ClassVar[Mapping[str, Callable[[Any], object]]] = {
        **{name: partial(parse_columns, argument=name) for name in COLUMN_FIELDS[:2]},
        "hash_salt_conn_id": parse_salt_conn_id,
        "hash_salt_variable": parse_salt_variable,
    }

    def __init__(
        self,
        *,
        exclude_columns: Mapping[str, Sequence[str]] | Sequence[str] | str | None = None,
        hash_columns: Mapping[str, Sequence[str]] | Sequence[str] | str | None = None,
        hash_salt_conn_id: str | None = None,
        hash_salt_variable: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.exclude_columns = exclude_columns
        self.hash_columns = hash_columns
        self.hash_salt_conn_id = hash_salt_conn_id
        self.hash_salt_variable = hash_salt_variable

    @classmethod
    def refuse_literals(cls, given: Mapping[str, Any]) -> None:
        """Refuse also what does not fit together, once the last of these arguments is known."""
        super().refuse_literals(given)
        columns = {name: given.get(name) for name in COLUMN_FIELDS}
        # Of a mapped task the salt can be among the mapped arguments, and is known when it runs.
        if given.keys() >= {*COLUMN_FIELDS} and not any(map(is_template, columns.values())):
            with failing_without_retry():
                check_columns(**columns)

    def check_columns(self) -> None:
        """Refuse what cannot be kept out of a table, and what does not fit together.

        :raises ConfigurationError: so it is.
        """
        check_columns(**{name: getattr(self, name) for name in COLUMN_FIELDS})

    def find_protection(self) -> ColumnProtection:
        """Return which columns are left empty and which are hashed; Airflow is not asked for the salt.

        :raises ConfigurationError: an argument cannot be.
        """
        from airflow_provider_iginsights.extract.column_protection import ColumnProtection

        excluded, hashed = check_columns(**{name: getattr(self, name) for name in COLUMN_FIELDS})
        return ColumnProtection(excluded=excluded, hashed=hashed)

    def read_protection(self) -> ColumnProtection:
        """Return what is kept out of the tables, with the salt where columns are hashed.

        :raises ConfigurationError: an argument or the salt cannot be.
        """
        from airflow_provider_iginsights.hooks.hash_salt import read_protection

        return read_protection(**{name: getattr(self, name) for name in COLUMN_FIELDS})
