"""What the local Graph API's world holds by itself: accounts, posts and stories as functions of seed and index."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from airflow_provider_iginsights.sandbox.graph.numbers import mix
from airflow_provider_iginsights.sandbox.graph.objects import Account, Media

__all__ = ["EPOCH", "account_id_of", "make_account", "make_story", "posts_of"]

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)

_SPREAD_SECONDS = 700 * 86_400
_KINDS = (("IMAGE", "FEED"), ("VIDEO", "REELS"), ("CAROUSEL_ALBUM", "FEED"))


def account_id_of(number: int) -> str:
    """Return the id of the generated account with this number."""
    return f"178414{number:011d}"


def make_account(seed: int, number: int, *, posts: int, stories: int) -> Account:
    """Return the generated account with this number."""
    username = f"brand_{number:04d}"
    return Account(
        id=account_id_of(number),
        username=username,
        name=f"Brand {number}",
        biography=f"The profile of brand {number} \N{SPARKLES}",
        website=f"https://{username.replace('_', '-')}.example/",
        followers_count=1000 + mix(seed, number, "followers") % 90_000,
        follows_count=50 + mix(seed, number, "follows") % 900,
        # Meta's count is off, too: 229 where 243 posts were listed is reported for v26.0. No reader may stop at it.
        media_count=posts - posts // 17,
        page_id=f"1{number:014d}",
        business_id=f"6456992{number:08d}",
        number=number,
        posts=posts,
        stories_per_day=stories,
    )


@lru_cache(maxsize=256)
def posts_of(seed: int, now: datetime, account: Account) -> tuple[Media, ...]:
    """Return the account's generated posts, by index, 0 the newest. ``now`` is the instant before which they lie."""
    return tuple(_post(seed, now, account, index) for index in range(account.posts))


def _post(seed: int, now: datetime, account: Account, index: int) -> Media:
    """Return post number ``index``, 0 the newest. Ages grow with the square of the index: the newest are dense."""
    count, roll = account.posts, mix(seed, account.id, index)
    media_type, product_type = _KINDS[roll % 3]
    path, shortcode = "reel" if product_type == "REELS" else "p", _shortcode(seed, account, index)
    # The noise stays within a third of the distance to the next post, so the order by index is that by age.
    gap = _SPREAD_SECONDS * (2 * index + 1) / count**2
    age = _SPREAD_SECONDS * ((index + 0.25) / count) ** 2 + roll % 1000 / 1000 * gap / 3
    return Media(
        id=f"178{account.number:07d}{index:07d}",
        account_id=account.id,
        media_type=media_type,
        media_product_type=product_type,
        timestamp=(now - timedelta(seconds=age)).replace(microsecond=0),
        caption=f"Post {index} of {account.username}\nwith a second line, a \N{PARTY POPPER} and #tags",
        permalink=f"https://www.instagram.com/{path}/{shortcode}/",
        shortcode=shortcode,
        alt_text=f"Picture {index}" if roll % 4 == 0 else None,
        shared_to_facebook=roll % 2 == 0,
    )


def make_story(seed: int, account: Account, day: int, place: int) -> Media:
    """Return the story number ``place`` of the UTC day that is ``day`` days after EPOCH."""
    second = (mix(seed, account.id, "story", place) * 31) % 86_400
    posted = EPOCH + timedelta(days=day, seconds=second)
    roll = mix(seed, account.id, day, place)
    return Media(
        id=f"179{account.number:07d}{day:05d}{place:02d}",
        account_id=account.id,
        media_type=("IMAGE", "VIDEO")[roll % 2],
        media_product_type="STORY",
        timestamp=posted,
        permalink=f"https://www.instagram.com/stories/{account.username}/{day}{place}",
        shortcode=_shortcode(seed, account, day, place),
        shared_to_facebook=roll % 4 < 2,
        # META-34: a highlight stays readable after its 24 hours.
        highlighted=roll % 5 == 0,
    )


def _shortcode(seed: int, account: Account, *key: int) -> str:
    return f"D{mix(seed, account.id, *key, 1):06x}{mix(seed, account.id, *key, 2):06x}"[:11]
