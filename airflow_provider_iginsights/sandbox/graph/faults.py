"""A script of what goes wrong: which requests, which objects, how often, and in which way."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from airflow_provider_iginsights.sandbox.graph.edits import Edit, edit_body
from airflow_provider_iginsights.sandbox.graph.effects import (
    DropConnection,
    Effect,
    EmptyPage,
    ErrorEffect,
    HtmlBody,
    NullItem,
    ReduceData,
    RefuseField,
    SamePage,
    Slow,
    TruncatedBody,
)

__all__ = ["FaultPoint", "FaultScript", "GraphFault", "Level"]


Level = Literal["call", "list", "object", "field", "answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFault:
    """One line of the script: the ``effect``, and every condition that has to hold.

    ``path`` is a regular expression searched in the path without host and version, for a batch item the item's own.
    ``object_id``, ``metric`` and ``product_type`` look at each object that is read, in a batch or an expansion, too.
    An ``Edit`` looks at the finished answer: the three then choose the parts of it that are changed.
    After ``skip`` matches it is applied ``times`` times (None = for ever).
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
        """Whether the fault is about a call, a list in it, an object that it reads, a field, or the answer."""
        for level, effects in _LEVELS.items():
            if isinstance(self.effect, effects):
                return level
        return "call" if (self.object_id, self.metric, self.product_type) == (None, None, None) else "object"

    def matches(self, point: FaultPoint) -> bool:
        """Say whether every condition holds."""
        return (
            self.level == point.level
            and (self.path is None or re.search(self.path, point.path) is not None)
            and self.object_id in (None, point.object_id)
            and (self.metric is None or self.metric in point.metrics)
            and self.product_type in (None, point.product_type)
            and (not isinstance(self.effect, ReduceData) or point.limit > self.effect.max_limit)
            and (not isinstance(self.effect, RefuseField) or point.field == self.effect.field)
        )


_LEVELS: Mapping[Level, tuple[type, ...]] = {
    "list": (ReduceData, EmptyPage, SamePage),
    "field": (RefuseField,),
    "answer": (Edit,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPoint:
    """A point at which a fault can be applied: a call arrives, a list is cut, an object or a field is read."""

    level: Level
    path: str
    object_id: str | None = None
    metrics: tuple[str, ...] = ()
    product_type: str | None = None
    limit: int = 0
    field: str | None = None


@dataclass(slots=True)
class _Line:
    fault: GraphFault
    seen: int = 0
    applied: int = 0

    def applies(self, point: FaultPoint) -> bool:
        return self.fault.matches(point) and self.count()

    def edit(self, path: str, body: Any) -> Any:
        """Return the body as the fault leaves it; an answer in which there is nothing to change does not count."""
        fault = self.fault
        if not isinstance(fault.effect, Edit) or (fault.path is not None and not re.search(fault.path, path)):
            return body
        whom = {"object_id": fault.object_id, "metric": fault.metric, "product_type": fault.product_type}
        new, places = edit_body(body, fault.effect, path=path, **whom)
        return new if places and self.count() else body

    def count(self) -> bool:
        """Count a match; say whether the fault is applied this time."""
        self.seen += 1
        if self.seen <= self.fault.skip or (self.fault.times is not None and self.applied >= self.fault.times):
            return False
        self.applied += 1
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

    _named: Mapping[str, GraphFault] = field(default_factory=dict)
    _lines: list[_Line] = field(default_factory=list)
    _random: random.Random | None = None
    _rate: float = 0.0
    _effects: tuple[Effect, ...] = RANDOM_EFFECTS
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *faults: GraphFault) -> None:
        """Append lines. All lines that match a point are applied at it."""
        with self._lock:
            self._lines += map(_Line, faults)

    def play(self, name: str, **conditions: Any) -> GraphFault:
        """Append the named fault of ``shapes.SHAPES`` with these conditions (``path``, ``times``, ...); return it."""
        fault: GraphFault = replace(self._named[name], **conditions)
        self.add(fault)
        return fault

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

    def count(self, fault: GraphFault) -> int:
        """Return how often a line of the script was applied."""
        with self._lock:
            return sum(line.applied for line in self._lines if line.fault is fault)

    def edit(self, path: str, body: Any) -> Any:
        """Return an answer's body as the script's edits leave it."""
        with self._lock:
            for line in self._lines:
                body = line.edit(path, body)
        return body

    def take(self, point: FaultPoint) -> list[Effect]:
        """Return the effects that apply at this point, and count them as used."""
        with self._lock:
            effects = [line.fault.effect for line in self._lines if line.applies(point)]
            if self._random is not None and point.level == "call" and self._random.random() < self._rate:
                effects.append(self._random.choice(self._effects))
        return effects
