"""Accounts that Meta's servers answered in part: loaded but for that, asked again for only that, named at the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowRescheduleException
from airflow_provider_iginsights.errors import ServerTrouble
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramMediaInsightsToBigQueryOperator
from tests.support.sandboxes import END, START, RecordingTaskInstance, Sandboxes, TaskStateStore

SERVER_ERROR = ErrorEffect(2, http=500, message="Service temporarily unavailable", is_transient=True)

pytestmark = pytest.mark.usefixtures("without_waits")


class Instance(RecordingTaskInstance):
    """A task instance with two retries."""

    max_tries = 2


def execute(store: TaskStateStore | None, *, try_number: int, **arguments: Any) -> dict[str, Any]:
    """Run the media transfer as one try of three."""
    options = {"dataset_id": "instagram", "gcp_conn_id": None, "create_dataset": True} | arguments
    operator = InstagramMediaInsightsToBigQueryOperator(task_id="media", **options)
    instance = Instance(task_id="media", try_number=try_number)
    context = {"ti": instance, "data_interval_start": START, "data_interval_end": END, "task_state_store": store}
    return operator.execute(context)  # type: ignore[arg-type]


def fail_one_post(sandboxes: Sandboxes) -> str:
    """Let Meta's servers fail on what is asked of one post of the first account by itself."""
    media_id = sandboxes.world.media_of(next(iter(sandboxes.world.accounts)), sandboxes.world.now)[3].id
    sandboxes.graph.faults.add(GraphFault(effect=SERVER_ERROR, path=f"{media_id}/insights", times=None))
    return media_id


def test_only_the_open_question_is_asked_again(sandboxes: Sandboxes) -> None:
    """The first try loads all else and fails; the second, with a store, asks for that post alone, and ends well."""
    store, media_id = TaskStateStore(), fail_one_post(sandboxes)
    with pytest.raises(ServerTrouble, match=media_id):
        execute(store, try_number=1)
    before = sandboxes.rows("instagram_media_insights")
    assert {row["account_id"] for row in before} == set(sandboxes.world.accounts)
    sandboxes.graph.faults.clear()
    sandboxes.graph.clear_log()
    summary = execute(store, try_number=2)
    asked = [item.partition("?")[0] for sent in sandboxes.graph.log for item in sent.items]
    assert asked
    assert all(path.endswith(f"{media_id}/insights") for path in asked)
    assert len(sandboxes.graph.log) <= 2  # the list of accounts, and the post
    assert sorted(summary["accounts_done"]) == sorted(sandboxes.world.accounts)
    assert summary["left_out"] == []
    after = sandboxes.rows("instagram_media_insights")
    assert {row["media_id"] for row in after if row not in before} == {media_id}
    assert store == {}


@pytest.mark.parametrize(("try_number", "arguments"), [(3, {}), (1, {"on_account_error": "skip"})])
def test_the_end_names_it(sandboxes: Sandboxes, try_number: int, arguments: dict[str, Any]) -> None:
    """On the last try, and where failures are to be skipped, the task ends well and names what is missing."""
    media_id = fail_one_post(sandboxes)
    summary = execute(TaskStateStore(), try_number=try_number, **arguments)
    assert sorted(summary["accounts_done"]) == sorted(sandboxes.world.accounts)
    assert {found["kind"] for found in summary["left_out"]} == {"ServerTrouble"}
    assert all(found["whom"] == [f"media {media_id}"] for found in summary["left_out"])


def test_a_cleared_task_asks_again_what_its_last_try_gave_up(sandboxes: Sandboxes) -> None:
    """Another account fails the last try, so somebody clears the task: it asks for both, and names nothing any more."""
    store, media_id = TaskStateStore(), fail_one_post(sandboxes)
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=SERVER_ERROR, path=f"{second}/", times=None))
    with pytest.raises(ServerTrouble, match=second):
        execute(store, try_number=3)
    before = sandboxes.rows("instagram_media_insights")
    sandboxes.graph.faults.clear()
    summary = execute(store, try_number=4)
    assert sorted(summary["accounts_done"]) == sorted(sandboxes.world.accounts)
    assert summary["left_out"] == []
    added = [row for row in sandboxes.rows("instagram_media_insights") if row not in before]
    assert {row["media_id"] for row in added if row["account_id"] != second} == {media_id}
    assert second in {row["account_id"] for row in added}


def test_without_a_store_all_is_asked_again(sandboxes: Sandboxes) -> None:
    """Where Airflow keeps nothing between tries, the second try reads everything and is complete."""
    fail_one_post(sandboxes)
    with pytest.raises(ServerTrouble):
        execute(None, try_number=1)
    sandboxes.graph.faults.clear()
    assert execute(None, try_number=2)["left_out"] == []


def test_an_account_that_answered_nothing_has_failed(sandboxes: Sandboxes) -> None:
    """Not even the last try ends well for an account of which no row is there."""
    first = next(iter(sandboxes.world.accounts))
    sandboxes.graph.faults.add(GraphFault(effect=SERVER_ERROR, path=f"{first}/", times=None))
    with pytest.raises(ServerTrouble, match=first):
        execute(TaskStateStore(), try_number=3)


def test_a_rate_limit_meanwhile_costs_no_question(sandboxes: Sandboxes) -> None:
    """What one try left open is still all that is asked after another try met the account's rate limit."""
    store, media_id = TaskStateStore(), fail_one_post(sandboxes)
    with pytest.raises(ServerTrouble, match=media_id):
        execute(store, try_number=1)
    sandboxes.graph.faults.clear()
    sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(80002, message="too many calls"), path=media_id, times=1))
    with pytest.raises(AirflowRescheduleException):
        execute(store, try_number=2)
    sandboxes.travel(timedelta(hours=2))
    sandboxes.graph.clear_log()
    assert execute(store, try_number=2)["left_out"] == []
    asked = [item.partition("?")[0] for sent in sandboxes.graph.log for item in sent.items]
    assert asked
    assert all(path.endswith(f"{media_id}/insights") for path in asked)
    assert store == {}


def test_the_hook_raises_at_the_end(sandboxes: Sandboxes) -> None:
    """The hook's iterator gives all other rows first; whoever reads it learns that some are missing."""
    media_id = fail_one_post(sandboxes)
    rows: list[dict[str, Any]] = []
    with pytest.raises(ServerTrouble, match=media_id):
        rows.extend(InstagramHook("instagram_default").media_insights(refresh_days=None))
    assert {row["account_id"] for row in rows} == set(sandboxes.world.accounts)
