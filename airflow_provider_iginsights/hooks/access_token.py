"""Access tokens as they are kept and handed on. Their ``repr`` does not show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_iginsights.hooks.token_end import TokenEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A token from a Variable. ``expires_at`` and ``refreshed_at`` are Unix seconds; None = not known, 0 = never."""

    value: str = field(repr=False)
    expires_at: int | None = None
    refreshed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshedToken:
    """A new token, for the sink that keeps it. ``repr`` does not show it.

    :param value: the token itself.
    :param end: when it, and its access to the data, end.
    :param refreshed_at: when Meta issued it, in Unix seconds.
    """

    value: str = field(repr=False)
    instagram_conn_id: str
    end: TokenEnd
    refreshed_at: int

    @property
    def expires_at(self) -> datetime | None:
        """Return when the token ends (UTC); None = never, or unknown."""
        return TokenEnd(expires_at=self.end.expires_at).instant
