"""List the media (or stories) of an account and read all their insights with as few requests as Meta allows.

A page of 100 carries the metrics that all its media share. What only one product type has follows in batches of 50,
types mixed. When a page is refused, it is listed again without the metrics that the refusal names, or else without any;
what is missing then is asked for each media in batches, and what that teaches serves the pages after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.catalog.plan import InsightsQuery, MediaPlan
from airflow_provider_iginsights.catalog.versions import parse_version
from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    InsightsError,
    MetricRefused,
    PermissionMissing,
    ServerTrouble,
    SkippableGraphError,
)
from airflow_provider_iginsights.extract.findings import Findings
from airflow_provider_iginsights.extract.inquiry import Ask, Inquiry
from airflow_provider_iginsights.extract.refusals import Refusals, find_culprits, is_about_object
from airflow_provider_iginsights.extract.spelling import spell_insights, spell_media_fields
from airflow_provider_iginsights.graph.paging import find_next_cursor
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

PAGE = 100
_PAGE_REFUSALS = (SkippableGraphError, PermissionMissing, AccountUnavailable, ServerTrouble)

Edge = Literal["media", "stories"]
Media = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one answer said of one media.

    ``answer``: the page or the item it stood in; ``listed``: this is the listing itself; ``totals``: whose number
    without breakdown counts.
    """

    media: Media
    entries: Sequence[Mapping[str, Any]]
    answer: Answer
    listed: bool
    totals: frozenset[str]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the edge. ``core``: the query inside it; ``refused``: what it was refused with before.

    ``doubtful``: it was refused without a word on what.
    """

    answer: Answer
    core: InsightsQuery | None
    refused: tuple[str, ...] = ()
    doubtful: bool = False


@dataclass(slots=True, kw_only=True)
class Listing:
    """Reads one edge of one account: ``media`` (published in [from, to)) or ``stories`` (all that are live)."""

    client: GraphClient
    account_id: str
    edge: Edge
    plan: MediaPlan
    findings: Findings
    refusals: Refusals
    published: tuple[datetime | None, datetime | None] = (None, None)
    _inquiry: Inquiry = field(init=False)
    _limit: int = field(default=PAGE, init=False)
    _outside: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Open the account's inquiry."""
        self._inquiry = Inquiry(
            client=self.client,
            account_id=self.account_id,
            build=self._build,
            refusals=self.refusals.open_account(),
            findings=self.findings,
        )

    def read(self) -> Iterator[Sighting]:
        """Yield every media of the edge, and every answer about it.

        :raises InsightsError: what stops the account at once (token, throttle, permission); a lasting server trouble of
            single media only after all the others were answered.
        """
        for page in self._pages():
            media = [item for item in page.answer.body.get("data") or () if self._is_wanted(item)]
            yield from self._read_page(page, media)
            yield from self._read_rest(page, media)
            self._learn_from(page)
            if not media and self._is_past(page.answer):
                break
        self._inquiry.finish()

    def _pages(self) -> Iterator[Page]:
        cursor, used = "", {""}
        while True:
            page = self._open_page(cursor)
            yield page
            cursor = find_next_cursor(page.answer.body) or ""
            if cursor in used:
                return
            used.add(cursor)

    def _open_page(self, cursor: str) -> Page:
        """Return a page with as many metrics inside as Meta lets through."""
        core = self._core()
        try:
            return Page(self._list(core, cursor), core)
        except _PAGE_REFUSALS as error:
            if core is None:
                raise
            refusal: InsightsError = error
        if isinstance(refusal, MetricRefused) and (culprits := find_culprits(refusal, core.names)):
            rest = core.without(culprits)
            with suppress(*_PAGE_REFUSALS):
                return Page(self._list(rest, cursor), rest, refused=culprits)
        return Page(self._list(None, cursor), None, refused=core.names, doubtful=_is_doubtful(refusal))

    def _core(self) -> InsightsQuery | None:
        """Return what may stand inside the listing: what no object and no product type is known to refuse."""
        core, find = self.plan.core, self._inquiry.refusals.find
        return core and core.without(
            name
            for name in core.names
            if name in self._outside or any(find(kind, "", name) for kind in self.plan.extras)
        )

    def _learn_from(self, page: Page) -> None:
        """Leave out of the pages to come what one media refused; what a product type refuses is known by now."""
        core = self._core()
        refused = set(page.refused).intersection(core.names if core else ())
        if refused == set(page.refused):
            self._outside |= refused

    def _list(self, core: InsightsQuery | None, cursor: str) -> Answer:
        params = {"fields": spell_media_fields(self.client.settings.api_version, core)}
        if cursor:
            params["after"] = cursor
        if self._is_filtered_by_meta():
            bounds = zip(("since", "until"), self.published, strict=True)
            params |= {name: str(int(instant.timestamp())) for name, instant in bounds if instant}
        request = GraphRequest(f"{self.account_id}/{self.edge}", params, Subject("account", self.account_id))
        answer = next(self.client.pages(request, account_id=self.account_id, limit=self._limit))
        # A limit that the client had to halve stays halved.
        self._limit = int(answer.request.params["limit"])
        return answer

    def _is_filtered_by_meta(self) -> bool:
        return self.edge == "media" and parse_version(self.client.settings.api_version) >= (11, 0)

    def _is_wanted(self, media: Media) -> bool:
        since, until = self.published
        if not since and not until:
            return True
        published = datetime.fromisoformat(media["timestamp"])
        return (since is None or published >= since) and (until is None or published < until)

    def _is_past(self, page: Answer) -> bool:
        """Return whether a listing that Meta does not filter (v10.0) is older than what is wanted."""
        since = self.published[0]
        items = page.body.get("data") or ()
        if since is None or not items:
            return False
        return all(datetime.fromisoformat(item["timestamp"]) < since for item in items)

    def _read_page(self, page: Page, media: list[Media]) -> Iterator[Sighting]:
        totals: frozenset[str] = page.core.totals if page.core else frozenset()
        for item in media:
            entries = (item.get("insights") or {}).get("data") or ()
            yield Sighting(item, entries, page.answer, True, totals)
        if page.core and media:
            self._inquiry.answered += 1
            for product_type in {self._product_type(item) for item in media}:
                self._inquiry.refusals.learn_answer(product_type, page.core)

    def _read_rest(self, page: Page, media: list[Media]) -> Iterator[Sighting]:
        """Ask what the listing did not carry."""
        kinds = {self._product_type(item) for item in media}
        rest = {kind: _rest(self.plan, kind, page.core) for kind in kinds}
        asks = (
            Ask(query=query, group=kind, whom=f"{self._noun} {item['id']}", about=item)
            for item in media
            for kind in (self._product_type(item),)
            for query in rest[kind]
        )
        for ask, answer in self._inquiry.ask(asks, doubtful=page.doubtful):
            yield Sighting(ask.about, answer.body.get("data") or (), answer, False, ask.query.totals)

    def _build(self, ask: Ask) -> GraphRequest:
        media_id = ask.about["id"]
        return GraphRequest(f"{media_id}/insights", spell_insights(ask.query), Subject(self._noun, media_id))

    @property
    def _noun(self) -> Literal["media", "story"]:
        return "story" if self.edge == "stories" else "media"

    def _product_type(self, media: Media) -> str:
        return media.get("media_product_type") or ("STORY" if self.edge == "stories" else "FEED")


def _is_doubtful(refusal: InsightsError) -> bool:
    """Return whether a page's refusal says neither which metric nor that it is one object's."""
    return isinstance(refusal, MetricRefused) and not is_about_object(refusal)


def _rest(plan: MediaPlan, product_type: str, core: InsightsQuery | None) -> tuple[InsightsQuery, ...]:
    """Return the queries beside the listing; what the listing could not carry joins the first plain one."""
    extras = plan.extras.get(product_type, ())
    missing = plan.core.without(core.names if core else ()) if plan.core else None
    if missing is None:
        return extras
    if extras and not extras[0].breakdown and not extras[0].metrics[0].alone:
        return (missing.join(extras[0]), *extras[1:])
    return (missing, *extras)
