"""Cursor-based paging. ``paging.next`` only says that there is another page: the URL in it contains the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from airflow_provider_iginsights.graph.messages import Answer, GraphRequest
from airflow_provider_iginsights.json_values import read_list, read_object, read_text

MAX_EMPTY_PAGES: Final = 10  # META-11: items may follow after empty pages (restfb/restfb issue 916).
"""A listing is ended after this number of empty pages in a row."""


@dataclass(slots=True, kw_only=True)
class CursorPaging:
    """Finds the next page of a listing and its end, so that no listing runs for ever.

    A page without ``next`` is the normal end. Every other end is noted: too many empty pages in a row, a page with
    items of which none is new, a ``next`` without a cursor.

    :param path: the listing, for notes, such as ``17841405822304914/media``.
    :param note: called with a sentence where the end is not a normal one.
    :ivar is_complete: whether the listing has come to its normal end.
    """

    path: str
    note: Callable[[str], None]
    _seen: set[int] = field(default_factory=set)  # Hashes, since an account may have 100,000 posts.
    is_complete: bool = False
    _empty_pages: int = 0

    def is_repeated(self, body: Mapping[str, Any]) -> bool:
        """Return whether a page has items and all of them were on earlier pages; else remember its items."""
        items = read_list(body.get("data")) or []
        # The id, or the whole item where it has none.
        known = {hash(repr((isinstance(item, dict) and item.get("id")) or item)) for item in items}
        if known and known <= self._seen:
            self.note(f"The listing {self.path} repeated a page of items that had all come before. It was ended there.")
            return True
        self._seen |= known
        return False

    def find_cursor(self, body: Mapping[str, Any]) -> str | None:
        """Return the cursor of the next page; None where the listing ends."""
        paging = read_object(body.get("paging") or {})
        self._empty_pages = 0 if body.get("data") else self._empty_pages + 1
        if paging is None:
            self.note(
                f"The listing {self.path} brought a page whose paging cannot be read. It was ended there: what "
                "follows, if anything does, is missing."
            )
            return None
        # META-12, META-13: the last page has a cursor, too, so only "next" says whether a page follows.
        if not paging.get("next"):
            self.is_complete = True
            return None
        cursor = read_text((read_object(paging.get("cursors")) or {}).get("after"))
        if not cursor:
            self.note(
                f"The listing {self.path} named a next page without a cursor to it. It was ended there: what follows, "
                "if anything does, is missing."
            )
            return None
        if self._empty_pages >= MAX_EMPTY_PAGES:
            self.note(
                f"The listing {self.path} brought {self._empty_pages} empty pages in a row and named a next one. It "
                "was ended there: what follows, if anything does, is missing."
            )
            return None
        return cursor


def read_pages(
    get: Callable[[GraphRequest], Answer], request: GraphRequest, *, note: Callable[[str], None]
) -> Iterator[Answer]:
    """Yield the pages of a listing up to its end. Each page is requested after the one before it was consumed.

    :param get: reads one page, or raises the error.
    :param note: called with a sentence where the end is not a normal one.
    """
    paging = CursorPaging(path=request.path, note=note)
    cursor: str | None = None
    while True:
        params = {**request.params, **({"after": cursor} if cursor else {})}
        answer = get(replace(request, params=params))
        if paging.is_repeated(answer.body):
            return
        yield answer
        cursor = paging.find_cursor(answer.body)
        if cursor is None:
            return
