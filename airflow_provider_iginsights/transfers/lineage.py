"""The methods by which Airflow's OpenLineage provider asks an operator what a try read and wrote.

The provider looks for them by name, in a process that is forked from the task's. They need it no earlier than that, so
that it is no dependency: where it is not installed, nobody calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.task.arguments import is_not_given
from airflow_provider_iginsights.task.on_kill import StoppableOperator

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.extract.column_protection import ColumnProtection
    from airflow_provider_iginsights.graph_api import Login
    from airflow_provider_iginsights.task.lineage import TryLineage, WrittenTable


class LineageOperator(StoppableOperator):
    """An operator that says what it reads and writes."""

    dataset_id: str
    project_id: str | None
    _lineage: TryLineage | None = None
    """What this try has done; None before it has begun."""

    def find_outputs(self) -> Mapping[Table, str]:
        """Return the tables that the arguments name, each with its table id; nothing where they do not say.

        :raises ConfigurationError: an argument cannot be.
        """
        return {}

    def find_login(self) -> Login | None:
        """Return whose Graph API is asked; None where that is not known."""
        return None

    @property
    def only_stages(self) -> bool:
        """Return whether another task writes the tables."""
        return False

    def find_protection(self) -> ColumnProtection | None:
        """Return which columns the arguments leave empty or have hashed, without a salt; None = they say nothing.

        :raises ConfigurationError: an argument cannot be.
        """
        return None

    def begin_lineage(self, context: Context, loader: BigQueryLoader) -> None:
        """Take down from now on what this try does; a resumed one, which may be the same object, begins anew."""
        from airflow_provider_iginsights.task.lineage import TryLineage

        self._lineage = TryLineage(
            try_number=context["ti"].try_number,
            project=loader.session.client.project,
            results=loader.results,
        )

    def continue_lineage(
        self, state: Mapping[str, Any], *, login: Login | None = None, protection: ColumnProtection | None = None
    ) -> None:
        """Add what this try did before it waited, by what was kept then.

        :param login: whose Graph API is asked; None = as before.
        :param protection: what the tables do not hold; None = as before.
        """
        if self._lineage:
            self._lineage.login = login or self._lineage.login
            self._lineage.protection = protection or self._lineage.protection
            self._lineage.take_up(state)

    def pack_lineage(self) -> dict[str, Any]:
        """Return what is to be kept while the task waits."""
        return self._lineage.pack() if self._lineage else {}

    def get_openlineage_facets_on_start(self) -> Any:
        """Return what the task is going to read and write, as far as its arguments say (``OperatorLineage``)."""
        return self._describe_lineage(None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - the provider's signature
        """Return what the task read and wrote, also before it was deferred (``OperatorLineage``)."""
        return self._describe_lineage(self._lineage)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:  # noqa: ARG002
        """Return the same of a try that failed: only what it wrote has a number of rows (``OperatorLineage``)."""
        return self._describe_lineage(self._lineage)

    def _describe_lineage(self, done: TryLineage | None) -> Any:
        from airflow_provider_iginsights.task.lineage import KINDS, describe

        with suppress(ConfigurationError):
            kind = next((KINDS[table] for table in self.find_outputs() if table in KINDS), None)
            login = (done and done.login) or self._find_login_of_connection()
            return describe(
                self._list_tables(done),
                login=login,
                writes=not self.only_stages,
                kind=kind,
                protection=(done and done.protection) or self.find_protection(),
            )
        return None

    def _list_tables(self, done: TryLineage | None) -> list[WrittenTable]:
        """Return the tables that the arguments name, in their order, and all that were written."""
        from airflow_provider_iginsights.task.lineage import WrittenTable

        written = {each.path: each for each in done.written} if done else {}
        # Without an argument the project is that of the credentials, which are not asked for before the task runs.
        project = done.project if done else self.project_id
        planned = {} if is_not_given(project) else self.find_outputs()
        named = {
            (path := f"{project}.{self.dataset_id}.{table_id}"): WrittenTable(table=table, path=path)
            for table, table_id in planned.items()
        }
        return list((named | written).values())

    def _find_login_of_connection(self) -> Login | None:
        # Lineage is told beside the work: what cannot be known of the connection is not named.
        with suppress(Exception):
            return self.find_login()
        return None
