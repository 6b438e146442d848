"""List the media (or stories) of an account and read all their insights with as few requests as Meta allows.

A page of 100 carries the metrics that all its media share. What only one product type has, and what a page could not
carry, follows in batches of 50, types mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.catalog.plan import InsightsQuery, MediaPlan
from airflow_provider_iginsights.extract.findings import Findings
from airflow_provider_iginsights.extract.inquiry import Ask, Inquiry
from airflow_provider_iginsights.extract.pages import Edge, Page, Pages
from airflow_provider_iginsights.extract.refusals import Refusals
from airflow_provider_iginsights.extract.spelling import spell_insights
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient

MEDIA_FOR_ALL = 3
"""So many media of a product type must refuse a metric, and none answer it, before the others are no longer asked."""

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

    def __post_init__(self) -> None:
        """Open the account's inquiry."""
        self._inquiry = Inquiry(
            client=self.client,
            account_id=self.account_id,
            build=self._build,
            refusals=self.refusals.open_account(witnesses=MEDIA_FOR_ALL),
            findings=self.findings,
        )

    def read(self) -> Iterator[Sighting]:
        """Yield every media of the edge, and every answer about it.

        :raises InsightsError: what stops the account at once (token, throttle, permission); a lasting server trouble of
            single media only after all the others were answered.
        """
        pages = Pages(
            client=self.client,
            account_id=self.account_id,
            edge=self.edge,
            core=self.plan.core,
            product_types=tuple(self.plan.extras),
            refusals=self._inquiry.refusals,
            published=self.published,
        )
        for page in pages.read():
            media = [item for item in page.answer.body.get("data") or () if self._is_wanted(item)]
            yield from self._read_page(page, media)
            yield from self._read_rest(page, media)
            if not media and self._is_past(page.answer):
                break
        self._inquiry.finish()

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
            yield Sighting(item, _entries(item), page.answer, True, totals)
        if page.core:
            self._learn_answer(page.core, media)
        for query, part in page.parts:
            entries = {item["id"]: _entries(item) for item in part.body.get("data") or ()}
            for item in media:
                yield Sighting(item, entries[item["id"]], part, False, query.totals)
            self._learn_answer(query, media)

    def _learn_answer(self, query: InsightsQuery, media: list[Media]) -> None:
        self._inquiry.answered += bool(media)
        for product_type in {self._product_type(item) for item in media}:
            self._inquiry.refusals.learn_answer(product_type, query)

    def _read_rest(self, page: Page, media: list[Media]) -> Iterator[Sighting]:
        for ask, answer in self._inquiry.ask(self._ask_rest(page, media)):
            yield Sighting(ask.about, answer.body.get("data") or (), answer, False, ask.query.totals)

    def _ask_rest(self, page: Page, media: list[Media]) -> Iterator[Ask]:
        """Yield what the page did not carry, media by media."""
        rest: dict[str, tuple[InsightsQuery, ...]] = {}
        met: Counter[str] = Counter()
        for item in media:
            kind = self._product_type(item)
            if kind not in rest:
                rest[kind] = _find_rest(self.plan, kind, page)
            met[kind] += 1
            # Of several suspects the first media of each kind tell which are refused: they are asked metric by metric.
            tells = page.suspects and met[kind] <= MEDIA_FOR_ALL
            for query in rest[kind]:
                for part in query.split() if tells else (query,):
                    yield Ask(query=part, group=kind, whom=f"{self._noun} {item['id']}", about=item)

    def _build(self, ask: Ask) -> GraphRequest:
        media_id = ask.about["id"]
        return GraphRequest(f"{media_id}/insights", spell_insights(ask.query), Subject(self._noun, media_id))

    @property
    def _noun(self) -> Literal["media", "story"]:
        return "story" if self.edge == "stories" else "media"

    def _product_type(self, media: Media) -> str:
        return media.get("media_product_type") or ("STORY" if self.edge == "stories" else "FEED")


def _entries(media: Media) -> Sequence[Mapping[str, Any]]:
    return (media.get("insights") or {}).get("data") or ()


def _find_rest(plan: MediaPlan, product_type: str, page: Page) -> tuple[InsightsQuery, ...]:
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
