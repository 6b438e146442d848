"""How long a task waits for Meta's rate limit, for whom, and what it hands to Airflow meanwhile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from airflow_provider_iginsights._compat import AirflowFailException, AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.errors import AccountUnavailable, Throttled
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from airflow_provider_iginsights.task.rate_limit_wait import JITTER, find_throttled, plan_wait
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramMediaInsightsToBigQueryOperator
from tests.support.sandboxes import NOW, Sandboxes, TaskStateStore

MINUTE = timedelta(minutes=1)
SIX_HOURS = timedelta(hours=6)
TABLES = ("instagram_media", "instagram_media_children", "instagram_media_insights")


def throttled(**minutes: float | None) -> dict[str, Throttled]:
    """Return accounts that Meta told to wait that many minutes; None = it did not say."""
    return {
        name: Throttled(f"{name} is blocked.", retry_after=None if wait is None else wait * 60)
        for name, wait in minutes.items()
    }


@pytest.mark.parametrize(
    ("waits", "waited", "minutes"),
    [
        ({"a": 5}, 0, 5),
        ({"a": 5, "b": 40}, 0, 40),
        ({"a": None}, 0, 60),
        ({"a": 0}, 0, 0),
        ({"a": 5, "b": 400}, 0, 5),
        ({"a": 30, "b": 61}, 300, 30),
        ({"a": 60}, 300, 60),
    ],
    ids=["one", "the longest", "unsaid", "at once", "one that cannot be waited for", "what still fits", "just"],
)
def test_how_long(waits: dict[str, float | None], waited: int, minutes: int) -> None:
    """The task comes back after the longest wait that fits into six hours, plus up to a minute; the start is kept."""
    with time_machine.travel(NOW, tick=False):
        since = NOW - waited * MINUTE
        wait = plan_wait(throttled(**waits), waiting_since=since, timeout=SIX_HOURS, of=3)
    late = wait.until - (NOW + minutes * MINUTE)
    assert timedelta() <= late <= timedelta(seconds=JITTER)
    assert wait.since == since


def test_tasks_do_not_come_back_together() -> None:
    """Twenty tasks that were blocked for the same time come back at different moments."""
    with time_machine.travel(NOW, tick=False):
        waits = {plan_wait(throttled(a=5), waiting_since=None, timeout=SIX_HOURS, of=1).until for _ in range(20)}
    assert len(waits) > 10


@pytest.mark.parametrize(("waits", "waited"), [({"a": 361}, 0), ({"a": 61, "b": None}, 301), ({"a": 0}, 361)])
def test_no_longer(waits: dict[str, float | None], waited: int) -> None:
    """When no wait fits any more, the error names the accounts, what Meta said, and what to do."""
    with time_machine.travel(NOW, tick=False), pytest.raises(Throttled) as caught:
        plan_wait(throttled(**waits), waiting_since=NOW - waited * MINUTE, timeout=SIX_HOURS, of=7)
    assert f"{len(waits)} of 7 accounts failed" in caught.value.message
    assert all(f"{name}: {name} is blocked." in caught.value.message for name in waits)
    assert "throttle_timeout (6:00:00)" in caught.value.message


def test_who_has_to_wait() -> None:
    """Only rate limits are waited for."""
    waiting = throttled(a=5)
    assert find_throttled({**waiting, "b": AccountUnavailable("gone")}) == waiting


def execute(sandboxes: Sandboxes, operator: Any, *, method: str = "execute", store: Any = None, **state: Any) -> Any:
    """Run an operator as a worker does."""
    context = {"ti": sandboxes.instance, "data_interval_start": NOW - timedelta(days=1), "data_interval_end": NOW}
    return getattr(operator, method)(context | ({"task_state_store": store} if store is not None else {}), **state)


def transfer(**arguments: Any) -> InstagramMediaInsightsToBigQueryOperator:
    """Return a transfer that is new, as in a new process."""
    return InstagramMediaInsightsToBigQueryOperator(
        task_id="media", dataset_id="instagram", gcp_conn_id=None, create_dataset=True, **arguments
    )


def block(sandboxes: Sandboxes, account_id: str, times: int | None = 1) -> None:
    """Let Meta refuse one account's listing."""
    busy = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account")
    sandboxes.graph.faults.add(GraphFault(effect=busy, path=f"{account_id}/media", times=times))


def listings(sandboxes: Sandboxes) -> list[str]:
    """Return whose media were listed since the last look."""
    found = [received.path.split("/")[-2] for received in sandboxes.graph.log if received.path.endswith("/media")]
    sandboxes.graph.clear_log()
    return sorted(found)


@pytest.mark.parametrize("has_store", [True, False])
def test_a_deferral_survives_as_json(sandboxes: Sandboxes, has_store: bool) -> None:
    """Trigger and state hold no secret and survive JSON; the resumed task asks only for the blocked account."""
    first, second = sandboxes.world.accounts
    block(sandboxes, second)
    store = TaskStateStore() if has_store else None
    with pytest.raises(TaskDeferred) as caught:
        execute(sandboxes, transfer(deferrable=True), store=store)
    assert listings(sandboxes) == [first, second]
    deferral = caught.value
    path, arguments = deferral.trigger.serialize()
    handed_over = json.dumps([path, arguments, deferral.kwargs], default=str)
    assert path.startswith("airflow_provider_iginsights.task.wait_trigger.until_")
    for secret in (sandboxes.token, "instagram_default", "http://"):
        assert secret not in handed_over
    assert len(handed_over) < 4000
    state = json.loads(json.dumps(deferral.kwargs))
    summary = execute(sandboxes, transfer(), method=deferral.method_name, event=None, store=store, **state)
    assert listings(sandboxes) == [second]
    assert sandboxes.instance.pushed["summary"] == summary
    assert summary["accounts_done"] == [first, second]
    assert summary["rows"] == sum(len(sandboxes.rows(name)) for name in TABLES)


