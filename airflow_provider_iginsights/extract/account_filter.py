"""Filters the accounts that were found: by id, by username, by number of followers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.discovery import DiscoveredAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Ids or usernames to ``allow`` (None = all) and to ``deny``, which comes first; case and a leading @ are ignored.

    ``minimum_followers`` removes an account only where Meta sent its number of followers.
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    minimum_followers: int = 0

    @classmethod
    def of(cls, *, allow: Iterable[str] | None, deny: Iterable[str] | None, minimum_followers: int) -> AccountFilter:
        """Return a filter for names as users write them."""
        return cls(
            allow=None if allow is None else frozenset(map(_normalize, allow)),
            deny=frozenset(map(_normalize, deny or ())),
            minimum_followers=minimum_followers,
        )

    @property
    def needs_more_than_ids(self) -> bool:
        """Return whether usernames or followers decide, which have to be read from Meta."""
        names = (self.allow or frozenset()) | self.deny
        return self.minimum_followers > 0 or not all(name.isdigit() for name in names)

    def accepts(self, account: DiscoveredAccount) -> bool:
        """Return whether the filter accepts the account."""
        names = _names_of(account)
        is_small = account.followers_count is not None and account.followers_count < self.minimum_followers
        return (self.allow is None or bool(names & self.allow)) and not names & self.deny and not is_small

    def find_missing(self, accounts: Iterable[DiscoveredAccount]) -> list[str]:
        """Return the allowed names that no account has, sorted."""
        return sorted((self.allow or frozenset()).difference(*map(_names_of, accounts)))


def _names_of(account: DiscoveredAccount) -> frozenset[str]:
    return frozenset(filter(None, (account.id, _normalize(account.username))))


def _normalize(name: str) -> str:
    # Instagram ignores the case of usernames.
    return name.strip().removeprefix("@").casefold()
