"""Finds the stored posts that Meta no longer lists: deleted, archived, or hidden from the token."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.lookup import Lookup, Pick, Where
from airflow_provider_iginsights.errors import LoadError
from airflow_provider_iginsights.extract.gone_media import select_gone
from airflow_provider_iginsights.pacific import pacific_date

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.extract.complete_listings import CompleteListing
    from airflow_provider_iginsights.task.source import Source

log: logging.Logger = logging.getLogger(__name__)

_DAY = timedelta(days=1)


def find_unlisted_rows(
    source: Source, published: tuple[datetime | None, datetime], *, lookup: Lookup, target: TargetTable
) -> Iterator[dict[str, Any]]:
    """Yield a row of ``media`` with ``is_listed`` false for each stored post that its account's listing lacks.

    One query; none where no listing was complete. Only posts that were listed before are sought, which stories never
    are. A listing that Meta cut short lacks the oldest posts, and looks like one of which they were deleted: posts that
    are not younger than the oldest listed one are marked only where Meta, asked for each, says that it is gone. Where
    BigQuery refuses the query, the log says so and the run goes on.

    :param source: has read the listings, which are taken from it.
    :param published: [from, to) of the listings. Posts of the first and the last day are left as they are: a second at
        the edge of a window may count for either side.
    """
    listings = source.complete_listings.take()
    first = pacific_date(published[0]) + _DAY if published[0] else date.min
    last = pacific_date(published[1]) - _DAY
    if not listings or first > last:
        return
    try:
        stored = lookup.find_groups(
            target,
            by=("account_id", "media_id"),
            picks={"published_date": Pick("MAX", "published_date")},
            where=Where(
                start=first, end=last, among={"account_id": sorted(listings)}, compare=(("is_listed", "=", True),)
            ),
        )
    except LoadError as error:
        log.info("Whether Meta still lists the stored posts is not known: %s", error)
        return
    stored.sort(key=itemgetter("account_id", "media_id"))
    for account_id, posts in groupby(stored, key=itemgetter("account_id")):
        listing = listings[account_id]
        listed = set(listing.hashes)
        lacking = [post for post in posts if hash(post["media_id"]) not in listed]
        gone = [*_select_gone(source, account_id, lacking, listing=listing)]
        if gone:
            log.info("Account %s: Meta no longer lists %d of its stored posts.", account_id, len(gone))
        for post in gone:
            provenance = {"fetched_at": listing.fetched_at, "run_id": source.provenance.run_id}
            yield {**post, "is_listed": False, **provenance}


def _select_gone(
    source: Source, account_id: str, posts: Iterable[Mapping[str, Any]], *, listing: CompleteListing
) -> Iterator[Mapping[str, Any]]:
    """Yield the posts that are younger than the oldest listed one, and the others that Meta says are gone."""
    doubtful = []
    for post in sorted(posts, key=itemgetter("published_date", "media_id"), reverse=True):
        if listing.oldest is not None and post["published_date"] > listing.oldest:
            yield post
        else:
            doubtful.append(post)
    if ids := [post["media_id"] for post in doubtful]:
        gone = select_gone(
            source.client, account_id, ids, listed_id=listing.listed_id, left_out_log=source.left_out_log
        )
        yield from (post for post in doubtful if post["media_id"] in gone)
