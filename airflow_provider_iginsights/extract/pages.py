"""Open the pages of a listing with as many metrics inside as Meta lets through.

A page that is refused for a metric is listed again without those that the refusal names; where it names none, once per
metric, all in one batch. A page that is refused for one of its media is listed without metrics. What a page taught
serves those after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.catalog.versions import parse_version
from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    InsightsError,
    MediaTooOld,
    MetricRefused,
    PermissionMissing,
    ServerTrouble,
    SkippableGraphError,
)
from airflow_provider_iginsights.extract.refusals import AccountRefusals, find_culprits, is_about_object
from airflow_provider_iginsights.extract.spelling import spell_listed_insights, spell_media_fields
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

PAGE = 100
PAGES_FOR_ALL = 2
"""So many pages must be refused for a metric, by single media, before the others are listed without it."""

_PAGE_REFUSALS = (SkippableGraphError, PermissionMissing, AccountUnavailable, ServerTrouble)
_LASTING = (MediaTooOld, ServerTrouble)
"""What refuses a page and will refuse those after it: they hold older media, and trouble was waited for long enough."""

Edge = Literal["media", "stories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of the edge.

    ``core``: the query inside it; ``parts``: queries that other listings of the same media brought. Of the metrics that
    are missing, ``alone`` are better asked one by one, and of ``suspects`` some are refused, unknown which and by whom.
    ``refused``: what the media of the page refused; ``lasts``: those after it will, too.
    """

    answer: Answer
    core: InsightsQuery | None = None
    parts: tuple[tuple[InsightsQuery, Answer], ...] = ()
    alone: frozenset[str] = frozenset()
    suspects: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()
    lasts: bool = False

    @property
    def carried(self) -> frozenset[str]:
        """The metrics that arrived for all media of the page."""
        queries = (self.core, *(query for query, _ in self.parts))
        return frozenset(name for query in queries if query for name in query.names)


@dataclass(slots=True, kw_only=True)
class Pages:
    """The pages of one edge of one account.

    ``core``: what would be asked inside them; ``product_types``: whose refusals keep a metric out of them;
    ``published``: what Meta is asked to filter by, where its version does.
    """

    client: GraphClient
    account_id: str
    edge: Edge
    core: InsightsQuery | None
    product_types: tuple[str, ...]
    refusals: AccountRefusals
    published: tuple[datetime | None, datetime | None]
    _limit: int = field(default=PAGE, init=False)
    _refusing_pages: Counter[str] = field(default_factory=Counter, init=False)
    _unnamed: frozenset[str] = field(default=frozenset(), init=False)

    def read(self) -> Iterator[Page]:
        """Yield page after page; each is to be read to its end before the next is opened.

        :raises InsightsError: a refusal of the media themselves, with no metric asked.
        """
        cursor: str | None = ""
        walk = self.client.walk(self._request("", ""))
        while cursor is not None:
            page = self._open(cursor)
            if walk.is_repetition(page.answer.body):
                return
            yield page
            self._learn_from(page)
            cursor = walk.find_next(page.answer.body)

    def _open(self, cursor: str) -> Page:
        core = self._reduce_core()
        try:
            return self._list(core, cursor)
        except _PAGE_REFUSALS as error:
            if core is None:
                raise
            refusal: InsightsError = error
        left, culprits = core, _find_named(refusal, core)
        if culprits and (reduced := core.without(culprits)):
            try:
                return self._list(reduced, cursor, refused=culprits)
            except _PAGE_REFUSALS as error:
                left, refusal = reduced, error
        if _is_about_metric(refusal) and len(left.metrics) > 1:
            return self._list_by_metric(left, cursor, culprits)
        lasts = isinstance(refusal, _LASTING)
        return self._list(None, cursor, refused=core.names if lasts else culprits, lasts=lasts)

    def _list(
        self, core: InsightsQuery | None, cursor: str, *, refused: tuple[str, ...] = (), lasts: bool = False
    ) -> Page:
        answer = self._ask(core, cursor)
        return Page(answer=answer, core=core, alone=self._unnamed, refused=refused, lasts=lasts)

    def _list_by_metric(self, core: InsightsQuery, cursor: str, culprits: tuple[str, ...]) -> Page:
        """Return a page beside which one batch has listed each metric: a bad one costs the others nothing."""
        singles = tuple(core.split())
        spelt = [spell_media_fields(self.client.settings.api_version, None), *map(spell_listed_insights, singles)]
        requests = [self._request(fields, cursor, limit=self._limit) for fields in spelt]
        bare, *listed = self.client.batch(requests, account_id=self.account_id)
        answer = bare if isinstance(bare, Answer) else self._ask(None, cursor)
        wanted = _list_ids(answer)
        parts = tuple(
            (query, part)
            for query, part in zip(singles, listed, strict=True)
            # A post published meanwhile has pushed another over the edge of the page.
            if isinstance(part, Answer) and wanted <= _list_ids(part)
        )
        arrived = {name for query, _ in parts for name in query.names}
        refused = (*culprits, *(name for name in core.names if name not in arrived))
        # Asked with others, a metric that is refused without a word would cost those as well.
        alone = self._unnamed.union(refused if len(refused) == 1 else ())
        return Page(answer=answer, parts=parts, alone=alone, suspects=frozenset(refused) - alone, refused=refused)

    def _reduce_core(self) -> InsightsQuery | None:
        """Return what may stand inside the listing: what no media and no product type is known to refuse."""
        core, find = self.core, self.refusals.find
        return core and core.without(
            name
            for name in core.names
            if self._refusing_pages[name] >= PAGES_FOR_ALL or any(find(kind, "", name) for kind in self.product_types)
        )

    def _learn_from(self, page: Page) -> None:
        """Remember what single media refuse; what a whole product type refuses is known by now."""
        self._refusing_pages.update(dict.fromkeys(page.refused, PAGES_FOR_ALL if page.lasts else 1))
        self._unnamed |= page.alone | page.suspects

    def _ask(self, core: InsightsQuery | None, cursor: str) -> Answer:
        request = self._request(spell_media_fields(self.client.settings.api_version, core), cursor)
        answer = next(self.client.pages(request, account_id=self.account_id, limit=self._limit))
        # A limit that the client had to halve stays halved.
        self._limit = int(answer.request.params["limit"])
        return answer

    def _request(self, fields: str, cursor: str, *, limit: int | None = None) -> GraphRequest:
        params = {"fields": fields}
        if limit:
            params["limit"] = str(limit)
        if cursor:
            params["after"] = cursor
        if self._is_filtered_by_meta():
            bounds = zip(("since", "until"), self.published, strict=True)
            params |= {name: str(int(instant.timestamp())) for name, instant in bounds if instant}
        return GraphRequest(f"{self.account_id}/{self.edge}", params, Subject("account", self.account_id))

    def _is_filtered_by_meta(self) -> bool:
        return self.edge == "media" and parse_version(self.client.settings.api_version) >= (11, 0)


def _find_named(refusal: InsightsError, core: InsightsQuery) -> tuple[str, ...]:
    return find_culprits(refusal, core.names) if isinstance(refusal, MetricRefused) else ()


def _is_about_metric(refusal: InsightsError) -> bool:
    return isinstance(refusal, MetricRefused) and not is_about_object(refusal)


def _list_ids(page: Answer) -> set[str]:
    return {item["id"] for item in page.body.get("data") or ()}
