"""Posts and reels: one row per media, and a snapshot of its lifetime numbers, dated by when they were read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.catalog.tables import MEDIA, Table
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.media_answer import MediaAnswer
from airflow_provider_iginsights.extract.nodes import read_columns
from airflow_provider_iginsights.extract.provenance import FetchTime, Provenance
from airflow_provider_iginsights.extract.rows import (
    PLAIN,
    Miss,
    Row,
    TableRow,
    Tell,
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

_DATED = ("id", "timestamp")  # read apart: the id by the listing, the timestamp into two columns


def read_media(listing: Listing, provenance: Provenance) -> Iterator[TableRow]:
    """Yield ``(table, row)`` of the tables ``media`` and ``media_insights`` for one account.

    :raises InsightsError: see :meth:`Listing.read`.
    """
    for media_answer, reading in read_stamped(listing, provenance):
        if media_answer.listed:
            yield from media_rows(listing, media_answer, provenance, reading)
        for row in _insight_rows(listing, media_answer, provenance, reading):
            yield "media_insights", row


def read_stamped(listing: Listing, provenance: Provenance) -> Iterator[tuple[MediaAnswer, FetchTime]]:
    """Yield what a listing brings with the moment at which its answer was there: one per answer, as it arrives."""
    answer: Answer | None = None
    reading = provenance.read_now()
    for media_answer in listing.read():
        if media_answer.answer is not answer:
            answer, reading = media_answer.answer, provenance.read_now()
        yield media_answer, reading


def media_rows(
    listing: Listing, media_answer: MediaAnswer, provenance: Provenance, reading: FetchTime
) -> Iterator[TableRow]:
    """Yield the row of the ``media`` table; ``published_date`` is the Pacific date of publication.

    Without a usable timestamp there is no such date, hence no row; that is noted.
    """
    media = media_answer.media
    tell = partial(listing.left_out_log.note, listing.name(media))
    row = read_columns(media, _list_plain_fields(MEDIA), MEDIA, tell)
    published = read_end_time(media.get("timestamp"))
    if published is None:
        tell(
            "timestamp",
            "Undated",
            f"it is {describe(media.get('timestamp'))} and no date, so the table {MEDIA.name} has no row for it: "
            "published_date is required. Its numbers are stored, with published_at NULL.",
        )
        return
    row["media_id"] = media["id"]
    row["account_id"] = listing.account_id
    row["published_at"], row["published_date"] = published
    row["fetched_at"], row["run_id"] = reading.fetched_at, provenance.run_id
    yield "media", row


@lru_cache(maxsize=4)
def _list_plain_fields(table: Table) -> tuple[str, ...]:
    return tuple(column.field for column in table.columns if column.field and column.field not in _DATED)


def _insight_rows(listing: Listing, media_answer: MediaAnswer, provenance: Provenance, reading: FetchTime) -> list[Row]:
    if not media_answer.wanted.names:
        return []
    media = media_answer.media
    published = read_end_time(media.get("timestamp"))
    common: dict[str, Any] = {
        "media_id": media["id"],
        "account_id": listing.account_id,
        "media_product_type": read_text(media.get("media_product_type")),
        "published_at": published and published[0],
        "snapshot_date": reading.snapshot_date,
        "api_version": media_answer.answer.api_version,
        "fetched_at": reading.fetched_at,
        "run_id": provenance.run_id,
    }
    return number_rows(media_answer, common, listing.left_out_log, whom=listing.name(media))


def number_rows(media_answer: MediaAnswer, common: Row, left_out_log: LeftOutLog, *, whom: str) -> list[Row]:
    """Return one row per number: ``common`` plus ``metric``, ``breakdown``, ``breakdown_value`` and ``value``.

    What cannot be read is noted, and what did not come.
    """
    rows = _read_plainly(media_answer, common)
    return _read_checked(media_answer, common, left_out_log, whom) if rows is None else rows


def _read_plainly(media_answer: MediaAnswer, common: Row) -> list[Row] | None:
    """Return the rows where every metric asked came once, with one whole number; None where anything is otherwise."""
    if media_answer.wanted.breakdown:
        return None
    missing = set(media_answer.wanted.expected)
    common = {**common, "breakdown": "", "breakdown_value": ""}
    rows: list[Row] = []
    try:
        for entry in media_answer.entries:
            name = entry["name"]
            [point] = entry["values"]
            value = point["value"]
            missing.remove(name)
            if type(value) is not int or not -PLAIN <= value <= PLAIN or "total_value" in entry:
                return None
            row = common.copy()
            row["metric"], row["value"] = name, value
            rows.append(row)
    except (KeyError, TypeError, ValueError):
        return None
    return None if missing else rows


def _read_checked(media_answer: MediaAnswer, common: Row, left_out_log: LeftOutLog, whom: str) -> list[Row]:
    heard: set[str] = set()
    ids = {name: (common[name],) for name in ("account_id", "media_id")}
    tell = partial(left_out_log.note_unread, whom, group=name_group(media_answer.wanted.breakdown, **ids))
    miss = partial(left_out_log.note_silence, whom)
    rows = keep_distinct(_read_numbers(media_answer, common, heard, tell, miss), tell)
    for name in sorted(media_answer.wanted.expected - heard):
        left_out_log.note_silence(whom, name, "Meta was asked for it and sent no number.")
    return rows


def _read_numbers(
    media_answer: MediaAnswer, common: Row, heard: set[str], tell: Tell, miss: Miss
) -> Iterator[tuple[object, Row]]:
    """Yield every number with its key. ``heard`` takes the metrics of which anything came, readable or not."""
    wanted = media_answer.wanted
    for name, entry in read_entries(media_answer.entries, names=wanted.names, tell=tell):
        faults: list[str] = []
        numbers = read_numbers(entry, asked=wanted.breakdown, tell=faults.append)
        for why in faults:
            tell(name, "Unreadable", why)
        if faults or numbers:
            heard.add(name)
        wants_total = name in wanted.totals
        if missing := find_missing_half(entry, numbers, asked=wanted.breakdown, wants_total=wants_total):
            miss(*missing)
        for value, breakdown, breakdown_value, _, _ in numbers:
            if breakdown or wants_total:
                row = common.copy()
                row["metric"], row["value"] = name, value
                row["breakdown"], row["breakdown_value"] = breakdown, breakdown_value
                yield (name, breakdown, breakdown_value), row
