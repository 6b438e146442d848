"""Who and what exists in the local Graph API: accounts, their posts and stories, and the tokens that see them.

Posts and stories are generated when they are first looked at, each a pure function of seed, account and index, so that
a world of a thousand accounts costs nothing until it is read. Whatever a test puts by hand wins over what is generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from airflow_provider_iginsights.sandbox.graph import rules
from airflow_provider_iginsights.sandbox.graph.generate import (
    EPOCH,
    account_id_of,
    make_account,
    make_story,
    posts_of,
)
from airflow_provider_iginsights.sandbox.graph.objects import (
    APP_ID,
    APP_SECRET,
    FACEBOOK_PERMISSIONS,
    INSTAGRAM_PERMISSIONS,
    Account,
    Business,
    FacebookPage,
    Media,
    Token,
)

__all__ = ["World"]

Number = int | float | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a sandbox knows. The mappings may be changed while it runs; ``put`` does so by id."""

    seed: int
    now: datetime
    accounts: dict[str, Account] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    pages: dict[str, FacebookPage] = field(default_factory=dict)
    businesses: dict[str, Business] = field(default_factory=dict)
    placed: dict[str, Media] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    overrides: dict[tuple[str, str], Number] = field(default_factory=dict)
    """(object id, metric) -> the number to give, or the values by breakdown value; wins over ``numbers``."""
    user_metrics: dict[str, rules.UserMetric] = field(default_factory=lambda: dict(rules.USER_METRICS))
    """What accounts can be asked for; put in what Meta announces tomorrow: ``UserMetric(total=("day",))``."""
    media_metrics: dict[str, rules.MediaMetric] = field(default_factory=lambda: dict(rules.MEDIA_METRICS))
    """The same for media: ``MediaMetric(("FEED", "STORY"))``."""

    @classmethod
    def build(
        cls,
        *,
        seed: int = 7,
        accounts: int = 2,
        media_per_account: int = 30,
        stories_per_account: int = 3,
        now: datetime | None = None,
    ) -> Self:
        """Return a world whose posts lie in the 700 days before ``now`` (default: real time), most of them recent.

        Each account publishes ``stories_per_account`` stories every day, so that this many are live at any time.
        """
        world = cls(seed=seed, now=now or datetime.now(UTC))
        for number in range(1, accounts + 1):
            world.put(make_account(seed, number, posts=media_per_account, stories=stories_per_account))
        world.put(FacebookPage(id="999000000000001", name="Page without Instagram"))
        world.put(Token(value=world.system_user_token, kind="system_user", name="Sandbox System User"))
        world.put(
            Token(
                value=world.user_token,
                kind="user",
                expires_at=world.now + timedelta(days=60),
                data_access_expires_at=world.now + timedelta(days=90),
            )
        )
        return world

    def put(self, thing: Account | Business | Media | FacebookPage | Token) -> None:
        """Add ``thing``, or replace the one with its id (for a token: its value)."""
        match thing:
            case Account():
                self.accounts[thing.id] = thing
            case Business():
                self.businesses[thing.id] = thing
            case Media():
                self.placed[thing.id] = thing
            case FacebookPage():
                self.pages[thing.id] = thing
            case _:
                self.tokens[thing.value] = thing

    @property
    def system_user_token(self) -> str:
        """The value of a system user's token that sees every account and never expires."""
        return f"EAAGsystemuser{self.seed}"

    @property
    def user_token(self) -> str:
        """The value of a person's token that sees every account and expires in 60 days."""
        return f"EAAGuser{self.seed}"

    def page_token(self, account_id: str) -> str:
        """Return the value of the account's Page token, as /me/accounts hands it out."""
        return f"EAAGpage{account_id}"

    def instagram_token(self, account_id: str) -> str:
        """Return the value of the account's own token for graph.instagram.com."""
        return f"IGAA{account_id}"

    def token(self, value: str) -> Token | None:
        """Return the token with this value, or None."""
        if found := self.tokens.get(value):
            return found
        for prefix, kind, permissions in (
            ("EAAGpage", "page", FACEBOOK_PERMISSIONS),
            ("IGAA", "instagram", INSTAGRAM_PERMISSIONS),
        ):
            account_id = value.removeprefix(prefix)
            if account_id != value and account_id in self.accounts:
                return Token(value, kind, (account_id,), permissions)  # type: ignore[arg-type]
        app_id, _, secret = value.partition("|")
        return Token(value, "app", app_id=app_id, app_secret=secret) if self.has_app(app_id, secret) else None

    def has_app(self, app_id: str, secret: str | None = None) -> bool:
        """Return whether there is an app with this id, and with this secret; each app has issued a token."""
        apps = {APP_ID: APP_SECRET} | {token.app_id: token.app_secret for token in self.tokens.values()}
        return app_id in apps and secret in (None, apps[app_id])

    def account(self, account_id: str) -> Account | None:
        """Return the account, by its id or by its app-scoped id, or None."""
        found = self.accounts.get(account_id)
        if found is None and account_id.startswith("25"):
            found = self.accounts.get("17" + account_id[2:])
        return found

    def media_of(self, account_id: str, now: datetime) -> list[Media]:
        """Return the account's posts that are published at ``now``, newest first, without stories."""
        own = {media.id: media for media in posts_of(self.seed, self.now, self.accounts[account_id])}
        return self._shown(account_id, own, now, is_story=False)

    def stories_of(self, account_id: str, now: datetime) -> list[Media]:
        """Return the stories that are live at ``now``, newest first."""
        account = self.accounts[account_id]
        today = (now - EPOCH).days
        own = {
            story.id: story
            # A story that is live was published today or yesterday.
            for day in (today - 1, today)
            for story in (make_story(self.seed, account, day, place) for place in range(account.stories_per_day))
        }
        return [story for story in self._shown(account_id, own, now, is_story=True) if story.is_live(now)]

    def media(self, media_id: str) -> Media | None:
        """Return the post or story with this id, or None."""
        if media_id in self.deleted:
            return None
        return self.placed.get(media_id) or self._generated(media_id) or self._part(media_id)

    def _part(self, media_id: str) -> Media | None:
        album = self.placed.get(media_id[:-1]) or self._generated(media_id[:-1])
        parts = self.children_of(album) if album is not None and album.id not in self.deleted else []
        return next((part for part in parts if part.id == media_id), None)

    def children_of(self, media: Media) -> list[Media]:
        """Return the parts of an album: a picture and a film; nothing for other media."""
        if media.media_type != "CAROUSEL_ALBUM":
            return []
        kinds = ("IMAGE", "VIDEO")
        return [
            replace(media, id=f"{media.id}{place}", media_type=kind, alt_text=None, caption=None, album_id=media.id)
            for place, kind in enumerate(kinds, start=1)
        ]

    def _shown(self, account_id: str, own: dict[str, Media], now: datetime, *, is_story: bool) -> list[Media]:
        own.update(
            (media.id, media)
            for media in self.placed.values()
            if account_id in (media.account_id, *media.collaborators)
            and (media.media_product_type == "STORY") == is_story
        )
        # The clock of a test may go back: what is published later is not there yet.
        shown = [media for media in own.values() if media.timestamp <= now and media.id not in self.deleted]
        return sorted(shown, key=lambda media: (media.timestamp, media.id), reverse=True)

    def _generated(self, media_id: str) -> Media | None:
        if len(media_id) != 17 or not media_id.isdecimal():
            return None
        account = self.accounts.get(account_id_of(int(media_id[3:10])))
        rest = int(media_id[10:])
        if account is None:
            return None
        if media_id.startswith("178") and rest < account.posts:
            return posts_of(self.seed, self.now, account)[rest]
        if media_id.startswith("179") and rest % 100 < account.stories_per_day:
            return make_story(self.seed, account, rest // 100, rest % 100)
        return None
