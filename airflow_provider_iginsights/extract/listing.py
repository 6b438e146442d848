"""List the media (or stories) of an account and read all their insights with as few requests as Meta allows.

A page of 100 carries the metrics that all its media share. What only one product type has, and what a page could not
carry, follows in batches of 50, types mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.catalog.plan import InsightsQuery, MediaPlan
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.batched_insights import BatchedInsights
from airflow_provider_iginsights.extract.completeness import compare_with_media_count
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.media_answer import (
    NOTHING,
    Media,
    MediaAnswer,
    RequestedMetrics,
    keep_distinct_media,
)
from airflow_provider_iginsights.extract.open_questions import (
    ExhaustedRetries,
    OpenQuestion,
    QuestionParameters,
    Unanswered,
    is_trouble,
    select_open,
)
from airflow_provider_iginsights.extract.pages import Edge, MediaPage, Pages
from airflow_provider_iginsights.extract.refusals import Refusals
from airflow_provider_iginsights.extract.refused_fields import RefusedFields
from airflow_provider_iginsights.extract.request_params import spell_insights
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.json_values import (
    read_id,
    read_instant,
    read_list,
    read_object,
    read_objects,
    read_text,
)
from airflow_provider_iginsights.quoting import quote_value

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

MEDIA_FOR_ALL = 3
"""So many media of a product type must refuse a metric, and none answer it, before the others are no longer asked."""


@dataclass(slots=True, kw_only=True)
class Listing:
    """Reads one edge of one account: ``media`` (published in [from, to)) or ``stories`` (all that are live).

    ``is_whole``: every post that Meta has is wanted, so fewer than the profile counts are a remark.
    ``open_questions``: ask only these, which an earlier reading left open.
    """

    client: GraphClient
    account_id: str
    edge: Edge
    plan: MediaPlan
    left_out_log: LeftOutLog
    refusals: Refusals
    published: tuple[datetime | None, datetime | None] = (None, None)
    is_whole: bool = False
    _met: set[str] = field(default_factory=set, init=False)
    _unnamed: int = field(default=0, init=False)
    _stayed_silent: int = field(default=0, init=False)
    troubles: ExhaustedRetries = field(default_factory=ExhaustedRetries)
    fields: RefusedFields = field(default_factory=RefusedFields)
    open_questions: Sequence[QuestionParameters] | None = None
    _insights: BatchedInsights = field(init=False)
    _open: list[OpenQuestion] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._insights = BatchedInsights(
            client=self.client,
            account_id=self.account_id,
            build=self._build,
            refusals=self.refusals.open_account(witnesses=MEDIA_FOR_ALL),
            left_out_log=self.left_out_log,
            troubles=self.troubles.open_account(self.account_id, again=self.open_questions is not None),
            pack=self._pack,
        )

    def read(self) -> Iterator[MediaAnswer]:
        """Yield every media of the edge, and every answer about it.

        :raises InsightsError: what stops the account at once: token, throttle, permission.
        :raises Unanswered: after all else, what trouble at Meta left open.
        """
        if self.open_questions is None:
            yield from self._read_pages("")
        else:
            for again in self.open_questions:
                if "after" in again:
                    yield from self._read_pages(again["after"])
            yield from self._read_asks(self._ask_open(self.open_questions))
        questions = (*self._open, *self._insights.finish())
        if self.is_whole and self.open_questions is None and not self._open:
            of = len(self._met)
            compare_with_media_count(self.client, self.account_id, listed=of, left_out_log=self.left_out_log)
        if questions:
            raise Unanswered(questions)

    def _read_pages(self, cursor: str) -> Iterator[MediaAnswer]:
        pages = Pages(
            client=self.client,
            account_id=self.account_id,
            edge=self.edge,
            core=self.plan.core,
            product_types=tuple(self.plan.extras),
            refusals=self._insights.refusals,
            published=self.published,
            left_out_log=self.left_out_log,
            fields=self.fields,
            troubles=self._insights.troubles,
            cursor=cursor,
        )
        for page in self._walk(pages):
            items = self._read_items(page.answer)
            media = [item for item in items if self._is_wanted(item)]
            yield from self._read_page(page, media)
            yield from self._read_rest(page, media)
            if not media and self._is_past(items):
                break

    def _walk(self, pages: Pages) -> Iterator[MediaPage]:
        """Yield the pages; where trouble at Meta ends them too early, the rest is an open question."""
        try:
            yield from pages.read()
        except InsightsError as error:
            if not is_trouble(error):
                raise
            what = f"{self.edge} after page {pages.cursor}" if pages.cursor else self.edge
            error = error.with_traceback(None)
            whom = f"account {self.account_id}"
            self._open.append(OpenQuestion(whom=whom, what=what, error=error, again={"after": pages.cursor}))

    def _ask_open(self, open_questions: Sequence[QuestionParameters]) -> Iterator[InsightsRequest]:
        """Yield the open questions about single media."""
        for again in open_questions:
            if not (media := again.get("media")):
                continue
            kind = self._product_type(media)
            for query in (*((self.plan.core,) if self.plan.core else ()), *self.plan.extras.get(kind, ())):
                for part in select_open(query, [again], of=len(open_questions)):
                    yield InsightsRequest(query=part, group=kind, whom=f"{self._noun} {media['id']}", about=media)

    def _pack(self, ask: InsightsRequest) -> QuestionParameters:
        return {"media": {name: ask.about.get(name) for name in ("id", "timestamp", "media_product_type")}}

    def name(self, media: Media) -> str:
        """Return what a message calls one of the media."""
        return f"{self._noun} {media['id']}"

    def _read_items(self, page: Answer) -> list[Media]:
        """Return the page's media that were not met before; what has no id is nobody's and is left out by name."""
        found: list[Media] = []
        body = read_object(page.body) or {}
        for item in read_list(body.get("data")) or ():
            media_id = read_id(item.get("id")) if isinstance(item, dict) else None
            if media_id is None:
                self._unnamed += 1
                whom = f"account {self.account_id} (no. {self._unnamed} without an id)"
                self.left_out_log.note(whom, self._noun, "Unreadable", "Meta listed something that has no id.")
            elif media_id not in self._met:
                found.append(item if item["id"] is media_id else {**item, "id": media_id})
        kept = keep_distinct_media(found)
        for media_id in {item["id"] for item in found}.difference(item["id"] for item in kept):
            whom = f"account {self.account_id} ({self._noun} {media_id})"
            why = "One page lists two different objects under its id; neither is kept."
            self.left_out_log.note(whom, self._noun, "Contradictory", why)
        self._met.update(item["id"] for item in found)
        return kept

    def _is_wanted(self, media: Media) -> bool:
        """Return whether it was published when it should. What has no date was listed for these days by Meta."""
        since, until = self.published
        if not since and not until:
            return True
        published = read_instant(media.get("timestamp"))
        if published is None:
            return True
        return (since is None or published >= since) and (until is None or published < until)

    def _is_past(self, items: list[Media]) -> bool:
        """Return whether a listing that Meta does not filter (v10.0) is older than what is wanted."""
        since = self.published[0]
        dates = [read_instant(item.get("timestamp")) for item in items]
        return since is not None and bool(dates) and all(date is not None and date < since for date in dates)

    def _read_page(self, page: MediaPage, media: list[Media]) -> Iterator[MediaAnswer]:
        wanted = RequestedMetrics.by(page.core)
        silent: list[Media] = []
        for item in media:
            entries = _entries(item)
            if page.core and not entries:
                silent.append(item)
                yield MediaAnswer(item, (), page.answer, True, NOTHING)
            else:
                yield MediaAnswer(item, entries, page.answer, True, wanted)
        if page.core:
            if len(silent) < len(media):
                self._learn_answer(page.core, [item for item in media if _entries(item)] if silent else media)
            yield from self._ask_again(page.core, silent)
        for query, part in page.parts:
            listed = read_objects((read_object(part.body) or {}).get("data")) or ()
            found = {read_id(item.get("id")): _entries(item) for item in listed}
            for item in media:
                yield MediaAnswer(item, found.get(item["id"]) or (), part, False, RequestedMetrics.by(query))
            self._learn_answer(query, media)

    def _ask_again(self, core: InsightsQuery, silent: list[Media]) -> Iterator[MediaAnswer]:
        """Ask for the insights that a page should have held. After three that stay silent, the rest is only named."""
        for group in (silent[:MEDIA_FOR_ALL], silent[MEDIA_FOR_ALL:]):
            if self._stayed_silent >= MEDIA_FOR_ALL:
                for item in group:
                    for name in core.names:
                        self.left_out_log.note_silence(self.name(item), name, "Its page held no insights for it.")
                continue
            asks = (
                InsightsRequest(query=core, group=self._product_type(item), whom=self.name(item), about=item)
                for item in group
            )
            for media_answer in self._read_asks(asks):
                self._stayed_silent = 0 if media_answer.entries else self._stayed_silent + 1
                yield media_answer

    def _learn_answer(self, query: InsightsQuery, media: list[Media]) -> None:
        self._insights.answered += bool(media)
        for product_type in {self._product_type(item) for item in media}:
            self._insights.refusals.learn_answer(product_type, query)

    def _read_rest(self, page: MediaPage, media: list[Media]) -> Iterator[MediaAnswer]:
        yield from self._read_asks(self._ask_rest(page, media))

    def _read_asks(self, asks: Iterable[InsightsRequest]) -> Iterator[MediaAnswer]:
        for ask, answer in self._insights.ask(asks):
            entries = (read_object(answer.body) or {}).get("data")
            yield MediaAnswer(ask.about, entries, answer, False, RequestedMetrics.by(ask.query))

    def _ask_rest(self, page: MediaPage, media: list[Media]) -> Iterator[InsightsRequest]:
        """Yield what the page did not carry, media by media."""
        rest: dict[str, tuple[InsightsQuery, ...]] = {}
        met: Counter[str] = Counter()
        for item in media:
            kind = self._product_type(item)
            if kind not in rest:
                rest[kind] = _find_rest(self.plan, kind, page)
            met[kind] += 1
            is_told = self.edge == "stories" or read_text(item.get("media_product_type"))
            if any(self.plan.extras.values()) and (not is_told or kind not in {*self.plan.extras, "AD"}):
                named = f"{quote_value(kind)} is unknown" if is_told else "is missing"
                why = f"Its media_product_type {named}: what only other types have was not asked."
                self.left_out_log.note(self.name(item), "metrics of one product type", "NoData", why)
            # Of several suspects the first media of each kind tell which are refused: they are asked metric by metric.
            tells = page.suspects and met[kind] <= MEDIA_FOR_ALL
            for query in rest[kind]:
                for part in query.split() if tells else (query,):
                    yield InsightsRequest(query=part, group=kind, whom=self.name(item), about=item)

    def _build(self, ask: InsightsRequest) -> GraphRequest:
        media_id = ask.about["id"]
        return GraphRequest(f"{media_id}/insights", spell_insights(ask.query), Subject(self._noun, media_id))

    @property
    def _noun(self) -> Literal["media", "story"]:
        return "story" if self.edge == "stories" else "media"

    def _product_type(self, media: Media) -> str:
        # What the edge of stories lists is a story, whatever it is called.
        return "STORY" if self.edge == "stories" else read_text(media.get("media_product_type")) or "FEED"


def _entries(media: Media) -> Any:
    """Return the insights inside a listed media; None where there are none, in whatever way."""
    insights = read_object(media.get("insights"))
    return (insights and read_list(insights.get("data"))) or None


def _find_rest(plan: MediaPlan, product_type: str, page: MediaPage) -> tuple[InsightsQuery, ...]:
    """Return the queries beside a page; what it could not carry joins the first plain one, or is asked alone."""
    extras = plan.extras.get(product_type, ())
    missing = plan.core.without(page.carried) if plan.core else None
    if missing is None:
        return extras
    singles = tuple(query for query in missing.split() if query.names[0] in page.alone)
    together = missing.without(page.alone)
    if together and extras and not extras[0].breakdown and not extras[0].metrics[0].alone:
        return (*singles, together.join(extras[0]), *extras[1:])
    return (*singles, *((together,) if together else ()), *extras)
