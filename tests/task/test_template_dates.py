"""Templates of since and until on runs without dates; every other template fails as it does anywhere in Airflow."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from jinja2 import UndefinedError

from airflow_provider_iginsights._compat import DAG
from airflow_provider_iginsights.task.template_dates import RUN_DATES
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramAccountInsightsToBigQueryOperator


class Macros:
    """The one macro that the templates here call; like Airflow's, it needs a text."""

    @staticmethod
    def ds_add(ds: str, days: int) -> str:
        """Return the date ``days`` later."""
        return str(date.fromordinal(date.fromisoformat(ds).toordinal() + days))


def rendered(context: dict[str, Any], *, native: bool = False, **arguments: Any) -> dict[str, Any]:
    """Return since, until and table_id after Airflow has rendered them for a run with this context."""
    with DAG(
        "templates", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), render_template_as_native_obj=native
    ):
        operator = InstagramAccountInsightsToBigQueryOperator(task_id="account", dataset_id="d", **arguments)
    operator.render_template_fields({"macros": Macros, **context})
    return {name: getattr(operator, name) for name in ("since", "until", "table_id")}


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@pytest.mark.parametrize(
    "template",
    [
        *(f"{{{{ {name} }}}}" for name in sorted(RUN_DATES)),
        "{{ data_interval_start.subtract(days=1) }}",
        "{{ data_interval_end - offset }}",
        "{{ logical_date | ds }}",
        "{{ ts_nodash[:8] }}",
        "{{ macros.ds_add(ds, -1) }}",
        "{% if data_interval_start.day == 1 %}2026-01-01{% endif %}",
    ],
)
def test_a_date_that_the_run_lacks_is_not_given(template: str, native: bool) -> None:
    """Named plainly, in arithmetic or in a macro: the argument becomes None instead of failing the task."""
    context = {"offset": 1}
    assert rendered(context, native=native, since=template)["since"] is None
    found = rendered(context, native=native, since="2026-11-01", until=template)
    assert (found["since"], found["until"]) == ("2026-11-01", None)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ ds }}", "2026-11-20"),
        ("{{ macros.ds_add(ds, -1) }}", "2026-11-19"),
        ("{{ ds if ds is defined else 'x' }}", "2026-11-20"),
        ("{{ data_interval_start | default('2026-11-05') }}", "2026-11-05"),
        ("{{ ts if ts is defined else '2026-11-06' }}", "2026-11-06"),
    ],
)
def test_a_date_that_the_run_has_is_rendered(template: str, text: str) -> None:
    """What can be rendered is, and a template's own provision for a missing date wins."""
    assert rendered({"ds": "2026-11-20"}, since=template)["since"] == text


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"since": "{{ data_interval_strat }}"}, UndefinedError),
        ({"since": "{{ ds.nothing.at_all }}"}, UndefinedError),
        ({"since": "{{ 1 + 'a' }}"}, TypeError),
        ({"table_id": "insights_{{ ds_nodash }}"}, UndefinedError),
    ],
)
def test_other_failures_stay_failures(arguments: dict[str, Any], error: type[Exception], native: bool) -> None:
    """A misspelt name, a broken template and other arguments fail the task as ever."""
    with pytest.raises(error):
        rendered({"ds": "2026-11-20"}, native=native, **arguments)
