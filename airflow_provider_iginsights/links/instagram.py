"""The button on a task instance that leads to the account it read, where it read one."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

import attrs

from airflow_provider_iginsights.links.stored_link import StoredLink


def account_url(username: str) -> str:
    """Return the address of an account's page."""
    return f"https://www.instagram.com/{quote(username, safe='')}/"


@attrs.define
class InstagramAccountLink(StoredLink):
    """Link "Instagram account"."""

    title: ClassVar[str] = "Instagram account"
    key: ClassVar[str] = "instagram_account_link"
