"""The operator that makes the report of an account: one HTML file for analysts and brands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.task.arguments import (
    is_not_given,
    parse_choice,
    parse_count,
    parse_days,
    parse_names,
    parse_text,
)
from airflow_provider_iginsights.task.failures import failing_without_retry
from airflow_provider_iginsights.task.identity import identify_task
from airflow_provider_iginsights.task.on_kill import StoppableOperator
from airflow_provider_iginsights.task.template_dates import TemplateDates

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.report.make import Report
    from airflow_provider_iginsights.report.period import Period
    from airflow_provider_iginsights.window import WindowBound


class InstagramInsightsReportOperator(TemplateDates, StoppableOperator):
    """Write one account's insights of a period as one HTML file, from the tables that the transfers have loaded.

    .. code-block:: python

        InstagramInsightsReportOperator(
            task_id="report",
            dataset_id="instagram",
            account_id="17841405822304914",
            path="/reports/{account}/{{ ds }}.html",
            timezone="Europe/Berlin",
        )

    The file holds charts and tables, and asks no server for anything. Each account has a file of its own; for several,
    map the task: ``.partial(…).expand(account_id=[…])``. The extra ``report`` draws the charts; without it
    ``charts="none"`` makes a page of tables.

    :param dataset_id: dataset with the tables.
    :param account_id: id or ``@username``; None = the only account of the dataset.
    :param path: file of the machine, written whole or not at all, or ``gs://bucket/name`` (with the Google provider).
        ``{account}`` stands for the account's id.
    :param since: first day, as for the transfers; None = ``days`` days.
    :param until: end, exclusive, as for the transfers; None = the end of the run's own window.
    :param days: length of the period where ``since`` is None; at most 400.
    :param timezone: IANA name of the zone in which the hours of posts are told.
    :param charts: ``interactive`` (drawn by a script in the file), ``static`` (SVG, no script: for mails) or ``none``.
    :param gcp_conn_id: Google Cloud connection; None = application default credentials.
    :param impersonation_chain: service account to act as, or several.
    :param project_id: project of the dataset; None = the connection's.
    :param job_project_id: project that runs and pays for the queries; None = the dataset's.
    :param location: location of the dataset; None = found by the dataset.
    :param table_ids: catalog name -> id of tables that have not their default id, such as ``{"media": "brand_media"}``.
    :param maximum_bytes_billed: BigQuery refuses a query that can bill more; None = no limit.
    """

    template_fields: Sequence[str] = (
        "dataset_id",
        "account_id",
        "path",
        "since",
        "until",
        "days",
        "timezone",
        "charts",
        "gcp_conn_id",
        "impersonation_chain",
        "project_id",
        "job_project_id",
        "location",
        "table_ids",
        "maximum_bytes_billed",
    )
    ui_color = "#f7e1ef"

    def __init__(
        self,
        *,
        dataset_id: str,
        path: str,
        account_id: str | None = None,
        since: WindowBound = None,
        until: WindowBound = None,
        days: int | str = 28,
        timezone: str = "UTC",
        charts: str = "interactive",
        gcp_conn_id: str | None = "google_cloud_default",
        impersonation_chain: str | Sequence[str] | None = None,
        project_id: str | None = None,
        job_project_id: str | None = None,
        location: str | None = None,
        table_ids: Mapping[str, str] | None = None,
        maximum_bytes_billed: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset_id = dataset_id
        self.path = path
        self.account_id = account_id
        self.since = since
        self.until = until
        self.days = days
        self.timezone = timezone
        self.charts = charts
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.project_id = project_id
        self.job_project_id = job_project_id
        self.location = location
        self.table_ids = table_ids
        self.maximum_bytes_billed = maximum_bytes_billed

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the report and return its path, size, account and period, and the bytes that were billed."""
        from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client
        from airflow_provider_iginsights.report.make import name_path

        with failing_without_retry():
            now = datetime.now(UTC)
            period, path = self._choose_period(context, now), parse_text(self.path, argument="path") or ""
            client = get_bigquery_client(
                gcp_conn_id=self._read("gcp_conn_id"),
                impersonation_chain=self.impersonation_chain,
                project_id=self._read("project_id"),
                location=self._read("location"),
            )
            with closing(client):
                made = self._make(context, client, period, now)
            path = name_path(path, made.account_id)
            self._write(path, made.content)
        said = {"path": path, "bytes": len(made.content), "bytes_billed": made.bytes_billed}
        self.log.info("Report of account %s: %s, %d bytes.", made.account_id, path, len(made.content))
        said |= {"account_id": made.account_id}
        return said | {"first_day": period.first.isoformat(), "last_day": period.last.isoformat()}

    def _choose_period(self, context: Context, now: datetime) -> Period:
        from airflow_provider_iginsights.report.period import choose_period, parse_zone
        from airflow_provider_iginsights.task.run_dates import read_run_dates

        zone = parse_zone(parse_text(self.timezone, argument="timezone") or "")
        days = parse_days(self.days, argument="days") or 0
        return choose_period(self.since, self.until, days=days, zone=zone, run=read_run_dates(context), now=now)

    def _make(self, context: Context, client: Client, period: Period, now: datetime) -> Report:
        from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
        from airflow_provider_iginsights.report.drawing import CHARTS
        from airflow_provider_iginsights.report.make import ReportMaker

        limit, argument = self.maximum_bytes_billed, "maximum_bytes_billed"
        options = JobOptions(
            job_project=self._read("job_project_id"),
            maximum_bytes_billed=None if is_not_given(limit) else parse_count(limit, argument=argument, of=" of bytes"),
        )
        session = open_session(client, identity=identify_task(context), options=options)
        self._stops = (session.jobs.cancel,)
        charts = parse_choice(self.charts, CHARTS, argument="charts")
        maker = ReportMaker(session, self._list_targets(client.project), period=period, charts=charts)
        return maker.make(self._read("account_id") or "", now=now)

    def _list_targets(self, project: str) -> tuple[TargetTable, ...]:
        from airflow_provider_iginsights.bigquery.duplicate_check import default_targets
        from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES

        table_ids = dict(self.table_ids or {})
        if unknown := sorted(table_ids.keys() - {table.name for table in ALL_TABLES}):
            known = ", ".join(table.name for table in ALL_TABLES)
            raise ConfigurationError(f"table_ids names {', '.join(unknown)}, and the tables are called {known}.")
        dataset = parse_text(self.dataset_id, argument="dataset_id") or ""
        pairs = tuple(table_ids.items())
        return default_targets(project=project, dataset=dataset, location=self._read("location"), table_ids=pairs)

    def _write(self, path: str, content: bytes) -> None:
        from airflow_provider_iginsights.hooks.cloud_storage import SCHEME, write_object
        from airflow_provider_iginsights.report.file import write_whole
        from airflow_provider_iginsights.report.make import MIME_TYPE

        if not path.startswith(SCHEME):
            write_whole(Path(path), content)
            return
        chain = parse_names(self.impersonation_chain, argument="impersonation_chain")
        write_object(
            path, content, mime_type=MIME_TYPE, gcp_conn_id=self._read("gcp_conn_id"), impersonation_chain=chain
        )

    def _read(self, argument: str) -> str | None:
        return parse_text(getattr(self, argument), argument=argument, optional=True)
