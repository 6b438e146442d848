"""How a message quotes what somebody wrote: short, in printable characters, and never what could be a secret."""

from __future__ import annotations

import re
import reprlib

# An id has up to 25 characters, a username 30, an app secret 32, a token over 100.
_OPAQUE = re.compile(r"[\w|+/=%.-]{32,}")
_NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,30}")
_HIDDEN = "(a long text that is not shown, as it could be a token)"

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlevel = 3


def quote_value(value: object) -> str:
    """Return ``repr(value)``, cut short where it is long; control and direction characters are escaped by ``repr``.

    A run of more than 31 letters and digits is not shown: people paste tokens into the wrong place.
    """
    try:
        text = _SHORT.repr(value)
    except Exception:
        return f"a value of type {type(value).__name__}"
    return _OPAQUE.sub(_HIDDEN, text)


def quote_name(name: str) -> str:
    """Return a name that somebody gave to a field as it is; what is no such name as :func:`quote_value` shows it."""
    return name if _NAME.fullmatch(name) else quote_value(name)
