"""Plays fault scripts: hit tries, retries as Airflow makes them, one clean run, and what must hold after each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_iginsights._compat import AirflowException, AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.graph.session import ReadingStopped
from airflow_provider_iginsights.testing import set_testing
from tests.support.chaos.arming import Requests, TaskTimeout, arm, disarm, has_fault, mend_tables, stopped_as_by_airflow
from tests.support.chaos.checks import (
    Tables,
    Truth,
    check_error,
    check_left,
    check_process,
    check_rows,
    check_runs,
    check_whole,
    read_tables,
)
from tests.support.chaos.drops import Drop, add_written, find_written
from tests.support.chaos.outcomes import Outcome, Play, Violation
from tests.support.chaos.requests import drop_dataset, open_planned
from tests.support.chaos.scripts import READ_TIMEOUT, FaultScript, draw_script
from tests.support.chaos.tasks import TASKS, Step, make_steps, make_world
from tests.support.mutation.waits import MOST_STEPS, lift_limits
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.story_runs import DELAY, revive

WAITS = (AirflowRescheduleException, TaskDeferred)
# What ends a task that Airflow stops.
STOPS = (TaskTimeout, ReadingStopped)
NAMED = (AirflowException, *WAITS, *STOPS)
TABLE_LIFETIME = timedelta(hours=1)


class EndlessWait(Exception):
    """A try that waited for so long that nobody believes in its end."""


@dataclass(slots=True)
class ScriptPlayer:
    """Sandboxes in which scripts are played one after the other, each in a dataset of its own."""

    sandboxes: Sandboxes
    usual: dict[tuple[str, bool, int], Requests] = field(default_factory=dict)
    number: int = 0

    def play(self, seed: int) -> Outcome:
        """Play the script of a seed."""
        script = draw_script(seed)
        if (script.task, script.keeps_log, 0) not in self.usual:
            self._measure(script)
        self.number += 1
        start = self.sandboxes.now
        self.sandboxes.connect(extra={"timeout": READ_TIMEOUT, "max_workers": 2})
        run = ScriptRun(script, self.sandboxes, f"script_{self.number}", self.usual)
        try:
            violations = list(run.play())
        finally:
            disarm(self.sandboxes)
            lift_limits(self.sandboxes)
            self._forget(run.dataset)
            self.sandboxes.travel(start - self.sandboxes.now)
        counts = {"tries": run.tries, "tries that failed": len(run.errors)}
        ending = ", ".join(dict.fromkeys(run.errors)) or "well at once"
        return Outcome(
            part="scripts", seed=seed, what=str(script), ending=ending, violations=tuple(violations), counts=counts
        )

    def _measure(self, script: FaultScript) -> None:
        """Count the requests of each step of the script's task when nothing disturbs it."""
        run = ScriptRun(script, self.sandboxes, f"measured_{len(self.usual)}", self.usual)
        steps = run.make_steps("measured")
        for at, step in enumerate(steps):
            self.sandboxes.graph.clear_log()
            self.sandboxes.bigquery.log.clear()
            jobs = len(self.sandboxes.bigquery.jobs)
            step.make().execute(step.context)
            log = self.sandboxes.graph.log
            calls, sent = sum(each.calls for each in log), len(self.sandboxes.bigquery.log)
            self.usual[script.task, script.keeps_log, at] = Requests(
                calls, len(log), sent, len(self.sandboxes.bigquery.jobs) - jobs
            )
        self._forget(run.dataset)

    def _forget(self, dataset: str) -> None:
        drop_dataset(self.sandboxes, dataset)
        self.sandboxes.graph.clear_log()
        self.sandboxes.bigquery.log.clear()


