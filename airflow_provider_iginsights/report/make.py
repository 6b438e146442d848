"""Makes the report of one account of a dataset: reads its rows, and writes the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.report.build import build_report
from airflow_provider_iginsights.report.rows import ReportReader

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.report.drawing import Charts
    from airflow_provider_iginsights.report.period import Period

MIME_TYPE = "text/html; charset=utf-8"
PLACE = "{account}"
"""Stands in a path for the id of the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report, what it is about, and for how many bytes of its queries BigQuery lets pay."""

    account_id: str
    period: Period
    content: bytes
    bytes_billed: int


class ReportMaker:
    """Makes the reports of a dataset for one period.

    :param session: runs the queries.
    :param targets: one of each table.
    """

    def __init__(
        self, session: BigQuerySession, targets: Iterable[TargetTable], *, period: Period, charts: Charts
    ) -> None:
        self._session = session
        self._reader = ReportReader(session, targets)
        self._period = period
        self._charts = charts

    def make(self, account: str, *, now: datetime) -> Report:
        """Return the report of an account.

        :param account: id, or @username; ``""`` = the only one of the dataset.
        :raises ConfigurationError: the dataset has no row of it, or the extra ``report`` is missing.
        :raises LoadError: BigQuery refuses.
        """
        rows = self._reader.read(account, self._period)
        content = build_report(rows, charts=self._charts, now=now)
        costs = self._session.costs.take().values()
        billed = sum(each["bytes_billed"] for kinds in costs for each in kinds.values())
        return Report(account_id=rows.account_id, period=self._period, content=content, bytes_billed=billed)


def name_path(path: str, account_id: str, *, of: int = 1) -> str:
    """Return the path of one of so many reports.

    :raises ConfigurationError: there are several, and they would have the same path.
    """
    if of > 1 and PLACE not in path:
        raise ConfigurationError(
            f"Each account has a report of its own: for {of} accounts, the path needs {PLACE} where the id of the "
            f"account is to stand, such as reports/{PLACE}.html."
        )
    return path.replace(PLACE, account_id)
