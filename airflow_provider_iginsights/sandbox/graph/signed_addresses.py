"""Addresses of pictures and films: as long as Meta's, signed anew at every read, and good for a few days."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

__all__ = ["sign_address"]

_HOST = "https://scontent.cdninstagram.example"
_LIFE = timedelta(days=4)
_FILM = "efg=eyJ2ZW5jb2RlX3RhZyI6InZ0c192b2RfdXJsZ2VuLmNsaXBzIn0&vs=986202625710684_1200838240&_nc_vs="
# A film's address was 740 characters long in what is recorded of Meta, and a picture's 290.
_FILM_LENGTH, _PICTURE_LENGTH = 740, 290


def sign_address(path: str, now: datetime, *, film: bool = False) -> str:
    """Return the address of ``path`` as it is read at ``now``; only the part before the ``?`` is always the same."""
    seal = hashlib.sha256(f"{path}{now.timestamp()}".encode()).hexdigest()
    ends = int((now + _LIFE).timestamp())
    signed = f"&_nc_ht=scontent&oh=00_{seal}&oe={ends:X}"
    start = f"{_HOST}/{path}.{'mp4' if film else 'jpg'}?{_FILM if film else 'stp=dst-jpg&_nc_cat=106&ccb=1-7&_nc_ohc='}"
    length = (_FILM_LENGTH if film else _PICTURE_LENGTH) - len(start) - len(signed)
    return f"{start}{(seal * 12)[:length]}{signed}"
