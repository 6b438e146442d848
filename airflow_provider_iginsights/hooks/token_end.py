"""When an access token ends, and when its access to a person's data does; who is told so, and how."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WARNING = timedelta(days=14)
"""How long before the end somebody is warned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEnd:
    """The two ends of a token, in Unix seconds; 0 = never, None = unknown.

    The access to the data of a person ends 90 days after the person last used the app, also where the token goes on
    (Meta, "Authorization vs. Data Access"). No exchange of the token mends that.
    """

    expires_at: int | None = None
    data_access_expires_at: int | None = None

    @property
    def instant(self) -> datetime | None:
        """Return the earlier of the two ends (UTC); None = never, or unknown."""
        ends = [end for end in (self.expires_at, self.data_access_expires_at) if end]
        return datetime.fromtimestamp(min(ends), UTC) if ends else None

    def is_alive(self, now: datetime) -> bool:
        """Return whether neither end has come."""
        return self.instant is None or self.instant > now

    def is_within(self, time: timedelta, *, now: datetime) -> bool:
        """Return whether one of the ends comes within that time, or has come."""
        return self.instant is not None and self.instant - now <= time


def describe_end(end: TokenEnd, *, now: datetime) -> str:
    """Return the ends that are known and will come, in sentences about "it"; within 14 days also what to do.

    :param now: aware; dates are given in UTC.
    """
    ends = (
        (end.expires_at, "It", "renew it before, or use the token of a system user, which does not expire"),
        (end.data_access_expires_at, "Meta's data access for it", "its person must log in to the app again before"),
    )
    return " ".join(f"{what} {_describe(second, cure, now=now)}." for second, what, cure in ends if second)


def _describe(second: int, cure: str, *, now: datetime) -> str:
    at = datetime.fromtimestamp(second, UTC)
    if at <= now:
        return f"expired on {at:%Y-%m-%d}: make a new token"
    days = (at - now).days
    left = f"expires on {at:%Y-%m-%d} (in {days} {'day' if days == 1 else 'days'})"
    return f"{left}: {cure}" if at - now <= WARNING else left
