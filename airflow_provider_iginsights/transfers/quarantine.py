"""Accounts that Meta refuses day after day: left out, asked again once a week, back as soon as they answer.

What is known of an account stands in the table ``account_status``, so that it holds for every worker, retry and mapped
task. There is a row for each day on which an account was unavailable, and one for the day on which it answered again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.bigquery.refused_rows import write_row
from airflow_provider_iginsights.errors import AccountUnavailable, InsightsError, PermissionMissing
from airflow_provider_iginsights.task.account_history import AccountHistory

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import LoadResult, TargetTable
    from airflow_provider_iginsights.extract.account_pool import AccountResults
    from airflow_provider_iginsights.transfers.run import TransferRun

log: logging.Logger = logging.getLogger(__name__)

_LOOKUP_RANGE = timedelta(days=3650)  # the table is small: rows of unavailable accounts only
Status = Literal["unavailable", "answered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """What one try knows of the accounts that it is to read.

    ``before``: results of the task's accounts in earlier tries. ``histories``: of those that were unavailable when they
    were last asked.
    """

    run: TransferRun
    target: TargetTable
    transfer: str
    account_ids: Sequence[str]
    before: AccountResults
    histories: Mapping[str, AccountHistory]
    today: date

    @classmethod
    def open(
        cls,
        run: TransferRun,
        *,
        target: TargetTable,
        transfer: str,
        account_ids: Sequence[str],
        before: AccountResults,
    ) -> Quarantine:
        """Return what the table, which is created where it is missing, says of the accounts.

        :param transfer: which transfer asks: an account may refuse one and answer another.
        :raises LoadError: BigQuery refuses to be asked.
        """
        from airflow_provider_iginsights.bigquery.lookup import Where

        run.dataset.loader.ensure([target])
        today = run.source.provenance.read_now().snapshot_date
        among = {"account_id": account_ids, "transfer": [transfer]}
        where = Where(start=today - _LOOKUP_RANGE, end=today + timedelta(days=1), among=among)
        histories = dict(_read_histories(run.dataset.lookup.find_rows(target, where=where)))
        return cls(
            run=run,
            target=target,
            transfer=transfer,
            account_ids=account_ids,
            before=before,
            histories=histories,
            today=today,
        )

    @property
    def is_single(self) -> bool:
        """Return whether the task reads one account only."""
        return len({*self.account_ids, *self.before.done, *self.before.failed}) == 1

    def find_quarantined(self) -> dict[str, AccountHistory]:
        """Return the accounts that this try does not ask; of several, where no other is left to answer, none."""
        quarantined = {
            account_id: history
            for account_id, history in self.histories.items()
            if history.is_quarantined and self.today < history.asked_again
        }
        would_ask_nobody = not self.before.done and quarantined.keys() >= set(self.account_ids)
        return {} if would_ask_nobody and not self.is_single else quarantined

    def separate(self, results: AccountResults) -> tuple[AccountResults, dict[str, AccountHistory]]:
        """Return the results without the failures of accounts that are quarantined by now, and these accounts."""
        if not (self.is_single or self._has_answers(results)) and any(map(_is_refusal, results.failed.values())):
            log.warning(
                "None of the accounts answered, which may be the token's fault: no account is counted as unavailable. "
                "Test the connection."
            )
        quarantined = {
            account_id: history
            for account_id, history in self._find_unavailable(results).items()
            if history.is_quarantined
        }
        for account_id, history in quarantined.items():
            # A warning on the day on which it is left out; from then on every run would repeat it.
            known = self.histories.get(account_id)
            log.log(
                logging.INFO if known and known.is_quarantined else logging.WARNING,
                "Account %s was unavailable on %d days since %s: it is left out, and asked again from %s. %s",
                account_id,
                len(history.days),
                history.days[0],
                history.asked_again,
                history.reason,
            )
        failed = {name: error for name, error in results.failed.items() if name not in quarantined}
        return replace(results, failed=failed), quarantined

    def write_status(self, results: AccountResults) -> tuple[LoadResult, ...]:
        """Write down which accounts were unavailable, and which answered again; nothing of those that always did.

        :param results: before :meth:`separate`.
        """
        row_file = self.run.dataset.loader.row_file(self.target)
        for account_id, history in self._find_unavailable(results).items():
            write_row(row_file, self._row(account_id, "unavailable", history.reason), self.run.source.left_out_log)
        for account_id in (name for name in (*results.done, *results.unanswered) if name in self.histories):
            log.info("Account %s answers again.", account_id)
            write_row(row_file, self._row(account_id, "answered", None), self.run.source.left_out_log)
        # Always merged: every run of every transfer, whatever its load_mode, writes to this one table.
        return self.run.dataset.loader.commit([row_file])

    def _find_unavailable(self, results: AccountResults) -> dict[str, AccountHistory]:
        """Return the accounts whose error is their own, with today added to their histories."""
        return {
            account_id: self.histories.get(account_id, _NO_HISTORY).add(self.today, str(error))
            for account_id, error in results.failed.items()
            if self._is_of_the_account(error, results)
        }

    def _is_of_the_account(self, error: InsightsError, results: AccountResults) -> bool:
        """Return whether an error is the account's, not the token's.

        A token that lost a permission, or sight of its accounts, is refused by each of them: so an error is an
        account's own only where another account of the task answered. A single account that is not to be seen is taken
        at its word.
        """
        if self._has_answers(results):
            return _is_refusal(error)
        return self.is_single and isinstance(error, AccountUnavailable)

    def _has_answers(self, results: AccountResults) -> bool:
        return bool(results.done or results.unanswered or self.before.done)

    def _row(self, account_id: str, status: Status, reason: str | None) -> dict[str, Any]:
        now = self.run.source.provenance.read_now()
        return {
            "account_id": account_id,
            "transfer": self.transfer,
            "status": status,
            "snapshot_date": self.today,
            "asked_at": now.fetched_at,
            "reason": reason,
            "fetched_at": now.fetched_at,
            "run_id": self.run.source.provenance.run_id,
        }


_NO_HISTORY = AccountHistory(days=(), reason="")


def _is_refusal(error: InsightsError) -> bool:
    return isinstance(error, AccountUnavailable | PermissionMissing)


def _read_histories(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, AccountHistory]]:
    """Yield the accounts that were unavailable after their last answer."""
    by_account: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_account[row["account_id"]].append(row)
    for account_id, known in by_account.items():
        answers: list[datetime] = [row["asked_at"] for row in known if row["status"] == "answered"]
        latest = max(answers, default=None)
        since = [
            row for row in known if row["status"] == "unavailable" and (latest is None or row["asked_at"] > latest)
        ]
        if since:
            days = tuple(sorted(row["snapshot_date"] for row in since))
            reason = max(since, key=lambda row: row["asked_at"])["reason"] or ""
            yield account_id, AccountHistory(days=days, reason=reason)
