"""What cannot be is refused as early as it is known: when the Dag is parsed, or when its templates are rendered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from tests.support.sandboxes import TRANSFERS, Sandboxes
from tests.support.transfers.dag_runs import dag_of, open_sandboxes_of_dags, run

WRITE, WEBHOOK = InstagramWriteStagedToBigQueryOperator, InstagramStoryWebhookToBigQueryOperator
REFUSED: list[tuple[type[Any], str, object]] = [
    *((each, "load_mode", "upsert") for each in TRANSFERS.values()),
    *((each, "on_account_error", "ignore") for each in TRANSFERS.values()),
    (WRITE, "on_account_error", "quarantine"),
    (TRANSFERS["story"], "capture", "later"),
    (TRANSFERS["story"], "capture", None),
    (TRANSFERS["story"], "capture_lead", timedelta(seconds=1)),
    (TRANSFERS["story"], "capture_for", "1 day"),
    (TRANSFERS["story"], "final_within", timedelta(0)),
    (TRANSFERS["account"], "load", "later"),
    (TRANSFERS["media"], "throttle_timeout", 3600),
    (TRANSFERS["media"], "deferrable", "perhaps"),
    (TRANSFERS["account"], "create_views", "{{ params.create_views }}"),  # no template field: it would stay this text
    (WEBHOOK, "create_dataset", "perhaps"),
    (WRITE, "inherit_expiration", 2),
]
OTHERS = {WRITE: {"staged": [], "account_ids": []}}


@pytest.mark.parametrize(("kind", "argument", "value"), REFUSED)
def test_while_the_dag_is_parsed(kind: type[Any], argument: str, value: object) -> None:
    """The constructor and ``partial`` name the argument, in a form that a task would not retry."""
    arguments = {"task_id": "task", "dataset_id": "instagram", argument: value}
    for make in (kind, kind.partial):
        with pytest.raises(ConfigurationError, match=argument) as refused:
            make(**arguments, **(OTHERS.get(kind, {}) if make is kind else {}))
        assert isinstance(refused.value, AirflowFailException)


TEMPLATES: list[tuple[str, str, Any]] = [
    ("story", "capture", "later"),
    ("account", "lookback_days", "some"),
    ("media", "refresh_days", -1),
    ("account", "metrics", "[1, {}]"),
    ("account", "breakdowns", "reach"),
    ("media", "since", "yesterday"),
    ("media", "account_ids", "a b"),
    ("story", "maximum_bytes_billed", "much"),
    ("media", "table_options", {"defualt": {}}),
]


@pytest.mark.parametrize(("kind", "argument", "value"), TEMPLATES)
def test_when_it_is_rendered(kind: str, argument: str, value: Any) -> None:
    """A template passes while the Dag is parsed; what it renders to is refused before the task begins."""
    operator = TRANSFERS[kind](task_id="task", dataset_id="instagram", **{argument: "{{ params.value }}"})
    with pytest.raises(ConfigurationError, match=argument) as refused:
        operator.render_template_fields({"params": {"value": value}})  # type: ignore[typeddict-item]
    assert isinstance(refused.value, AirflowFailException)


def test_what_can_be_is_rendered() -> None:
    """Dates that the run lacks, numbers as text and a capture that the run chose are no reason to refuse."""
    operator = TRANSFERS["story"](
        task_id="task", dataset_id="instagram", capture="{{ params.value }}", since="{{ ds }}", account_ids="@brand"
    )
    operator.render_template_fields({"params": {"value": "before_expiry"}})  # type: ignore[typeddict-item]
    assert (getattr(operator, "capture"), operator.since) == ("before_expiry", "")  # noqa: B009


@pytest.fixture
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts."""
    with open_sandboxes_of_dags() as opened:
        yield opened


def test_a_task_is_not_retried_for_it(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """What a template rendered to fails the task in its first try, mapped or not, before anybody is asked."""
    body = """
given = dict(retries=2, retry_delay=timedelta(0), metrics="{{ [1.5] }}", **TO)
Account(task_id="one", **given)
Account.partial(task_id="mapped", **given).expand(account_ids=["1784"])
"""
    with dag_of(tmp_path, "refused_templates", body) as dag:
        found = run(dag)
    assert {(str(each.state), each.try_number) for each in found.values()} == {("failed", 1)}
    assert (len(found), [*sandboxes.graph.log, *sandboxes.bigquery.log]) == (2, [])
