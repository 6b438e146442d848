"""Rows of the pictures and films of an album, which come inside its own answer.

The list counts as the whole album, unless Meta names another page of it, which is noted and not requested. What an
answer does not say to the end takes nothing away from what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

from airflow_provider_iginsights.catalog.tables import MEDIA_CHILDREN, Table
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.media_answer import Media, MediaAnswer, keep_distinct_media
from airflow_provider_iginsights.extract.node_columns import NodeColumns, find_node_columns, read_columns
from airflow_provider_iginsights.extract.provenance import FetchTime, Provenance
from airflow_provider_iginsights.extract.rows import NoteFault, TableRow, describe, read_end_time
from airflow_provider_iginsights.json_values import read_id, read_list, read_object

NODE = "children"
_ALBUM = "CAROUSEL_ALBUM"


def child_rows(
    listing: Listing, media_answer: MediaAnswer, provenance: Provenance, fetch_time: FetchTime
) -> Iterator[TableRow]:
    """Yield the rows of the table ``media_children`` for one album. An album without a date has none, as it has no row.

    An album of which Meta sent no children, and children that cannot be read, are noted.
    """
    media = media_answer.media
    published = read_end_time(media.get("timestamp"))
    if published is None or f"{NODE}{{" not in media_answer.answer.request.params.get("fields", ""):
        return
    note = _note_unreadable(listing, media)
    columns = _find_columns(MEDIA_CHILDREN)
    for position, child in _read_children(listing, media, note):
        row = read_columns(child, columns, partial(_note_field, listing, media, child))
        row["account_id"], row["media_id"], row["child_id"] = listing.account_id, media["id"], child["id"]
        row["position"], row["published_date"] = position, published[1]
        row["fetched_at"], row["run_id"] = fetch_time.fetched_at, provenance.run_id
        yield "media_children", row


@lru_cache(maxsize=4)
def _find_columns(table: Table) -> NodeColumns:
    fields = tuple(column.field for column in table.columns if column.field and column.field != f"{NODE}.id")
    return find_node_columns(table, fields, of=NODE)


def _note_unreadable(listing: Listing, media: Media) -> NoteFault:
    group = {"account_id": (listing.account_id,), "media_id": (media["id"],)}
    return partial(listing.left_out_log.note_unreadable, listing.name_media(media), group=group, raw=media.get(NODE))


def _note_field(listing: Listing, media: Media, child: Media, field: str, kind: str, why: str) -> None:
    whom = f"{listing.name_media(media)} (child {child['id']})"
    listing.left_out_log.note(whom, f"{NODE}.{field}", kind, why, raw=child)


def _read_children(listing: Listing, media: Media, note: NoteFault) -> Iterator[tuple[int, Media]]:
    """Yield each child with its place, its ``id`` a text. None of two different children has the same id."""
    answer = media.get(NODE)
    listed = read_list((read_object(answer) or {}).get("data"))
    if not listed and (answer is None or listed == []):
        if media.get("media_type") == _ALBUM:
            listing.left_out_log.note_no_data(listing.name_media(media), NODE, "Meta was asked for them and sent none.")
        return
    if listed is None:
        note(NODE, "Unreadable", f"it is {describe(answer)} and no list of children.")
        return
    if _names_next_page(answer):
        note(NODE, "Incomplete", "Meta named another page of them, which is not requested.")
    yield from _keep_readable(listed, note)


def _names_next_page(answer: Any) -> bool:
    return bool((read_object(answer.get("paging")) or {}).get("next"))


def _keep_readable(listed: list[Any], note: NoteFault) -> Iterator[tuple[int, Media]]:
    """Yield the readable ones with their places. One that is listed again as it was takes no place of its own."""
    versions: dict[str, list[Media]] = {}
    places: dict[str, int] = {}
    found: list[Media] = []
    again = 0
    for position, listed_child in enumerate(listed, start=1):
        child_id = read_id(listed_child.get("id")) if isinstance(listed_child, dict) else None
        if child_id is None:
            note(NODE, "Unreadable", "Meta listed a child without a readable id.")
            continue
        child = {**listed_child, "id": child_id}
        if child in versions.setdefault(child_id, []):
            again += 1
            continue
        versions[child_id].append(child)
        places.setdefault(child_id, position - again)
        found.append(child)
    kept = keep_distinct_media(found)
    if len(kept) < len(places):
        note(NODE, "Contradictory", "Meta listed two different children under one id; neither is kept.")
    for each in kept:
        yield places[each["id"]], each
