"""What Airflow's OpenLineage provider emits while Dags run in this process: its listener, and a file as transport."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.airflow_versions import get_listener_manager

Event = dict[str, Any]


@contextmanager
def record_events(path: Path) -> Iterator[Callable[[], list[Event]]]:
    """Register the provider's listener for the time of the block; yield a function that reads all events of tasks."""
    from airflow.providers.openlineage.plugins.listener import OpenLineageListener

    class TaskListener(OpenLineageListener):  # type: ignore[misc]
        def submit_callable(self, *_: Any, **__: Any) -> None:
            """Tell nothing of Dag runs, which the provider does in a pool of processes."""

    transport = {"type": "file", "log_file_path": str(path), "append": True}
    manager, listener = get_listener_manager(), TaskListener()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(transport))
        manager.add_listener(listener)
        try:
            yield lambda: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        finally:
            manager.pm.unregister(listener)


def find_events(events: list[Event], job: str, event_type: str) -> list[Event]:
    """Return the events of a task (``dag.task``) of one type, in their order."""
    return [each for each in events if each["job"]["name"] == job and each["eventType"] == event_type]


def find_datasets(event: Event, side: str) -> dict[str, dict[str, Any]]:
    """Return the inputs or outputs of an event: name -> all facets, with its namespace as ``namespace``."""
    return {
        each["name"]: {
            "namespace": each["namespace"],
            **each.get("facets", {}),
            **each.get("outputFacets", {}),
        }
        for each in event[side]
    }


def list_jobs(event: Event) -> list[str]:
    """Return the ids of the external queries that an event names."""
    facets = event["run"]["facets"].items()
    return [facet["externalQueryId"] for name, facet in facets if "externalQuery" in name]
