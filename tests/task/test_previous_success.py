"""Which earlier run counts as the last that read its days, in each version of Airflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_iginsights._compat import list_earlier_successes
from airflow_provider_iginsights.task.previous_success import find_previous_success

END = datetime(2026, 11, 21, tzinfo=UTC)
DAY = timedelta(days=1)
OF_DAG = END - DAY


@dataclass
class Instance:
    """A task instance of Airflow 3.0 and 3.1: earlier runs are states of the task's instances, by days before END."""

    runs: dict[int, list[str]]
    given: tuple[int, ...] = ()
    map_index: int = -1
    dag_id: str = "dag"
    task_id: str = "transfer"
    asked: list[str] = field(default_factory=list)

    def get_previous_dagrun(self, state: str) -> Any:
        """Return the last run of the Dag, which is green."""
        self.asked.append(state)
        return SimpleNamespace(run_id="1", logical_date=OF_DAG) if self.runs else None

    def get_task_states(self, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:
        """Return the states of the task's instances in a run; a run in which it was not has no entry."""
        assert (dag_id, task_ids) == ("dag", ["transfer"])
        (run_id,) = run_ids
        self.asked.append(run_id)
        states = self.runs[int(run_id)]
        return {run_id: {f"transfer_{index}": state for index, state in enumerate(states)}} if states else {}

    def xcom_pull(self, *, task_ids: str, run_id: str, map_indexes: int, key: str) -> Any:
        """Return what the run left in XCom."""
        assert (task_ids, map_indexes, key) == ("transfer", min(self.map_index, 0), "summary")
        return {"window": {"rule": "given_date" if int(run_id) in self.given else "one_day"}}


class Newer(Instance):
    """One of Airflow 3.2 and newer, which finds earlier instances of the task."""

    def get_previous_ti(self, *, state: str, logical_date: datetime | None, map_index: int) -> Any:
        """Return the newest run before a date in which the first instance succeeded."""
        assert (state, map_index) == ("success", min(self.map_index, 0))
        found = [days for days, states in self.runs.items() if states[:1] == ["success"]]
        dates = {END - DAY * days: str(days) for days in found}
        before = max((each for each in dates if each < (logical_date or END)), default=None)
        return before and SimpleNamespace(run_id=dates[before], logical_date=before)


def find(instance: Any, *, days: int = 30) -> int | None:
    """Return how many days before END the run ended that counts."""
    context = {"ti": instance, "prev_data_interval_end_success": OF_DAG}
    found = find_previous_success(context, back_to=END - DAY * days)
    return found and (END - found).days


FINE, BAD, SKIPPED = ["success"], ["failed"], ["skipped"]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ({1: FINE}, 1),
        ({1: BAD, 2: FINE}, 2),
        ({1: SKIPPED, 2: BAD, 3: FINE}, 3),
        ({1: ["success", "failed"], 2: ["success", "removed"]}, 2),
        ({1: ["success", "failed"], 2: ["success", None], 3: BAD}, 2),
        ({1: BAD}, 1),
        ({}, 1),
    ],
    ids=["fine", "failed", "skipped", "one of two", "never whole: the oldest", "never: as the Dag", "no run"],
)
def test_a_run_counts_by_the_instances_of_the_task(runs: dict[int, list[str]], expected: int) -> None:
    """From Airflow 3.2 on; where none counts, the oldest that was found is left to be read again."""
    assert find(Newer(runs)) == expected
    assert find(Newer(runs, map_index=5)) == expected


def test_a_run_that_read_other_days_does_not_count() -> None:
    """What its summary says of since and until decides; without a summary it read its own."""
    assert find(Newer({1: FINE, 2: FINE, 3: FINE}, given=(1, 2))) == 3


def test_nothing_is_asked_of_runs_so_old_that_it_does_not_matter() -> None:
    """The window begins 30 days back at most, whatever became of an older run."""
    instance = Newer({29: BAD, 30: ["success", "failed"], 31: FINE})
    assert find(instance) == 30
    assert instance.asked == []


@pytest.mark.parametrize(
    ("runs", "counts"),
    [({1: FINE}, True), ({1: []}, True), ({1: BAD}, False), ({1: SKIPPED}, False)],
    ids=["fine", "not in that run", "failed", "skipped"],
)
def test_before_airflow_3_2_a_run_that_does_not_count_means_all_days(runs: dict[int, list[str]], counts: bool) -> None:
    """These versions find the last green run of the Dag alone: where the task did not succeed there, nobody knows."""
    found = find_previous_success({"ti": Instance(runs)}, back_to=END - DAY * 30)
    assert found is not None
    assert (found == OF_DAG) is counts
    assert counts or found < END - DAY * 30


def test_other_versions_say_what_they_know() -> None:
    """Airflow 2, and a context that is no task's, have the last green run of the Dag."""
    assert list(list_earlier_successes(SimpleNamespace())) == []
    assert find(SimpleNamespace()) == 1
    assert find_previous_success({}, back_to=END) is None
