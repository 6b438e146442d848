"""The button on a task instance that opens the table the task wrote to in the BigQuery console.

The address is put into XCom by the task. Airflow 3 shows what stands under ``xcom_key`` without importing anything of
this package; Airflow 2 asks ``get_link``, which reads the same XCom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import attrs

from airflow_provider_iginsights._compat import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_iginsights._compat import BaseOperator, Context

CONSOLE = "https://console.cloud.google.com/bigquery"


def table_url(*, project: str, dataset: str, table_id: str) -> str:
    """Return the address of a table in the Google Cloud console."""
    return f"{CONSOLE}?{urlencode({'project': project, 'p': project, 'd': dataset, 't': table_id, 'page': 'table'})}"


@attrs.define
class BigQueryTableLink(BaseOperatorLink):
    """Link "BigQuery table", or "BigQuery table (posts)" where a task writes several tables.

    :param content: what is in the table, for an operator with more than one link.
    """

    content: str = ""

    @property
    def name(self) -> str:
        """Text of the button; unique within an operator."""
        return f"BigQuery table ({self.content})" if self.content else "BigQuery table"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the address."""
        return f"bigquery_table_link_{self.content}" if self.content else "bigquery_table_link"

    def persist(self, context: Context, *, project: str, dataset: str, table_id: str) -> None:
        """Put the address of the table into the task's XCom, for the button to appear."""
        context["ti"].xcom_push(key=self.xcom_key, value=table_url(project=project, dataset=dataset, table_id=table_id))

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address that the task instance put down, or an empty string while there is none."""
        # Only Airflow 2 calls this; there XCom is a model of the database, and heavy to import.
        from airflow_provider_iginsights._compat import XCom

        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
