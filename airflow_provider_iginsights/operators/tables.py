"""A task that fails where the tables of a dataset miss days of an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.task.arguments import is_not_given, parse_count, parse_text, read_object
from airflow_provider_iginsights.task.failures import failing_without_retry

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context

NAMED = 50


class InstagramTablesCompleteOperator(BaseOperator):
    """Fail where an account misses one of the last closed Pacific days in a table; name accounts, tables and days.

    What is missing stands in XCom, too (key ``missing``), for a callback. It looks at the daily numbers of accounts,
    their profiles, the snapshots of posts and the polls for stories, as far as these tables exist, with one query.

    :param dataset_id: BigQuery dataset.
    :param days: so many closed days are looked at; twice as many are read, to know which accounts were there before.
    :param table_ids: tables that have not their default ids: name -> id, such as ``{"accounts": "brand_accounts"}``.
    :param gcp_conn_id: Google Cloud connection; None = application default credentials.
    :param impersonation_chain: service account(s) to impersonate.
    :param project_id: Google Cloud project of the dataset; None = the credentials' own.
    :param job_project_id: Google Cloud project that runs and pays for the query; None = that of the dataset.
    :param location: location of the dataset, such as ``EU``; None = wherever it lies.
    """

    template_fields: Sequence[str] = (
        "dataset_id",
        "days",
        "table_ids",
        "gcp_conn_id",
        "impersonation_chain",
        "project_id",
        "job_project_id",
        "location",
    )

    def __init__(
        self,
        *,
        dataset_id: str,
        days: int | str = 28,
        table_ids: Mapping[str, str] | str | None = None,
        gcp_conn_id: str | None = "google_cloud_default",
        impersonation_chain: str | Sequence[str] | None = None,
        project_id: str | None = None,
        job_project_id: str | None = None,
        location: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset_id = dataset_id
        self.days = days
        self.table_ids = table_ids
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.project_id = project_id
        self.job_project_id = job_project_id
        self.location = location

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what the tables have of each account.

        :raises RowsMissing: days are missing, or there is no row at all; not retried.
        :raises LoadError: BigQuery refused, or the dataset does not exist.
        """
        from airflow_provider_iginsights.bigquery.duplicate_check import default_targets
        from airflow_provider_iginsights.bigquery.existing import find_existing
        from airflow_provider_iginsights.bigquery.freshness import read_freshness
        from airflow_provider_iginsights.errors import RowsMissing
        from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client

        with failing_without_retry():
            days = parse_count(self.days, argument="days", of=" of days", most=365)
            client = get_bigquery_client(
                gcp_conn_id=self._read("gcp_conn_id"),
                impersonation_chain=self.impersonation_chain,
                project_id=self._read("project_id"),
                location=self._read("location"),
            )
            with closing(client):
                targets = default_targets(
                    project=client.project,
                    dataset=str(self.dataset_id),
                    location=self._read("location"),
                    table_ids=list(self._read_table_ids().items()),
                )
                existing = find_existing(client, targets=targets, skip_missing=True)
                found = read_freshness(client, targets=existing, days=days, job_project=self._read("job_project_id"))
            missing = [each for each in found if each.missing]
            for each in (each for each in found if each.stopped):
                self.log.warning("%s", each)
            if missing or not found:
                context["ti"].xcom_push(key="missing", value=[each.describe() for each in missing[:NAMED]])
                named = " ".join(map(str, missing[:NAMED])) or "No account has a row in any of them."
                more = f" And {len(missing) - NAMED} more." if len(missing) > NAMED else ""
                raise RowsMissing(
                    f"The tables of {client.project}.{self.dataset_id} are not complete. {named}{more} Clear the runs "
                    "of these days where Meta still has the numbers, and look at instagram_runs for the reason."
                )
        return [each.describe() for each in found[:NAMED]]

    def _read(self, argument: str) -> str | None:
        return parse_text(getattr(self, argument), argument=argument, optional=True)

    def _read_table_ids(self) -> Mapping[str, str]:
        given = self.table_ids
        if given is None or is_not_given(given):
            return {}
        return read_object(given) if isinstance(given, str) else given
