"""From page to page by cursor. ``paging.next`` is only looked at for being there: the URL in it carries the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_iginsights.errors import TooMuchData
from airflow_provider_iginsights.graph.request import Answer, GraphRequest


def read_pages(get: Callable[[GraphRequest], Answer], request: GraphRequest, *, limit: int) -> Iterator[Answer]:
    """Yield the pages of a listing, each asked for when the one before was consumed.

    Ends with a page that names no next one, holds nothing, or points to a cursor that was used before. Where Meta finds
    a page too large, the limit is halved for the rest of the listing and the same cursor is asked again, so no item is
    lost or comes twice.

    :raises TooMuchData: when even a page of one item is too large.
    """
    cursor: str | None = None
    used: set[str] = set()
    while True:
        answer, limit = _ask_within_means(get, request, cursor, limit)
        yield answer
        cursor = find_next_cursor(answer.body)
        if cursor is None or cursor in used:
            return
        used.add(cursor)


def find_next_cursor(body: Mapping[str, Any]) -> str | None:
    """Return the cursor of the following page. The last page of a media listing has a cursor too, but no ``next``."""
    paging = body.get("paging") or {}
    if not body.get("data") or not paging.get("next"):
        return None
    return (paging.get("cursors") or {}).get("after") or None


def _ask_within_means(
    get: Callable[[GraphRequest], Answer], request: GraphRequest, cursor: str | None, limit: int
) -> tuple[Answer, int]:
    while True:
        params = {**request.params, "limit": str(limit)} | ({"after": cursor} if cursor else {})
        try:
            return get(replace(request, params=params)), limit
        except TooMuchData:
            if limit <= 1:
                raise
        limit //= 2
