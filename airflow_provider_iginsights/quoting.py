"""How a message quotes what somebody wrote: short, in printable characters, and never what could be a secret."""

from __future__ import annotations

import re
import reprlib

_OPAQUE = re.compile(r"[\w|+/=%.-]{33,}")  # an id has at most 25 characters, a username 30, Meta's tokens over 100
_HIDDEN = "(a long text that is not shown, as it could be a token)"

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlevel = 3


def quote_value(value: object) -> str:
    """Return ``repr(value)``, cut short where it is long; control and direction characters are escaped by ``repr``.

    A run of more than 32 letters and digits is not shown: people paste tokens into the wrong place.
    """
    try:
        text = _SHORT.repr(value)
    except Exception:
        return f"a value of type {type(value).__name__}"
    return _OPAQUE.sub(_HIDDEN, text)
