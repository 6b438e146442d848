"""A script of what goes wrong: which requests, which objects, how often, and in which way."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_iginsights.sandbox.graph.errors import GraphError, Kind

__all__ = [
    "DeleteObject",
    "DropAfterHeaders",
    "DropConnection",
    "Effect",
    "ErrorEffect",
    "Fault",
    "FaultScript",
    "HtmlBody",
    "Level",
    "NoUsageHeaders",
    "NullItem",
    "ReduceData",
    "ServedVersion",
    "Slow",
    "Touch",
    "TruncatedBody",
]


Level = Literal["call", "list", "object"]


@dataclass(frozen=True, slots=True)
class ErrorEffect:
    """Answer with this Graph error. Inside a field expansion the whole page gets it."""

    code: int
    subcode: int | None = None
    http: int = 400
    message: str = "An unknown error has occurred."
    type: str = "OAuthException"
    is_transient: bool | None = None

    def error(self) -> GraphError:
        """Return the error, ready to raise."""
        kind = Kind(self.code, self.message, self.subcode, self.http, self.type, self.is_transient)
        return GraphError(kind, self.message)


@dataclass(frozen=True, slots=True)
class DropConnection:
    """Close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class DropAfterHeaders:
    """Close the connection when only the status and the headers are out."""


@dataclass(frozen=True, slots=True)
class TruncatedBody:
    """Close the connection in the middle of the body."""


@dataclass(frozen=True, slots=True)
class HtmlBody:
    """Answer as a proxy does: an HTML page with this status."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class Slow:
    """Answer this many seconds late; other requests are not held up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NullItem:
    """Answer ``null`` for this item of a batch, as for one that timed out."""


@dataclass(frozen=True, slots=True)
class ReduceData:
    """Refuse list requests with a limit above this one with "(#1) Please reduce the amount of data"."""

    max_limit: int


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Let this media vanish right after the answer is given."""

    object_id: str


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """Say in the header and in paging addresses that this version answered."""

    version: str


@dataclass(frozen=True, slots=True)
class NoUsageHeaders:
    """Leave the usage headers out."""


Effect = (
    ErrorEffect
    | DropConnection
    | DropAfterHeaders
    | TruncatedBody
    | HtmlBody
    | Slow
    | NullItem
    | ReduceData
    | DeleteObject
    | ServedVersion
    | NoUsageHeaders
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of the script: the ``effect``, and every condition that has to hold.

    ``path`` is a regular expression searched in the path without host and version, for a batch item the item's own.
    ``object_id``, ``metric`` and ``product_type`` look at each object that is read, in a batch or an expansion, too.
    After ``skip`` matches it strikes ``times`` times (None = for ever).
    """

    effect: Effect
    path: str | None = None
    object_id: str | None = None
    metric: str | None = None
    product_type: str | None = None
    times: int | None = 1
    skip: int = 0

    @property
    def level(self) -> Level:
        """Whether the fault is about a call, about a list in it, or about an object that it reads."""
        if isinstance(self.effect, ReduceData):
            return "list"
        return "call" if (self.object_id, self.metric, self.product_type) == (None, None, None) else "object"

    def matches(self, touch: Touch) -> bool:
        """Say whether every condition holds."""
        return (
            self.level == touch.level
            and (self.path is None or re.search(self.path, touch.path) is not None)
            and self.object_id in (None, touch.object_id)
            and (self.metric is None or self.metric in touch.metrics)
            and self.product_type in (None, touch.product_type)
            and (not isinstance(self.effect, ReduceData) or touch.limit > self.effect.max_limit)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """A moment at which a fault can strike: a call arrives, a list is cut, or an object is read."""

    level: Level
    path: str
    object_id: str | None = None
    metrics: tuple[str, ...] = ()
    product_type: str | None = None
    limit: int = 0


@dataclass(slots=True)
class _Line:
    fault: Fault
    seen: int = 0
    struck: int = 0

    def strikes(self, touch: Touch) -> bool:
        if not self.fault.matches(touch):
            return False
        self.seen += 1
        if self.seen <= self.fault.skip or (self.fault.times is not None and self.struck >= self.fault.times):
            return False
        self.struck += 1
        return True


RANDOM_EFFECTS: tuple[Effect, ...] = (
    ErrorEffect(2, http=500, message="Service temporarily unavailable", is_transient=True),
    ErrorEffect(1, http=500, message="An unknown error has occurred."),
    HtmlBody(502),
    HtmlBody(503),
    DropConnection(),
    TruncatedBody(),
    NullItem(),
    Slow(0.02),
)


@dataclass(slots=True)
class FaultScript:
    """The script that a sandbox plays. May be changed from any thread while it plays."""

    _lines: list[_Line] = field(default_factory=list)
    _random: random.Random | None = None
    _rate: float = 0.0
    _effects: tuple[Effect, ...] = RANDOM_EFFECTS
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *faults: Fault) -> None:
        """Append lines. All lines that match a moment strike in it."""
        with self._lock:
            self._lines += map(_Line, faults)

    def clear(self) -> None:
        """Forget every line and the random faults."""
        with self._lock:
            self._lines.clear()
            self._random = None

    def randomize(self, seed: int, rate: float, *, effects: Sequence[Effect] = RANDOM_EFFECTS) -> None:
        """From now on hit each call with one of ``effects`` with probability ``rate``; same seed, same dice."""
        with self._lock:
            self._random = random.Random(seed)  # noqa: S311 - dice, not secrets
            self._rate, self._effects = rate, tuple(effects)

    def struck(self, fault: Fault) -> int:
        """Return how often a line of the script has struck."""
        with self._lock:
            return sum(line.struck for line in self._lines if line.fault is fault)

    def take(self, touch: Touch) -> list[Effect]:
        """Return the effects that strike at this moment, and count them as used."""
        with self._lock:
            effects = [line.fault.effect for line in self._lines if line.strikes(touch)]
            if self._random is not None and touch.level == "call" and self._random.random() < self._rate:
                effects.append(self._random.choice(self._effects))
        return effects
