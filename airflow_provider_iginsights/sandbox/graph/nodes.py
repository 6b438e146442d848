"""The fields of the nodes: Instagram account, media, Page, and whoever holds the token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_iginsights.sandbox.graph import auth
from airflow_provider_iginsights.sandbox.graph.call import GraphCall
from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.fields import RequestedField, read_fields
from airflow_provider_iginsights.sandbox.graph.legacy import answer_legacy_media, answer_legacy_user
from airflow_provider_iginsights.sandbox.graph.media_insights import answer_media_insights, media_value
from airflow_provider_iginsights.sandbox.graph.objects import Account, Media
from airflow_provider_iginsights.sandbox.graph.signed_addresses import sign_address
from airflow_provider_iginsights.sandbox.graph.user_insights import answer_user_insights
from airflow_provider_iginsights.sandbox.graph.windows import format_time

__all__ = ["media_insights", "media_node", "page_node", "read_node", "user_insights", "user_node"]

Reader = Callable[[GraphCall, Any, RequestedField], Any]
Params = Mapping[str, str]


def read_node(call: GraphCall, thing: Any, fields: str, readers: Mapping[str, Reader], *, node: str) -> dict[str, Any]:
    """Return the node's asked fields, the id always among them; absent values are left out.

    Raises error 100 for a field that the node does not have.
    """
    answer: dict[str, Any] = {}
    for field in read_fields(fields):
        if field.name == "view_count" and node == "ShadowIGMedia":
            raise fail("view_count")
        if field.name not in readers:
            raise fail("no_field", field=field.name, node=node)
        for effect in call.apply_faults("field", field=field.name):
            kind = "no_field" if getattr(effect, "code", 100) == 100 else "no_permission_for_field"
            raise fail(kind, field=field.name, node=node)
        value = readers[field.name](call, thing, field)
        # META-10
        if value is not None:
            answer[field.name] = value
    return {**answer, "id": readers["id"](call, thing, RequestedField("id"))}


def user_insights(call: GraphCall, account: Account, params: Params) -> dict[str, Any]:
    """Answer the insights edge of an account in the served version's manner."""
    call.require(auth.INSIGHTS)
    return (answer_legacy_user if call.is_legacy else answer_user_insights)(call, account, params)


def media_insights(call: GraphCall, media: Media, params: Params) -> dict[str, Any]:
    """Answer the insights edge of a media in the served version's manner."""
    return (answer_legacy_media if call.is_legacy else answer_media_insights)(call, media, params)


def user_node(call: GraphCall, account: Account, fields: str, edges: Mapping[str, Reader]) -> dict[str, Any]:
    """Return an account's fields. ``edges`` read its lists (media, stories)."""
    readers = {**(_INSTAGRAM_USER if call.login == "instagram" else _FACEBOOK_USER), **edges}
    return read_node(call, account, fields, readers, node="ShadowIGUser")


def media_node(call: GraphCall, media: Media, fields: str) -> dict[str, Any]:
    """Return a media's fields."""
    return read_node(
        call, media, fields, _MEDIA if call.login == "instagram" else _FACEBOOK_MEDIA, node="ShadowIGMedia"
    )


def page_node(call: GraphCall, account: Account, fields: str) -> dict[str, Any]:
    """Return the fields of the Page that an account belongs to, its token among them."""
    return read_node(call, account, fields, _PAGE, node="Page")


def _attribute(name: str) -> Reader:
    return lambda _call, thing, _field: getattr(thing, name) if getattr(thing, name) != "" else None


def _constant(value: object) -> Reader:
    return lambda _call, _thing, _field: value


def _number(metric: str) -> Reader:
    return lambda call, media, _field: media_value(call, media, metric)


def _count(name: str, metric: str) -> Reader:
    def read(call: GraphCall, media: Media, _field: RequestedField) -> object:
        given: int | None = getattr(media, name)
        return media_value(call, media, metric) if given is None else given

    return read


def _product_type(call: GraphCall, media: Media, _field: RequestedField) -> str:
    # Reels came after the old versions; those show them as videos in the feed.
    return "FEED" if call.is_legacy and media.media_product_type == "REELS" else media.media_product_type


