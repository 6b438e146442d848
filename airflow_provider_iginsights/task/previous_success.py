"""Finds up to where earlier runs of the Dag have read: the days after it are those of a run whose interval is a point.

Airflow calls a Dag run a success by its last tasks. One that runs whatever became of the others (``trigger_rule=
"all_done"``) makes it a success although the transfer failed, and one that was skipped leaves a success behind, too. So
an earlier run counts by the transfer's own task: all of its instances succeeded, and read the days of the run, not
others that somebody gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights._compat import list_earlier_successes

if TYPE_CHECKING:
    from datetime import datetime

_FINE = frozenset({"success", "removed"})


def find_previous_success(context: Mapping[str, Any], *, back_to: datetime) -> datetime | None:
    """Return the end of the newest earlier run that counts.

    Where none does, that of the oldest in which the task succeeded; where it never did, of the Dag's last success.

    :param back_to: an earlier end is as good as this one: the window begins no earlier.
    """
    rejected: datetime | None = None
    for run_id, end in list_earlier_successes(context.get("ti")):
        if end <= back_to or run_id is None or _has_read_its_days(context["ti"], run_id):
            return end
        rejected = end
    return rejected or context.get("prev_data_interval_end_success")


def _has_read_its_days(instance: Any, run_id: str) -> bool:
    found = instance.get_task_states(dag_id=instance.dag_id, task_ids=[instance.task_id], run_ids=[run_id])
    if not _FINE.issuperset(found.get(run_id, {}).values()):
        return False
    # Each instance of a mapped task has the same window.
    first = min(instance.map_index, 0)
    summary = instance.xcom_pull(task_ids=instance.task_id, run_id=run_id, map_indexes=first, key="summary")
    window = summary.get("window", {}) if isinstance(summary, Mapping) else {}
    return not str(window.get("rule", "")).startswith("given")
