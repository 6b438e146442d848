"""Templates of ``since`` and ``until`` on runs that lack a date: they render as not given instead of failing the task.

Airflow leaves ``data_interval_start``, ``ds`` and their like out of the context of a run that has none (a manual run
without a logical date, an asset-triggered or a partitioned one), and a template that names one then fails before
``execute``. For these two arguments "this run has no such date" has a meaning: the window comes from the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights._compat import BaseOperator

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_iginsights._compat import Context

# What Airflow's "Templates reference" lists as missing in a run without a data interval or logical date, and the
# partition's names of Airflow 3.3.
RUN_DATES = frozenset(
    {
        "data_interval_end",
        "data_interval_start",
        "ds",
        "ds_nodash",
        "execution_date",
        "logical_date",
        "partition_date",
        "partition_key",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
    }
)


class TemplateDates(BaseOperator):
    """An operator whose ``since`` and ``until`` may name dates that a run does not have."""

    since: Any
    until: Any

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render as Airflow does; a ``since`` or ``until`` that fails on a date which this run lacks becomes None.

        Any other failure stays one: a misspelt name, a broken template.
        """
        from jinja2 import Undefined, UndefinedError

        try:
            rendered = super().render_template(content, context, jinja_env, seen_oids)
            if not self._is_of_window(content):
                return rendered
            # A native template hands out what is undefined as it is; as text it fails like any other.
            return str(rendered) if isinstance(rendered, Undefined) else rendered
        except (UndefinedError, TypeError):  # TypeError: a macro with an undefined argument
            lacking = self._find_lacking_dates(content, context, jinja_env) if self._is_of_window(content) else []
            if not lacking:
                raise
        self.log.info("%r counts as not given, because this run has no %s.", content, " and no ".join(lacking))
        return None

    def _is_of_window(self, content: Any) -> bool:
        return isinstance(content, str) and content in (self.since, self.until)

    def _find_lacking_dates(self, content: str, context: Context, jinja_env: jinja2.Environment | None) -> list[str]:
        from jinja2.meta import find_undeclared_variables

        named = find_undeclared_variables((jinja_env or self.get_template_env()).parse(content))
        return sorted(name for name in named & RUN_DATES if name not in context)
