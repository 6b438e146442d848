"""The Airflow names we use, whatever the version (2.11 to 3.4): the only place that knows there is more than one.

Each row of :data:`NAMES` lists where a name lives, the Task SDK of Airflow 3 first, Airflow 2 last. A name is looked up
when it is first asked for, so importing this module costs nothing and touches no deprecated path.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.cli.cli_config import ActionCommand as ActionCommand
    from airflow.cli.cli_config import Arg as Arg
    from airflow.cli.cli_config import GroupCommand as GroupCommand
    from airflow.sdk import DAG as DAG
    from airflow.sdk import Asset as Asset
    from airflow.sdk import AssetAlias as AssetAlias
    from airflow.sdk import BaseHook as BaseHook
    from airflow.sdk import BaseOperator as BaseOperator
    from airflow.sdk import BaseOperatorLink as BaseOperatorLink
    from airflow.sdk import Context as Context
    from airflow.sdk import CronDataIntervalTimetable as CronDataIntervalTimetable
    from airflow.sdk import ExceptionRetryPolicy as ExceptionRetryPolicy
    from airflow.sdk import RetryAction as RetryAction
    from airflow.sdk import RetryDecision as RetryDecision
    from airflow.sdk import RetryPolicy as RetryPolicy
    from airflow.sdk import RetryRule as RetryRule
    from airflow.sdk import conf as conf
    from airflow.sdk import task as task
    from airflow.sdk import timezone as timezone
    from airflow.sdk.exceptions import AirflowException as AirflowException
    from airflow.sdk.exceptions import AirflowFailException as AirflowFailException
    from airflow.sdk.exceptions import AirflowNotFoundException as AirflowNotFoundException
    from airflow.sdk.exceptions import (
        AirflowOptionalProviderFeatureException as AirflowOptionalProviderFeatureException,
    )
    from airflow.sdk.exceptions import AirflowRescheduleException as AirflowRescheduleException
    from airflow.sdk.exceptions import AirflowSkipException as AirflowSkipException
    from airflow.sdk.exceptions import TaskDeferred as TaskDeferred
    from airflow.sdk.execution_time.xcom import XCom as XCom
    from airflow.sdk.log import mask_secret as mask_secret
    from airflow.sdk.observability.stats import Stats as Stats
    from airflow.sdk.plugins_manager import AirflowPlugin as AirflowPlugin
    from airflow.triggers.base import BaseTrigger as BaseTrigger
    from airflow.triggers.base import TriggerEvent as TriggerEvent

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ActionCommand": ("airflow.cli.cli_config:ActionCommand",),
        "AirflowPlugin": (
            "airflow.sdk.plugins_manager:AirflowPlugin",
            "airflow.plugins_manager:AirflowPlugin",
        ),
        "Arg": ("airflow.cli.cli_config:Arg",),
        "Asset": ("airflow.sdk:Asset", "airflow.datasets:Dataset"),
        "AssetAlias": ("airflow.sdk:AssetAlias", "airflow.datasets:DatasetAlias"),
        "BaseHook": ("airflow.sdk:BaseHook", "airflow.hooks.base:BaseHook"),
        "BaseOperator": ("airflow.sdk:BaseOperator", "airflow.models.baseoperator:BaseOperator"),
        "BaseOperatorLink": ("airflow.sdk:BaseOperatorLink", "airflow.models.baseoperatorlink:BaseOperatorLink"),
        "BaseTrigger": ("airflow.triggers.base:BaseTrigger",),
        "Context": ("airflow.sdk:Context", "airflow.utils.context:Context"),
        "CronDataIntervalTimetable": (
            "airflow.sdk:CronDataIntervalTimetable",
            "airflow.timetables.interval:CronDataIntervalTimetable",
        ),
        "DAG": ("airflow.sdk:DAG", "airflow.models.dag:DAG"),
        "GroupCommand": ("airflow.cli.cli_config:GroupCommand",),
        # What the task runner sends its own metrics with.
        "Stats": ("airflow.sdk.observability.stats:Stats", "airflow.stats:Stats"),
        "TriggerEvent": ("airflow.triggers.base:TriggerEvent",),
        "XCom": ("airflow.sdk.execution_time.xcom:XCom", "airflow.models.xcom:XCom"),
        "conf": ("airflow.sdk:conf", "airflow.configuration:conf"),
        "mask_secret": (
            "airflow.sdk.log:mask_secret",
            "airflow.sdk.execution_time.secrets_masker:mask_secret",
            "airflow.utils.log.secrets_masker:mask_secret",
        ),
        "task": ("airflow.sdk:task", "airflow.decorators:task"),
        "timezone": ("airflow.sdk:timezone", "airflow.utils:timezone"),
    }
    | {
        name: tuple(f"{module}:{name}" for module in _EXCEPTIONS)
        for name in (
            "AirflowException",
            "AirflowFailException",
            "AirflowNotFoundException",
            "AirflowOptionalProviderFeatureException",
            "AirflowRescheduleException",
            "AirflowSkipException",
            "TaskDeferred",
        )
    }
    | {
        name: (f"airflow.sdk:{name}",)
        for name in ("ExceptionRetryPolicy", "RetryAction", "RetryDecision", "RetryPolicy", "RetryRule")
    }
)
SINCE: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("ExceptionRetryPolicy", "RetryAction", "RetryDecision", "RetryPolicy", "RetryRule"), "3.3")
)

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def resolve(name: str) -> Any:
    """Return what ``name`` is in the installed Airflow.

    :raises AttributeError: ``name`` is no row of :data:`NAMES`.
    :raises ImportError: the installed Airflow does not offer it; the message says which one does.
    """
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return find(name, NAMES[name])


def find(name: str, paths: tuple[str, ...]) -> Any:
    """Return the first of ``paths`` (``module:attribute``) that the installed Airflow has.

    :raises ImportError: it has none; the message says which version offers ``name``.
    """
    for path in paths:
        module, _, attribute = path.partition(":")
        try:
            return attrgetter(attribute)(import_module(module))
        except (ImportError, AttributeError):
            continue
    raise ImportError(_describe_missing(name, paths))


def find_first_reschedule(context: Context) -> datetime | None:
    """Return when the running task was first rescheduled since it was started or cleared; None = it was not."""
    instance: Any = context["ti"]
    if hasattr(instance, "get_first_reschedule_date"):  # Airflow 3
        return instance.get_first_reschedule_date(context)  # type: ignore[no-any-return]
    if not hasattr(instance, "task"):  # not run by Airflow
        return None
    # Airflow 2.11 has no public way; its own sensors ask this function.
    first_try = instance.max_tries - (instance.task.retries or 0) + 1
    find = import_module("airflow.sensors.base")._orig_start_date
    return find(instance.dag_id, instance.task_id, instance.run_id, instance.map_index, first_try)  # type: ignore[no-any-return]


def list_earlier_successes(instance: Any) -> Iterator[tuple[str | None, datetime]]:
    """Yield earlier runs, the newest first, in which a task succeeded: id and logical date; None as id = all before.

    Before Airflow 3.2 only the last successful run of the Dag can be asked for, and in Airflow 2 nothing: an interval
    without width is rare there.
    """
    if not hasattr(instance, "get_task_states"):  # Airflow 2, or not run by Airflow
        return
    if not hasattr(instance, "get_previous_ti"):
        if run := instance.get_previous_dagrun(state="success"):
            yield run.run_id, run.logical_date
            yield None, _LONG_AGO
        return
    before, first = None, min(instance.map_index, 0)
    while found := instance.get_previous_ti(state="success", logical_date=before, map_index=first):
        yield found.run_id, found.logical_date
        before = found.logical_date


def fit_alias_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extra of an alias's event as the installed Airflow takes it.

    Before 3.1 lists and objects become JSON text: those versions put the values into a set
    (``TaskInstance.register_asset_changes_in_db``).
    """
    version = tuple(map(int, import_module("airflow").__version__.split(".")[:2]))
    if version >= (3, 1):
        return dict(extra)
    return {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in extra.items()}


def read_variable(name: str) -> str | None:
    """Return the text of an Airflow Variable; None where there is none. It is masked in logs where its name says so."""
    return _find_variable_class().get(name, None)  # type: ignore[no-any-return]


def write_variable(name: str, text: str, *, description: str) -> None:
    """Write an Airflow Variable. A secrets backend with a Variable of this name still comes first when it is read."""
    _find_variable_class().set(name, text, description)


def _find_variable_class() -> Any:
    # In a task of Airflow 3 the model warns that it is deprecated there; elsewhere the Task SDK does not look into the
    # metadata database.
    in_task = hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")
    return find("Variable", ("airflow.sdk:Variable",) if in_task else ("airflow.models.variable:Variable",))


def _describe_missing(name: str, paths: tuple[str, ...]) -> str:
    installed = import_module("airflow").__version__
    cure = f"It needs Airflow {SINCE[name]} or newer." if name in SINCE else "Supported are Airflow 2.11 to 3.4."
    return f"Airflow {installed} has no {name} (looked for {', '.join(paths)}). {cure}"


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        return globals().setdefault(name, resolve(name))
