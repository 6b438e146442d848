"""When to look at which account's stories next, so that each is read shortly before it expires.

One run is responsible for every story that expires until ``ends``: those that were live at its start, and those that
were published since then and expire before the next run has surely begun. Moments are absolute: a plan that lies in
Airflow's database for a day is still right.
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
_SHORTEST_LEAD, _LONGEST_LEAD = timedelta(minutes=1), timedelta(hours=6)


@dataclass(slots=True, kw_only=True)
class CapturePlan:
    """The looks that are still to come.

    ``looks``: account id -> when. ``failed``: account id -> (error's name, message). ``lead``: how long before an
    expiry the look is due; what is due within another ``lead`` is looked at together, so that a story's last numbers
    are at most two leads old when it expires.
    """

    ends: datetime
    lead: timedelta
    looks: dict[str, datetime] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    captures: int = 0

    def begin(self, account_ids: Sequence[str], *, now: datetime) -> None:
        """Look at every account now."""
        self.looks = dict.fromkeys(account_ids, now)

    @property
    def wakes_at(self) -> datetime | None:
        """Return the next look; None where there is none, and the run may end."""
        return min(self.looks.values(), default=None)

    def find_due(self, now: datetime) -> list[str]:
        """Return the accounts to look at now."""
        return [account_id for account_id, at in self.looks.items() if at <= now + self.lead]

    def go_on(self, outcome: AccountResults, polls: PollLog, *, now: datetime) -> None:
        """Plan what follows from one capture."""
        for poll in polls.of(outcome.done):
            self.take(poll)
        for account_id, error in outcome.failed.items():
            self.take_failure(account_id, error, now=now)
        self.captures += 1

    def leave_out(self, account_ids: Iterable[str]) -> None:
        """Look no more at these accounts."""
        for account_id in account_ids:
            self.looks.pop(account_id, None)
            self.failed.pop(account_id, None)

    def take(self, poll: Poll) -> None:
        """Plan an account's next look by what this one saw."""
        covered = poll.at + 2 * self.lead
        known = [story.expires_at for story in poll.stories.values() if story.expires_at]
        expiries = [expires_at for expires_at in known if covered < expires_at <= self.ends]
        looks = [min(expiries) - self.lead] if expiries else []
        if poll.at + LIFETIME < self.ends:
            # A story published from now on could still expire before the end; one look in half a life finds it.
            looks.append(poll.at + LIFETIME / 2)
        self._look_next(poll.account_id, min(looks, default=None))
        self.failed.pop(poll.account_id, None)
        self.done.add(poll.account_id)

    def take_failure(self, account_id: str, error: InsightsError, *, now: datetime) -> None:
        """Look again when Meta lets us, as long as that helps; what is lost by then shows in the next gap check."""
        self.failed[account_id] = (type(error).__name__, error.message)
        again = None
        if isinstance(error, RetriableGraphError):
            again = now + max(timedelta(seconds=error.retry_after or 0), self.lead / 2)
        self._look_next(account_id, again if again and again < self.ends else None)

    def errors(self) -> dict[str, InsightsError]:
        """Return the accounts whose last look failed, with their errors."""
        return {account_id: getattr(errors, name)(message) for account_id, (name, message) in self.failed.items()}

    def pack(self) -> dict[str, Any]:
        """Return the plan as JSON-able values, a few bytes per account."""
        return {
            "ends": self.ends.isoformat(),
            "looks": {account_id: at.timestamp() for account_id, at in self.looks.items()},
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
            looks={account_id: datetime.fromtimestamp(at, UTC) for account_id, at in packed["looks"].items()},
            done=set(packed["done"]),
            failed={account_id: (name, message) for account_id, (name, message) in packed["failed"].items()},
            captures=packed["captures"],
        )

    def _look_next(self, account_id: str, at: datetime | None) -> None:
        if at is None:
            self.looks.pop(account_id, None)
        else:
            self.looks[account_id] = at


def check_lead(lead: timedelta) -> timedelta:
    """Return how long before an expiry to look.

    :raises ConfigurationError: it is not between one minute and six hours.
    """
    if not isinstance(lead, timedelta) or not _SHORTEST_LEAD <= lead <= _LONGEST_LEAD:
        raise ConfigurationError(
            f"capture_lead must be a timedelta of one minute to six hours, not {quote_value(lead)}."
        )
    return lead
