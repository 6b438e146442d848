"""A button on a task instance whose address the task puts down.

The address is put into XCom by the task. Airflow 3 shows what stands under ``xcom_key`` without importing anything of
this package; at the end of a try its task runner asks ``get_link`` and puts the answer there again. The webserver of
Airflow 2 asks ``get_link``, too, which reads the XCom there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from airflow_provider_iginsights._compat import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_iginsights._compat import BaseOperator, Context


@attrs.define
class StoredLink(BaseOperatorLink):
    """Base of our links.

    :param content: what it leads to, for an operator with more than one link of a kind.
    """

    title: ClassVar[str]
    key: ClassVar[str]

    content: str = ""

    @property
    def name(self) -> str:
        """Text of the button; unique within an operator."""
        return f"{self.title} ({self.content})" if self.content else self.title

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the address."""
        return f"{self.key}_{self.content.replace(' ', '_')}" if self.content else self.key

    def persist(self, context: Context, address: str) -> None:
        """Put the address into the task's XCom, for the button to appear."""
        context["ti"].xcom_push(key=self.xcom_key, value=address)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address that the task instance put down, or an empty string while there is none."""
        # The task runner of Airflow 3 passes the task instance. It logs an error for each XCom that is not there, so it
        # is told what an operator of ours knows.
        if hasattr(ti_key, "xcom_push") and hasattr(operator, "links"):
            return operator.links.get(self.name, "")  # type: ignore[no-any-return]
        # Heavy to import: in Airflow 2, a model of the database.
        from airflow_provider_iginsights._compat import XCom

        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
