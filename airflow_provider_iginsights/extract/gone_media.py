"""Asks Meta about single media that a listing lacks: whether they are gone, or only their listing was cut short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import InsightsError, ObjectGone
from airflow_provider_iginsights.graph.batch import MAX_BATCH_SIZE
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.left_out import LeftOutLog
    from airflow_provider_iginsights.graph.client import GraphClient


def select_gone(
    client: GraphClient, account_id: str, media_ids: Sequence[str], *, listed_id: str, left_out_log: LeftOutLog
) -> frozenset[str]:
    """Return which of the media Meta says are gone. Of a media that it still answers, a remark is made.

    One batch, so of more than 49 media only the first are asked for; what Meta does not answer is not known to be gone.
    Nor is anything where Meta does not know the media that it has just listed, either.

    :param listed_id: a media that the listing has, which is asked for, too.
    """
    asked = [listed_id, *media_ids[: MAX_BATCH_SIZE - 1]]
    results = dict(zip(asked, _ask(client, account_id, asked), strict=False))
    listed = results.pop(listed_id, None)
    if isinstance(listed, ObjectGone):  # META-39
        left_out_log.remark(
            f"account {account_id} (media {listed_id})",
            "The posts",
            "Meta says of a post that it listed a moment ago that it does not know it, so none is marked as unlisted.",
        )
        return frozenset()
    if still := [media_id for media_id, result in results.items() if isinstance(result, Answer)]:
        left_out_log.remark(
            f"account {account_id} ({len(still)}: media {still[0]} and older)",
            "The posts",
            "Meta's list ends before posts that Meta still has: they are not marked as unlisted.",
        )
    return frozenset(media_id for media_id, result in results.items() if isinstance(result, ObjectGone))


def _ask(client: GraphClient, account_id: str, media_ids: Sequence[str]) -> Iterator[Answer | InsightsError]:
    requests = [GraphRequest(each, {"fields": "id"}, Subject("media", each)) for each in media_ids]
    # An addition to a run that has read everything else: an error here must not be the run's.
    with suppress(InsightsError):
        yield from client.batch(requests, account_id=account_id)
