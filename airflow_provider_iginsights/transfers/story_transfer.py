"""How the story transfer goes on where the others end: it remembers its polls, says what was missed, and can wait.

``capture="now"`` reads once. ``capture="before_expiry"`` reads, gives its worker slot back until shortly before the
next story expires, reads again, and so on. Every capture is loaded at once. A deferral carries the plan along; a
reschedule or a retry starts from what lives then, which is all that can still be read, or from the plan in Airflow's
task state store where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow_provider_iginsights._compat import find_first_reschedule
from airflow_provider_iginsights.catalog.tables import STORY_POLLS
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.stories.capture_plan import CapturePlan, check_lead
from airflow_provider_iginsights.task.arguments import parse_choice, parse_timedelta
from airflow_provider_iginsights.task.checkpoint import Checkpoint
from airflow_provider_iginsights.task.failures import give_up_unanswered, raise_failures
from airflow_provider_iginsights.task.rate_limit_wait import free_worker_slot
from airflow_provider_iginsights.task.summary import NAMED, continue_summary, keep_summary
from airflow_provider_iginsights.transfers.base import InstagramToBigQueryOperator

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.extract.account_pool import AccountResults, ReadAccount
    from airflow_provider_iginsights.stories.life import Finality
    from airflow_provider_iginsights.task.source import Source
    from airflow_provider_iginsights.transfers.run import Transfer, TransferRun
    from airflow_provider_iginsights.window import Window

Capture = Literal["now", "before_expiry"]
CAPTURES: tuple[Capture, ...] = get_args(Capture)
SHORTEST = timedelta(seconds=1)


class StoryTransfer(InstagramToBigQueryOperator):
    """Base of the story operator, which says what the arguments mean."""

    capture: Capture
    capture_lead: timedelta
    capture_for: timedelta
    final_within: timedelta
    polls_table_id: str | None

    literal_arguments: ClassVar[Mapping[str, Callable[[Any], object]]] = {
        **InstagramToBigQueryOperator.literal_arguments,
        "capture": partial(parse_choice, choices=CAPTURES, argument="capture"),
        "capture_lead": check_lead,
        **{name: partial(parse_timedelta, argument=name, least=SHORTEST) for name in ("capture_for", "final_within")},
    }

    def check_arguments(self) -> None:
        """Refuse to stage what several captures of one run read: each of them is written at once."""
        super().check_arguments()
        if self._load == "stage" and self._capture != "now":
            raise ConfigurationError(
                'capture="before_expiry" writes what it reads at once, so it cannot be combined with load="stage". Use '
                'capture="now" in an hourly Dag, or load="write".'
            )

    def describe_work(self, window: Window) -> str:  # noqa: ARG002 - stories are not chosen by it
        """Return that all live stories are read."""
        return "Reads every story that is live, whatever the window"

    def make_reader(self, source: Source) -> ReadAccount:
        """Plan the metrics and return the reader of one account, which takes its poll down."""
        return source.read_stories(finality=self.finality)

    def finish_reading(
        self, run: TransferRun, results: AccountResults, row_files: dict[str, RowFile]
    ) -> Mapping[str, Any]:
        """Write down the successful polls, compare them with the earlier ones, and move the mark of final numbers."""
        if STORY_POLLS not in self.tables:
            return {"gaps": {}, "first_polls": 0}
        if self._load == "stage":
            from airflow_provider_iginsights.transfers.staging import stage_polls

            stage_polls(run, results, row_files)
            return {"gaps": {}, "first_polls": 0}
        from airflow_provider_iginsights.stories.polls import PollRecorder

        record = PollRecorder(
            lookup=run.dataset.lookup,
            run_id=run.source.provenance.run_id,
            left_out_log=run.source.left_out_log,
            finality=self.finality,
            corrects_finals=self._load_mode != "append",
        )
        return record.complete(run.source.polls.of(results.done), row_files)

    def choose_transfer(self, run: TransferRun, carried: Mapping[str, Any] | None) -> Transfer:
        """Read once, as the other transfers do; or go on with the plan of captures."""
        plan = self._make_plan(run)
        is_over = plan.ends <= run.dataset.clock.now() and not (carried and "plan" in carried)
        if self._capture == "now" or is_over:
            return super().choose_transfer(run, carried)
        return partial(self._capture_due, new_plan=plan)

    def _capture_due(
        self, run: TransferRun, carried: Mapping[str, Any] | None, *, new_plan: CapturePlan
    ) -> dict[str, Any]:
        """Read and load what is due, then wait for the next story, or end."""
        from airflow_provider_iginsights.extract.account_pool import AccountResults
        from airflow_provider_iginsights.stories.summary import shorten_lists
        from airflow_provider_iginsights.task.airflow_metrics import count_summary
        from airflow_provider_iginsights.task.asset_events import fill_asset_events
        from airflow_provider_iginsights.task.summary_size import shorten_summary
        from airflow_provider_iginsights.transfers.run_log import RunLog

        clock, left_out_log = run.dataset.clock, run.source.left_out_log
        checkpoint = self._open_plan(run, carried, new_plan)
        kept = checkpoint.read()
        self.continue_lineage(kept)
        self.links: Mapping[str, str] = {**self.links, **kept.get("summary", {}).get("links", {})}
        plan = CapturePlan.unpack(kept["plan"], lead=new_plan.lead) if kept else new_plan
        read = self.make_reader(run.source)
        if not plan.captures:
            plan.start(self.find_accounts(run), now=clock.now())
        earlier = AccountResults(done=sorted(plan.done), failed=plan.errors())
        due = plan.find_due(clock.now())
        run_log = RunLog.open(self, run, due, has_waited=plan.captures > 0)
        with run_log.recording_failure():
            loaded = self.load_accounts(run, read, due, before=earlier)
        # The next look asks everything anew.
        loaded = run_log.write(replace(loaded, results=give_up_unanswered(loaded.results, left_out_log)))
        plan.drop(loaded.quarantined)
        plan.advance(loaded.results, run.source.polls, now=clock.now())
        told = self.summarize(run, loaded)
        count_summary(run.context, told)
        summary = shorten_lists(continue_summary(kept.get("summary"), told))
        summary["account_counts"] |= {"done": len(plan.done)}
        summary |= {"captures": plan.captures, "accounts_done": sorted(plan.done)[:NAMED]}
        fill_asset_events(run.context, self.outlets, summary)
        if plan.next_capture_at:
            # The plan is kept in the run's time; the triggerer looks at a clock of its own.
            by_worker = clock.as_worker_time(plan.next_capture_at)
            self.log.info("Capture %d is loaded; the next is at %s.", plan.captures, by_worker.isoformat())
            said = {**keep_summary(summary, links=self.links), "captures": plan.captures}
            run.context["ti"].xcom_push(key="summary", value=shorten_summary(summary))
            state = {"plan": plan.pack(), "summary": said, **self.pack_lineage()}
            free_worker_slot(self, by_worker, checkpoint.write(state))
        checkpoint.delete()
        self.log_summary(summary)
        return self._end(run, plan, summary)

    def _open_plan(self, run: TransferRun, carried: Mapping[str, Any] | None, new_plan: CapturePlan) -> Checkpoint:
        """Return where the plan is kept: it counts as long as the arguments and the end of its run are the same."""
        ends = carried["plan"]["ends"] if carried and "plan" in carried else new_plan.ends.isoformat()
        store, inputs = run.context.get("task_state_store"), self.describe_inputs() | {"ends": ends}
        return Checkpoint(store, inputs=inputs, carried=carried)

    def _end(self, run: TransferRun, plan: CapturePlan, summary: dict[str, Any]) -> dict[str, Any]:
        from airflow_provider_iginsights.extract.account_pool import AccountResults
        from airflow_provider_iginsights.task.summary_size import shorten_summary

        results = AccountResults(done=sorted(plan.done.difference(plan.failed)), failed=plan.errors())
        run.context["ti"].xcom_push(key="summary", value=(short := shorten_summary(summary)))
        raise_failures(results, skips=self._on_account_error == "skip")
        return short

    def _make_plan(self, run: TransferRun) -> CapturePlan:
        """Return the plan of a run that begins; it ends ``capture_for`` after the moment for which it was scheduled."""
        from airflow_provider_iginsights.task.run_dates import read_run_dates

        capture_for = parse_timedelta(self.capture_for, argument="capture_for", least=SHORTEST)
        facts = read_run_dates(run.context)
        scheduled = facts.data_interval_end or facts.run_after or facts.logical_date
        scheduled = scheduled or find_first_reschedule(run.context) or run.dataset.clock.now()
        return CapturePlan(ends=scheduled + capture_for, lead=check_lead(self.capture_lead))

    @property
    def finality(self) -> Finality:
        """Return when a snapshot is the final one, as the arguments say."""
        from airflow_provider_iginsights.stories.life import LATENESS, Finality

        final_within = parse_timedelta(self.final_within, argument="final_within", least=SHORTEST)
        at_once = final_within
        if self._capture == "before_expiry":
            at_once = min(at_once, 2 * check_lead(self.capture_lead))
        return Finality(at_once=at_once, at_most=max(final_within, at_once) + LATENESS)

    @property
    def _capture(self) -> Capture:
        return parse_choice(self.capture, CAPTURES, argument="capture")
