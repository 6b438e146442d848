"""What the three transfers share: arguments, the straight line from a window to loaded tables, and the summary."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights._compat import conf, find_first_reschedule
from airflow_provider_iginsights.errors import ConfigurationError, FatalGraphError, Throttled
from airflow_provider_iginsights.transfers.arguments import (
    OnAccountError,
    parse_boolean,
    parse_breakdowns,
    parse_choice,
    parse_metrics,
    parse_text,
    parse_timedelta,
)
from airflow_provider_iginsights.transfers.checkpoint import Checkpoint, Progress
from airflow_provider_iginsights.transfers.identity import identify_task
from airflow_provider_iginsights.transfers.moments import MomentTemplates
from airflow_provider_iginsights.transfers.row_refusals import write_row
from airflow_provider_iginsights.transfers.run_facts import read_run_facts
from airflow_provider_iginsights.transfers.summary import continue_summary, keep_summary, summarize
from airflow_provider_iginsights.transfers.target import TARGET_FIELDS, OpenTarget, WritesToBigQuery
from airflow_provider_iginsights.transfers.throttle import THROTTLE_TIMEOUT, find_throttled, wait_for_limit
from airflow_provider_iginsights.transfers.verdict import close_open, fail_now, is_last_try, raise_failures
from airflow_provider_iginsights.window import RULES, Window, resolve_window

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.destination import Destination, LoadMode, LoadResult
    from airflow_provider_iginsights.bigquery.spool import Spool
    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.extract.crowd import Outcome
    from airflow_provider_iginsights.extract.findings import Findings
    from airflow_provider_iginsights.extract.source import Read, Source
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

LOAD_MODES = ("merge", "replace", "append")
_ASKED_OTHERWISE = ("since", "until", "account_ids")  # the checkpoint holds what became of them


class InstagramToBigQueryOperator(MomentTemplates, WritesToBigQuery):
    """Base of the transfers; see the subclasses. Every argument is keyword-only and parsed in ``execute``."""

    template_fields: Sequence[str] = (
        "instagram_conn_id",
        *TARGET_FIELDS,
        "account_ids",
        "metrics",
        "breakdowns",
        "since",
        "until",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"breakdowns": "json"}

    def __init__(
        self,
        *,
        dataset_id: str,
        table_id: str,
        instagram_conn_id: str = "instagram_default",
        gcp_conn_id: str | None = "google_cloud_default",
        impersonation_chain: str | Sequence[str] | None = None,
        project_id: str | None = None,
        job_project_id: str | None = None,
        location: str | None = None,
        account_ids: str | Sequence[str] | None = None,
        metrics: str | Sequence[str] | None = None,
        breakdowns: Mapping[str, Sequence[str]] | str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        on_account_error: OnAccountError = "fail",
        load_mode: LoadMode = "merge",
        create_dataset: bool = False,
        inherit_expiration: bool = False,
        create_views: bool = False,
        throttle_timeout: timedelta = THROTTLE_TIMEOUT,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset_id = dataset_id
        self.table_id = table_id
        self.instagram_conn_id = instagram_conn_id
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.project_id = project_id
        self.job_project_id = job_project_id
        self.location = location
        self.account_ids = account_ids
        self.metrics = metrics
        self.breakdowns = breakdowns
        self.since = since
        self.until = until
        self.on_account_error = on_account_error
        self.load_mode = load_mode
        self.create_dataset = create_dataset
        self.inherit_expiration = inherit_expiration
        self.create_views = create_views
        self.throttle_timeout = throttle_timeout
        self.deferrable = deferrable

    @property
    @abstractmethod
    def tables(self) -> Mapping[Table, str]:
        """Return the tables that this transfer writes, each with its table id; the main one first."""

    @abstractmethod
    def make_reader(self, source: Source) -> Read:
        """Return a function from an account id to its rows. It has no side effect and asks nothing yet."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch, load and return a summary: tables, window, rows, accounts, what was left out and why, calls, job ids.

        :raises InsightsError: see the README's table of errors; configuration and fatal ones are not retried.
        """
        return self._attempt(context)

    def resume(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002 - Airflow's signature
        progress: Mapping[str, Any] | None = None,
        waiting_since: str | None = None,
    ) -> dict[str, Any]:
        """Go on with the accounts that had to wait, after a deferral: what is missing in ``progress``."""
        since = datetime.fromisoformat(waiting_since) if waiting_since else None
        return self._attempt(context, carried=progress, waiting_since=since)

    def _attempt(
        self, context: Context, *, carried: Mapping[str, Any] | None = None, waiting_since: datetime | None = None
    ) -> dict[str, Any]:
        try:
            self.check_arguments()
            with self.open_warehouse(context, next(iter(self.tables))) as target:
                window = self._resolve_window(context, target)
                return self._run(context, window, target, carried=carried, waiting_since=waiting_since)
        except (ConfigurationError, FatalGraphError) as error:
            fail_now(error)

    def _resolve_window(self, context: Context, target: OpenTarget) -> Window:
        """Return the window by BigQuery's time: Meta was not asked yet, and says the same to within five minutes."""
        return resolve_window(self.since, self.until, run=read_run_facts(context), now=target.clock.now())

    def check_arguments(self) -> None:
        """Refuse, before anything is asked, what would otherwise fail in the middle of the work.

        :raises ConfigurationError: an argument cannot be.
        """
        parse_choice(self.on_account_error, ("fail", "skip"), argument="on_account_error")
        parse_choice(self.load_mode, LOAD_MODES, argument="load_mode")
        parse_timedelta(self.throttle_timeout, argument="throttle_timeout")
        self.check_target()
        for name in ("profile_table_id", "media_table_id", "polls_table_id"):
            parse_text(getattr(self, name, None), argument=name, optional=True)

    def _run(
        self,
        context: Context,
        window: Window,
        target: OpenTarget,
        *,
        carried: Mapping[str, Any] | None,
        waiting_since: datetime | None,
    ) -> dict[str, Any]:
        from airflow_provider_iginsights.hooks.instagram import InstagramHook

        self.log.info("Window %s to %s: %s.", window.since, window.until, RULES[window.rule])
        on_account_error = parse_choice(self.on_account_error, ("fail", "skip"), argument="on_account_error")
        hook = InstagramHook(self.instagram_conn_id)
        with hook.get_conn() as client:
            source = self._make_source(context, client, window, target)
            read = self.make_reader(source)
            accounts = self._find_accounts(context, hook, waiting_since)
            checkpoint = self._open_checkpoint(context, window, accounts, carried)
            before = checkpoint.read()
            missing = [account_id for account_id in accounts if account_id not in before.done]
            outcome, results = self._transfer(
                context,
                target,
                read,
                missing,
                workers=hook.max_workers,
                findings=source.findings,
                known=before.open_questions,
            )
        done = before.done.union(outcome.done)
        outcome = replace(outcome, done=[account_id for account_id in accounts if account_id in done])
        now = summarize(source, outcome, results, on_account_error=on_account_error)
        summary = continue_summary(before.summary, now)
        self.log.info("Summary: %s", summary)
        if not outcome.failed and not outcome.open:
            checkpoint.delete()
            return summary
        context["ti"].xcom_push(key="summary", value=summary)
        progress = Progress(
            done=done,
            open_questions={name: known for name, known in before.open_questions.items() if name in outcome.failed}
            | {name: [each.again for each in open_] for name, open_ in outcome.open.items()},
            summary=keep_summary(summary),
            waiting_since=waiting_since or before.waiting_since,
        )
        self._settle(context, outcome, checkpoint, progress)
        raise_failures(outcome, on_account_error)
        checkpoint.delete()
        return summary

    def _settle(self, context: Context, outcome: Outcome, checkpoint: Checkpoint, progress: Progress) -> None:
        """Keep what was loaded for the next try; where accounts are throttled, wait for it."""
        checkpoint.write(replace(progress, waiting_since=None))
        if throttled := find_throttled(outcome.failed):
            since = progress.waiting_since
            if since is None and not checkpoint.remembers:
                since = find_first_reschedule(context)
            of = len(outcome.failed.keys() | outcome.open.keys()) + len(outcome.done)
            wait_for_limit(self, throttled, of=of, since=since, checkpoint=checkpoint, progress=progress)

    def _find_accounts(self, context: Context, hook: InstagramHook, waiting_since: datetime | None) -> tuple[str, ...]:
        try:
            return hook.find_account_ids(self.account_ids)
        except Throttled as error:
            since = waiting_since or find_first_reschedule(context)
            wait_for_limit(self, {"the list of accounts": error}, of=1, since=since)

    def _transfer(
        self,
        context: Context,
        target: OpenTarget,
        read: Read,
        account_ids: Sequence[str],
        *,
        workers: int,
        findings: Findings,
        known: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> tuple[Outcome, tuple[LoadResult, ...]]:
        """Read the accounts, of those in ``known`` only the open questions, and write what they say.

        The tables are made sure of before anything is read.
        """
        from airflow_provider_iginsights.extract.crowd import Crowd

        crowd = Crowd(read, workers=workers)
        destinations: dict[str, Destination] = {
            table.name: self.make_destination(table, project=target.client.project, table_id=table_id)
            for table, table_id in self.tables.items()
        }
        target.warehouse.ensure(list(destinations.values()), load_mode=self._load_mode)
        target.warehouse.rehearse(list(destinations.values()), load_mode=self._load_mode)
        spools = {name: target.warehouse.spool(destination) for name, destination in destinations.items()}
        for name, row in crowd.read(account_ids, known):
            if name in spools:
                write_row(spools[name], row, findings)
        if self.on_account_error == "skip" or is_last_try(context):
            close_open(crowd.outcome, findings)
        self.finish_reading(context, target, crowd.outcome, spools)
        # An answer that could not be read to the end does not say which values are gone.
        unread = findings.find_unread()
        results = target.warehouse.commit(list(spools.values()), load_mode=self._load_mode, spared=unread)
        if parse_boolean(self.create_views, argument="create_views"):
            target.warehouse.create_views(destinations.values())
        self.keep_link(context, target)
        return crowd.outcome, results

    def _open_checkpoint(
        self, context: Context, window: Window, account_ids: Sequence[str], carried: Mapping[str, Any] | None
    ) -> Checkpoint:
        question = {name: getattr(self, name) for name in self.template_fields if name not in _ASKED_OTHERWISE}
        question |= {"window": (window.since, window.until), "load_mode": self.load_mode, "version": __version__}
        return Checkpoint(context.get("task_state_store"), question=question, accounts=account_ids, carried=carried)

    @property
    def _load_mode(self) -> LoadMode:
        return parse_choice(self.load_mode, LOAD_MODES, argument="load_mode")  # type: ignore[return-value]

    def finish_reading(
        self, context: Context, target: OpenTarget, outcome: Outcome, spools: Mapping[str, Spool]
    ) -> None:
        """Add the rows that follow from all that was read, before anything is written; none by default."""

    def _make_source(self, context: Context, client: GraphClient, window: Window, target: OpenTarget) -> Source:
        from airflow_provider_iginsights.extract.source import Source
        from airflow_provider_iginsights.extract.stamp import Stamp

        client.tell_dates(target.clock.hear_meta)
        return Source(
            client=client,
            window=window,
            stamp=Stamp(run_id=identify_task(context).run_id, clock=target.clock.now),
            notes=target.notes,
            metrics=parse_metrics(self.metrics),
            breakdowns=parse_breakdowns(self.breakdowns),
        )
