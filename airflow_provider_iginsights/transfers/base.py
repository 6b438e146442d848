"""What the three transfers share: the straight line from a window to loaded tables, and the summary."""

from __future__ import annotations

import operator
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights._compat import find_first_reschedule
from airflow_provider_iginsights.catalog.tables import ACCOUNT_STATUS
from airflow_provider_iginsights.errors import Throttled
from airflow_provider_iginsights.task.arguments import parse_boolean, parse_breakdowns, parse_metrics
from airflow_provider_iginsights.task.checkpoint import Checkpoint, Progress, read_waiting_since
from airflow_provider_iginsights.task.failures import (
    failing_without_retry,
    give_up_unanswered,
    is_last_try,
    raise_failures,
)
from airflow_provider_iginsights.task.identity import identify_task
from airflow_provider_iginsights.task.rate_limit_wait import find_throttled, wait_for_limit
from airflow_provider_iginsights.task.summary import (
    continue_summary,
    keep_summary,
    summarize,
)
from airflow_provider_iginsights.transfers.arguments import TransferArguments
from airflow_provider_iginsights.transfers.operator_links import NAMED_IN, read_username
from airflow_provider_iginsights.transfers.target import OpenDataset
from airflow_provider_iginsights.window import RULES, Window, resolve_window

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.extract.account_pool import AccountResults, ReadAccount
    from airflow_provider_iginsights.hooks.instagram import InstagramHook
    from airflow_provider_iginsights.task.loaded import Loaded
    from airflow_provider_iginsights.task.source import Source
    from airflow_provider_iginsights.transfers.quarantine import Quarantine
    from airflow_provider_iginsights.transfers.run import Transfer, TransferRun


