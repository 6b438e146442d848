"""Which stored snapshot of a story is the final one: exactly one, however late, early or often the polls come.

A snapshot in a story's last hour is marked as it is taken. Two things can prove that wrong: a later poll before the
expiry, which then is the final one; and the expiry itself, where the last poll came a little more than an hour before
it. Each poll sets right what the polls before it could not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_iginsights.stories.gaps import KnownStory
from airflow_provider_iginsights.stories.life import Finality, Poll


@dataclass(frozen=True, slots=True)
class Correction:
    """The account's snapshot of ``media_id`` in this hour (UTC) ought to have this ``is_final``."""

    account_id: str
    media_id: str
    hour: datetime
    is_final: bool


def find_corrections(
    polls: Sequence[Poll], known: Mapping[str, Sequence[KnownStory]], *, finality: Finality
) -> Iterator[Correction]:
    """Yield what is to be set right in the table, beside the polls' own rows.

    :param known: stories that the table holds, by account id, as they were before these polls.
    """
    for poll in polls:
        for story in known.get(poll.account_id, ()):
            final = poll.finals.get(story.media_id)
            # This poll has the final numbers: an earlier snapshot that counts as final came too early.
            if final is not None:
                yield from _unset_final(story, but=datetime.fromisoformat(final))
            elif story.expires_at <= poll.at:
                yield from _set_final(story, finality)


def _set_final(story: KnownStory, finality: Finality) -> Iterator[Correction]:
    """Mark the last snapshot of an expired story if it is young enough, and no other."""
    if story.hour is None or story.read_at is None:
        return
    # Nobody can read a story after its expiry (META-34), so its last snapshot stays the last.
    if story.last_final != story.hour and story.expires_at - story.read_at <= finality.at_most:
        yield Correction(story.account_id, story.media_id, story.hour, True)
        yield from _unset_final(story, but=story.hour)
    elif story.last_final is not None:
        yield from _unset_final(story, but=story.last_final)


def _unset_final(story: KnownStory, *, but: datetime) -> Iterator[Correction]:
    for hour in {story.first_final, story.last_final}:
        if hour is not None and hour != but:
            yield Correction(story.account_id, story.media_id, hour, False)
