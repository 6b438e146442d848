"""The button on a task instance that opens the table the task wrote to in the BigQuery console.

The address is put into XCom by the task. Airflow 3 shows what stands under ``xcom_key`` without importing anything of
this package; at the end of a try its task runner asks ``get_link`` and puts the answer there again. The webserver of
Airflow 2 asks ``get_link``, too, which reads the XCom there.
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

    def persist(self, context: Context, *, project: str, dataset: str, table_id: str) -> str:
        """Put the address of the table into the task's XCom, for the button to appear, and return it."""
        address = table_url(project=project, dataset=dataset, table_id=table_id)
        context["ti"].xcom_push(key=self.xcom_key, value=address)
        return address

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address that the task instance put down, or an empty string while there is none."""
        # The task runner of Airflow 3 passes the task instance. It logs an error for each XCom that is not there, so it
        # is told what the operator knows.
        if hasattr(ti_key, "xcom_push"):
            return getattr(operator, "links", {}).get(self.name, "")  # type: ignore[no-any-return]
        # Heavy to import: in Airflow 2, a model of the database.
        from airflow_provider_iginsights._compat import XCom

        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
