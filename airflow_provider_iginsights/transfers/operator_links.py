"""Links a task instance to the tables that it wrote, to its jobs, and to the account that it read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.links.bigquery import (
    BigQueryLoadJobLink,
    BigQueryMergeJobLink,
    BigQueryTableLink,
    job_url,
    list_links,
    table_url,
)
from airflow_provider_iginsights.links.instagram import InstagramAccountLink, account_url

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import BaseOperatorLink, Context
    from airflow_provider_iginsights.bigquery.jobs import SentJob
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.links.stored_link import StoredLink

_LOADS, _WRITES = ("load", "copy"), ("merge", "correct")
NAMED_IN = ("accounts", "media")
"""Tables whose rows name the account."""
_ANYWHERE = "US"
"""Where BigQuery looks for a job that names no location."""


def list_operator_links(tables: Iterable[Table], *, accounts: bool = True) -> tuple[BaseOperatorLink, ...]:
    """Return the links of an operator that can write these tables; Airflow wants to know them before a run."""
    contents = dict.fromkeys(_describe(table) for table in tables)
    return (*list_links(contents), *((InstagramAccountLink(),) if accounts else ()))


class LinkedOperator(BaseOperator):
    """An operator that remembers the addresses of its links for the end of the try."""

    operator_extra_links: Sequence[BaseOperatorLink]
    links: Mapping[str, str] = {}

    def link_jobs(self, context: Context, sent: Iterable[SentJob]) -> None:
        """Link to the jobs, also to those that failed, and to the tables that they wrote."""
        from airflow_provider_iginsights.catalog.run_tables import RUN_TABLES

        for job in sent:
            if job.target.table in RUN_TABLES:
                continue
            content = _describe(job.target.table)
            where = job_url(project=job.project, location=job.location or _ANYWHERE, job_id=job.job_id)
            if job.verb in _LOADS:
                self._link(context, BigQueryLoadJobLink(content=content), where)
            if job.verb in _WRITES:
                self._link(context, BigQueryMergeJobLink(content=content), where)
            if job.verb in _WRITES and job.is_done:
                self.link_table(context, job.target)

    def link_table(self, context: Context, target: TargetTable) -> None:
        """Link to a table."""
        address = table_url(project=target.project, dataset=target.dataset, table_id=target.table_id)
        self._link(context, BigQueryTableLink(content=_describe(target.table)), address)

    def link_account(self, context: Context, usernames: Iterable[str]) -> None:
        """Link to the page of the account with this username; to none where there are several, or none is known."""
        found = {name for name in usernames if name}
        if len(found) == 1:
            self._link(context, InstagramAccountLink(), account_url(found.pop()))

    def _link(self, context: Context, link: StoredLink, address: str) -> None:
        if self.links.get(link.name) == address:
            return
        # Not changed in place: tries may share the dict with the operator of the Dag.
        self.links = {**self.links, link.name: address}
        link.persist(context, address)


def _describe(table: Table) -> str:
    """Return what stands in a table, for the button; nothing for the numbers, which are an operator's main table."""
    return "" if table.name.endswith("_insights") else table.name.replace("_", " ")


def read_username(row: Mapping[str, Any]) -> str:
    """Return the username that a row of an account or a post has."""
    return str(row.get("username") or "")