@dataclass(slots=True)
class ScriptRun:
    """One script being played. ``errors`` names what the tries ended with that did not end well."""

    script: FaultScript
    sandboxes: Sandboxes
    dataset: str
    usual: dict[tuple[str, bool, int], Requests]
    tries: int = 0
    summary: Any = None
    """What the last step returned, None where it failed."""
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Those of the tries that ended well."""
    drops: list[Drop] = field(default_factory=list)
    written: list[Tables] = field(default_factory=list)
    """What somebody dropped when the run was done with it."""
    known: Truth = field(init=False)

    def __post_init__(self) -> None:
        self.known = Truth(self.sandboxes.world, TASKS[self.script.task].kind)

    def play(self) -> Iterator[Violation]:
        """Run the task under the script and once more without; yield what did not hold."""
        if self.script.is_repeated:
            self.known.begin("earlier")
            yield from self._run_all(self.make_steps("earlier"), is_hit=False)
            self.sandboxes.travel(3 * DELAY)
        steps = self.make_steps("scripted")
        self.known.begin("scripted")
        yield from self._run_all(steps, is_hit=True)
        disarm(self.sandboxes)
        lift_limits(self.sandboxes)
        self.sandboxes.travel(DELAY)  # also sets the worker's clock right
        for step in steps:
            step.retry()  # as a person clears them
        mend_tables(self.sandboxes, self.dataset)
        yield from self._run_all(steps, is_hit=False)
        if TASKS[self.script.task].kind == "list":
            return
        if has_fault(self.script, "expire"):
            self.sandboxes.travel(2 * TABLE_LIFETIME)
        # What an account lacked in a last try stays named when the others are read again.
        yield from check_whole(read_tables(self.sandboxes, self.dataset), self.known, self.summary or {})
        yield from check_left(self.sandboxes, self.dataset)
        if self.script.keeps_log:
            yield from check_runs(self.sandboxes, self.dataset, self.known, run_id="scripted", notes=self.notes)

    def make_steps(self, run_id: str) -> list[Step]:
        """Return the task instances of a run of the script's task."""
        steps = make_steps(
            TASKS[self.script.task],
            list(self.sandboxes.world.accounts),
            dataset=self.dataset,
            run_id=run_id,
            keeps_log=self.script.keeps_log,
        )
        for step in steps:
            step.instance.max_tries = self.script.retries
        return steps

    def _run_all(self, steps: list[Step], *, is_hit: bool) -> Iterator[Violation]:
        hit = self.script.step % len(steps)
        for at, step in enumerate(steps):
            tries = (self.script.tries if at == hit else 0) if is_hit else 0
            self.summary, violations = self._run_step(step, at, hit_tries=tries)
            yield from violations
            if not is_hit and self.summary is None:
                yield Violation(f"the clean run failed: {self.errors[-1]}", str(violations))
        if is_hit and self.summary is not None and TASKS[self.script.task].kind != "list":
            held = add_written(read_tables(self.sandboxes, self.dataset), self.written)
            yield from check_whole(held, self.known, self.summary)

    def _run_step(self, step: Step, at: int, *, hit_tries: int) -> tuple[Any, list[Violation]]:
        """Try a step as often as Airflow does; return what it returned, None if it never did, and what did not hold."""
        violations: list[Violation] = []
        for number in range(1 + max(self.script.retries, 0)):
            if number:
                step.retry()
            if number < hit_tries:
                usual = self.usual[self.script.task, self.script.keeps_log, at]
                arm(self.script, self.sandboxes, self.dataset, usual, drops=self.drops)
            else:
                disarm(self.sandboxes)
                lift_limits(self.sandboxes)
            result, error = self._try(step)
            # A request of a try that was stopped may come late, and what was planned for it must not change the tables
            # while they are read.
            disarm(self.sandboxes)
            if isinstance(error, EndlessWait):
                violations.append(Violation("waits without an end", str(error)))
                return None, violations
            violations += check_error(error, passes=NAMED)
            violations += check_process()
            # In Airflow, an error that no retry helps fails the task at once; who clears it begins again.
            mend_tables(self.sandboxes, self.dataset)
            if TASKS[self.script.task].kind != "list":
                violations += check_rows(read_tables(self.sandboxes, self.dataset), self.known)
            if error is None:
                self.notes += result.get("notes", ()) if isinstance(result, dict) else ()
                violations += self._check_result(result)
                return result, violations
            self.errors.append(type(error).__name__)
        return None, violations

    def _try(self, step: Step) -> tuple[Any, BaseException | None]:
        """Run one try, and its further steps after waits; return what it returned, or what ended it."""
        self.tries += 1
        method, state, waits = "execute", dict[str, Any](), 0
        waiting: BaseException
        while True:
            self.known.instants.append(self.sandboxes.now)
            operator = step.make()
            try:
                with self._noting_written(), stopped_as_by_airflow(operator):
                    if method == "execute":
                        return operator.execute(step.context), None
                    return operator.resume_execution(method, state, step.context), None
            except TaskDeferred as wait:
                moment, waiting = revive(wait.trigger).moment, wait
                method, state = wait.method_name, json.loads(json.dumps(wait.kwargs)) | {"event": None}
            except AirflowRescheduleException as wait:
                moment, waiting, method, state = wait.reschedule_date, wait, "execute", {}
            except (Exception, *STOPS) as error:
                return None, error
            waits += 1
            if waits == MOST_STEPS:
                return None, EndlessWait(repr(waiting))
            if waits > 1:
                disarm(self.sandboxes)
                lift_limits(self.sandboxes)
            # A wait is so many seconds from now by the worker's clock, which a script may have set wrong.
            left = datetime.fromtimestamp(moment.timestamp(), UTC) - datetime.now(UTC)
            self.sandboxes.travel(max(left + DELAY, DELAY))

    @contextmanager
    def _noting_written(self) -> Iterator[None]:
        """Note what was dropped in the meantime that had been written."""
        try:
            yield
        finally:
            self.written += [find_written(self.sandboxes, self.dataset, each) for each in self.drops]
            self.drops.clear()

    def _check_result(self, result: Any) -> Iterator[Violation]:
        """Check the list of accounts that a task returned: all of them, each once."""
        if TASKS[self.script.task].kind != "list":
            return
        listed = [account_id for chunk in result for account_id in chunk]
        if sorted(listed) != sorted(self.sandboxes.world.accounts):
            yield Violation("the list of accounts is another", str(listed))


@contextmanager
def open_scripts() -> Iterator[Play]:
    """Serve the world of the scripts; no wait takes time."""
    with ExitStack() as stack:
        sandboxes = stack.enter_context(open_planned(make_world()))
        stack.enter_context(set_testing())
        yield ScriptPlayer(sandboxes).play
