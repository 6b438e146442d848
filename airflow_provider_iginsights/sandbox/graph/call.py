"""One Graph call as the API works on it: what was asked, by whom, of which version, and which faults hit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlencode

from airflow_provider_iginsights.sandbox.graph import auth
from airflow_provider_iginsights.sandbox.graph.effects import Effect, ErrorEffect, ReduceData
from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.faults import FaultPoint, FaultScript, Level
from airflow_provider_iginsights.sandbox.graph.objects import Account, Token
from airflow_provider_iginsights.sandbox.graph.usage import UsageCounter
from airflow_provider_iginsights.sandbox.graph.versions import major
from airflow_provider_iginsights.sandbox.graph.world import World

__all__ = ["GraphCall"]

# The parameters of insights by type and breakdown, and the dates of /media, came with these versions.
_TYPES_SINCE = 15
_MEDIA_DATES_SINCE = 11


@dataclass(slots=True, kw_only=True)
class GraphCall:
    """A single call. ``path`` has neither host nor version; ``base_url`` has both."""

    world: World
    faults: FaultScript
    usage: UsageCounter
    method: str
    path: str
    params: Mapping[str, str]
    login: auth.Login
    version: str
    base_url: str
    now: datetime
    token: Token
    account: Account | None = None
    effects: list[Effect] = field(default_factory=list)

    @property
    def is_legacy(self) -> bool:
        """Whether the version knows neither ``metric_type`` nor ``breakdown``."""
        return major(self.version) < _TYPES_SINCE

    @property
    def has_media_dates(self) -> bool:
        """Whether the version's /media takes ``since`` and ``until``."""
        return major(self.version) >= _MEDIA_DATES_SINCE

    def apply_faults(
        self,
        level: Level,
        *,
        object_id: str | None = None,
        metrics: tuple[str, ...] = (),
        product_type: str | None = None,
        limit: int = 0,
        field: str | None = None,
    ) -> list[Effect]:
        """Apply the faults of the script: raise their error, or keep their effects for the answer and return them."""
        point = FaultPoint(
            level=level,
            path=self.path,
            object_id=object_id,
            metrics=metrics,
            product_type=product_type,
            limit=limit,
            field=field,
        )
        effects = self.faults.take(point)
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, ErrorEffect):
                raise effect.error()
            if isinstance(effect, ReduceData):
                raise effect.error.error() if effect.error else fail("reduce")
        return effects

    def enter(self, account: Account) -> None:
        """Work for ``account`` from here on: it must be visible to the token and is not blocked."""
        if not self.token.sees(account.id):
            raise self.no_object(account.id)
        self.account = account
        self.usage.count(account, self.now)

    def no_object(self, object_id: str) -> Exception:
        """Return the error 100/33 for an object that does not exist for this call."""
        return fail("no_object", method=self.method.lower(), id=object_id)

    def require(self, permissions: Mapping[auth.Login, tuple[str, ...]]) -> None:
        """Raise the permission error (10) unless the token has what this login needs."""
        account_id, needed = self.account.id if self.account else None, permissions[self.login]
        if self.account and not self.account.page_id:
            # An account of Unified Login has no Page, and needs no permission for one ("Instagram webhook fields").
            needed = tuple(name for name in needed if not name.startswith("pages_"))
        auth.require(self.token, needed, account_id=account_id)

    def address(self, path: str, params: Mapping[str, str]) -> str:
        """Return the full URL of a neighbouring page. Like Meta's it carries the access token."""
        return f"{self.base_url}{path}?{_encode(('access_token', self.token.value), *params.items())}"


@lru_cache(maxsize=1024)
def _encode(*params: tuple[str, str]) -> str:
    """Return a query string: those of one window and question are the same for all accounts."""
    return urlencode(params)
