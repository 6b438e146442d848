"""The rows of ``instagram_media``, ``instagram_media_insights`` and ``instagram_story_insights``, at one instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_iginsights.sandbox.graph import Account, Media, World, numbers
from tests.support.truth.offers import DEFAULT_POSTS, DEFAULT_STORIES, MediaOffer

Row = dict[str, Any]

STORY_LIFE = timedelta(hours=24)
FEWEST_VIEWERS = 5
HOST = "https://scontent.cdninstagram.example"


def listed_rows(world: World, media: Iterable[Media], *, now: datetime, legacy: bool = False) -> Iterator[Row]:
    """Yield the row of each media in the table ``instagram_media``. ``legacy``: as the API of 2021 shows it."""
    for each in media:
        names = ("media_type", "caption", "permalink", "shortcode")
        likes = each.like_count if each.like_count is not None else total_of(world, each, "likes", now)
        comments = each.comments_count if each.comments_count is not None else total_of(world, each, "comments", now)
        yield {name: getattr(each, name) for name in names} | {
            "media_id": each.id,
            "account_id": each.account_id,
            "media_product_type": product_type_of(each, legacy=legacy),
            "published_date": each.timestamp.astimezone(numbers.PACIFIC).date(),
            "published_at": each.timestamp,
            "username": world.accounts[each.account_id].username,
            "like_count": likes,
            "comments_count": comments,
            "alt_text": None if legacy else each.alt_text,
            "is_comment_enabled": True,
            "is_shared_to_feed": True if each.media_product_type == "REELS" else None,
            "ig_id": each.id[-15:],
            "owner_id": each.account_id,
            "is_listed": None if each.media_product_type == "STORY" else True,
            **addresses_of(each),
        }


def child_rows(world: World, media: Iterable[Media], *, legacy: bool = False) -> Iterator[Row]:
    """Yield the rows of the table ``instagram_media_children``."""
    for album in media:
        for position, child in enumerate(world.children_of(album), start=1):
            yield {name: getattr(child, name) for name in ("media_type", "permalink", "shortcode")} | {
                "account_id": album.account_id,
                "media_id": album.id,
                "child_id": child.id,
                "published_date": album.timestamp.astimezone(numbers.PACIFIC).date(),
                "position": position,
                "alt_text": None if legacy else child.alt_text,
                **addresses_of(child),
            }


def addresses_of(media: Media) -> Row:
    """Return the addresses of a picture or film, as far as they are always the same."""
    is_film = media.media_type == "VIDEO"
    return {
        "media_url": f"{HOST}/media/{media.id}.{'mp4' if is_film else 'jpg'}",
        "thumbnail_url": f"{HOST}/thumbnail/{media.id}.jpg" if is_film else None,
    }


def post_rows(
    world: World,
    posts: Iterable[Media],
    *,
    now: datetime,
    offer: MediaOffer = DEFAULT_POSTS,
    legacy: bool = False,
) -> Iterator[Row]:
    """Yield the insights of posts and reels. Media from before the business account, or hidden, has none."""
    for post in posts:
        product_type = product_type_of(post, legacy=legacy)
        if post.before_business or post.hidden:
            continue
        common = {
            "media_id": post.id,
            "account_id": post.account_id,
            "media_product_type": product_type,
            "published_at": post.timestamp,
            "snapshot_date": now.astimezone(numbers.PACIFIC).date(),
        }
        for number in _numbers(world, post, offer, product_type, now):
            yield common | number


def story_rows(
    world: World, stories: Iterable[Media], *, now: datetime, offer: MediaOffer = DEFAULT_STORIES
) -> Iterator[Row]:
    """Yield the insights of live stories that at least five people have seen."""
    for story in stories:
        viewers = total_of(world, story, "reach", now) if story.viewers is None else story.viewers
        if viewers < FEWEST_VIEWERS:
            continue
        expires = story.timestamp + STORY_LIFE
        common = {
            "media_id": story.id,
            "account_id": story.account_id,
            "snapshot_at": now.replace(minute=0, second=0, microsecond=0),
            "source": "poll",
            "published_at": story.timestamp,
            "expires_at": expires,
            "snapshot_date": now.astimezone(numbers.PACIFIC).date(),
            "is_final": expires - now <= timedelta(hours=1),
        }
        for number in _numbers(world, story, offer, "STORY", now):
            yield common | number


def poll_row(world: World, account: Account, *, now: datetime) -> Row:
    """Return the first successful poll for stories of an account; it missed nothing."""
    return {
        "account_id": account.id,
        "snapshot_at": now.replace(minute=0, second=0, microsecond=0),
        "snapshot_date": now.astimezone(numbers.PACIFIC).date(),
        "live_stories": len(world.stories_of(account.id, now)),
        "previous_poll_at": None,
        "seen_late": 0,
        "finals_missed": 0,
    }


def product_type_of(media: Media, *, legacy: bool) -> str:
    """Return the product type; the API of 2021 shows reels as posts of the feed."""
    return "FEED" if legacy and media.media_product_type == "REELS" else media.media_product_type


def total_of(world: World, media: Media, metric: str, now: datetime) -> int | float:
    """Return the lifetime total at ``now``; a story's stands still after its 24 hours."""
    override = world.overrides.get((media.id, metric))
    if isinstance(override, int | float):
        return override
    account = world.accounts[media.account_id]
    if metric == "replies" and (account.europe or account.japan):
        return 0
    age = now - media.timestamp
    return numbers.media_total(
        world.seed, media.id, metric, min(age, STORY_LIFE) if media.media_product_type == "STORY" else age
    )


def _numbers(world: World, media: Media, offer: MediaOffer, product_type: str, now: datetime) -> Iterator[Row]:
    for metric, breakdowns in offer.metrics[product_type].items():
        if metric in offer.facebook and not media.shared_to_facebook:
            continue
        total = total_of(world, media, metric, now)
        for breakdown in breakdowns:
            if not breakdown:
                yield _number(metric, "", "", total)
                continue
            parts = numbers.media_breakdown(world.seed, media.id, metric, (breakdown,), int(total))
            for (value,), count in parts.items():
                if count:
                    yield _number(metric, breakdown, value, count)


def _number(metric: str, breakdown: str, breakdown_value: str, value: float) -> Row:
    return {
        "metric": metric,
        "breakdown": breakdown,
        "breakdown_value": breakdown_value,
        "value": Decimal(str(value)),
    }
