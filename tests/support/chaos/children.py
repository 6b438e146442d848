"""Tasks in processes of their own, as Airflow runs them: killed at a request, or with little disk or few files."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import time_machine

from tests.support.chaos.tasks import TASKS, Step, make_steps
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.killed_transfers import POINTED, SPAWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What a process is to do: one try of one step of a task.

    :param staged: what the steps before have left in XCom.
    :param limits: soft limits of the process, by the name of ``resource``'s constant.
    """

    task: str
    step: int
    account_ids: tuple[str, ...]
    dataset: str
    number: int
    staged: tuple[Any, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """How a process ended: ``error`` names what the try raised; None for both = it was killed."""

    is_done: bool = False
    error: str | None = None
    is_named: bool = True
    staged: Any = None


def run_try(work: Try, now: datetime, environment: Mapping[str, str], out: str) -> None:
    """Run a try, and write what came of it into the file ``out``. The process leaves nothing in its HOME and TMPDIR."""
    os.environ.update(environment)
    tempfile.tempdir = None  # remembered from the process that this one was forked from
    from airflow_provider_iginsights._compat import AirflowException, AirflowRescheduleException, TaskDeferred
    from airflow_provider_iginsights.errors import InsightsError

    steps = make_steps(TASKS[work.task], work.account_ids, dataset=work.dataset, run_id="killed")
    for each, staged in zip(steps, work.staged, strict=False):
        each.instance.pushed["staged"] = staged
    step = steps[work.step]
    step.instance.try_number = work.number
    told: dict[str, Any] = {"is_done": True}
    with time_machine.travel(now, tick=True):
        try:
            _run_limited(step, work.limits)
        except BaseException as error:
            named = (InsightsError, AirflowException, AirflowRescheduleException, TaskDeferred)
            shown = f"{type(error).__name__}: {error} {traceback.format_exc()[-600:]}"
            told = {"error": shown, "is_named": isinstance(error, named)}
    told["staged"] = step.instance.pushed.get("staged")
    assert not [*Path.home().iterdir(), *Path(tempfile.gettempdir()).iterdir()]
    beside = Path(f"{out}.new")
    beside.write_text(json.dumps(told), "utf-8")
    beside.rename(out)


def _run_limited(step: Step, limits: Mapping[str, int]) -> None:
    hard = {name: resource.getrlimit(getattr(resource, name)) for name in limits}
    operator = step.make()
    for name, soft in limits.items():
        resource.setrlimit(getattr(resource, name), (soft, hard[name][1]))
    try:
        operator.execute(step.context)
    finally:
        for name, before in hard.items():
            resource.setrlimit(getattr(resource, name), before)


def start_try(sandboxes: Sandboxes, work: Try, disks: Path) -> tuple[multiprocessing.Process, Path]:
    """Start a try on a worker of its own; return its process and where its result will be."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(POINTED)}
    environment |= {name: tempfile.mkdtemp(dir=disks) for name in ("HOME", "TMPDIR")}
    out = Path(tempfile.mkdtemp(dir=disks)) / "result.json"
    process = SPAWN.Process(target=run_try, args=(work, sandboxes.now, environment, str(out)), daemon=True)
    process.start()
    return process, out  # type: ignore[return-value]


def read_result(out: Path) -> Result:
    """Return what a process has written before it ended; an empty result where it was killed."""
    return Result(**json.loads(out.read_text("utf-8"))) if out.exists() else Result()
