"""``account_ids`` that another task returned: nothing of it is not the same as leaving the argument out.

Left out, ``account_ids`` means every account of the connection. A task that was skipped, failed or found none returns
nothing, and then the accounts of everybody would be read into the tables of one client.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.task.arguments import is_not_given
from airflow_provider_iginsights.task.failures import failing_without_retry

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_iginsights._compat import Context


class UpstreamAccounts(BaseOperator):
    """An operator whose ``account_ids`` may be what another task returned."""

    choosing_arguments: ClassVar[Sequence[str]] = ("account_ids",)
    """Arguments that choose accounts; left out, they choose all."""

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render as Airflow does; refuse what chooses accounts where another task returned nothing for it.

        :raises ConfigurationError: so that it is not retried.
        """
        rendered = super().render_template(content, context, jinja_env, seen_oids)
        if is_not_given(rendered) and _comes_from_task(content):
            self._refuse_nothing(content)
        return rendered

    def _refuse_nothing(self, content: Any) -> None:
        for name in self.choosing_arguments:
            if content is getattr(self, name):
                with failing_without_retry():
                    raise ConfigurationError(
                        f"{name} is what another task returned, and that is nothing: the task was skipped, failed or "
                        f"found no account. Without {name} every account of the connection would be read. Leave the "
                        "argument out for that; else let this task be skipped, too, or the other one return ids."
                    )


def _comes_from_task(content: Any) -> bool:
    """Return whether a value is what a task returns, as its output or in a template that pulls it."""
    if isinstance(content, str):
        return "xcom_pull" in content
    # A parameter of the Dag is resolved later, too, but refers to no task.
    references = getattr(content, "iter_references", None)
    return callable(references) and any(True for _ in references())
