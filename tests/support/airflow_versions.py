"""What the tests need of Airflow, whatever the version: names that only they use, and what came with which version.

What the package uses, too, comes from ``_compat``. A name that every version has in the same place needs no row.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights._compat import find

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import DAG

    DagBag: Any
    DagSerialization: Any
    get_listener_manager: Any
    redact: Any

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "DagBag": ("airflow.dag_processing.dagbag:DagBag", "airflow.models.dagbag:DagBag"),
        "DagSerialization": (
            "airflow.serialization.serialized_objects:DagSerialization",
            "airflow.serialization.serialized_objects:SerializedDAG",
        ),
        "get_listener_manager": (
            "airflow.sdk.listener:get_listener_manager",
            "airflow.listeners.listener:get_listener_manager",
        ),
        "redact": (
            "airflow.sdk.log:redact",
            "airflow.sdk.execution_time.secrets_masker:redact",
            "airflow.utils.log.secrets_masker:redact",
        ),
    }
)
"""Where a name lives that tests use and the package does not, the newest Airflow first."""


@dataclass(frozen=True)
class Feature:
    """The Airflow that something came with, and a name (``module:attribute``) that came with it."""

    since: str
    name: str


FEATURES: Mapping[str, Feature] = MappingProxyType(
    {
        "connections whose extra is no JSON": Feature(
            "3.2", "airflow.sdk.providers_manager_runtime:ProvidersManagerTaskRuntime"
        ),
        "assets": Feature("3.0", "airflow.assets.manager:AssetManager"),
        "deadline alerts": Feature("3.1", "airflow.sdk.definitions.deadline:DeadlineAlert"),
        "examples of providers": Feature(
            "3.3", "airflow.dag_processing.bundles.manager:_add_provider_example_dags_to_bundle"
        ),
        "commands of providers": Feature("3.2", "airflow.providers_manager:ProvidersManager.cli_command_functions"),
        "forms in the provider info": Feature(
            "3.2", "airflow.sdk.providers_manager_runtime:ProvidersManagerTaskRuntime"
        ),
        "retry policies": Feature("3.3", "airflow.sdk:RetryPolicy"),
        "policies that reschedule": Feature("3.4", "airflow.sdk:ChainRetryPolicy"),
        "a task state store": Feature("3.3", "airflow.sdk.execution_time.context:TaskStateStoreAccessor"),
        "the runs of Airflow 3.3": Feature("3.3", "airflow.sdk:RetryPolicy"),
    }
)
"""Without one of these a test has nothing to say; each row is held against the installed Airflow (test_compat.py)."""


ROOT = Path(__file__).parents[2]

# Google's packages tell, where they are imported, until when they support this Python, and older ones of Airflow's name
# what has moved since: theirs to say, not ours.
QUIET = {"PYTHONWARNINGS": ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), "ignore::FutureWarning")))}
"""What a process has in its environment whose error output is ours alone."""


def has_pinned_airflow() -> bool:
    """Return whether the installed Airflow is that of constraints.txt."""
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return f"apache-airflow=={version('apache-airflow')}" in pins


def offers(since: str) -> bool:
    """Return whether the installed Airflow is ``since`` or newer."""
    wanted, installed = (tuple(map(int, text.split(".")[:2])) for text in (since, version("apache-airflow")))
    return installed >= wanted


SHOWS_LOCALS = offers("3.0") and not offers("3.1")
"""Whether a traceback shows local variables, and with them the texts of errors."""

GIVES_NOTIFIER_ERROR = offers("3.3") or not offers("3.0")
"""Whether ``dag.test`` tells a notifier the error of the task, as a worker does on every version."""


def tell_lack(feature: str) -> str:
    """Return why a test is skipped without a feature."""
    return f"needs Airflow {FEATURES[feature].since} or newer, for {feature}"


def needs(feature: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test where Airflow is older than a feature."""
    return pytest.mark.skipif(not offers(FEATURES[feature].since), reason=tell_lack(feature))


@contextmanager
def keep_handlers(logger: logging.Logger) -> Iterator[None]:
    """Take away the handlers that Airflow 2 adds to a logger: they write where pytest caught the output of one test."""
    kept = logger.handlers[:]
    try:
        yield
    finally:
        logger.handlers[:] = kept


def run_dag(dag: DAG, at: datetime) -> Any:
    """Run a Dag for a logical date with ``dag.test``, as it is called from Airflow 3 on; return the Dag run.

    Airflow 2 lets pass what ends a task from outside (timeout, SIGTERM), since it is no ``Exception`` there.
    """
    if offers("3.0"):
        return dag.test(logical_date=at)
    from airflow import exceptions
    from airflow.models.dagrun import DagRun

    asked: dict[str, Any] = {"execution_date": at}
    try:
        with keep_handlers(logging.getLogger("airflow.task")):
            return dag.test(**asked)
    except (exceptions.AirflowTaskTerminated, exceptions.AirflowTaskTimeout):
        (found,) = DagRun.find(dag_id=dag.dag_id, **asked)
        return found


def allow_execute() -> None:
    """Let a test call ``execute`` in this thread: Airflow 2 keeps by thread who may, from its first task on."""
    if not offers("3.0"):
        safeguard = find("ExecutorSafeguard", ("airflow.models.baseoperator:ExecutorSafeguard",))
        safeguard._sentinel.callers = {}


def start_metrics() -> None:
    """Let Airflow's client of metrics follow the configuration anew, as it does when a task begins."""
    from airflow_provider_iginsights._compat import Stats

    if offers("3.2"):
        from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

        # Airflow 3.2 asks for the client, and knows no other names.
        given, more = ((), {"export_legacy_names": True}) if offers("3.3") else ((Stats,), {})
        Stats.initialize(factory=get_stats_factory(*given), **more)
        return
    stats: Any = Stats
    stats.instance, kind = None, type(stats)
    if hasattr(kind, "factory"):
        del kind.factory
    kind.__init__(stats)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in NAMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return find(name, NAMES[name])
