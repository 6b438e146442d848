"""Stop means stop: Airflow's own task runner ends a task by its timeout and by SIGTERM, at any stage of the work."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import GraphFault, Slow
from tests.support.airflow_versions import SHOWS_LOCALS
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.dag_runs import count_rows, dag_of, open_sandboxes_of_dags, run

BODY = """Account(
    task_id="transfer", metrics="reach,views", profile_table_id=None, retries=0,
    execution_timeout=timedelta(minutes=9), **TO,
)"""
HELD_UP = 30.0  # seconds
# So many seconds after SIGTERM, Airflow sends SIGKILL (WatchedSubprocess.kill, escalation_delay).
# Where other work waits for the same cores, all takes so much longer.
SOON = 5.0
LOAD, STATEMENT = r"POST /upload/", r"POST /bigquery/.*/(jobs|queries)$"
MERGE = r'^(?!.*"dryRun": true).*MERGE'  # the same statement is run dry before anything is fetched
SIGNALS = {"execution_timeout": signal.SIGALRM, "SIGTERM": signal.SIGTERM}
"""Airflow's timeout is a signal, too (``TimeoutPosix``): sent earlier, it ends the task earlier."""

Reached = Callable[[], bool]


def hold_up_fetch(sandboxes: Sandboxes) -> Reached:
    """Let each answer of Meta take half a minute; return what tells that one is waited for."""
    fault = GraphFault(effect=Slow(HELD_UP), times=None)
    sandboxes.graph.faults.add(fault)
    return lambda: sandboxes.graph.faults.count(fault) > 0


def hold_up_load(sandboxes: Sandboxes) -> Reached:
    """Let the load job run for half a minute; return what tells that it runs."""
    sandboxes.bigquery.faults.add(BigQueryFault(route=LOAD, effect="slowJob", seconds=HELD_UP))
    return lambda: is_running(sandboxes, "load")


def hold_up_merge(sandboxes: Sandboxes) -> Reached:
    """Let the statement that writes run for half a minute; return what tells that it runs."""
    fault = BigQueryFault(route=STATEMENT, effect="slowJob", body=MERGE, seconds=HELD_UP)
    sandboxes.bigquery.faults.add(fault)
    return lambda: is_running(sandboxes, "merge")


def is_running(sandboxes: Sandboxes, verb: str) -> bool:
    """Tell whether a job of this kind runs."""
    return any(f"-{verb}-" in job.id and job.state == "RUNNING" for job in sandboxes.bigquery.jobs)


@pytest.fixture
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts; put back the signal handlers, since the task runner leaves its own.

    Python drops what a signal handler raises within a finalizer, and the heap of a long test run has many of them.
    """
    before = {each: signal.getsignal(each) for each in SIGNALS.values()}
    gc.collect()
    gc.disable()
    with open_sandboxes_of_dags() as opened:
        yield opened
    gc.enable()
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("way", SIGNALS)
@pytest.mark.parametrize("hold_up", [hold_up_fetch, hold_up_load, hold_up_merge])
def test_a_task_ends_at_once_and_leaves_nothing(
    sandboxes: Sandboxes,
    tmp_path: Path,
    hold_up: Callable[[Sandboxes], Reached],
    way: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Within 5 s it has failed, its job is cancelled before staging goes, no thread works on; a clear does the rest."""
    is_reached, sent = hold_up(sandboxes), []

    def send() -> None:
        while not is_reached():
            threading.Event().wait(0.005)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), SIGNALS[way])

    sender = threading.Thread(target=send, daemon=True)
    with dag_of(tmp_path, f"{hold_up.__name__}_{way}", BODY) as dag:
        sender.start()
        (instance,) = run(dag).values()
        waiting = max(1, os.getloadavg()[0] / (os.cpu_count() or 1))
        assert time.perf_counter() - sent[0] < min(SOON * waiting, HELD_UP / 2)
        assert instance.state == "failed"
        # Airflow 2 raises an exception of its own after on_kill, too.
        ours = "ReadingStopped" if hold_up is hold_up_fetch else "LoadError"
        said = "".join(capsys.readouterr())
        theirs = any(name in said for name in ("AirflowTaskTimeout", "AirflowTaskTerminated"))
        # The traceback of Airflow 3.0 shows local variables, and so the names of errors that were caught.
        assert (theirs or ours in said) if SHOWS_LOCALS else theirs is (ours not in said)
        assert [each.name for each in threading.enumerate() if each.name.startswith("iginsights")] == []
        assert sandboxes.staging() == []
        if hold_up is not hold_up_fetch:
            requests = [f"{each.method} {each.path}" for each in sandboxes.bigquery.log]
            cancelled = next(at for at, each in enumerate(requests) if each.endswith("/cancel"))
            dropped = next(at for at, each in enumerate(requests) if each.startswith("DELETE"))
            assert cancelled < dropped
        while any(job.state != "DONE" for job in sandboxes.bigquery.jobs):
            threading.Event().wait(0.005)
        assert count_rows(sandboxes) == {}
        sandboxes.graph.faults.clear()
        (again,) = run(dag).values()
        assert again.state == "success"
    assert set(count_rows(sandboxes)) == set("123")
