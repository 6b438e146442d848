"""What one run reads: a window and the metrics asked for, turned into a reader of accounts per kind of insights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.plan import MediaPlan, plan_account, plan_media, plan_story
from airflow_provider_iginsights.extract.account import AccountReader
from airflow_provider_iginsights.extract.account_pool import ReadAccount
from airflow_provider_iginsights.extract.circuit_breaker import CircuitBreaker
from airflow_provider_iginsights.extract.column_protection import ColumnProtection, protect_rows
from airflow_provider_iginsights.extract.complete_listings import CompleteListings
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.media import read_media
from airflow_provider_iginsights.extract.no_data import NoDataMetrics
from airflow_provider_iginsights.extract.page_id import explain_page_ids
from airflow_provider_iginsights.extract.pages import Edge
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.refused_fields import RefusedFields
from airflow_provider_iginsights.extract.refused_metrics import RefusedMetrics
from airflow_provider_iginsights.extract.rows import TableRow
from airflow_provider_iginsights.extract.unanswered import RepeatParameters
from airflow_provider_iginsights.stories.life import PollLog
from airflow_provider_iginsights.stories.reader import read_stories

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.stories.life import Finality
    from airflow_provider_iginsights.window import Window

CURRENT = timedelta(days=1)  # META-08: a run whose window ended longer ago repeats the past, and snapshots have no past


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One run's questions. Each method plans them, returns a reader: account id -> ``(table name, row)``, lazily.

    ``metrics`` and ``breakdowns`` are the user's, parsed; a wrong one raises ConfigurationError before any call.
    ``protection``: what no row holds. ``polls``: what the readers of stories saw. ``notes``: what somebody should know,
    in whole sentences. ``page_ids``: id of an account -> id of the Page through which it was found; it may be filled
    until the accounts are read.
    """

    client: GraphClient
    window: Window
    provenance: Provenance
    metrics: Sequence[str] | None = None
    breakdowns: Mapping[str, Sequence[str]] | None = None
    protection: ColumnProtection = field(default_factory=ColumnProtection)
    left_out_log: LeftOutLog = field(default_factory=LeftOutLog)
    refused_metrics: RefusedMetrics = field(default_factory=RefusedMetrics)
    no_data_metrics: NoDataMetrics = field(default_factory=NoDataMetrics)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    refused_fields: RefusedFields = field(default_factory=RefusedFields)
    complete_listings: CompleteListings = field(default_factory=CompleteListings)
    polls: PollLog = field(default_factory=PollLog)
    notes: list[str] = field(default_factory=list)
    page_ids: Mapping[str, str] = field(default_factory=dict)

    def read_accounts(self, *, lookback_days: int, profiles: bool) -> ReadAccount:
        """Return a reader of ``account_insights`` and, if wanted, ``accounts``."""
        settings = self.client.settings
        reader = AccountReader(
            client=self.client,
            plan=plan_account(self.metrics, self.breakdowns, version=settings.api_version, login=settings.login),
            days=self.window.days(lookback_days),
            provenance=self.provenance,
            left_out_log=self.left_out_log,
            refused_metrics=self.refused_metrics,
            no_data=self.no_data_metrics,
            breaker=self.breaker,
            refused_fields=self.refused_fields,
            current=self.window.now - self.window.until <= CURRENT,
            profiles=profiles,
            page_ids=self.page_ids,
        )
        return self._finish(reader.read)

    def read_media(self, *, refresh_days: int | None, children: bool = True) -> ReadAccount:
        """Return a reader of ``media``, ``media_insights`` and, if wanted, ``media_children``."""
        settings = self.client.settings
        plan = plan_media(self.metrics, self.breakdowns, version=settings.api_version, login=settings.login)
        published = self.window.published_between(refresh_days)
        expects_all = refresh_days is None
        return self._finish(
            lambda account_id, unanswered=None: read_media(
                self._list(
                    account_id, "media", plan, unanswered, published, expects_all=expects_all, children=children
                ),
                self.provenance,
                complete_listings=self.complete_listings,
            )
        )

    def read_stories(self, *, finality: Finality | None = None) -> ReadAccount:
        """Return a reader of ``media`` and ``story_insights``; ``polls`` take down what each account's poll saw.

        Open questions belong to a poll of this run; of another's, everything is asked anew, since the hour is another.
        """
        settings = self.client.settings
        plan = plan_story(self.metrics, self.breakdowns, version=settings.api_version, login=settings.login)

        def read(account_id: str, unanswered: Sequence[RepeatParameters] | None = None) -> Iterator[TableRow]:
            # META-34: another poll has another hour, and other stories may be live.
            known = unanswered if self.polls.of([account_id]) else None
            return read_stories(
                self._list(account_id, "stories", plan, known), self.provenance, poll_log=self.polls, finality=finality
            )

        return self._finish(read)

    def _finish(self, read: ReadAccount) -> ReadAccount:
        """Return a reader with what all of them have in common: it explains wrong ids, and its rows are protected."""
        return protect_rows(explain_page_ids(self.client, read), self.protection)

    def _list(
        self,
        account_id: str,
        edge: Edge,
        plan: MediaPlan,
        unanswered: Sequence[RepeatParameters] | None,
        published: tuple[datetime | None, datetime | None] = (None, None),
        *,
        expects_all: bool = False,
        children: bool = False,
    ) -> Listing:
        return Listing(
            client=self.client,
            account_id=account_id,
            edge=edge,
            plan=plan,
            left_out_log=self.left_out_log,
            refused_metrics=self.refused_metrics,
            published=published,
            expects_all=expects_all,
            breaker=self.breaker,
            refused_fields=self.refused_fields,
            unanswered=unanswered,
            children=children,
        )
