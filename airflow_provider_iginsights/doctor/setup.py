"""What is checked: connections, clients and answers, each made when it is first asked for, and closed at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_iginsights.errors import DatasetUnavailable, InsightsError
from airflow_provider_iginsights.graph.redact import redact

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.doctor.scratch import ScratchTable
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.graph.messages import Answer
    from airflow_provider_iginsights.hooks.connection import Connection, InstagramConnection
    from airflow_provider_iginsights.hooks.debug_token import DebuggedToken
    from airflow_provider_iginsights.hooks.token_report import Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOptions:
    """Which connections and which dataset to check. ``dataset`` None = nothing of Google is."""

    conn_id: str
    api_version: str | None = None
    dataset: str | None = None
    project: str | None = None
    job_project: str | None = None
    location: str | None = None
    gcp_conn_id: str | None = None
    impersonation_chain: str | None = None
    table_ids: tuple[tuple[str, str], ...] = ()


class Setup:
    """The things that the checks look at. A context manager; leaving it removes and closes what was made.

    Whatever is asked for raises the package's errors, as it does for a task.

    :param now: the instant of the checks, aware.
    """

    def __init__(self, options: SetupOptions, *, now: datetime) -> None:
        self.options = options
        self.now = now
        self._at_end = ExitStack()

    def redact(self, text: str) -> str:
        """Return a text without the secrets of the connection, and without all that looks like one."""
        connection: InstagramConnection | None = self.__dict__.get("connection")
        if connection is None:
            return redact(text)
        settings = connection.settings
        return redact(text, settings.token, settings.app_secret, settings.make_appsecret_proof())

    @cached_property
    def connection(self) -> InstagramConnection:
        """The checked content of the Airflow connection."""
        from airflow_provider_iginsights.hooks.instagram import InstagramHook

        return InstagramHook(self.options.conn_id, api_version=self.options.api_version).connection

    @property
    def stored(self) -> Connection:
        """The connection as Airflow keeps it."""
        from airflow_provider_iginsights.hooks.instagram import InstagramHook

        stored: Connection = InstagramHook.get_connection(self.options.conn_id)
        return stored

    @cached_property
    def graph(self) -> GraphClient:
        """A client that gives up within seconds."""
        from airflow_provider_iginsights.graph.client import GraphClient
        from airflow_provider_iginsights.hooks.debug_token import shorten_timeouts

        return self._at_end.enter_context(GraphClient(shorten_timeouts(self.connection.settings)))

    @cached_property
    def debugged(self) -> DebuggedToken:
        """What Meta says about the token."""
        from airflow_provider_iginsights.hooks.debug_token import debug_token
        from airflow_provider_iginsights.hooks.token_check import list_permissions

        found = debug_token(self.connection)
        if found.permissions is None:
            return replace(found, permissions=list_permissions(self.graph, self.connection.settings.login))
        return found

    @cached_property
    def me(self) -> Answer | InsightsError:
        """The answer to the first request, or the error that it met."""
        from airflow_provider_iginsights.hooks.token_check import ask_me

        try:
            return ask_me(self.graph)
        except InsightsError as error:
            return error

    @cached_property
    def accounts(self) -> Accounts:
        """The accounts that the connection names, else those that the token sees."""
        from airflow_provider_iginsights.hooks.token_check import find_accounts

        if isinstance(self.me, InsightsError):
            raise self.me
        return find_accounts(self.graph, self.connection, self.me.body)

    @property
    def seen(self) -> Mapping[str, str]:
        """Usernames by id of the accounts that can be read, as far as they are known already."""
        accounts: Accounts | None = self.__dict__.get("accounts")
        return accounts.seen if accounts else {}

    @cached_property
    def bigquery(self) -> Client:
        """The client that the transfers work with."""
        from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client

        options = self.options
        client = get_bigquery_client(
            gcp_conn_id=options.gcp_conn_id,
            impersonation_chain=options.impersonation_chain,
            project_id=options.project,
            location=options.location,
        )
        return self._at_end.enter_context(closing(client))

    @cached_property
    def session(self) -> BigQuerySession:
        """What BigQuery is asked with; it gives up within seconds."""
        from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
        from airflow_provider_iginsights.bigquery.retry import RetryBudget, get_default_retry_budget
        from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
        from airflow_provider_iginsights.waiting import is_testing

        budget = get_default_retry_budget() if is_testing() else RetryBudget(busy=30, lost=15, longest_wait=5)
        options = JobOptions(retry_budget=budget, job_project=self.options.job_project)
        return open_session(self.bigquery, identity=manual_identity("doctor"), options=options)

    @cached_property
    def dataset(self) -> Any:
        """The dataset as google.cloud.bigquery.Dataset; DatasetUnavailable where there is none."""
        path = self.anywhere.dataset_path
        found = self.session.find(self.session.client.get_dataset, path, doing=f"read the dataset {path}")
        if found is None:
            raise DatasetUnavailable(
                f"The dataset {path} does not exist. Create it, check the project and dataset ids, or let an operator "
                "create it (create_dataset=True)."
            )
        return found

    @cached_property
    def anywhere(self) -> TargetTable:
        """A table of the dataset, wherever that lies."""
        return self._list_targets(location=None)[0]

    @cached_property
    def targets(self) -> tuple[TargetTable, ...]:
        """The tables of the dataset, whether they exist or not."""
        return self._list_targets(location=self.dataset.location)

    @cached_property
    def tables(self) -> tuple[tuple[TargetTable, Any], ...]:
        """Those of them that exist, each with its google.cloud.bigquery.Table."""
        from airflow_provider_iginsights.bigquery.ensure import find_table

        found = [(target, find_table(target, session=self.session)) for target in self.targets]
        return tuple((target, table) for target, table in found if table is not None)

    @cached_property
    def scratch(self) -> ScratchTable:
        """A table of the checks' own, which is removed at the end."""
        from airflow_provider_iginsights.doctor.scratch import ScratchTable

        scratch = ScratchTable(self.targets[0], session=self.session, day=self.now.date())
        self._at_end.callback(scratch.remove)
        return scratch

    def _list_targets(self, *, location: str | None) -> tuple[TargetTable, ...]:
        from airflow_provider_iginsights.bigquery.duplicate_check import default_targets

        return default_targets(
            project=self.bigquery.project,
            dataset=self.options.dataset or "",
            location=location,
            table_ids=self.options.table_ids,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._at_end.close()
