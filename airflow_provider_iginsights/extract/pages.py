"""Reads the pages of a listing with as many metrics inside as Meta accepts.

A page that is refused for a metric is requested again without the metrics that the refusal names; where it names none,
once per metric, all in one batch. A page that is refused for one of its media, or with an unknown error, is requested
without metrics. A refused field of the media is left out with a note. Later pages begin without what was refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from airflow_provider_iginsights.catalog.fields import format_single_field, list_answered, list_fields
from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.catalog.tables import Table
from airflow_provider_iginsights.errors import (
    FatalGraphError,
    InsightsError,
    MediaTooOld,
    MetricRefused,
    SkippableGraphError,
    TooMuchData,
)
from airflow_provider_iginsights.extract.circuit_breaker import AccountCircuitBreaker
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.media_page import MediaPage, index_media
from airflow_provider_iginsights.extract.refused_fields import FieldSearch, RefusedFields, find_refused_fields
from airflow_provider_iginsights.extract.refused_metrics import (
    AccountRefusedMetrics,
    find_named_metrics,
    is_about_object,
)
from airflow_provider_iginsights.extract.request_params import format_insights_field, format_media_fields
from airflow_provider_iginsights.extract.unanswered import is_transient
from airflow_provider_iginsights.graph.batch import STOPPING_ERRORS
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.graph_api import parse_version
from airflow_provider_iginsights.json_values import read_objects

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.ahead import SentAhead
    from airflow_provider_iginsights.graph.client import GraphClient

PAGE_SIZE = 100
MIN_REFUSING_PAGES = 2
"""So many pages must be refused for a metric before later pages are requested without it."""

_PAGE_ERRORS = (MediaTooOld, TooMuchData)
"""Errors of a page that later pages will have, too: they contain older media, or as many."""

Edge = Literal["media", "stories"]


@dataclass(slots=True, kw_only=True)
class MediaPages:
    """The pages of one edge of one account.

    :param core: the query for inside the pages.
    :param product_types: a metric that one of them refuses is left out of the pages.
    :param published: the time of publication that Meta filters by, in versions that do.
    :param tables: those that the fields of the pages fill.
    """

    client: GraphClient
    account_id: str
    edge: Edge
    core: InsightsQuery | None
    product_types: tuple[str, ...]
    refused_metrics: AccountRefusedMetrics
    published: tuple[datetime | None, datetime | None]
    left_out_log: LeftOutLog
    refused_fields: RefusedFields
    breaker: AccountCircuitBreaker
    cursor: str = ""
    tables: Sequence[Table]
    is_complete: bool = field(default=False, init=False)
    _search: FieldSearch = field(init=False)
    _limit: int = field(default=PAGE_SIZE, init=False)
    _refusing_pages: Counter[str] = field(default_factory=Counter, init=False)
    _request_alone: frozenset[str] = field(default=frozenset(), init=False)
    _ahead: tuple[GraphRequest, SentAhead[Answer]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Start with all fields of the API version."""
        version = self.client.settings.api_version
        fields = [field for table in self.tables for field in list_fields(table, version)]
        self._search = FieldSearch(fields=fields, read_single=self._read_single)

    def read(self) -> Iterator[MediaPage]:
        """Yield the pages from ``cursor`` on. While a page is used, the next one is requested.

        :raises InsightsError: Meta refused a page without any metric in it; ``cursor`` is that of the page.
        """
        paging = self.client.open_paging(self._request("", ""))
        try:
            while True:
                page = self._read_page(self.cursor)
                if paging.is_repeated(page.answer.body):
                    return
                self._record_refusals(page)
                cursor = paging.find_cursor(page.answer.body)
                self.is_complete = paging.is_complete
                if cursor is not None:
                    self._start_page(cursor, after=page)
                yield page
                if cursor is None:
                    return
                self.cursor = cursor
        finally:
            self._abandon_ahead()

    def _read_page(self, cursor: str) -> MediaPage:
        core = self._reduce_core()
        try:
            return self._list(core, cursor)
        except InsightsError as error:
            if core is None or not _may_be_about_metrics(error):
                raise
            refusal = error
        left, named = core, _find_named_metrics(refusal, core)
        if named and (reduced := core.without(named)):
            try:
                return self._list(reduced, cursor, refused=named)
            except InsightsError as error:
                if not _may_be_about_metrics(error):
                    raise
                left, refusal = reduced, error
        if _is_about_metric(refusal) and len(left.metrics) > 1:
            return self._list_by_metric(left, cursor, named)
        holds_for_later_pages = isinstance(refusal, _PAGE_ERRORS)
        return self._list(
            None,
            cursor,
            refused=core.names if holds_for_later_pages else named,
            holds_for_later_pages=holds_for_later_pages,
        )

    def _list(
        self,
        core: InsightsQuery | None,
        cursor: str,
        *,
        refused: tuple[str, ...] = (),
        holds_for_later_pages: bool = False,
    ) -> MediaPage:
        answer = self._list_with_fields(core, cursor)
        return MediaPage(
            answer=answer,
            core=core,
            request_alone=self._request_alone,
            refused=refused,
            holds_for_later_pages=holds_for_later_pages,
        )

    def _list_by_metric(self, core: InsightsQuery, cursor: str, named: tuple[str, ...]) -> MediaPage:
        """Return a page without metrics, and a listing per metric in ``parts``: a refusal costs one metric only."""
        singles = tuple(core.split())
        field_lists = [format_media_fields(self._list_fields(), None), *map(format_insights_field, singles)]
        requests = [self._request(fields, cursor, limit=self._limit) for fields in field_lists]
        plain, *listed = self.client.batch(requests, account_id=self.account_id)
        answer = plain if isinstance(plain, Answer) else self._list_with_fields(None, cursor)
        wanted = set(index_media(answer))
        parts = tuple(
            (query, part)
            for query, part in zip(singles, listed, strict=True)
            # A post that is published between two requests moves the last post of the page to the next page.
            if isinstance(part, Answer) and wanted <= index_media(part).keys()
        )
        # META-20: a server error is no refusal, so these metrics are requested again, media by media.
        arrived = {name for query, _ in parts for name in query.names} | {
            query.names[0]
            for query, part in zip(singles, listed, strict=True)
            if isinstance(part, InsightsError) and is_transient(part)
        }
        refused = (*named, *(name for name in core.names if name not in arrived))
        # META-16: together with others, a metric whose refusal names no metric would cost the others as well.
        request_alone = self._request_alone.union(refused if len(refused) == 1 else ())
        return MediaPage(
            answer=answer,
            parts=parts,
            request_alone=request_alone,
            maybe_refused=frozenset(refused) - request_alone,
            refused=refused,
        )

    def _reduce_core(self) -> InsightsQuery | None:
        """Return the query for inside the listing: without metrics that media or product types are known to refuse."""
        core, find = self.core, self.refused_metrics.find
        return core and core.without(
            name
            for name in core.names
            if self._refusing_pages[name] >= MIN_REFUSING_PAGES
            or any(find(kind, "", name) for kind in self.product_types)
        )

    def _record_refusals(self, page: MediaPage) -> None:
        """Record the metrics that media of the page refused."""
        self._refusing_pages.update(
            dict.fromkeys(page.refused, MIN_REFUSING_PAGES if page.holds_for_later_pages else 1)
        )
        self._request_alone |= page.request_alone | page.maybe_refused

    def _list_with_fields(self, core: InsightsQuery | None, cursor: str) -> Answer:
        while True:
            try:
                return self._request_page(core, cursor)
            except InsightsError as error:
                # A refusal that names no field may be about a metric as well, and metrics are checked first.
                may_be_metric = core is not None and not find_refused_fields(error, self._list_fields())
                if may_be_metric or not self._search.record(error):
                    raise
            for name, refusal in self._search.refused.items():
                self.refused_fields.record_refusal(self.edge, [name], refusal, account_id=self.account_id)

    def _request_page(self, core: InsightsQuery | None, cursor: str) -> Answer:
        retry_key = (self.edge, core and core.names)
        request = self._request(format_media_fields(self._list_fields(), core), cursor)
        try:
            answer = self._get_page(request, no_retry=self.breaker.is_open(retry_key))
        except InsightsError as error:
            if is_transient(error):
                self.breaker.record_failure(retry_key)
            raise
        self.breaker.record_success(retry_key)
        self.refused_fields.record_answer(self.edge, list_answered(read_objects(answer.body.get("data")) or ()))
        # META-21: where the client had to halve the limit, later pages begin with the smaller one.
        self._limit = int(answer.request.params["limit"])
        return answer

    def _get_page(self, request: GraphRequest, *, no_retry: bool) -> Answer:
        if self._ahead and self._ahead[0] == request:
            (_, ahead), self._ahead = self._ahead, None
            return ahead.read()
        self._abandon_ahead()
        pages = self.client.pages(replace(request, no_retry=no_retry), account_id=self.account_id, limit=self._limit)
        return next(pages)

    def _start_page(self, cursor: str, *, after: MediaPage) -> None:
        """Request a page from another thread, unless Meta may refuse it or it may not be needed."""
        core = self._reduce_core()
        if after.refused or after.maybe_refused or after.core != core:
            return
        # Where Meta does not filter by date, the listing may end with the page before this one.
        is_endless = self.published[0] is None or self._is_filtered_by_meta()
        if not is_endless or self.breaker.is_open((self.edge, core and core.names)):
            return
        request = self._request(format_media_fields(self._list_fields(), core), cursor)
        ahead = self.client.start_page(request, account_id=self.account_id, limit=self._limit)
        self._ahead = (request, ahead) if ahead else None

    def _abandon_ahead(self) -> None:
        """Forget the page that was requested ahead: what was learned since then changes its request."""
        if self._ahead:
            (_, ahead), self._ahead = self._ahead, None
            ahead.abandon()

    def _read_single(self, names: Sequence[str]) -> Sequence[InsightsError | None]:
        requests = [self._request(format_single_field(name), self.cursor, limit=self._limit) for name in names]
        results = self.client.batch(requests, account_id=self.account_id)
        return [result if isinstance(result, InsightsError) else None for result in results]

    def _list_fields(self) -> list[str]:
        """Return the fields to request, and note those that Meta is known to refuse."""
        refused = self.refused_fields.find(self.edge, self.account_id)
        for name, error in refused.items():
            self.left_out_log.note_error(f"account {self.account_id}", name, error)
        return [name for name in self._search.fields if name not in refused]

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

    def _is_filtered_by_meta(self) -> bool:  # since and until of the edge exist from v11.0 on.
        return self.edge == "media" and parse_version(self.client.settings.api_version) >= (11, 0)


def _find_named_metrics(refusal: InsightsError, core: InsightsQuery) -> tuple[str, ...]:
    return find_named_metrics(refusal, core.names) if isinstance(refusal, MetricRefused) else ()


def _is_about_metric(refusal: InsightsError) -> bool:
    return isinstance(refusal, MetricRefused) and not is_about_object(refusal)


def _may_be_about_metrics(error: InsightsError) -> bool:
    """Return whether a refused page may be answered with fewer metrics: not where the error concerns the account."""
    if isinstance(error, SkippableGraphError) or is_transient(error):
        return True
    return isinstance(error, FatalGraphError) and not isinstance(error, STOPPING_ERRORS)