class InstagramToBigQueryOperator(TransferArguments):
    """Base of the transfers; see the subclasses."""

    @abstractmethod
    def make_reader(self, source: Source) -> ReadAccount:
        """Return a function from an account id to its rows. It has no side effect and asks nothing yet."""

    @abstractmethod
    def describe_work(self, window: Window) -> str:
        """Return in words what the run reads, for the log."""

    def list_days(self, source: Source) -> Mapping[str, Sequence[date]]:
        """Return the Pacific days under which rows are written, for the summary; by default those of a snapshot."""
        return {"days": (source.provenance.read_now().snapshot_date,)}

    def run_try(self, context: Context, progress: Mapping[str, Any] | None) -> dict[str, Any]:
        """Fetch, load and return a summary: window, tables, rows, accounts, what was left out and why, calls, jobs."""
        from airflow_provider_iginsights.hooks.instagram import InstagramHook
        from airflow_provider_iginsights.task.run_dates import read_run_dates
        from airflow_provider_iginsights.transfers.left_out_rows import keep_examples
        from airflow_provider_iginsights.transfers.run import TransferRun
        from airflow_provider_iginsights.transfers.token_warning import warn_of_token_end

        with failing_without_retry():
            self.check_arguments()
            protection = self.read_protection()
            with self.open_dataset(context, next(iter(self.tables)), load=self._load) as dataset:
                # By BigQuery's time: Meta was not asked yet, and says the same to within five minutes.
                window = resolve_window(self.since, self.until, run=read_run_dates(context), now=dataset.clock.now())
                self.log.info("%s: %s.", self.describe_work(window), RULES[window.rule])
                hook = InstagramHook(self.instagram_conn_id)
                with hook.get_conn() as client:
                    self._stops = (client.stop, *self._stops)
                    self.continue_lineage(progress or {}, login=client.settings.login)
                    if progress is None:
                        warn_of_token_end(client, hook.connection, context)
                    source = replace(self._make_source(context, hook, window, dataset), protection=protection)
                    if self.read_optional("left_out_table_id"):
                        keep_examples(source)
                    run = TransferRun(context=context, dataset=dataset, hook=hook, source=source)
                    transfer = self.choose_transfer(run, progress)
                    return transfer(run, progress)

    def choose_transfer(
        self,
        run: TransferRun,  # noqa: ARG002 - for the subclasses
        carried: Mapping[str, Any] | None,  # noqa: ARG002
    ) -> Transfer:
        """Return what this try does once everything is open.

        :param carried: the progress that a deferral carried.
        """
        return self.transfer

    def transfer(self, run: TransferRun, carried: Mapping[str, Any] | None) -> dict[str, Any]:
        """Read and load the accounts that are missing yet, and return the summary of all; or wait, or fail.

        :param carried: the progress that a deferral carried.
        """
        from airflow_provider_iginsights.task.airflow_metrics import count_summary
        from airflow_provider_iginsights.task.asset_events import fill_asset_events
        from airflow_provider_iginsights.task.summary_size import shorten_summary
        from airflow_provider_iginsights.transfers.run_log import RunLog
        from airflow_provider_iginsights.transfers.staging import hand_over, take_up_staged

        read = self.make_reader(run.source)
        account_ids = self.find_accounts(run, carried)
        checkpoint = self._open_checkpoint(run, account_ids, carried)
        before = Progress.unpack(kept := checkpoint.read(), account_ids)
        self.continue_lineage(kept)  # where no deferral carried it
        missing = [account_id for account_id in account_ids if account_id not in before.done]
        take_up_staged(run.dataset.loader, before.summary)
        self.links: Mapping[str, str] = {**self.links, **(before.summary or {}).get("links", {})}
        run_log = RunLog.open(self, run, missing, has_waited=carried is not None)
        with run_log.recording_failure():
            loaded = self.load_accounts(run, read, missing, before=before.results, known=before.unanswered)
        loaded = replace(loaded, results=(results := loaded.results.join(before.done, of=account_ids)))
        loaded = run_log.write(loaded)
        told = self.summarize(run, loaded)
        count_summary(run.context, told, is_staged=self._load == "stage", done_before=len(before.done))
        summary = continue_summary(before.summary, told)
        self.log_summary(summary)
        if self._load == "stage":
            summary |= {"staged": hand_over(run, self, account_ids=account_ids, before=before.summary)}
            # Also where the task fails or waits below: what is staged is to be written all the same.
            run.context["ti"].xcom_push(key="staged", value=shorten_summary(summary))
        said = shorten_summary({name: each for name, each in summary.items() if name != "staged"})  # pushed above
        # A task that waits or fails returns nothing, so its summary has a key of its own in XCom; a deferred task that
        # ends well finds there what it left before the wait.
        run.context["ti"].xcom_push(key="summary", value=said)
        if not results.is_complete:
            progress = before.advance(results, keep_summary(summary, links=self.links)).pack(account_ids)
            kept = checkpoint.write(progress | self.pack_lineage())
            if throttled := find_throttled(results.failed):
                first = None if checkpoint.is_kept else find_first_reschedule(run.context)
                since = read_waiting_since(carried) or before.waiting_since or first
                save = partial(checkpoint.write_beside, kept)
                wait_for_limit(self, throttled, context=run.context, of=len(account_ids), since=since, save=save)
            raise_failures(results, skips=self._on_account_error == "skip")
        checkpoint.delete()
        fill_asset_events(run.context, self.outlets, summary)
        return said

    def summarize(self, run: TransferRun, loaded: Loaded) -> dict[str, Any]:
        """Return what this try did, JSON-able."""
        return summarize(run.source, loaded, skips=self._on_account_error == "skip", days=self.list_days(run.source))

    def find_accounts(self, run: TransferRun, carried: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Return the accounts to read; where Meta's rate limit is used up, wait for it."""
        try:
            return run.hook.find_account_ids(self.account_ids)
        except Throttled as error:
            since = read_waiting_since(carried) or find_first_reschedule(run.context)
            save = partial(operator.or_, dict(carried or {}))  # what was loaded before is not to be read again
            waiting = {"the list of accounts": error}
            wait_for_limit(self, waiting, context=run.context, of=1, since=since, save=save)

    def load_accounts(
        self,
        run: TransferRun,
        read: ReadAccount,
        account_ids: Sequence[str],
        *,
        before: AccountResults,
        known: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> Loaded:
        """Make sure of the tables, read the accounts, and write or stage.

        :param before: results of the task's accounts in earlier tries.
        :param known: of these accounts only what is open is read.
        """
        from airflow_provider_iginsights.bigquery.hash_salt import mark_salt
        from airflow_provider_iginsights.bigquery.refused_rows import write_row
        from airflow_provider_iginsights.extract.account_pool import AccountPool
        from airflow_provider_iginsights.task.airflow_metrics import time_duration
        from airflow_provider_iginsights.task.loaded import Loaded
        from airflow_provider_iginsights.task.log_lines import logging_progress

        loader, left_out_log, project = run.dataset.loader, run.source.left_out_log, run.dataset.client.project
        protection = run.source.protection
        targets = [
            mark_salt(self.make_target(each, project=project, table_id=name), protection.find_fingerprint(each.name))
            for each, name in self.tables.items()
        ]
        # Before an account is read: what BigQuery refuses is known then, and costs nothing of the rate limit.
        loader.ensure(targets, load_mode=self._load_mode)
        loader.check_statements(targets, load_mode=self._load_mode)
        row_files: dict[str, RowFile] = {each.table.name: loader.row_file(each) for each in targets}
        quarantine = self._open_quarantine(run, account_ids, before)
        quarantined = quarantine.find_quarantined() if quarantine else {}
        client = run.source.client
        pool = AccountPool(
            read,
            workers=run.hook.max_workers,
            take_app_usage=client.take_app_usage,
            stop=client.stop,
            counts=left_out_log.accounts,
        )
        asked = [each for each in account_ids if each not in quarantined]

        def describe() -> tuple[int, int, int]:
            return pool.count_read(), sum(each.rows for each in row_files.values()), left_out_log.count

        # Closed at once: an exception in this block would keep the reading alive for as long as its traceback.
        started, usernames = time.monotonic(), set[str]()
        is_single = len({*account_ids, *before.done}) == 1
        with logging_progress(self.log.info, describe, of=len(asked)), closing(pool.read(asked, known)) as read_rows:
            for name, row in read_rows:
                if name in row_files:
                    write_row(row_files[name], row, left_out_log)
                if is_single and name in NAMED_IN and not protection.covers(name, "username"):
                    usernames.add(read_username(row))
        time_duration(run.context, "read_duration", timedelta(seconds=(ended := time.monotonic()) - started))
        self.link_account(run.context, usernames)
        results = pool.results
        if self._on_account_error == "skip" or is_last_try(run.context):
            # No later try asks for it again, so what is still open is named in left_out now.
            results = give_up_unanswered(results, left_out_log)
        remarks = self.finish_reading(run, results, row_files)
        # An answer that could not be read to the end does not say which values are gone.
        loads = loader.commit(
            list(row_files.values()), load_mode=self._load_mode, protected=left_out_log.list_unreadable()
        )
        if quarantine:
            # After the rows: a kill in between leaves a day uncounted, and the next try counts it.
            loads += quarantine.write_status(results)
            results, left_out = quarantine.separate(results)
            quarantined |= left_out
        time_duration(run.context, "write_duration", timedelta(seconds=time.monotonic() - ended))
        if parse_boolean(self.create_views, argument="create_views"):
            loader.create_views(targets)
        self.link_table(run.context, targets[0])
        self.link_jobs(run.context, loader.session.jobs.sent.values())
        return Loaded(results, loads, remarks, quarantined=quarantined, costs=loader.session.costs.take())

    def finish_reading(
        self,
        run: TransferRun,  # noqa: ARG002 - for the subclasses
        results: AccountResults,  # noqa: ARG002
        row_files: dict[str, RowFile],  # noqa: ARG002
    ) -> Mapping[str, Any]:
        """Add the rows that follow from all that was read, before anything is written; none by default.

        :return: what the summary ought to say of it, JSON-able.
        """
        return {}

    def _open_checkpoint(
        self, run: TransferRun, account_ids: Sequence[str], carried: Mapping[str, Any] | None
    ) -> Checkpoint:
        window, store = run.source.window, run.context.get("task_state_store")
        of_window = {"window": (window.since, window.until), "accounts": sorted(account_ids)}
        return Checkpoint(store, inputs=self.describe_inputs() | of_window, carried=carried)

    def _open_quarantine(
        self, run: TransferRun, account_ids: Sequence[str], before: AccountResults
    ) -> Quarantine | None:
        if self._on_account_error != "quarantine" or not account_ids:
            return None
        from airflow_provider_iginsights.transfers.quarantine import Quarantine

        target = self.make_target(ACCOUNT_STATUS, project=run.dataset.client.project, table_id=self.status_table_id)
        transfer = next(iter(self.tables)).name
        return Quarantine.open(run, target=target, transfer=transfer, account_ids=account_ids, before=before)

    def _make_source(self, context: Context, hook: InstagramHook, window: Window, dataset: OpenDataset) -> Source:
        from airflow_provider_iginsights.extract.provenance import Provenance
        from airflow_provider_iginsights.task.source import Source

        client = hook.get_conn()
        client.set_date_callback(dataset.clock.set_by_meta)
        return Source(
            client=client,
            window=window,
            provenance=Provenance(
                run_id=identify_task(context).run_id, connection_id=self.instagram_conn_id, clock=dataset.clock.now
            ),
            notes=dataset.notes,
            metrics=parse_metrics(self.metrics),
            breakdowns=parse_breakdowns(self.breakdowns),
            page_ids=hook.page_ids,
        )
