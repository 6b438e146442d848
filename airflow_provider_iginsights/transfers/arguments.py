"""The arguments that the three transfers share: as a Dag writes them, checked before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights._compat import conf
from airflow_provider_iginsights.bigquery.target import LOAD_MODES, LoadMode
from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT, RUNS
from airflow_provider_iginsights.catalog.tables import ACCOUNT_STATUS
from airflow_provider_iginsights.task.arguments import (
    ON_ACCOUNT_ERROR,
    OnAccountError,
    is_not_given,
    parse_boolean,
    parse_breakdowns,
    parse_choice,
    parse_metrics,
    parse_text,
    parse_timedelta,
)
from airflow_provider_iginsights.task.rate_limit_wait import THROTTLE_TIMEOUT, ResumableOperator
from airflow_provider_iginsights.task.template_dates import TemplateDates
from airflow_provider_iginsights.task.upstream_accounts import UpstreamAccounts
from airflow_provider_iginsights.transfers.column_arguments import COLUMN_FIELDS, ProtectsColumns
from airflow_provider_iginsights.transfers.target import LOADS, TARGET_FIELDS, Load, WritesToBigQuery
from airflow_provider_iginsights.window import parse_window_bound

if TYPE_CHECKING:
    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.graph_api import Login

_ASKED_OTHERWISE = ("since", "until", "account_ids")  # the checkpoint has the window and the accounts themselves


class TransferArguments(ResumableOperator, TemplateDates, UpstreamAccounts, ProtectsColumns, WritesToBigQuery):
    """An operator with the arguments of a transfer. Every one is keyword-only and parsed when the task runs."""

    template_fields: Sequence[str] = (
        "instagram_conn_id",
        *TARGET_FIELDS,
        "account_ids",
        "metrics",
        "breakdowns",
        "since",
        "until",
        "status_table_id",
        "runs_table_id",
        "left_out_table_id",
        *COLUMN_FIELDS,
    )
    literal_arguments: ClassVar[Mapping[str, Callable[[Any], object]]] = {
        **WritesToBigQuery.literal_arguments,
        **ProtectsColumns.literal_arguments,
        "on_account_error": partial(parse_choice, choices=ON_ACCOUNT_ERROR, argument="on_account_error"),
        "load_mode": partial(parse_choice, choices=LOAD_MODES, argument="load_mode"),
        "load": partial(parse_choice, choices=LOADS, argument="load"),
        "throttle_timeout": partial(parse_timedelta, argument="throttle_timeout"),
        **{name: partial(parse_boolean, argument=name) for name in ("create_views", "deferrable")},
    }
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("breakdowns", "table_options", "exclude_columns", "hash_columns"), "json"
    )

    def __init__(
        self,
        *,
        instagram_conn_id: str = "instagram_default",
        account_ids: str | Sequence[str] | None = None,
        metrics: str | Sequence[str] | None = None,
        breakdowns: Mapping[str, Sequence[str]] | str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        on_account_error: OnAccountError = "fail",
        status_table_id: str = ACCOUNT_STATUS.default_id,
        runs_table_id: str | None = RUNS.default_id,
        left_out_table_id: str | None = LEFT_OUT.default_id,
        load_mode: LoadMode = "merge",
        load: Load = "write",
        create_views: bool = False,
        throttle_timeout: timedelta = THROTTLE_TIMEOUT,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instagram_conn_id = instagram_conn_id
        self.account_ids = account_ids
        self.metrics = metrics
        self.breakdowns = breakdowns
        self.since = since
        self.until = until
        self.on_account_error = on_account_error
        self.status_table_id = status_table_id
        self.runs_table_id = runs_table_id
        self.left_out_table_id = left_out_table_id
        self.load_mode = load_mode
        self.load = load
        self.create_views = create_views
        self.throttle_timeout = throttle_timeout
        self.deferrable = deferrable
        self.refuse_literals(vars(self))

    table_arguments: ClassVar[Mapping[Table, str]]
    """Each table that the transfer can write -> the argument that names it; the main one first."""

    @property
    def tables(self) -> Mapping[Table, str]:
        """Return the tables that this transfer writes, each with its table id; without those that are not wanted."""
        named = {table: self.read_optional(argument) for table, argument in self.table_arguments.items()}
        return {table: table_id for table, table_id in named.items() if table_id}

    def find_outputs(self) -> Mapping[Table, str]:
        """Return the tables that this transfer writes, and the one for ``"quarantine"`` where it keeps that."""
        status = {ACCOUNT_STATUS: self.status_table_id} if self._on_account_error == "quarantine" else {}
        return {**self.tables, **status}

    def find_login(self) -> Login | None:
        """Return whose Graph API the connection names."""
        from airflow_provider_iginsights.hooks.instagram import InstagramHook

        with InstagramHook(self.instagram_conn_id).get_conn() as client:
            return client.settings.login

    @property
    def only_stages(self) -> bool:
        """Return whether another task writes the tables."""
        return self._load == "stage"

    def check_arguments(self) -> None:
        """Refuse, before anything is asked, what would otherwise fail in the middle of the work.

        :raises ConfigurationError: an argument cannot be.
        """
        from airflow_provider_iginsights.hooks.account_ids import parse_account_ids

        for name, check in self.literal_arguments.items():
            check(getattr(self, name))
        parse_text(self.status_table_id, argument="status_table_id")
        parse_metrics(self.metrics)
        parse_breakdowns(self.breakdowns)
        for name in ("since", "until"):
            parse_window_bound(getattr(self, name), argument=name)
        if not is_not_given(self.account_ids):
            parse_account_ids(self.account_ids)
        self.check_target()
        self.check_columns()
        for name in (*self.table_arguments.values(), "runs_table_id", "left_out_table_id"):
            self.read_optional(name)

    def describe_inputs(self) -> dict[str, Any]:
        """Return the arguments that decide what an account's rows are: progress on other ones counts for nothing."""
        asked = {name: getattr(self, name) for name in self.template_fields if name not in _ASKED_OTHERWISE}
        return asked | {"load_mode": self.load_mode, "load": self.load, "version": __version__}

    @property
    def _load_mode(self) -> LoadMode:
        return parse_choice(self.load_mode, LOAD_MODES, argument="load_mode")

    @property
    def _load(self) -> Load:
        return parse_choice(self.load, LOADS, argument="load")

    @property
    def _on_account_error(self) -> OnAccountError:
        return parse_choice(self.on_account_error, ON_ACCOUNT_ERROR, argument="on_account_error")
