"""The media that the pages of one listing name: each once, and those of the requested time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.media_answer import Media, keep_distinct_media
from airflow_provider_iginsights.graph.messages import Answer
from airflow_provider_iginsights.json_values import read_id, read_instant, read_list, read_object


@dataclass(slots=True, kw_only=True)
class ListedMedia:
    """Takes the media from the pages of one listing.

    ``published``: [from, to) of the wanted ones. ``ids``: all that were listed. ``is_whole``: every page could be read
    to its end, so that what is not among ``ids`` was not listed.
    """

    account_id: str
    noun: Literal["media", "story"]
    published: tuple[datetime | None, datetime | None]
    left_out_log: LeftOutLog
    ids: set[str] = field(default_factory=set, init=False)
    is_whole: bool = field(default=True, init=False)
    _without_id: int = field(default=0, init=False)

    def read_page(self, page: Answer) -> list[Media]:
        """Return the media of a page that were on no earlier page; what has no readable id is left out with a note."""
        found: list[Media] = []
        listed = read_list((read_object(page.body) or {}).get("data"))
        self.is_whole = self.is_whole and listed is not None
        for item in listed or ():
            media_id = read_id(item.get("id")) if isinstance(item, dict) else None
            if media_id is None:
                self._note_without_id(item)
            elif media_id not in self.ids:
                found.append(item if item["id"] is media_id else {**item, "id": media_id})
        return self._keep_distinct(found)

    def select_wanted(self, items: list[Media]) -> list[Media]:
        """Return the media that were published in the requested time, and those without a date, as Meta listed them."""
        return [item for item in items if self._is_wanted(item)] if any(self.published) else items

    def is_past(self, items: Sequence[Media]) -> bool:
        """Return whether all items are older than the requested time."""
        # Meta filters by date from v11.0 on; in v10.0 the listing has to be ended here.
        since = self.published[0]
        dates = [read_instant(item.get("timestamp")) for item in items]
        return since is not None and bool(dates) and all(date is not None and date < since for date in dates)

    def _note_without_id(self, item: object) -> None:
        self._without_id += 1
        self.is_whole = False
        whom = f"account {self.account_id} (no. {self._without_id} without an id)"
        why = "Meta listed something without a readable id."
        self.left_out_log.note(whom, self.noun, "Unreadable", why, raw=item)

    def _keep_distinct(self, found: list[Media]) -> list[Media]:
        listed = {item["id"] for item in found}
        self.ids |= listed
        if len(listed) == len(found):
            return found
        kept = keep_distinct_media(found)
        for media_id in listed.difference(item["id"] for item in kept):
            whom = f"account {self.account_id} ({self.noun} {media_id})"
            why = "One page lists two different objects under its id; neither is kept."
            self.left_out_log.note(whom, self.noun, "Contradictory", why)
        return kept

    def _is_wanted(self, media: Media) -> bool:
        (since, until), published = self.published, read_instant(media.get("timestamp"))
        if published is None:
            return True
        return (since is None or published >= since) and (until is None or published < until)
