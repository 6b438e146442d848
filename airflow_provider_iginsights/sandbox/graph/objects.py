"""The things of which the local Graph API's world is made: accounts, media, Pages and access tokens."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

__all__ = [
    "APP_ID",
    "APP_SECRET",
    "FACEBOOK_PERMISSIONS",
    "INSTAGRAM_PERMISSIONS",
    "STORY_LIFE",
    "Account",
    "FacebookPage",
    "Media",
    "Token",
    "appsecret_proof",
]

TokenKind = Literal["user", "page", "system_user", "instagram", "app"]

STORY_LIFE = timedelta(hours=24)
APP_ID = "1084263100001234"
APP_SECRET = "sandbox-app-secret"  # noqa: S105 - opens nothing but this sandbox
FACEBOOK_PERMISSIONS = frozenset(
    {
        "business_management",
        "instagram_basic",
        "instagram_manage_insights",
        "pages_read_engagement",
        "pages_show_list",
    }
)
INSTAGRAM_PERMISSIONS = frozenset({"instagram_business_basic", "instagram_business_manage_insights"})


@dataclass(frozen=True, slots=True)
class Account:
    """An Instagram professional account. ``posts`` are generated in all, ``stories_per_day`` each day of any year."""

    id: str
    username: str
    name: str = ""
    biography: str = ""
    website: str = ""
    followers_count: int = 5000
    follows_count: int = 100
    media_count: int = 0
    page_id: str = ""
    business_id: str = "645699291956344"
    number: int = 0
    posts: int = 0
    stories_per_day: int = 0
    europe: bool = False
    japan: bool = False

    @property
    def app_scoped_id(self) -> str:
        """The ``id`` that graph.instagram.com gives beside the ``user_id``."""
        # Any other id would do; only it must not be the account's.
        return "25" + self.id[2:]


@dataclass(frozen=True, slots=True)
class Media:
    """A post, reel, album or story. Counts left at None grow with age as the insights metrics do."""

    id: str
    account_id: str
    media_type: str
    media_product_type: str
    timestamp: datetime
    caption: str | None = None
    permalink: str = ""
    shortcode: str = ""
    alt_text: str | None = None
    like_count: int | None = None
    comments_count: int | None = None
    shared_to_facebook: bool = False
    before_business: bool = False
    """Posted before the account became a business: insights are refused with 100/2108006."""
    hidden: bool = False
    """Listed, but every read of the object itself is refused with 100/33."""
    highlighted: bool = False
    """A story that stays readable after its 24 hours."""
    collaborators: tuple[str, ...] = ()
    """Ids of other accounts that list the post as theirs, too."""
    album_id: str | None = None
    """The album that this is a part of. Parts have no insights of their own."""
    viewers: int | None = None
    """People who saw the story, where insights need at least five; None = what its reach says."""

    def is_live(self, now: datetime) -> bool:
        """Say whether the story is in its 24 hours."""
        return self.timestamp <= now < self.timestamp + STORY_LIFE


@dataclass(frozen=True, slots=True)
class FacebookPage:
    """A Facebook Page that has no Instagram account."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Business:
    """A Business portfolio: ids of the accounts that it owns, and of those that it manages for ``clients``."""

    id: str
    name: str = ""
    owned: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what it opens. ``account_ids`` None = every account; ``issued_at`` None = long ago.

    ``targets``: permission -> ids of the only accounts that it holds for, as in a dialog with some boxes unticked.
    """

    value: str
    kind: TokenKind
    account_ids: tuple[str, ...] | None = None
    permissions: frozenset[str] = FACEBOOK_PERMISSIONS
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None
    issued_at: datetime | None = None
    revoked: bool = False
    app_id: str = APP_ID
    app_secret: str = APP_SECRET
    proof_required: bool = False
    user_id: str = "6801045783286074"
    name: str = "Sandbox User"
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def sees(self, account_id: str) -> bool:
        """Say whether the account is among those that the token opens."""
        return self.account_ids is None or account_id in self.account_ids


def appsecret_proof(token: str, app_secret: str) -> str:
    """Return the proof that goes with ``token``: hex HMAC-SHA256 under the app secret."""
    return hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
