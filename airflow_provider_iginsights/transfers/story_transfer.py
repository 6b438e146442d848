"""How the story transfer goes on where the others end: it remembers its polls, says what was missed, and can wait.

``capture="now"`` reads once. ``capture="before_expiry"`` reads, gives its worker slot back until shortly before the
next story expires, reads again, and so on. Every capture is loaded at once. A deferral carries the plan along; a
reschedule or a retry starts from what lives then, which is all that can still be read, or from the plan in Airflow's
task state store where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights._compat import find_first_reschedule
from airflow_provider_iginsights.errors import ConfigurationError, FatalGraphError
from airflow_provider_iginsights.transfers.arguments import parse_boolean, parse_choice, parse_timedelta
from airflow_provider_iginsights.transfers.base import InstagramToBigQueryOperator
from airflow_provider_iginsights.transfers.identity import identify_task
from airflow_provider_iginsights.transfers.run_facts import read_run_facts
from airflow_provider_iginsights.transfers.story_plan import CapturePlan, check_lead
from airflow_provider_iginsights.transfers.story_summary import shorten, tell_outlets
from airflow_provider_iginsights.transfers.summary import continue_summary, keep_summary, summarize
from airflow_provider_iginsights.transfers.verdict import close_open, fail_now, raise_failures

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.spool import Spool
    from airflow_provider_iginsights.extract.crowd import Outcome
    from airflow_provider_iginsights.extract.source import Read, Source
    from airflow_provider_iginsights.extract.story_life import Finality, PollBook
    from airflow_provider_iginsights.transfers.target import OpenTarget
    from airflow_provider_iginsights.window import Window

Capture = Literal["now", "before_expiry"]
KEY = "iginsights_story_capture"
SHORTEST = timedelta(seconds=1)


class StoryTransfer(InstagramToBigQueryOperator):
    """Base of the story operator, which says what the arguments mean."""

    capture: Capture
    capture_lead: timedelta
    capture_for: timedelta
    final_within: timedelta
    polls_table_id: str | None
    _book: PollBook
    _source: Source

    def make_reader(self, source: Source) -> Read:
        """Plan the metrics and return the reader of one account, which takes its poll down."""
        from airflow_provider_iginsights.extract.story_life import PollBook

        self._source, self._book = source, PollBook()
        return source.read_stories(book=self._book, finality=self._finality)

    def finish_reading(
        self, context: Context, target: OpenTarget, outcome: Outcome, spools: Mapping[str, Spool]
    ) -> None:
        """Write down the successful polls, compare them with the earlier ones, and move the mark of final numbers."""
        if not self.polls_table_id:
            self._source.remarks.update(gaps={}, first_polls=0)
            return
        from airflow_provider_iginsights.bigquery.lookup import Lookup
        from airflow_provider_iginsights.transfers.story_record import StoryRecord

        identity = identify_task(context)
        record = StoryRecord(
            lookup=Lookup(target.client, identity=identity, job_project=self._job_project),
            run_id=identity.run_id,
            findings=self._source.findings,
            finality=self._finality,
            moves_marks=self._load_mode != "append",
        )
        record.complete(self._book.of(outcome.done), spools)
        self._source.remarks.update(record.summarize())

    def resume_capture(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002 - Airflow's signature
        plan: Mapping[str, Any] | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Go on after a deferral: look at the accounts whose stories are about to expire."""
        try:
            lead = check_lead(self.capture_lead)
            with self.open_warehouse(context, next(iter(self.tables))) as target:
                window = self._resolve_window(context, target)
                unpacked = CapturePlan.unpack(plan, lead=lead) if plan else self._make_plan(context, target)
                return self._look(context, window, target, unpacked, summary)
        except (ConfigurationError, FatalGraphError) as error:
            fail_now(error)

    def _run(
        self,
        context: Context,
        window: Window,
        target: OpenTarget,
        *,
        carried: Mapping[str, Any] | None,
        waiting_since: datetime | None,
    ) -> dict[str, Any]:
        capture = self._capture
        plan = self._make_plan(context, target)
        if capture == "now" or plan.ends <= target.clock.now():
            summary = super()._run(context, window, target, carried=carried, waiting_since=waiting_since)
            tell_outlets(context, self.outlets, summary)
            return summary
        kept = self._store(context).get(KEY) or {}
        if kept.get("plan", {}).get("ends") == plan.ends.isoformat():
            kept_plan = CapturePlan.unpack(kept["plan"], lead=plan.lead)
            return self._look(context, window, target, kept_plan, kept["summary"])
        return self._look(context, window, target, plan, None)

    def _look(
        self,
        context: Context,
        window: Window,
        target: OpenTarget,
        plan: CapturePlan,
        before: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Read and load what is due, then wait for the next story, or end."""
        from airflow_provider_iginsights.hooks.instagram import InstagramHook

        on_account_error = parse_choice(self.on_account_error, ("fail", "skip"), argument="on_account_error")
        hook = InstagramHook(self.instagram_conn_id)
        with hook.get_conn() as client:
            source = self._make_source(context, client, window, target)
            read = self.make_reader(source)
            if not plan.captures:
                plan.begin(self._find_accounts(context, hook, None), now=target.clock.now())
            due = plan.find_due(target.clock.now())
            outcome, results = self._transfer(
                context, target, read, due, workers=hook.max_workers, findings=source.findings
            )
            close_open(outcome, source.findings)  # the next look asks everything anew
        self._plan_on(plan, outcome, now=target.clock.now())
        summary = summarize(source, outcome, results, on_account_error=on_account_error)
        summary = shorten(continue_summary(before, summary))
        summary |= {"captures": plan.captures, "accounts_done": sorted(plan.done)}
        tell_outlets(context, self.outlets, summary)
        if plan.wakes_at:
            # The plan is kept in the run's time; the triggerer looks at a clock of its own.
            self._wait_for(target.clock.on_worker(plan.wakes_at), context, plan, summary)
        self._store(context).delete(KEY)
        self.log.info("Summary: %s", summary)
        return self._end(context, plan, summary, on_account_error)

    def _plan_on(self, plan: CapturePlan, outcome: Outcome, *, now: datetime) -> None:
        for poll in self._book.of(outcome.done):
            plan.take(poll)
        for account_id, error in outcome.failed.items():
            plan.take_failure(account_id, error, now=now)
        plan.captures += 1

    def _wait_for(self, moment: datetime, context: Context, plan: CapturePlan, summary: dict[str, Any]) -> None:
        """Give the worker slot back until the next story is about to expire."""
        from airflow_provider_iginsights._compat import AirflowRescheduleException, DateTimeTrigger

        self.log.info("Capture %d is loaded; the next is at %s.", plan.captures, moment.isoformat())
        state = {"plan": plan.pack(), "summary": {**keep_summary(summary), "captures": plan.captures}}
        self._store(context).set(KEY, state)
        context["ti"].xcom_push(key="summary", value=summary)
        if not parse_boolean(self.deferrable, argument="deferrable"):
            raise AirflowRescheduleException(moment)  # type: ignore[no-untyped-call]
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resume_capture", kwargs=state)

    def _end(
        self, context: Context, plan: CapturePlan, summary: dict[str, Any], on_account_error: str
    ) -> dict[str, Any]:
        from airflow_provider_iginsights.extract.crowd import Outcome

        outcome = Outcome(done=sorted(plan.done.difference(plan.failed)), failed=plan.errors())
        if outcome.failed:
            context["ti"].xcom_push(key="summary", value=summary)
        raise_failures(outcome, on_account_error)
        return summary

    def _make_plan(self, context: Context, target: OpenTarget) -> CapturePlan:
        """Return the plan of a run that begins; it ends ``capture_for`` after the moment for which it was scheduled."""
        capture_for = parse_timedelta(self.capture_for, argument="capture_for", least=SHORTEST)
        run = read_run_facts(context)
        scheduled = run.data_interval_end or run.run_after or run.logical_date
        scheduled = scheduled or find_first_reschedule(context) or target.clock.now()
        return CapturePlan(ends=scheduled + capture_for, lead=check_lead(self.capture_lead))

    def _store(self, context: Context) -> Any:
        store = context.get("task_state_store")
        return _NOWHERE if store is None else store

    @property
    def _finality(self) -> Finality:
        from airflow_provider_iginsights.extract.story_life import LATENESS, Finality

        final_within = parse_timedelta(self.final_within, argument="final_within", least=SHORTEST)
        at_once = final_within
        if self._capture == "before_expiry":
            at_once = min(at_once, 2 * check_lead(self.capture_lead))
        return Finality(at_once=at_once, at_most=max(final_within, at_once) + LATENESS)

    @property
    def _capture(self) -> str:
        return parse_choice(self.capture, ("now", "before_expiry"), argument="capture")


class _Nowhere:
    """The task state store of an Airflow that has none."""

    def get(self, key: str) -> None:
        """Return None."""

    def set(self, key: str, value: Any) -> None:
        """Keep nothing."""

    def delete(self, key: str) -> None:
        """Forget nothing."""


_NOWHERE = _Nowhere()
