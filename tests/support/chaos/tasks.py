"""The tasks that chaos plays with, as rows: operators, arguments, and how many task instances one run of them has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from tests.support.sandboxes import DAY, END, NOW, TRANSFERS, RecordingTaskInstance, TaskStateStore

Kind = Literal["account", "media", "story", "list"]
LOOKBACK = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A transfer of all accounts. ``is_staged``: two mapped tasks stage an account each, a third task writes."""

    kind: Kind
    arguments: Mapping[str, Any] = field(default_factory=dict)
    is_staged: bool = False


TASKS: Mapping[str, Task] = {
    "account": Task(kind="account"),
    "account, replaced": Task(kind="account", arguments={"load_mode": "replace"}),
    "account, staged": Task(kind="account", is_staged=True),
    "account, deferrable": Task(kind="account", arguments={"deferrable": True}),
    "media": Task(kind="media"),
    "media, replaced": Task(kind="media", arguments={"load_mode": "replace"}),
    "media, staged": Task(kind="media", is_staged=True),
    "media, deferrable": Task(kind="media", arguments={"deferrable": True}),
    "story": Task(kind="story"),
    "story, replaced": Task(kind="story", arguments={"load_mode": "replace"}),
    "story, staged": Task(kind="story", is_staged=True),
    "list accounts": Task(kind="list"),
}


@dataclass(slots=True)
class TriedTaskInstance(RecordingTaskInstance):
    """A task instance that knows how often Airflow will try it: once, and ``max_tries`` times again."""

    max_tries: int = 0


@dataclass(slots=True)
class Step:
    """One task instance of a run: how its operator is made, and what it has in Airflow. A retry keeps both."""

    name: str
    make: Callable[[], Any]
    instance: TriedTaskInstance
    store: TaskStateStore = field(default_factory=TaskStateStore)
    shift: timedelta = timedelta(0)
    """How much later than usual its data interval is."""

    @property
    def context(self) -> dict[str, Any]:
        """What Airflow gives to ``execute``."""
        end = END + self.shift
        interval = {"data_interval_start": end - DAY, "data_interval_end": end}
        return {"ti": self.instance, "task_state_store": self.store, **interval}

    def retry(self) -> None:
        """Begin the next try: Airflow clears what the task left in XCom."""
        self.instance.try_number += 1
        self.instance.pushed.clear()


def make_world() -> World:
    """Return two small accounts."""
    return World.build(now=NOW, accounts=2, media_per_account=3, stories_per_account=1)


def make_steps(
    task: Task, account_ids: Sequence[str], *, dataset: str, run_id: str, keeps_log: bool = True
) -> list[Step]:
    """Return the task instances of one run, in the order in which Airflow starts them.

    :param keeps_log: whether the tables about runs and about what was left out are written, too.
    """
    if task.kind == "list":
        return [Step("list", lambda: InstagramListAccountsOperator(task_id="list"), _instance("list", run_id))]
    to: dict[str, Any] = {"dataset_id": dataset, "gcp_conn_id": None, "create_dataset": True}
    log = {} if keeps_log else {"runs_table_id": None, "left_out_table_id": None}
    given = {**to, **log, **({"lookback_days": LOOKBACK} if task.kind == "account" else {}), **task.arguments}
    transfer = TRANSFERS[task.kind]

    def make(**more: Any) -> Callable[[], Any]:
        return lambda: transfer(task_id=task.kind, **given, **more)

    if not task.is_staged:
        return [Step(task.kind, make(account_ids=list(account_ids)), _instance(task.kind, run_id))]
    chunks = [[account_id] for account_id in account_ids]
    staging = [
        Step(f"stage {at}", make(account_ids=chunk, load="stage"), _instance(task.kind, run_id, at))
        for at, chunk in enumerate(chunks)
    ]

    def write() -> Any:
        left = [each.instance.pushed["staged"] for each in staging if "staged" in each.instance.pushed]
        staged = json.loads(json.dumps(left))
        return InstagramWriteStagedToBigQueryOperator(task_id="write", staged=staged, account_ids=chunks, **to)

    return [*staging, Step("write", write, _instance("write", run_id))]


def _instance(task_id: str, run_id: str, map_index: int = -1) -> TriedTaskInstance:
    return TriedTaskInstance(task_id=task_id, run_id=run_id, map_index=map_index)
