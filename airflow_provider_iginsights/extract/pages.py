"""Open the pages of a listing with as many metrics inside as Meta lets through.

A page that is refused for a metric is listed again without those that the refusal names; where it names none, once per
metric, all in one batch. A page that is refused for one of its media, or for a reason that nobody knows, is listed
without metrics. A field of the media that is refused is left out by name. What a page taught serves those after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.catalog.fields import list_fields
from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.catalog.tables import MEDIA
from airflow_provider_iginsights.catalog.versions import parse_version
from airflow_provider_iginsights.errors import (
    FatalGraphError,
    InsightsError,
    MediaTooOld,
    MetricRefused,
    SkippableGraphError,
    TooMuchData,
)
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.open_questions import AccountExhaustedRetries, is_trouble
from airflow_provider_iginsights.extract.refusals import AccountRefusals, find_culprits, is_about_object
from airflow_provider_iginsights.extract.refused_fields import FieldSearch, RefusedFields, find_refused_fields
from airflow_provider_iginsights.extract.request_params import spell_listed_insights, spell_media_fields
from airflow_provider_iginsights.graph.batch import STOPPING_ERRORS
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_id, read_objects

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

PAGE = 100
PAGES_FOR_ALL = 2
"""So many pages must be refused for a metric, by single media, before the others are listed without it."""

_LASTING = (MediaTooOld, TooMuchData)
"""What refuses a page and will refuse those after it: they hold older media, or as many."""

Edge = Literal["media", "stories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPage:
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
    left_out_log: LeftOutLog
    fields: RefusedFields
    troubles: AccountExhaustedRetries
    cursor: str = ""
    _search: FieldSearch = field(init=False)
    _limit: int = field(default=PAGE, init=False)
    _refusing_pages: Counter[str] = field(default_factory=Counter, init=False)
    _unnamed: frozenset[str] = field(default=frozenset(), init=False)

    def __post_init__(self) -> None:
        """Begin with all the fields that the version knows."""
        fields = list_fields(MEDIA, self.client.settings.api_version)
        self._search = FieldSearch(fields=fields, ask_alone=self._ask_alone)

    def read(self) -> Iterator[MediaPage]:
        """Yield page after page from ``cursor`` on; each is to be read to its end before the next is opened.

        :raises InsightsError: a refusal of the media themselves, with no metric asked; ``cursor`` is the page's.
        """
        paging = self.client.open_paging(self._request("", ""))
        while True:
            page = self._open(self.cursor)
            if paging.is_repeated(page.answer.body):
                return
            yield page
            self._learn_from(page)
            cursor = paging.find_cursor(page.answer.body)
            if cursor is None:
                return
            self.cursor = cursor

    def _open(self, cursor: str) -> MediaPage:
        core = self._reduce_core()
        try:
            return self._list(core, cursor)
        except InsightsError as error:
            if core is None or not _is_worth_less(error):
                raise
            refusal = error
        left, culprits = core, _find_named(refusal, core)
        if culprits and (reduced := core.without(culprits)):
            try:
                return self._list(reduced, cursor, refused=culprits)
            except InsightsError as error:
                if not _is_worth_less(error):
                    raise
                left, refusal = reduced, error
        if _is_about_metric(refusal) and len(left.metrics) > 1:
            return self._list_by_metric(left, cursor, culprits)
        lasts = isinstance(refusal, _LASTING)
        return self._list(None, cursor, refused=core.names if lasts else culprits, lasts=lasts)

    def _list(
        self, core: InsightsQuery | None, cursor: str, *, refused: tuple[str, ...] = (), lasts: bool = False
    ) -> MediaPage:
        answer = self._ask(core, cursor)
        return MediaPage(answer=answer, core=core, alone=self._unnamed, refused=refused, lasts=lasts)

    def _list_by_metric(self, core: InsightsQuery, cursor: str, culprits: tuple[str, ...]) -> MediaPage:
        """Return a page beside which one batch has listed each metric: a bad one costs the others nothing."""
        singles = tuple(core.split())
        spelt = [spell_media_fields(self._list_fields(), None), *map(spell_listed_insights, singles)]
        requests = [self._request(fields, cursor, limit=self._limit) for fields in spelt]
        bare, *listed = self.client.batch(requests, account_id=self.account_id)
        answer = bare if isinstance(bare, Answer) else self._ask(None, cursor)
        wanted = set(index_media(answer))
        parts = tuple(
            (query, part)
            for query, part in zip(singles, listed, strict=True)
            # A post published meanwhile has pushed another over the edge of the page.
            if isinstance(part, Answer) and wanted <= index_media(part).keys()
        )
        # META-17: what a server failed on was not refused: it is asked media by media, like what arrived for others.
        arrived = {name for query, _ in parts for name in query.names} | {
            query.names[0]
            for query, part in zip(singles, listed, strict=True)
            if isinstance(part, InsightsError) and is_trouble(part)
        }
        refused = (*culprits, *(name for name in core.names if name not in arrived))
        # Asked with others, a metric that is refused without a word would cost those as well.
        alone = self._unnamed.union(refused if len(refused) == 1 else ())
        return MediaPage(answer=answer, parts=parts, alone=alone, suspects=frozenset(refused) - alone, refused=refused)

    def _reduce_core(self) -> InsightsQuery | None:
        """Return what may stand inside the listing: what no media and no product type is known to refuse."""
        core, find = self.core, self.refusals.find
        return core and core.without(
            name
            for name in core.names
            if self._refusing_pages[name] >= PAGES_FOR_ALL or any(find(kind, "", name) for kind in self.product_types)
        )

    def _learn_from(self, page: MediaPage) -> None:
        """Remember what single media refuse; what a whole product type refuses is known by now."""
        self._refusing_pages.update(dict.fromkeys(page.refused, PAGES_FOR_ALL if page.lasts else 1))
        self._unnamed |= page.alone | page.suspects

    def _ask(self, core: InsightsQuery | None, cursor: str) -> Answer:
        while True:
            try:
                return self._ask_once(core, cursor)
            except InsightsError as error:
                # A refusal without a name may be a metric's as well: those are looked at first.
                may_be_metric = core is not None and not find_refused_fields(error, self._list_fields())
                if may_be_metric or not self._search.take(error):
                    raise
            for name, refusal in self._search.refused.items():
                self.fields.learn_refusal(self.edge, [name], refusal, account_id=self.account_id)

    def _ask_once(self, core: InsightsQuery | None, cursor: str) -> Answer:
        fields = self._list_fields()
        same = (self.edge, core and core.names)
        request = replace(self._request(spell_media_fields(fields, core), cursor), no_retry=self.troubles.last(same))
        try:
            answer = next(self.client.pages(request, account_id=self.account_id, limit=self._limit))
        except InsightsError as error:
            if is_trouble(error) and not request.no_retry:
                self.troubles.count(same)
            raise
        self.troubles.forget(same)
        self.fields.learn_answer(self.edge, {name for item in index_media(answer).values() for name in item})
        # A limit that the client had to halve stays halved.
        self._limit = int(answer.request.params["limit"])
        return answer

    def _ask_alone(self, names: Sequence[str]) -> Sequence[InsightsError | None]:
        requests = [
            self._request(",".join(dict.fromkeys(("id", name))), self.cursor, limit=self._limit) for name in names
        ]
        results = self.client.batch(requests, account_id=self.account_id)
        return [result if isinstance(result, InsightsError) else None for result in results]

    def _list_fields(self) -> list[str]:
        """Return the fields to ask for, and note those that are known to be refused."""
        refused = self.fields.find(self.edge, self.account_id)
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

    def _is_filtered_by_meta(self) -> bool:
        return self.edge == "media" and parse_version(self.client.settings.api_version) >= (11, 0)


def _find_named(refusal: InsightsError, core: InsightsQuery) -> tuple[str, ...]:
    return find_culprits(refusal, core.names) if isinstance(refusal, MetricRefused) else ()


def _is_about_metric(refusal: InsightsError) -> bool:
    return isinstance(refusal, MetricRefused) and not is_about_object(refusal)


def _is_worth_less(error: InsightsError) -> bool:
    """Return whether a page that is refused so may be listed with less: all but what concerns the account as such."""
    if isinstance(error, SkippableGraphError) or is_trouble(error):
        return True
    return isinstance(error, FatalGraphError) and not isinstance(error, STOPPING_ERRORS)


def index_media(page: Answer) -> dict[str, Mapping[str, Any]]:
    """Return the media of a page by id. What has no usable id cannot be told from others; the first of two counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in read_objects(page.body.get("data")) or ():
        if (media_id := read_id(item.get("id"))) is not None:
            found.setdefault(media_id, item if item["id"] == media_id else {**item, "id": media_id})
    return found
