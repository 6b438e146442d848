"""What the Graph API's documentation calls its versions and its logins, and the version that is asked by default."""

from __future__ import annotations

import re
from typing import Literal

from airflow_provider_iginsights.errors import ConfigurationError

Login = Literal["facebook", "instagram"]
"""Facebook Login for Business or Instagram Login: each has its own host, permissions and offer of metrics."""

DEFAULT_API_VERSION = "v25.0"

_VERSION = re.compile(r"v([0-9]{1,3})\.([0-9]{1,2})")


def is_version(text: str) -> bool:
    """Return whether a text is a version as Meta writes it, such as ``v25.0``."""
    return _VERSION.fullmatch(text) is not None


def parse_version(version: str) -> tuple[int, int]:
    """Return ``(25, 0)`` for ``v25.0``.

    :raises ConfigurationError: the text is not a version such as ``v25.0``.
    """
    found = _VERSION.fullmatch(version)
    if not found:
        raise ConfigurationError(
            f"The Graph API version {version!r} is not of the form v25.0. "
            f"Set api_version in the connection's extra, such as {DEFAULT_API_VERSION}."
        )
    return int(found[1]), int(found[2])
