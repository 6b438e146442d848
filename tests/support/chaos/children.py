"""Tasks in processes of their own, as Airflow runs them: killed at a request, or with little disk or few files."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import time_machine

from airflow_provider_iginsights.sandbox.graph import World
from tests.support.chaos.checks import Truth, check_left, check_rows, check_runs, check_whole, read_tables
from tests.support.chaos.outcomes import Violation
from tests.support.chaos.requests import drop_dataset, open_planned
from tests.support.chaos.tasks import TASKS, Step, make_steps
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.killed_transfers import POINTED, SPAWN

RUN_ID = "killed"
LONGEST_SECONDS = 300.0
"""After them a process hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What a process is to do: one try of one step of a task.

    :param staged: what the steps before have left in XCom.
    :param limits: soft limits of the process, by the name of ``resource``'s constant.
    """

    task: str
    account_ids: tuple[str, ...]
    dataset: str
    step: int = 0
    number: int = 1
    staged: tuple[Any, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """How a process ended: ``error`` names what the try raised; not done and no error = it was killed.

    :param left: names of the files that stayed in its HOME and TMPDIR.
    :param exit_code: minus the number of the signal that ended it.
    """

    is_done: bool = False
    error: str | None = None
    is_named: bool = True
    staged: Any = None
    hangs: bool = False
    left: tuple[str, ...] = ()
    exit_code: int | None = None


def run_try(work: Try, now: datetime, environment: Mapping[str, str], out: str) -> None:
    """Run a try, and write what came of it into the file ``out``."""
    os.environ.update(environment)
    tempfile.tempdir = None  # remembered from the process that this one was forked from
    from airflow_provider_iginsights._compat import AirflowException, AirflowRescheduleException, TaskDeferred
    from airflow_provider_iginsights.errors import InsightsError

    steps = make_steps(TASKS[work.task], work.account_ids, dataset=work.dataset, run_id=RUN_ID)
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
    """Start a try on a worker of its own; return its process and where its result will be, beside HOME and TMPDIR."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(POINTED)}
    disk = Path(tempfile.mkdtemp(dir=disks))
    for name in ("HOME", "TMPDIR"):
        (disk / name).mkdir()
        environment[name] = str(disk / name)
    out = disk / "result.json"
    process = SPAWN.Process(target=run_try, args=(work, sandboxes.now, environment, str(out)), daemon=True)
    process.start()
    return process, out  # type: ignore[return-value]


def end_try(process: multiprocessing.Process, out: Path) -> Result:
    """Wait for the end of a process; return what it has written before, nothing where it was killed."""
    hung = threading.Event()

    def stop() -> None:
        hung.set()
        process.kill()

    # The clock that ``join`` looks at for its limit is stopped here; that of a timer is not.
    limit = threading.Timer(LONGEST_SECONDS, stop)
    limit.start()
    try:
        process.join()
    finally:
        # Who stops the command in the meantime would wait for this timer.
        limit.cancel()
    result = Result(**json.loads(out.read_text("utf-8"))) if out.exists() else Result()
    left = tuple(path.name for name in ("HOME", "TMPDIR") for path in (out.parent / name).rglob("*"))
    return replace(result, hangs=hung.is_set(), left=left, exit_code=process.exitcode)


def play_steps(
    sandboxes: Sandboxes,
    first: Try,
    *,
    run: Callable[[Try], Result],
    judge: Callable[[Result], Iterable[Violation]],
    most_tries: int,
) -> Iterator[Violation]:
    """Try each step of a task until it is done, and compare the tables after each try and at the end.

    :param first: the first try of its first step.
    :param run: what starts a try and waits for its end.
    :param judge: what is wrong with a try that was not done.
    """
    known = Truth(sandboxes.world, TASKS[first.task].kind)
    known.begin(RUN_ID)
    staged: list[Any] = []
    for step in range(count_steps(first.task, first.account_ids)):
        for number in range(1, 1 + most_tries):
            known.instants.append(sandboxes.now)
            result = run(replace(first, step=step, number=number, staged=tuple(staged)))
            yield from check_rows(read_tables(sandboxes, first.dataset), known)
            if result.left:
                yield Violation("file left", str(result.left))
            if result.is_done:
                staged.append(result.staged)
                break
            yield from [Violation("hangs")] if result.hangs else judge(result)
        else:
            yield Violation("never came to its end", str(result.error))
    yield from check_whole(read_tables(sandboxes, first.dataset), known, {})
    yield from check_left(sandboxes, first.dataset)
    yield from check_runs(sandboxes, first.dataset, known, run_id=RUN_ID)
    drop_dataset(sandboxes, first.dataset)


def count_steps(task: str, account_ids: Sequence[str]) -> int:
    """Return how many task instances a run of a task has."""
    return len(make_steps(TASKS[task], account_ids, dataset="", run_id=""))


@contextmanager
def open_disks(world: World) -> Iterator[tuple[Sandboxes, Path]]:
    """Serve a world, and give a folder for what the processes write."""
    with open_planned(world) as sandboxes, tempfile.TemporaryDirectory(prefix="chaos-disks-") as disks:
        yield sandboxes, Path(disks)
