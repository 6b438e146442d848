"""When to read which account's stories next, so that each story is read shortly before it expires.

One run is responsible for every story that expires until ``ends``: those that were live at its start, and those that
were published since then and expire before the next run has begun. All times are absolute: a plan
that Airflow keeps in its database for a day is still right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights import errors
from airflow_provider_iginsights.errors import ConfigurationError, InsightsError, RetriableGraphError
from airflow_provider_iginsights.quoting import quote_value
from airflow_provider_iginsights.stories.life import LIFETIME, Poll

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.account_pool import AccountResults
    from airflow_provider_iginsights.stories.life import PollLog

LEAD = timedelta(minutes=10)
CAPTURE_FOR = timedelta(hours=25)
# In less than a minute a task may not have started; numbers of six hours before are not the last ones.
_SHORTEST_LEAD, _LONGEST_LEAD = timedelta(minutes=1), timedelta(hours=6)


@dataclass(slots=True, kw_only=True)
class CapturePlan:
    """The captures that are still to come.

    ``due_at``: account id -> when to read it next. ``failed``: account id -> (error's name, message). ``lead``: how
    long before an expiry to read; what is due within another ``lead`` is read together, so that a story's last numbers
    are at most two leads old when it expires.
    """

    ends: datetime
    lead: timedelta
    due_at: dict[str, datetime] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    captures: int = 0

    def start(self, account_ids: Sequence[str], *, now: datetime) -> None:
        """Plan to read every account now."""
        self.due_at = dict.fromkeys(account_ids, now)

    @property
    def next_capture_at(self) -> datetime | None:
        """Return when to read next; None where nothing is due, and the run may end."""
        return min(self.due_at.values(), default=None)

    def find_due(self, now: datetime) -> list[str]:
        """Return the accounts to read now."""
        return [account_id for account_id, at in self.due_at.items() if at <= now + self.lead]

    def advance(self, results: AccountResults, polls: PollLog, *, now: datetime) -> None:
        """Plan what follows from one capture."""
        for poll in polls.of(results.done):
            self.plan_after_poll(poll)
        for account_id, error in results.failed.items():
            self.plan_after_failure(account_id, error, now=now)
        self.captures += 1

    def drop(self, account_ids: Iterable[str]) -> None:
        """Read these accounts no more."""
        for account_id in account_ids:
            self.due_at.pop(account_id, None)
            self.failed.pop(account_id, None)

    def plan_after_poll(self, poll: Poll) -> None:
        """Plan when to read an account next, by the stories that this poll listed."""
        # Two leads: a story that expires by then was read late enough in this poll.
        covered = poll.at + 2 * self.lead
        known = [story.expires_at for story in poll.stories.values() if story.expires_at]
        expiries = [expires_at for expires_at in known if covered < expires_at <= self.ends]
        candidates = [min(expiries) - self.lead] if expiries else []
        if poll.at + LIFETIME < self.ends:
            # A story published from now on may expire before the plan ends (META-34); a poll in 12 hours finds it.
            candidates.append(poll.at + LIFETIME / 2)
        self._set_due(poll.account_id, min(candidates, default=None))
        self.failed.pop(poll.account_id, None)
        self.done.add(poll.account_id)

    def plan_after_failure(self, account_id: str, error: InsightsError, *, now: datetime) -> None:
        """Plan to read an account again where a retry can help; the next gap check finds what is lost until then."""
        self.failed[account_id] = (type(error).__name__, error.message)
        again = None
        if isinstance(error, RetriableGraphError):
            # Half a lead leaves time for a second try before the story expires.
            again = now + max(timedelta(seconds=error.retry_after or 0), self.lead / 2)
        self._set_due(account_id, again if again and again < self.ends else None)

    def errors(self) -> dict[str, InsightsError]:
        """Return the accounts that failed when they were last read, with their errors."""
        return {account_id: getattr(errors, name)(message) for account_id, (name, message) in self.failed.items()}

    def pack(self) -> dict[str, Any]:
        """Return the plan as JSON-able values, a few bytes per account."""
        return {
            "ends": self.ends.isoformat(),
            "due_at": {account_id: at.timestamp() for account_id, at in self.due_at.items()},
            "done": sorted(self.done),
            "failed": {account_id: list(failure) for account_id, failure in self.failed.items()},
            "captures": self.captures,
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any], *, lead: timedelta) -> CapturePlan:
        """Return the plan that :meth:`pack` was called on."""
        return cls(
            ends=datetime.fromisoformat(packed["ends"]),
            lead=lead,
            due_at={account_id: datetime.fromtimestamp(at, UTC) for account_id, at in packed["due_at"].items()},
            done=set(packed["done"]),
            failed={account_id: (name, message) for account_id, (name, message) in packed["failed"].items()},
            captures=packed["captures"],
        )

    def _set_due(self, account_id: str, at: datetime | None) -> None:
        if at is None:
            self.due_at.pop(account_id, None)
        else:
            self.due_at[account_id] = at


def check_lead(lead: timedelta) -> timedelta:
    """Return how long before an expiry to read.

    :raises ConfigurationError: it is not between one minute and six hours.
    """
    if not isinstance(lead, timedelta) or not _SHORTEST_LEAD <= lead <= _LONGEST_LEAD:
        raise ConfigurationError(
            f"capture_lead must be a timedelta of one minute to six hours, not {quote_value(lead)}."
        )
    return lead
