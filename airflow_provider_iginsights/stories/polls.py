"""Compares the polls for stories with earlier ones, which BigQuery holds: what was missed, which snapshot is final.

This happens after the accounts were read and before anything is written; what follows is written with the new rows. A
poll is written last, after its numbers. There are two query jobs, or three where ``is_final`` of stored rows changes,
however many accounts there are; accounts whose last poll was longer ago than :data:`PAUSES` says add up to two.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.lookup import Lookup, Pick, Where
from airflow_provider_iginsights.bigquery.refused_rows import write_row
from airflow_provider_iginsights.catalog.tables import STORY_INSIGHTS, STORY_POLLS
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.pacific import format_instant, pacific_date
from airflow_provider_iginsights.stories.finals import Correction, find_corrections
from airflow_provider_iginsights.stories.gaps import Gap, KnownStory, explain_gap, find_gap
from airflow_provider_iginsights.stories.life import LIFETIME, Finality, Poll
from airflow_provider_iginsights.stories.reader import describe_poll
from airflow_provider_iginsights.stories.summary import ACCOUNTS, merge_gaps

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.row_file import RowFile

log: logging.Logger = logging.getLogger(__name__)

LOOKUP_RANGE = timedelta(days=35)
_DAY = timedelta(days=1)
PAUSES = (timedelta(days=2), timedelta(days=7), LOOKUP_RANGE)
"""Accounts are looked up together whose last poll was no longer ago than one of these, and longer than the one before.

One account that was away for weeks would otherwise make the lookup of all others read these weeks. Each group is a
query of its own, since Google documents pruning for constants that hold for all rows ("Query partitioned tables").
"""
_POLLED = ("source", "poll")
_FINAL = (_POLLED, ("is_final", True))
_STORY_PICKS = {
    "expires_at": Pick("MAX", "expires_at"),
    "read_at": Pick("MAX", "fetched_at", (_POLLED,)),
    "hour": Pick("MAX", "snapshot_at", (_POLLED,)),
    "first_final": Pick("MIN", "snapshot_at", _FINAL),
    "last_final": Pick("MAX", "snapshot_at", _FINAL),
    "sent_at": Pick("MAX", "fetched_at", (("source", "webhook"),)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRecorder:
    """One pass over the accounts, against what BigQuery holds of the passes before."""

    lookup: Lookup
    run_id: str
    left_out_log: LeftOutLog
    finality: Finality
    corrects_finals: bool

    def complete(self, polls: Sequence[Poll], row_files: Mapping[str, RowFile]) -> dict[str, Any]:
        """Write the polls, and the stored rows whose ``is_final`` changes, to the row files; return what was missed.

        A poll whose listing was not read to its end is none: it has no row, since nobody knows how many stories were
        live, and the next poll is compared with the one before it.

        :return: for the run's summary: the gaps per account, and how many accounts had no poll before.
        :raises LoadError: BigQuery refuses to be asked.
        """
        if not polls:
            return summarize_gaps({}, first_polls=[])
        insights, poll_rows = row_files[STORY_INSIGHTS.name], row_files[STORY_POLLS.name]
        picks, where = _pick_polls(self.run_id), _polls_before(polls)
        found = self.lookup.find_groups(poll_rows.target, by=("account_id",), picks=picks, where=where)
        earlier = {group["account_id"]: group for group in found}
        last = {account_id: polled["polled_at"] for account_id, polled in earlier.items()}
        known: dict[str, list[KnownStory]] = defaultdict(list)
        for group in group_by_pause(polls, last):
            where, by = _stories_of(group, until=max(poll.at for poll in polls)), ("account_id", "media_id")
            found = self.lookup.find_groups(insights.target, by=by, picks=_STORY_PICKS, where=where)
            for story in map(_read_story, found):
                known[story.account_id].append(story)
        corrections = list(find_corrections(polls, known, finality=self.finality))
        # A history (append) keeps what was said at the time.
        if corrections and self.corrects_finals:
            rows = self.lookup.find_rows(insights.target, where=_snapshots_of(corrections))
            for row in _correct(rows, corrections):
                write_row(insights, row, self.left_out_log)
        return self._write_polls([poll for poll in polls if poll.is_whole], earlier, known, poll_rows)

    def _write_polls(
        self,
        polls: Sequence[Poll],
        earlier: Mapping[str, Mapping[str, Any]],
        known: Mapping[str, Sequence[KnownStory]],
        row_file: RowFile,
    ) -> dict[str, Any]:
        """Write the polls, each compared with the one before it, and return what the summary says."""
        gaps: dict[str, dict[str, Any]] = {}
        for poll in polls:
            before: Mapping[str, Any] = earlier.get(poll.account_id, {})
            previous: datetime | None = before.get("polled_at")
            gap = find_gap(poll, previous=previous, known=known.get(poll.account_id, ()), finality=self.finality)
            write_row(row_file, self._poll_row(poll, previous, gap), self.left_out_log)
            if described := _describe_gap(gap, before):
                gaps[poll.account_id] = described
        return summarize_gaps(gaps, first_polls=[each.account_id for each in polls if each.account_id not in earlier])

    def _poll_row(self, poll: Poll, previous: datetime | None, gap: Gap) -> dict[str, Any]:
        return describe_poll(poll, run_id=self.run_id) | {
            "previous_poll_at": format_instant(previous) if previous else None,
            "seen_late": len(gap.seen_late),
            "finals_missed": len(gap.finals_missed),
        }


def _pick_polls(run_id: str) -> dict[str, Pick]:
    """Return what is asked of an account's polls: the last one, and the pause that this very run found before."""
    own = (("run_id", run_id),)
    return {
        "polled_at": Pick("MAX", "fetched_at"),
        "own_since": Pick("MIN", "previous_poll_at", own),
        "own_until": Pick("MIN", "fetched_at", own),
    }


