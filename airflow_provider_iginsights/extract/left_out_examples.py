"""Keeps a few examples of what a run leaves out, each with a piece of the answer.

Bounded: three of a reason and account, and 2,000 in all, of at most a kilobyte each: 3 MB, however much is left out.
What is kept is text that is redacted already; no answer is held longer than its own reading.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_PER_REASON = 3
MAX_IN_ALL = 2000
LONGEST_TEXT = 300

Reason = tuple[str, str, str]
"""Account, what was left out, name of the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutExample:
    """What was left out of ``whom`` (a post, an account), and why.

    ``fragment``: the piece of the answer as text; None = there is none.
    """

    account_id: str
    what: str
    kind: str
    whom: str
    why: str
    fragment: str | None


class LeftOutExamples:
    """Thread-safe.

    :param redact: turns a piece of an answer into a short text without secrets.
    """

    def __init__(self, redact: Callable[[Any], str]) -> None:
        self._redact = redact
        self._kept: dict[Reason, list[LeftOutExample]] = {}
        self._counts: dict[Reason, int] = {}
        self._left = MAX_IN_ALL
        self._lock = threading.Lock()

    def add(self, account_id: str, *, what: str, kind: str, whom: str, why: str, raw: Any) -> None:
        """Count one more for its reason, and keep it as long as there is room.

        :param raw: the answer, or a list of its elements, of which that of ``what`` is kept; None = there is none.
        """
        reason = (account_id, what, kind)
        with self._lock:
            if reason not in self._counts and not self._left:
                return
            self._counts[reason] = self._counts.get(reason, 0) + 1
            kept = self._kept.setdefault(reason, [])
            if len(kept) >= MAX_PER_REASON or not self._left:
                return
            self._left -= 1
            fragment = None if raw is None else self._redact(_choose(raw, what))
            named = {"what": what[:LONGEST_TEXT], "kind": kind, "whom": whom[:LONGEST_TEXT], "why": why[:LONGEST_TEXT]}
            kept.append(LeftOutExample(account_id=account_id, fragment=fragment, **named))

    def list_all(self) -> Iterator[tuple[LeftOutExample, int]]:
        """Yield the examples, each with how many there were of its reason and account."""
        with self._lock:
            found = [(each, self._counts[reason]) for reason, kept in self._kept.items() for each in kept]
        yield from found


def _choose(raw: Any, what: str) -> Any:
    if isinstance(raw, list | tuple):
        return next((each for each in raw if isinstance(each, Mapping) and each.get("name") == what), raw)
    return raw