def _username(call: GraphCall, media: Media, _field: RequestedField) -> str:
    return call.world.accounts[media.account_id].username


def _children(call: GraphCall, media: Media, field: RequestedField) -> dict[str, Any] | None:
    children = call.world.children_of(media)
    return {"data": [media_node(call, child, field.subfields or "id") for child in children]} if children else None


def _instagram_account(call: GraphCall, account: Account, field: RequestedField) -> dict[str, Any]:
    return user_node(call, account, field.subfields or "id", {})


def _address(kind: str) -> Reader:
    return lambda call, thing, _field: sign_address(f"{kind}/{thing.id}", call.now)


def _media_address(call: GraphCall, media: Media, _field: RequestedField) -> str:
    return sign_address(f"media/{media.id}", call.now, film=media.media_type == "VIDEO")


def _still_address(call: GraphCall, media: Media, _field: RequestedField) -> str | None:
    return sign_address(f"thumbnail/{media.id}", call.now) if media.media_type == "VIDEO" else None


def _owner(_call: GraphCall, media: Media, field: RequestedField) -> dict[str, Any]:
    names = {each.name for each in read_fields(field.subfields or "id")}
    if unknown := names - {"id", "username"}:
        raise fail("no_field", field=min(unknown), node="ShadowIGUser")
    return {"id": media.account_id}


_USER: Mapping[str, Reader] = {
    "id": _attribute("id"),
    "username": _attribute("username"),
    "name": _attribute("name"),
    "biography": _attribute("biography"),
    "website": _attribute("website"),
    "followers_count": _attribute("followers_count"),
    "follows_count": _attribute("follows_count"),
    "media_count": _attribute("media_count"),
    "profile_picture_url": _address("profile"),
    "insights": lambda call, account, field: user_insights(call, account, field.params),
}
_FACEBOOK_USER: Mapping[str, Reader] = {
    **_USER,
    "ig_id": lambda _call, account, _field: int(account.id[-10:]),
    "has_profile_pic": _constant(True),
    "is_published": _constant(True),
    "legacy_instagram_user_id": lambda _call, account, _field: account.id[-10:],
    "owner_business": lambda _call, account, _field: {"id": account.business_id},
}
_INSTAGRAM_USER: Mapping[str, Reader] = {
    **_USER,
    "id": _attribute("app_scoped_id"),
    "user_id": _attribute("id"),
    "account_type": _constant("BUSINESS"),
}
_MEDIA: Mapping[str, Reader] = {
    "id": _attribute("id"),
    "ig_id": lambda _call, media, _field: media.id[-15:],
    "media_type": _attribute("media_type"),
    "media_product_type": _product_type,
    "caption": _attribute("caption"),
    "alt_text": _attribute("alt_text"),
    "permalink": _attribute("permalink"),
    "shortcode": _attribute("shortcode"),
    "timestamp": lambda _call, media, _field: format_time(media.timestamp),
    "username": _username,
    "owner": _owner,
    "like_count": _count("like_count", "likes"),
    "comments_count": _count("comments_count", "comments"),
    "children": _children,
    "is_ai_generated": _constant(False),
    "is_comment_enabled": _constant(True),
    "is_shared_to_feed": lambda _call, media, _field: True if media.media_product_type == "REELS" else None,
    "media_url": _media_address,
    "thumbnail_url": _still_address,
    "insights": lambda call, media, field: media_insights(call, media, field.params),
}
_FACEBOOK_MEDIA: Mapping[str, Reader] = {
    **_MEDIA,
    "reposts_count": _number("reposts"),
    "saved_count": _number("saved"),
    "shares_count": _number("shares"),
    "total_like_count": _number("total_likes"),
    "total_comments_count": _number("total_comments"),
    "total_views_count": _number("total_views"),
}
_PAGE: Mapping[str, Reader] = {
    "id": _attribute("page_id"),
    "name": lambda _call, account, _field: f"{account.name} Page",
    "category": _constant("Brand"),
    "access_token": lambda call, account, _field: call.world.page_token(account.id),
    "tasks": _constant(["ANALYZE", "ADVERTISE", "MODERATE", "CREATE_CONTENT", "MANAGE"]),
    "instagram_business_account": _instagram_account,
}
