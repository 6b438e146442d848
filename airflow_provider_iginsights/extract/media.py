"""Rows of posts and reels: one per media, and one per number. Lifetime numbers are dated by when they were fetched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache, partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_iginsights.catalog.tables import MEDIA, Table
from airflow_provider_iginsights.extract.children import child_rows
from airflow_provider_iginsights.extract.complete_listings import CompleteListings
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.media_answer import Media, MediaAnswer
from airflow_provider_iginsights.extract.node_columns import NodeColumns, find_node_columns, read_columns
from airflow_provider_iginsights.extract.provenance import FetchTime, Provenance
from airflow_provider_iginsights.extract.rows import (
    MAX_EXACT,
    NoteFault,
    NoteNoData,
    Row,
    TableRow,
    describe,
    find_missing_half,
    keep_distinct,
    name_group,
    read_end_time,
    read_entries,
    read_numbers,
)
from airflow_provider_iginsights.json_values import read_text

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.messages import Answer

_PERIOD = "lifetime"  # the only one of Instagram Media Insights
NO_NUMBER: Final[Row] = {"metric": "", "breakdown": "", "breakdown_value": "", "value": None}
"""The columns of a number, before it is known."""
_OTHER_FIELDS = ("id", "timestamp", "")  # The listing reads the id, and the timestamp fills two columns.


def read_media(
    listing: Listing, provenance: Provenance, *, complete_listings: CompleteListings | None = None
) -> Iterator[TableRow]:
    """Yield ``(table, row)`` of ``media``, ``media_insights`` and, if asked for, ``media_children`` for one account.

    :param complete_listings: gets what was listed, if nothing else is.
    :raises InsightsError: see :meth:`Listing.read`.
    """
    began, days = provenance.read_now(), set[date]()
    for media_answer, fetch_time in read_with_fetch_time(listing, provenance):
        if media_answer.is_listed:
            for name, row in media_rows(listing, media_answer, provenance, fetch_time):
                days.add(row["published_date"])
                yield name, row
            if listing.children:
                yield from child_rows(listing, media_answer, provenance, fetch_time)
        yield from zip(repeat("media_insights"), _insight_rows(listing, media_answer, provenance, fetch_time))
    if complete_listings is not None and (ids := listing.complete_ids):
        oldest = min(days, default=None)
        complete_listings.record(listing.account_id, ids, fetched_at=began.fetched_at, oldest=oldest)


def read_with_fetch_time(listing: Listing, provenance: Provenance) -> Iterator[tuple[MediaAnswer, FetchTime]]:
    """Yield the media of a listing with the fetch time of the answer. All media of one answer have the same time."""
    answer: Answer | None = None
    fetch_time = provenance.read_now()
    for media_answer in listing.read():
        if media_answer.answer is not answer:
            answer, fetch_time = media_answer.answer, provenance.read_now()
        yield media_answer, fetch_time


def media_rows(
    listing: Listing, media_answer: MediaAnswer, provenance: Provenance, fetch_time: FetchTime
) -> Iterator[TableRow]:
    """Yield the row of the ``media`` table; ``published_date`` is the Pacific date of publication.

    Without a usable timestamp there is no such date and no row; that is noted.
    """
    media = media_answer.media
    note = partial(_note, listing, media)
    row = read_columns(media, _list_node_columns(MEDIA), note)
    published = read_end_time(media.get("timestamp"))
    if published is None:
        note(
            "timestamp",
            "Undated",
            f"it is {describe(media.get('timestamp'))} and no date, so the table {MEDIA.name} has no row for it: "
            "published_date is required. Its numbers are stored, with published_at NULL.",
        )
        return
    row["media_id"] = media["id"]
    row["account_id"] = listing.account_id
    row["published_at"], row["published_date"] = published
    row["fetched_at"] = row["last_seen_at"] = fetch_time.fetched_at
    row["run_id"] = provenance.run_id
    if listing.edge == "media":
        row["is_listed"] = True
    yield "media", row


@lru_cache(maxsize=4)
def _list_node_columns(table: Table) -> NodeColumns:
    fields = [column.field for column in table.columns if column.field not in _OTHER_FIELDS]
    return find_node_columns(table, tuple(fields))


def _note(listing: Listing, media: Media, *fault: str) -> None:
    listing.left_out_log.note(listing.name_media(media), *fault, raw=media)


def _insight_rows(
    listing: Listing, media_answer: MediaAnswer, provenance: Provenance, fetch_time: FetchTime
) -> list[Row]:
    if not media_answer.requested.names:
        return []
    media = media_answer.media
    published = read_end_time(media.get("timestamp"))
    common: dict[str, Any] = {
        **NO_NUMBER,
        "media_id": media["id"],
        "account_id": listing.account_id,
        "media_product_type": read_text(media.get("media_product_type")),
        "published_at": published and published[0],
        "snapshot_date": fetch_time.snapshot_date,
        "api_version": media_answer.answer.api_version,
        "fetched_at": fetch_time.fetched_at,
        "run_id": provenance.run_id,
    }
    return number_rows(listing, media_answer, common)


def number_rows(listing: Listing, media_answer: MediaAnswer, common: Row) -> list[Row]:
    """Return one row per number: ``common`` with ``metric``, ``breakdown``, ``breakdown_value`` and ``value``.

    Values that cannot be read, and metrics without a number, are noted.

    :param common: what all numbers share, and the columns of :data:`NO_NUMBER`: a copy that got more would be resized.
    """
    rows = _read_common_case(media_answer, common)
    if rows is None:
        return _read_checked(media_answer, common, listing.left_out_log, listing.name_media(media_answer.media))
    return rows


def _read_common_case(media_answer: MediaAnswer, common: Row) -> list[Row] | None:
    """Return the rows where each metric came once, with one whole number; None in all other cases."""
    # Nearly every answer has this form, and a run may read millions of them.
    if media_answer.requested.breakdown:
        return None
    rows: list[Row] = []
    names: set[str] = set()
    try:
        for entry in media_answer.entries:
            name = entry["name"]
            [point] = entry["values"]
            value = point["value"]
            names.add(name)
            if entry.get("period", _PERIOD) != _PERIOD:
                return None
            if type(value) is not int or not -MAX_EXACT <= value <= MAX_EXACT or "total_value" in entry:
                return None
            row = common.copy()
            row["metric"], row["value"] = name, value
            rows.append(row)
    except (KeyError, TypeError, ValueError):
        return None
    return rows if names == media_answer.requested.expected and len(names) == len(rows) else None


def _read_checked(media_answer: MediaAnswer, common: Row, left_out_log: LeftOutLog, whom: str) -> list[Row]:
    received: set[str] = set()
    ids = {name: (common[name],) for name in ("account_id", "media_id")}
    group = name_group(media_answer.requested.breakdown, **ids)
    note = partial(left_out_log.note_unreadable, whom, group=group, raw=media_answer.entries)
    note_no_data = partial(left_out_log.note_no_data, whom)
    rows = keep_distinct(_read_numbers(media_answer, common, received, note, note_no_data), note)
    for name in sorted(media_answer.requested.expected - received):
        left_out_log.note_no_data(whom, name, "Meta was asked for it and sent no number.")
    return rows


def _read_numbers(
    media_answer: MediaAnswer, common: Row, received: set[str], note: NoteFault, note_no_data: NoteNoData
) -> Iterator[tuple[object, Row]]:
    """Yield every number with its key. Adds the metrics with any value, readable or not, to ``received``."""
    requested = media_answer.requested
    for name, entry in read_entries(media_answer.entries, names=requested.names, note=note):
        if entry.get("period") not in (None, _PERIOD):
            received.add(name)
            note(name, "Unreadable", f"its period is not {_PERIOD}, which is that of all insights of a media.")
            continue
        faults: list[str] = []
        numbers = read_numbers(entry, requested=requested.breakdown, note=faults.append)
        for why in faults:
            note(name, "Unreadable", why)
        if faults or numbers:
            received.add(name)
        wants_total = name in requested.totals
        if missing := find_missing_half(entry, numbers, requested=requested.breakdown, wants_total=wants_total):
            note_no_data(*missing)
        for value, breakdown, breakdown_value, _, _ in numbers:
            if breakdown or wants_total:
                row = common.copy()
                row["metric"], row["value"] = name, value
                row["breakdown"], row["breakdown_value"] = breakdown, breakdown_value
                yield (name, breakdown, breakdown_value), row
