"""A Graph API, a client that does not wait, and readers over both: what was read, and what it cost at the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_iginsights.catalog.plan import plan_account, plan_media
from airflow_provider_iginsights.extract.account import AccountReader
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.media import read_media
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.refused_metrics import RefusedMetrics
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import Account, ErrorEffect, GraphFault, GraphSandbox, Media, World
from airflow_provider_iginsights.task.source import Source
from airflow_provider_iginsights.window import Window
from tests.support.truth import ALL_POSTS, DEFAULT_POSTS, post_rows

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
CORE = ("reach", "views", "likes", "comments", "shares", "saved", "total_interactions", "reposts")

REFUSED = "(#100) The Media Insights API does not support the reposts metric for this media product type."

Metrics = Sequence[str] | str | None
Breakdowns = Mapping[str, Sequence[str]] | None
Numbers = dict[tuple[str, ...], Decimal]

ACCOUNT_KEY = ("account_id", "metric", "period", "timeframe", "breakdown", "breakdown_value", "metric_date")
MEDIA_KEY = ("media_id", "metric", "breakdown", "breakdown_value")


@dataclass(slots=True)
class Readers:
    """One run against one Graph API. ``rows`` of the tables come back as key -> value; a key twice is an error."""

    sandbox: GraphSandbox
    client: GraphClient
    left_out_log: LeftOutLog = field(default_factory=LeftOutLog)
    refused_metrics: RefusedMetrics = field(default_factory=RefusedMetrics)

    @property
    def world(self) -> World:
        """The sandbox's world."""
        return self.sandbox.world

    @property
    def accounts(self) -> list[Account]:
        """The world's accounts."""
        return list(self.world.accounts.values())

    @property
    def posts(self) -> list[Media]:
        """The posts of the first account, newest first."""
        return self.world.media_of(self.accounts[0].id, NOW)

    @property
    def http(self) -> int:
        """HTTP requests that the server got."""
        return len(self.sandbox.log)

    @property
    def calls(self) -> int:
        """Graph calls that the server counted."""
        return sum(received.calls for received in self.sandbox.log)

    @property
    def left_out(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What was left out, by what it is and the kind of reason."""
        found = [(finding["what"], finding["kind"]) for finding in self.left_out_log.summarize()]
        assert len(found) == len(set(found)), "something is named twice"
        return {(str(each["what"]), str(each["kind"])): each for each in self.left_out_log.summarize()}

    @property
    def refused(self) -> list[tuple[str, str]]:
        """What was left out although Meta answered: all but what did not come."""
        return [(what, kind) for what, kind in self.left_out if kind != "NoData"]

    def read_media(self, metrics: Metrics = None, breakdowns: Breakdowns = None, *, account: int = 0) -> Numbers:
        """Read the posts of an account."""
        return numbers_of(read_media(self.list_media(metrics, breakdowns, account=account), self.provenance), MEDIA_KEY)

    def list_media(self, metrics: Metrics = None, breakdowns: Breakdowns = None, *, account: int = 0) -> Listing:
        """Return the reader of an account's posts."""
        plan = plan_media(metrics, breakdowns, **self._at)
        return Listing(
            client=self.client,
            account_id=self.accounts[account].id,
            edge="media",
            plan=plan,
            left_out_log=self.left_out_log,
            refused_metrics=self.refused_metrics,
        )

    def read_stories(self, metrics: Metrics = None) -> Numbers:
        """Read the live stories of the first account."""
        return numbers_of(self.story_rows(metrics), MEDIA_KEY)

    def story_rows(self, metrics: Metrics = None) -> list[tuple[str, dict[str, Any]]]:
        """Read the live stories of the first account, as ``(table, row)``."""
        return list(self.open_source(metrics).read_stories()(self.accounts[0].id))

    def open_source(self, metrics: Metrics = None) -> Source:
        """Return the readers of a run over the last day."""
        now = self.sandbox.now()
        return Source(
            client=self.client,
            window=Window(since=now - timedelta(days=1), until=now, rule="given", now=now),
            provenance=self.provenance,
            metrics=metrics,
            left_out_log=self.left_out_log,
            refused_metrics=self.refused_metrics,
        )

    def read_account(
        self,
        days: Iterable[date],
        metrics: Metrics = None,
        breakdowns: Breakdowns = None,
        *,
        account: int = 0,
        **options: Any,
    ) -> Numbers:
        """Read the insights of an account for some Pacific days."""
        reader = AccountReader(
            client=self.client,
            plan=plan_account(metrics, breakdowns, **self._at),
            days=tuple(days),
            provenance=self.provenance,
            left_out_log=self.left_out_log,
            refused_metrics=self.refused_metrics,
            **options,
        )
        return numbers_of(reader.read(self.accounts[account].id), ACCOUNT_KEY)

    @property
    def provenance(self) -> Provenance:
        """What tells where the run's rows come from, at the sandbox's time."""
        return Provenance(run_id="run", clock=self.sandbox.now)

    @property
    def _at(self) -> dict[str, Any]:
        return {"version": self.client.settings.api_version, "login": self.client.settings.login}


@contextmanager
def open_readers(
    world: World | None = None, *, login: str = "facebook", token: str | None = None, tries: int = 3
) -> Iterator[Readers]:
    """Serve a world (by default one account with 100 posts) and connect a client whose pauses take no time."""
    world = world or World.build(accounts=1, media_per_account=100, now=NOW)
    with GraphSandbox(world) as sandbox:
        own = world.instagram_token(next(iter(world.accounts)))
        settings = GraphSettings(
            token=token or (world.system_user_token if login == "facebook" else own),
            base_url=sandbox.url if login == "facebook" else sandbox.instagram_url,
            max_tries=tries,
        )
        with GraphClient(settings, sleep=lambda _: None) as client:
            yield Readers(sandbox, client)


def middle_post(readers: Readers, product_type: str = "FEED") -> Media:
    """Return a post in the middle of the page."""
    return [post for post in readers.posts if post.media_product_type == product_type][7]


def refuse(
    readers: Readers, message: str = REFUSED, *, code: int = 100, subcode: int | None = None, **where: object
) -> None:
    """Let the API refuse, wherever the conditions hold."""
    effect = ErrorEffect(code, subcode=subcode, message=message)
    readers.sandbox.faults.add(GraphFault(effect=effect, times=None, **where))  # type: ignore[arg-type]


def truth_of(readers: Readers, *, metrics: str | Sequence[str] | None = None) -> Numbers:
    """Return all numbers of all posts of the first account."""
    offer = ALL_POSTS if metrics == "all" else DEFAULT_POSTS
    found = by_key(post_rows(readers.world, readers.posts, now=NOW, offer=offer), MEDIA_KEY)
    return found if metrics in (None, "all") else {key: value for key, value in found.items() if key[1] in metrics}


def numbers_of(rows: Iterable[tuple[str, Mapping[str, Any]]], key: Sequence[str]) -> Numbers:
    """Return the numbers of ``(table, row)`` pairs by key."""
    return by_key((row for table, row in rows if table.endswith("insights")), key)


def by_key(rows: Iterable[Mapping[str, Any]], key: Sequence[str]) -> Numbers:
    """Return rows as key -> value, and see that no key comes twice."""
    found: Numbers = {}
    for row in rows:
        at = tuple(str(row[name]) for name in key)
        assert at not in found, f"{at} came twice"
        found[at] = Decimal(str(row["value"]))
    return found
