"""On which days an account was unavailable, and what follows from that: when it is left out, and when asked again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

UNAVAILABLE_DAYS = 3
"""On so many Pacific days, without an answer in between, an account must be unavailable before it is left out."""
ASKED_AGAIN_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHistory:
    """The Pacific days on which an account was unavailable since it last answered, ascending, and the last error."""

    days: tuple[date, ...]
    reason: str

    @property
    def is_quarantined(self) -> bool:
        """Return whether the account is left out until it is asked again."""
        return len(self.days) >= UNAVAILABLE_DAYS

    @property
    def asked_again(self) -> date:
        """Return the Pacific day from which a run asks a quarantined account again."""
        return self.days[-1] + ASKED_AGAIN_AFTER

    def add(self, day: date, reason: str) -> AccountHistory:
        """Return the history with one more day."""
        return AccountHistory(days=tuple(sorted({*self.days, day})), reason=reason)

    def describe(self) -> dict[str, str]:
        """Return what the run's summary says."""
        since, again = self.days[0].isoformat(), self.asked_again.isoformat()
        return {"unavailable_since": since, "asked_again": again, "reason": self.reason}
