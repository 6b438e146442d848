"""``GET /{ig-media-id}/insights`` as today's API answers it: lifetime totals, or one breakdown, of one media."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_iginsights.sandbox.graph import auth, numbers, rules
from airflow_provider_iginsights.sandbox.graph.call import GraphCall
from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.objects import STORY_LIFE, Media
from airflow_provider_iginsights.sandbox.graph.params import names
from airflow_provider_iginsights.sandbox.graph.titles import entry
from airflow_provider_iginsights.sandbox.graph.user_insights import check_enum
from airflow_provider_iginsights.sandbox.graph.versions import major
from airflow_provider_iginsights.sandbox.graph.world import World

__all__ = ["answer_media_insights", "check_readable", "media_value", "value_at_age", "viewers"]

_FEWEST_VIEWERS = 5
# Instagram Platform changelog, v22.0: older versions go on answering for media created up to 2024-07-01.
_IMPRESSIONS_UNTIL = 21


def answer_media_insights(call: GraphCall, media: Media, params: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer's body, or raise the error of the first rule that the request breaks."""
    call.require(auth.INSIGHTS)
    metrics = names(params, "metric")
    call.apply_faults("object", object_id=media.id, metrics=metrics, product_type=media.media_product_type)
    check_readable(call, media)
    if media.album_id is not None:
        raise call.no_object(media.id)
    if not metrics:
        raise fail("required", name="metric")
    check_enum("metric", metrics, _accepted(call))
    breakdown = names(params, "breakdown")
    check_enum("breakdown", breakdown, rules.MEDIA_BREAKDOWNS)
    for metric in metrics:
        _check_breakdown(call, metric, breakdown)
        _check_product(call, media, metric)
    # META-17
    if media.before_business:
        raise fail("before_business")
    # META-15; META-22: the same code as for a permission that is missing.
    if media.media_product_type == "STORY" and viewers(call, media) < _FEWEST_VIEWERS:
        raise fail("few_viewers")
    return {"data": [_entry(call, media, metric, breakdown) for metric in metrics]}


def check_readable(call: GraphCall, media: Media) -> None:
    """Raise 100/33 for media that is hidden, or a story past its 24 hours that is not highlighted."""
    is_over = media.media_product_type == "STORY" and not media.is_live(call.now) and not media.highlighted
    if media.hidden or is_over:
        raise call.no_object(media.id)


def media_value(call: GraphCall, media: Media, metric: str) -> int | float:
    """Return a media metric's lifetime total now, an override first."""
    return value_at_age(call.world, media, metric, _age(call, media))


def value_at_age(world: World, media: Media, metric: str, age: timedelta) -> int | float:
    """Return a media metric's lifetime total at an age, an override first."""
    override = world.overrides.get((media.id, metric))
    if override is not None:
        return sum(override.values()) if isinstance(override, Mapping) else override
    account = world.accounts[media.account_id]
    # "Instagram Media Insights", limitations: accounts in Europe and Japan have no replies.
    if metric == "replies" and (account.europe or account.japan):
        return 0
    return numbers.media_total(world.seed, media.id, metric, age)


def viewers(call: GraphCall, media: Media) -> int:
    """Return how many people have seen a story."""
    return int(media_value(call, media, "reach")) if media.viewers is None else media.viewers


def _age(call: GraphCall, media: Media) -> timedelta:
    age = call.now - media.timestamp
    # Nobody sees a story after its 24 hours, so its numbers stand still.
    return min(age, STORY_LIFE) if media.media_product_type == "STORY" else age


def _accepted(call: GraphCall) -> tuple[str, ...]:
    is_facebook = call.login == "facebook"
    return tuple(name for name, rule in call.world.media_metrics.items() if is_facebook or not rule.facebook_login_only)


def _check_breakdown(call: GraphCall, metric: str, breakdown: tuple[str, ...]) -> None:
    if breakdown and breakdown != (call.world.media_metrics[metric].breakdown,):
        raise fail("not_that_breakdown", breakdown=",".join(breakdown), metric=metric)


def _check_product(call: GraphCall, media: Media, metric: str) -> None:
    rule = call.world.media_metrics[metric]
    if rule.only_media_until is not None and (
        major(call.version) > _IMPRESSIONS_UNTIL or media.timestamp.date() > rule.only_media_until
    ):
        # META-16: the name is refused, and with it all that was asked beside it.
        raise fail("impressions_gone")
    if media.media_product_type not in rule.products:
        raise fail("not_this_product", metric=metric)
    if rule.needs_facebook and not media.shared_to_facebook:
        # META-23
        raise fail("fatal")


def _entry(call: GraphCall, media: Media, metric: str, breakdown: tuple[str, ...]) -> dict[str, object]:
    value = media_value(call, media, metric)
    values = [{"value": value}]
    if not breakdown:
        return entry(media.id, metric, "lifetime", values=values)
    override = call.world.overrides.get((media.id, metric))
    if isinstance(override, Mapping):
        parts: dict[tuple[str, ...], int] = {(key,): part for key, part in override.items()}
    else:
        parts = numbers.media_breakdown(call.world.seed, media.id, metric, breakdown, int(value))
    # META-09: groups without a number are not sent as 0.
    results = [{"dimension_values": list(key), "value": part} for key, part in parts.items() if part]
    total = {"value": value, "breakdowns": [{"dimension_keys": list(breakdown), "results": results}]}
    return entry(media.id, metric, "lifetime", values=values, total_value=total)