def test_the_wait_is_bounded_over_deferrals(sandboxes: Sandboxes) -> None:
    """A task that is blocked again and again comes back at most until six hours are over, store or not."""
    second = list(sandboxes.world.accounts)[1]
    block(sandboxes, second, times=None)
    method, state, waits = "execute", {}, 0
    while True:
        with pytest.raises((TaskDeferred, Throttled)) as caught:
            execute(sandboxes, transfer(deferrable=True), method=method, **state)
        if isinstance(caught.value, Throttled):
            break
        waits += 1
        method, state = caught.value.method_name, json.loads(json.dumps(caught.value.kwargs))
        sandboxes.travel(timedelta(minutes=61))
    assert waits == 5
    assert isinstance(caught.value, AirflowFailException)
    assert second in str(caught.value)
    assert list(sandboxes.instance.pushed["summary"]["accounts_throttled"]) == [second]


def test_a_clear_after_the_bound_waits_anew(sandboxes: Sandboxes) -> None:
    """The failed task keeps what it loaded; cleared the next day it asks for the rest and has six hours again."""
    first, second = sandboxes.world.accounts
    store = TaskStateStore()
    block(sandboxes, second, times=2)
    with pytest.raises(AirflowRescheduleException):
        execute(sandboxes, transfer(), store=store)
    sandboxes.travel(timedelta(hours=6))
    with pytest.raises(Throttled):
        execute(sandboxes, transfer(), store=store)
    assert listings(sandboxes) == [first, second, second]
    sandboxes.travel(timedelta(hours=20))
    assert execute(sandboxes, transfer(), store=store)["accounts_done"] == [first, second]
    assert listings(sandboxes) == [second]
    assert store == {}


def test_skip_counts_what_was_loaded_before_the_wait(sandboxes: Sandboxes) -> None:
    """With "skip", accounts that answered before the wait are enough, when the last ones fail after it."""
    first, second = sandboxes.world.accounts
    store = TaskStateStore()
    block(sandboxes, second)
    with pytest.raises(AirflowRescheduleException):
        execute(sandboxes, transfer(on_account_error="skip"), store=store)
    denied = ErrorEffect(10, message="(#10) Application does not have permission for this action")
    sandboxes.graph.faults.add(GraphFault(effect=denied, path=second, times=None))
    summary = execute(sandboxes, transfer(on_account_error="skip"), store=store)
    assert summary["accounts_done"] == [first]
    assert list(summary["accounts_skipped"]) == [second]
    assert summary["accounts_failed"] == summary["accounts_throttled"] == {}
    assert store == {}


def test_discovery_is_waited_for(sandboxes: Sandboxes) -> None:
    """A limit met while the accounts are looked up gives the slot back as well."""
    busy = ErrorEffect(4, http=403, message="(#4) Application request limit reached")
    sandboxes.graph.faults.add(GraphFault(effect=busy, path="me/accounts", times=1))
    with pytest.raises(AirflowRescheduleException) as caught:
        execute(sandboxes, transfer())
    assert caught.value.reschedule_date > datetime.now(UTC) + timedelta(minutes=59)
    assert execute(sandboxes, transfer())["accounts_done"] == list(sandboxes.world.accounts)


def test_a_limit_while_accounts_are_looked_up_again_forgets_nothing(sandboxes: Sandboxes) -> None:
    """A resumed task that is blocked at once keeps what it has loaded, also where Airflow has no state store."""
    first, second = sandboxes.world.accounts
    block(sandboxes, second)
    busy = ErrorEffect(4, http=403, message="(#4) Application request limit reached")
    sandboxes.graph.faults.add(GraphFault(effect=busy, path="me/accounts", times=1, skip=1))
    method, state = "execute", {}
    for _ in range(2):
        with pytest.raises(TaskDeferred) as caught:
            execute(sandboxes, transfer(deferrable=True), method=method, **state)
        method, state = caught.value.method_name, json.loads(json.dumps(caught.value.kwargs))
    summary = execute(sandboxes, transfer(), method=method, **state)
    assert listings(sandboxes) == [first, second, second]
    assert summary["accounts_done"] == [first, second]
    assert summary["rows"] == sum(len(sandboxes.rows(name)) for name in TABLES)


def test_meta_s_own_minutes_decide(sandboxes: Sandboxes) -> None:
    """An account whose usage is at its limit stops alone; the task comes back after the minutes in Meta's header."""
    first, second = sandboxes.world.accounts
    sandboxes.graph.usage.minutes = 17
    sandboxes.graph.usage.set(second, 100)
    with pytest.raises(AirflowRescheduleException) as caught:
        execute(sandboxes, transfer())
    wait = caught.value.reschedule_date - datetime.now(UTC)
    assert timedelta(minutes=16) < wait < timedelta(minutes=17, seconds=JITTER + 1)
    assert {row["account_id"] for row in sandboxes.rows("instagram_media_insights")} == {first}
    summary = sandboxes.instance.pushed["summary"]
    assert (summary["accounts_done"], list(summary["accounts_throttled"])) == ([first], [second])
    assert "17 minutes" in summary["accounts_throttled"][second]
