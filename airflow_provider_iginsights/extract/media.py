"""Posts and reels: one row per media, and a snapshot of its lifetime numbers, dated by when they were read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.catalog.fields import MEDIA_FIELDS
from airflow_provider_iginsights.extract.listing import Listing, Media, Sighting
from airflow_provider_iginsights.extract.rows import Row, TableRow, read_end_time, read_numbers
from airflow_provider_iginsights.extract.stamp import Reading, Stamp

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.request import Answer


def read_media(listing: Listing, stamp: Stamp) -> Iterator[TableRow]:
    """Yield ``(table, row)`` of the tables ``media`` and ``media_insights`` for one account.

    :raises InsightsError: see :meth:`Listing.read`.
    """
    for sighting, reading in read_stamped(listing, stamp):
        if sighting.listed:
            yield "media", media_row(listing.account_id, sighting.media, stamp, reading)
        for row in _insight_rows(listing.account_id, sighting, stamp, reading):
            yield "media_insights", row


def read_stamped(listing: Listing, stamp: Stamp) -> Iterator[tuple[Sighting, Reading]]:
    """Yield what a listing brings with the moment at which its answer was there: one per answer, as it arrives."""
    answer: Answer | None = None
    reading = stamp.read_now()
    for sighting in listing.read():
        if sighting.answer is not answer:
            answer, reading = sighting.answer, stamp.read_now()
        yield sighting, reading


def media_row(account_id: str, media: Media, stamp: Stamp, reading: Reading) -> Row:
    """Return the row of the ``media`` table; ``published_date`` is the Pacific date of publication."""
    row: Row = {column: media.get(field) for field, column in MEDIA_FIELDS.items()}
    published_at, published_date = read_end_time(media["timestamp"])
    return row | {
        "account_id": account_id,
        "published_at": published_at,
        "published_date": published_date,
        "fetched_at": reading.fetched_at,
        "run_id": stamp.run_id,
    }


def _insight_rows(account_id: str, sighting: Sighting, stamp: Stamp, reading: Reading) -> list[Row]:
    if not sighting.entries:
        return []
    media = sighting.media
    common: dict[str, Any] = {
        "media_id": media["id"],
        "account_id": account_id,
        "media_product_type": media.get("media_product_type"),
        "published_at": read_end_time(media["timestamp"])[0],
        "snapshot_date": reading.snapshot_date,
        "api_version": sighting.answer.api_version,
        "fetched_at": reading.fetched_at,
        "run_id": stamp.run_id,
    }
    return number_rows(sighting, common)


def number_rows(sighting: Sighting, common: Row) -> list[Row]:
    """Return one row per number: ``common`` plus ``metric``, ``breakdown``, ``breakdown_value`` and ``value``."""
    rows: list[Row] = []
    for entry in sighting.entries:
        name = entry["name"]
        is_total = name in sighting.totals
        for value, breakdown, breakdown_value, _, _ in read_numbers(entry):
            if breakdown or is_total:
                row = common.copy()
                row["metric"], row["value"] = name, value
                row["breakdown"], row["breakdown_value"] = breakdown, breakdown_value
                rows.append(row)
    return rows
