"""Counters and timers reach a StatsD server by UDP, sent by Airflow's own client."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights._compat import Stats, TaskDeferred
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from airflow_provider_iginsights.task.airflow_metrics import COUNTERS, PREFIX, TIMERS, count_summary, time_duration
from tests.support.airflow_versions import start_metrics
from tests.support.pages import read_code_words
from tests.support.sandboxes import RecordingTaskInstance, Sandboxes

# The client of StatsD never closes its socket.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

LINE = re.compile(rf"airflow\.{re.escape(PREFIX)}([\w.]+):([\d.]+)\|(c|ms)")

Take = Callable[[], tuple[Counter[str], dict[str, float]]]


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Iterator[Take]:
    """Turn Airflow's StatsD client on; return what takes the counters and the timers that came in until now."""
    pytest.importorskip("statsd", reason="needs the client of apache-airflow[statsd]")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        host, port = server.getsockname()
        for name, value in {"statsd_on": "True", "statsd_host": host, "statsd_port": str(port)}.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", value)
        start_metrics()

        def take_all() -> tuple[Counter[str], dict[str, float]]:
            counters, timers = Counter[str](), dict[str, float]()
            Stats.incr("the_end")  # a datagram to loopback is in the server's buffer once it was sent
            while "the_end" not in (line := server.recv(4096).decode()):
                if found := LINE.fullmatch(line):
                    name, value, kind = found.groups()
                    if kind == "c":
                        counters[name] += int(value)
                    else:
                        timers[name] = float(value)
            return counters, timers

        yield take_all
        monkeypatch.undo()
        start_metrics()


def test_a_run_is_counted(sandboxes: Sandboxes, take: Take) -> None:
    """One account is read, the other throttled: what the summary says is counted, and the wait is timed."""
    sandboxes.bigquery.switches.pricing = True
    second = list(sandboxes.world.accounts)[1]
    busy = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account")
    sandboxes.graph.faults.add(GraphFault(effect=busy, path=second, times=None))
    with pytest.raises(TaskDeferred):
        sandboxes.run("account", metrics=["reach", "+no_such_metric"], breakdowns={}, deferrable=True)
    summary = sandboxes.instance.pushed["summary"]
    counters, timers = take()
    costs = [kind for kinds in summary["bigquery_bytes"].values() for kind in kinds.values()]
    assert counters == {
        "accounts.done": 1,
        "accounts.throttled": 1,
        "rows": summary["rows"],
        "rows_changed": summary["rows"],
        "left_out": sum(entry["count"] for entry in summary["left_out"]),
        "graph_calls": summary["graph_calls"],
        "http_requests": summary["http_requests"],
        "bigquery_jobs": sum(each["jobs"] for each in costs),
        "bytes_processed": sum(each["bytes_processed"] for each in costs),
        "bytes_billed": sum(each["bytes_billed"] for each in costs),
    }
    assert min(counters.values()) > 0
    assert timers.keys() == TIMERS.keys()
    assert timedelta(minutes=1) < timedelta(milliseconds=timers["throttle_wait"]) < timedelta(hours=2)


def test_each_try_counts_its_own(take: Take) -> None:
    """Accounts that an earlier try read are not counted again; staged rows are no rows of a table."""
    context: Any = {"ti": RecordingTaskInstance()}
    summary = {"account_counts": {"done": 5, "failed": 1}, "rows": 7, "left_out": (), "bigquery_bytes": {}}
    count_summary(context, summary, is_staged=True, done_before=3)
    assert take() == ({"accounts.done": 2, "accounts.failed": 1, "rows_staged": 7}, {})


def test_of_the_webhook_transfer(take: Take) -> None:
    """There ``left_out`` counts by reason, and there are no accounts of the run's own."""
    context: Any = {"ti": RecordingTaskInstance()}
    count_summary(context, {"rows": 2, "left_out": {"test": 1, "repeated": 4}, "bigquery_bytes": {}})
    assert take() == ({"rows": 2, "left_out": 5}, {})


def test_no_metric_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Airflow's client raises, the task goes on."""

    def fail(*given: object, **named: object) -> None:
        raise OSError("no such host")

    monkeypatch.setattr(Stats, "timing", fail, raising=False)
    time_duration({"ti": RecordingTaskInstance()}, "throttle_wait", timedelta(seconds=1))  # type: ignore[typeddict-item]


def test_every_name_is_documented() -> None:
    """The docs name each metric."""
    words = {word for name in (*COUNTERS, *TIMERS) for word in name.split(".")}
    assert sorted(words - read_code_words()) == []
