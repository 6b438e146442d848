"""From page to page by cursor. ``paging.next`` is only looked at for being there: the URL in it carries the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from airflow_provider_iginsights.graph.messages import Answer, GraphRequest
from airflow_provider_iginsights.json_values import read_list, read_object, read_text

MOST_EMPTY_PAGES: Final = 10  # META-11
"""So many empty pages in a row are walked through: items may follow behind them (restfb/restfb issue 916)."""


@dataclass(slots=True, kw_only=True)
class PageSequence:
    """Says where a listing goes on after each of its pages, and where it ends: it can never run for ever.

    Only a page that names no ``next`` is an ordinary end. The others are noted: too many empty pages in a row, a page
    with items of which none is new, a ``next`` without a cursor to follow.

    :param whom: the listing, for notes, such as ``17841405822304914/media``.
    :param note: takes a sentence about an end that is not an ordinary one.
    """

    whom: str
    note: Callable[[str], None]
    _seen: set[int] = field(default_factory=set)  # hashes: an account may have 100,000 posts
    _empty: int = 0

    def is_repetition(self, body: Mapping[str, Any]) -> bool:
        """Return whether a page has items and all of them came before; else remember its items."""
        items = read_list(body.get("data")) or []
        known = {hash(_identify(item)) for item in items}
        if known and known <= self._seen:
            self.note(f"The listing {self.whom} repeated a page of items that had all come before. It was ended there.")
            return True
        self._seen |= known
        return False

    def find_next(self, body: Mapping[str, Any]) -> str | None:
        """Return the cursor of the page behind this one; None where the listing ends.

        The last page of a media listing has a cursor, too, but no ``next``.
        """
        paging = read_object(body.get("paging") or {})
        self._empty = 0 if body.get("data") else self._empty + 1
        if paging is None:
            self.note(
                f"The listing {self.whom} brought a page whose paging cannot be read. It was ended there: what "
                "follows, if anything does, is missing."
            )
            return None
        # META-12, META-13: next says that there is a page, the cursor which.
        if not paging.get("next"):
            return None
        cursor = read_text((read_object(paging.get("cursors")) or {}).get("after"))
        if not cursor:
            self.note(
                f"The listing {self.whom} named a next page without a cursor to it. It was ended there: what follows, "
                "if anything does, is missing."
            )
            return None
        if self._empty >= MOST_EMPTY_PAGES:
            self.note(
                f"The listing {self.whom} brought {self._empty} empty pages in a row and named a next one. It was "
                "ended there: what follows, if anything does, is missing."
            )
            return None
        return cursor


def read_pages(
    get: Callable[[GraphRequest], Answer], request: GraphRequest, *, note: Callable[[str], None]
) -> Iterator[Answer]:
    """Yield the pages of a listing, each asked for when the one before was consumed, up to the end that ``Walk`` says.

    :param get: reads one page, or raises what is wrong.
    :param note: takes a sentence about an end that is not an ordinary one.
    """
    walk = PageSequence(whom=request.path, note=note)
    cursor: str | None = None
    while True:
        params = {**request.params, **({"after": cursor} if cursor else {})}
        answer = get(replace(request, params=params))
        if walk.is_repetition(answer.body):
            return
        yield answer
        cursor = walk.find_next(answer.body)
        if cursor is None:
            return


def _identify(item: Any) -> str:
    """Return what tells one item of a listing from another: its id, or all of it where it has none."""
    node = read_object(item) or {}
    return repr(node.get("id") or item)