def _polls_before(polls: Sequence[Poll]) -> Where:
    """Return which polls count as earlier ones: those of an earlier hour."""
    now = min(poll.at for poll in polls)
    return Where(
        start=pacific_date(now - LOOKUP_RANGE),
        end=pacific_date(now),
        among={"account_id": [poll.account_id for poll in polls]},
        # A retry within the hour finds the same previous poll, and so writes the same row again.
        compare=[("snapshot_at", "<", now.replace(minute=0, second=0, microsecond=0))],
    )


def _stories_of(group: Mapping[str, datetime], *, until: datetime) -> Where:
    """Return which rows are of stories that were live at the last poll of an account, or have expired since.

    :param group: account id -> its last poll.
    """
    # META-34: a story that was live at a poll was published in the 24 hours before it.
    since = min(group.values()) - LIFETIME
    return Where(
        start=pacific_date(since - _DAY),
        end=pacific_date(until),
        among={"account_id": list(group)},
        compare=[("expires_at", ">", since)],
    )


def _read_story(group: dict[str, Any]) -> KnownStory:
    """Return what is stored of a story."""
    sent_at = group.pop("sent_at")
    return KnownStory(**group, by_webhook=sent_at is not None)


def _snapshots_of(corrections: Sequence[Correction]) -> Where:
    """Return which rows are of the snapshots to correct; there may be others of the same stories and hours."""
    hours = [each.hour for each in corrections]
    return Where(
        start=pacific_date(min(hours)),
        end=pacific_date(max(hours)),
        among={
            "account_id": sorted({each.account_id for each in corrections}),
            "media_id": sorted({each.media_id for each in corrections}),
            "source": ["poll"],
        },
    )


def _correct(rows: Iterable[Mapping[str, Any]], corrections: Sequence[Correction]) -> Iterator[dict[str, Any]]:
    """Yield the rows of these snapshots with the other ``is_final``; nothing else about them changes.

    All rows of a snapshot, also those that are right: to ``replace``, what is written of a snapshot is all that there
    is.
    """
    wanted = {(each.account_id, each.media_id, each.hour): each.is_final for each in corrections}
    for row in rows:
        is_final = wanted.get((row["account_id"], row["media_id"], row["snapshot_at"]))
        if is_final is not None:
            yield {**row, "is_final": is_final}


def group_by_pause(polls: Sequence[Poll], last: Mapping[str, datetime]) -> Iterator[dict[str, datetime]]:
    """Return the accounts of each group of :data:`PAUSES`, with the instant of their last poll; no group is empty.

    :param last: the last polls. An account without one counts as polled now: a listing that broke off left stories.
    """
    groups: list[dict[str, datetime]] = [{} for _ in PAUSES]
    for poll in polls:
        before = last.get(poll.account_id, poll.at)
        place = bisect_left(PAUSES, poll.at - before)
        groups[min(place, len(groups) - 1)][poll.account_id] = before
    return filter(None, groups)


def _describe_gap(gap: Gap, earlier: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the described gap, None without one; a try before this one may have found one that was never shown."""
    since, until = earlier.get("own_since"), earlier.get("own_until")
    lost = Gap(until=until, since=since) if since and until and until - since > LIFETIME else None
    described = lost.describe() if lost else None
    return merge_gaps(described, gap.describe()) if gap else described


def summarize_gaps(gaps: Mapping[str, dict[str, Any]], *, first_polls: Sequence[str]) -> dict[str, Any]:
    """Return what the summary says of gaps and of accounts without an earlier poll, and say it in the log as well."""
    for account_id, gap in gaps.items():
        log.warning("%s", explain_gap(account_id, gap))
    if first_polls:
        log.info(
            "First poll for stories of %d accounts in %d days (%s): what was live before it cannot be known.",
            len(first_polls),
            LOOKUP_RANGE.days,
            ", ".join(first_polls[:ACCOUNTS]),
        )
    named = {
        account_id: gap if place < ACCOUNTS else {**gap, "stories": []}
        for place, (account_id, gap) in enumerate(gaps.items())
    }
    return {"gaps": named, "first_polls": len(first_polls)}
