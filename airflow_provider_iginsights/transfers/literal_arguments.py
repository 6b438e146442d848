"""Refuses an argument that cannot be as early as it is known: when Airflow parses the Dag, or renders its templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.task.failures import failing_without_retry

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_iginsights._compat import Context


class LiteralArguments(BaseOperator):
    """An operator that knows which of its arguments are written in the Dag as they are."""

    literal_arguments: ClassVar[Mapping[str, Callable[[Any], object]]] = {}
    """Argument -> what raises ConfigurationError for a value that cannot be; it looks at the value alone."""

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Refuse what every mapped task would refuse, and go on as Airflow does."""
        cls.refuse_literals(kwargs)
        return super().partial(**kwargs)

    @classmethod
    def refuse_literals(cls, given: Mapping[str, Any]) -> None:
        """Refuse arguments of a Dag file; those that are given as a template wait until it is rendered.

        :raises ConfigurationError: the value cannot be.
        """
        with failing_without_retry():
            for name, check in cls.literal_arguments.items():
                if name in given and not (name in cls.template_fields and is_template(given[name])):
                    check(given[name])

    def check_arguments(self) -> None:
        """Refuse, before anything is asked, what would otherwise fail in the middle of the work.

        :raises ConfigurationError: an argument cannot be.
        """

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render as Airflow does, then look at all arguments. Of a mapped task, ``execute`` does that."""
        super().render_template_fields(context, jinja_env)
        with failing_without_retry():
            self.check_arguments()


def is_template(value: Any) -> bool:
    """Return whether an argument has no value yet: it is a template, holds one, or is what another task returns."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(map(is_template, (*value, *value.values())))
    if isinstance(value, list | tuple):
        return any(map(is_template, value))
    # What another task returns (XComArg) is no value yet: Airflow resolves it when it renders the templates.
    return callable(getattr(value, "resolve", None))
