"""Lists the media (or stories) of an account and reads their insights with as few requests as Meta allows.

A page of 100 media brings the metrics that all product types have. The metrics of one product type, and those that Meta
refused inside a page, are read in batches of 50.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from airflow_provider_iginsights.catalog.plan import InsightsQuery, MediaPlan
from airflow_provider_iginsights.catalog.tables import MEDIA, MEDIA_CHILDREN
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.batched_insights import BatchedInsights
from airflow_provider_iginsights.extract.circuit_breaker import CircuitBreaker
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.listed_media import ListedMedia
from airflow_provider_iginsights.extract.media_answer import (
    NO_METRICS,
    Media,
    MediaAnswer,
    RequestedMetrics,
    read_insights,
    read_product_type,
)
from airflow_provider_iginsights.extract.media_count_check import MAX_LISTED, compare_with_media_count
from airflow_provider_iginsights.extract.media_page import MediaPage
from airflow_provider_iginsights.extract.pages import Edge, MediaPages
from airflow_provider_iginsights.extract.refused_fields import RefusedFields
from airflow_provider_iginsights.extract.refused_metrics import RefusedMetrics
from airflow_provider_iginsights.extract.request_params import format_insights_params
from airflow_provider_iginsights.extract.unanswered import (
    IncompleteAccount,
    RepeatParameters,
    UnansweredRequest,
    is_transient,
    select_unanswered,
)
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_id, read_object, read_objects
from airflow_provider_iginsights.quoting import quote_value

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

MIN_REFUSING_MEDIA = 3
"""So many media of a product type must refuse a metric, and none answer it, before it is left out for the others."""


@dataclass(slots=True, kw_only=True)
class Listing:
    """Reads one edge of one account: ``media`` (published in [from, to)) or ``stories`` (all that are live).

    ``expects_all``: every post is requested, so a listing of fewer than the profile counts is remarked on.
    ``unanswered``: send only these requests, which Meta did not answer before. ``children``: ask for those of albums.
    """

    client: GraphClient
    account_id: str
    edge: Edge
    plan: MediaPlan
    left_out_log: LeftOutLog
    refused_metrics: RefusedMetrics
    published: tuple[datetime | None, datetime | None] = (None, None)
    expects_all: bool = False
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    refused_fields: RefusedFields = field(default_factory=RefusedFields)
    unanswered: Sequence[RepeatParameters] | None = None
    children: bool = False
    _listed: ListedMedia = field(init=False)
    _insights: BatchedInsights = field(init=False)
    _without_insights: int = field(default=0, init=False)
    _unanswered: list[UnansweredRequest] = field(default_factory=list, init=False)
    _is_ended: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._listed = ListedMedia(
            account_id=self.account_id, noun=self._noun, published=self.published, left_out_log=self.left_out_log
        )
        self._insights = BatchedInsights(
            client=self.client,
            account_id=self.account_id,
            build=self._build,
            refused_metrics=self.refused_metrics.open_account(min_objects=MIN_REFUSING_MEDIA),
            left_out_log=self.left_out_log,
            breaker=self.breaker.open_account(self.account_id, is_repeat=self.unanswered is not None),
            describe_scope=self._describe_scope,
        )

    def read(self) -> Iterator[MediaAnswer]:
        """Yield every media of the edge, and every answer with insights of it.

        :raises InsightsError: an error that concerns the whole account (token, rate limit, permission), at once.
        :raises IncompleteAccount: at the end, where a server error left requests unanswered.
        """
        if self.unanswered is None:
            yield from self._read_pages("")
        else:
            for repeat in self.unanswered:
                if "after" in repeat:
                    yield from self._read_pages(repeat["after"])
            yield from self._read_requests(self._plan_unanswered(self.unanswered))
        left = (*self._unanswered, *self._insights.finish())
        if self.expects_all and self.unanswered is None and not self._unanswered:
            listed = len(self._listed.ids)
            agrees = compare_with_media_count(
                self.client, self.account_id, listed=listed, left_out_log=self.left_out_log
            )
            self._is_ended = self._is_ended and agrees
        if left:
            raise IncompleteAccount(left)

    @property
    def complete_ids(self) -> frozenset[str] | None:
        """The ids of all that Meta lists, once everything was read; None where there may be more."""
        is_complete = self.unanswered is None and self._is_ended and self._listed.is_whole
        return frozenset(self._listed.ids) if is_complete and len(self._listed.ids) < MAX_LISTED else None

    def _read_pages(self, cursor: str) -> Iterator[MediaAnswer]:
        pages = MediaPages(
            client=self.client,
            account_id=self.account_id,
            edge=self.edge,
            core=self.plan.core,
            product_types=tuple(self.plan.extras),
            refused_metrics=self._insights.refused_metrics,
            published=self.published,
            left_out_log=self.left_out_log,
            refused_fields=self.refused_fields,
            breaker=self._insights.breaker,
            cursor=cursor,
            tables=(MEDIA, MEDIA_CHILDREN) if self.children else (MEDIA,),
        )
        # Closed at once where a batch fails: the page that was requested ahead ends before the error is raised.
        with closing(self._read_media_pages(pages)) as media_pages:
            for page in media_pages:
                items = self._listed.read_page(page.answer)
                media = self._listed.select_wanted(items)
                yield from self._read_page(page, media)
                yield from self._read_requests(self._plan_rest(page, media))
                if not media and self._listed.is_past(items):
                    break
            else:
                self._is_ended = pages.is_complete

    def _read_media_pages(self, pages: MediaPages) -> Generator[MediaPage]:
        """Yield the pages; where a server error ends them early, the rest of the listing is an unanswered request."""
        try:
            yield from pages.read()
        except InsightsError as error:
            if not is_transient(error):
                raise
            what = f"{self.edge} after page {pages.cursor}" if pages.cursor else self.edge
            error = error.with_traceback(None)
            whom = f"account {self.account_id}"
            self._unanswered.append(
                UnansweredRequest(whom=whom, what=what, error=error, repeat={"after": pages.cursor})
            )

    def _plan_unanswered(self, unanswered: Sequence[RepeatParameters]) -> Iterator[InsightsRequest]:
        """Yield the unanswered requests about single media."""
        for repeat in unanswered:
            if not (media := repeat.get("media")):
                continue
            product_type = self._product_type(media)
            for query in (*((self.plan.core,) if self.plan.core else ()), *self.plan.extras.get(product_type, ())):
                for part in select_unanswered(query, [repeat], total=len(unanswered)):
                    yield InsightsRequest(query=part, group=product_type, whom=self.name_media(media), scope=media)

    def _describe_scope(self, request: InsightsRequest) -> RepeatParameters:
        return {"media": {name: request.scope.get(name) for name in ("id", "timestamp", "media_product_type")}}

    def name_media(self, media: Media) -> str:
        """Return the name of a media for messages."""
        return f"{self._noun} {media['id']}"

    def _read_page(self, page: MediaPage, media: list[Media]) -> Iterator[MediaAnswer]:
        requested = RequestedMetrics.of(page.core)
        without_insights: list[Media] = []
        for item in media:
            entries = read_insights(item)
            if page.core and not entries:  # META-09: there may be no data, or Meta may have left it out.
                without_insights.append(item)
                yield MediaAnswer(item, (), page.answer, True, NO_METRICS)
            else:
                yield MediaAnswer(item, entries, page.answer, True, requested)
        if page.core:
            if len(without_insights) < len(media):
                answered = [item for item in media if read_insights(item)] if without_insights else media
                self._record_answer(page.core, answered)
            yield from self._read_missing(page.core, without_insights)
        for query, part in page.parts:
            listed = read_objects((read_object(part.body) or {}).get("data")) or ()
            found = {read_id(item.get("id")): read_insights(item) for item in listed}
            for item in media:
                yield MediaAnswer(item, found.get(item["id"]) or (), part, False, RequestedMetrics.of(query))
            self._record_answer(query, media)

    def _read_missing(self, core: InsightsQuery, without_insights: list[Media]) -> Iterator[MediaAnswer]:
        """Request the insights that are missing on a page. After three media without any, the others are only noted."""
        for group in (without_insights[:MIN_REFUSING_MEDIA], without_insights[MIN_REFUSING_MEDIA:]):
            if self._without_insights >= MIN_REFUSING_MEDIA:
                for item in group:
                    for name in core.names:
                        self.left_out_log.note_no_data(self.name_media(item), name, "Its page has no insights for it.")
                continue
            requests = (
                InsightsRequest(query=core, group=self._product_type(item), whom=self.name_media(item), scope=item)
                for item in group
            )
            for media_answer in self._read_requests(requests):
                self._without_insights = 0 if media_answer.entries else self._without_insights + 1
                yield media_answer

    def _record_answer(self, query: InsightsQuery, media: list[Media]) -> None:
        self._insights.answered += bool(media)
        for product_type in set(self._product_types(media)):
            self._insights.refused_metrics.record_answer(product_type, query)

    def _read_requests(self, requests: Iterable[InsightsRequest]) -> Iterator[MediaAnswer]:
        for request, answer in self._insights.read(requests):
            entries = (read_object(answer.body) or {}).get("data")
            yield MediaAnswer(request.scope, entries, answer, False, RequestedMetrics.of(request.query))

    def _plan_rest(self, page: MediaPage, media: list[Media]) -> Iterator[InsightsRequest]:
        """Yield the requests for metrics that the page did not bring, media by media."""
        rest: dict[str, tuple[InsightsQuery, ...]] = {}
        counts: Counter[str] = Counter()
        known_types = {*self.plan.extras, "AD"} if any(self.plan.extras.values()) else None
        for item, product_type in zip(media, self._product_types(media), strict=True):
            if product_type not in rest:
                rest[product_type] = page.find_rest(self.plan, product_type)
            counts[product_type] += 1
            if known_types and (product_type not in known_types or not self._has_product_type(item)):
                self._note_unknown_type(item, product_type)
            # META-16: which metric is refused is not known. The first media of each product type are requested metric
            # by metric, to find out.
            is_probe = page.maybe_refused and counts[product_type] <= MIN_REFUSING_MEDIA
            for query in rest[product_type]:
                for part in query.split() if is_probe else (query,):
                    yield InsightsRequest(query=part, group=product_type, whom=self.name_media(item), scope=item)

    def _note_unknown_type(self, media: Media, product_type: str) -> None:
        named = f"{quote_value(product_type)} is unknown" if self._has_product_type(media) else "is missing"
        why = f"Its media_product_type {named}: metrics of other types were not requested."
        self.left_out_log.note(self.name_media(media), "metrics of one product type", "NoData", why)

    def _build(self, request: InsightsRequest) -> GraphRequest:
        media_id = request.scope["id"]
        return GraphRequest(
            f"{media_id}/insights", format_insights_params(request.query), Subject(self._noun, media_id)
        )

    @property
    def _noun(self) -> Literal["media", "story"]:
        return "story" if self.edge == "stories" else "media"

    def _product_type(self, media: Media) -> str:
        return self._product_types([media])[0]

    def _product_types(self, media: Sequence[Media]) -> list[str]:
        # The edge of stories lists stories only, whatever media_product_type says.
        if self.edge == "stories":
            return ["STORY"] * len(media)
        return [read_product_type(item) or "FEED" for item in media]

    def _has_product_type(self, media: Media) -> bool:
        return self.edge == "stories" or bool(read_product_type(media))
