"""Which fields of accounts, media and Pages we ask for, and the table column each one fills."""

from __future__ import annotations

from airflow_provider_iginsights.catalog.versions import parse_version

# Graph API field of the IG User node -> column of the accounts table
PROFILE_FIELDS: dict[str, str] = {
    "username": "username",
    "name": "name",
    "biography": "biography",
    "website": "website",
    "followers_count": "followers_count",
    "follows_count": "follows_count",
    "media_count": "media_count",
}

# Graph API field of the IG Media node -> column of the media table
MEDIA_FIELDS: dict[str, str] = {
    "id": "media_id",
    "media_type": "media_type",
    "media_product_type": "media_product_type",
    "caption": "caption",
    "permalink": "permalink",
    "shortcode": "shortcode",
    "username": "username",
    "timestamp": "published_at",
    "like_count": "like_count",
    "comments_count": "comments_count",
    "alt_text": "alt_text",
}

# Fields that came later than v10.0; older versions refuse the whole request for an unknown field.
FIELDS_SINCE: dict[str, str] = {"alt_text": "v21.0"}


def fields_for(version: str, fields: dict[str, str]) -> tuple[str, ...]:
    """Return the fields of the table that this version knows, in table order."""
    return tuple(
        field
        for field in fields
        if field not in FIELDS_SINCE or parse_version(version) >= parse_version(FIELDS_SINCE[field])
    )
