"""Graph API versions with their dates, and which of them answers a call on a given day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

__all__ = ["VERSIONS", "Version", "major", "serve_version"]


@dataclass(frozen=True, slots=True)
class Version:
    """One version: the day it came out, and the day it stops being served (None = not set)."""

    released: date
    ends: date | None


VERSIONS: Mapping[str, Version] = {
    "v10.0": Version(date(2021, 2, 23), date(2023, 6, 8)),
    "v11.0": Version(date(2021, 6, 8), date(2023, 9, 14)),
    "v12.0": Version(date(2021, 9, 14), date(2024, 2, 8)),
    "v13.0": Version(date(2022, 2, 8), date(2024, 5, 28)),
    "v14.0": Version(date(2022, 5, 25), date(2024, 9, 17)),
    "v15.0": Version(date(2022, 9, 15), date(2024, 11, 20)),
    "v16.0": Version(date(2023, 2, 2), date(2025, 5, 14)),
    "v17.0": Version(date(2023, 5, 23), date(2025, 9, 12)),
    "v18.0": Version(date(2023, 9, 12), date(2026, 1, 26)),
    "v19.0": Version(date(2024, 1, 23), date(2026, 5, 21)),
    "v20.0": Version(date(2024, 5, 21), date(2026, 9, 24)),
    "v21.0": Version(date(2024, 10, 2), date(2027, 1, 21)),
    "v22.0": Version(date(2025, 1, 21), date(2027, 5, 20)),
    "v23.0": Version(date(2025, 5, 29), date(2027, 10, 8)),
    "v24.0": Version(date(2025, 10, 8), date(2028, 2, 18)),
    "v25.0": Version(date(2026, 2, 18), date(2028, 7, 29)),
    "v26.0": Version(date(2026, 7, 29), None),
    "v27.0": Version(date(2026, 11, 4), None),
}
# A version this far past the newest is taken for a coming one; anything beyond is no version at all.
_COMING = 1


def major(version: str) -> int:
    """Return the number of a version: 25 for ``v25.0``."""
    return int(version.removeprefix("v").partition(".")[0])


@lru_cache(maxsize=256)
def serve_version(asked: str | None, today: date, *, pin: str | None = None) -> str | None:
    """Return the version that answers a call for ``asked`` (None = unversioned), or None when there is no such version.

    An expired or not yet released version is served as the oldest usable one, silently. A ``pin`` is the only usable
    version, whatever the day.
    """
    if asked is not None and not 1 <= major(asked) <= max(map(major, VERSIONS)) + _COMING:
        return None
    if pin is not None:
        return pin
    usable = [name for name, version in VERSIONS.items() if _is_usable(version, today)] or [max(VERSIONS, key=major)]
    return asked if asked in usable else usable[0]


def _is_usable(version: Version, today: date) -> bool:
    return version.released <= today and (version.ends is None or today < version.ends)
