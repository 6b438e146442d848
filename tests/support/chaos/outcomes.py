"""What one play of a part came to; a file of them, from which a later run goes on; and a report."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


class PartUnavailable(Exception):
    """A part needs something that is not installed; the text says how to install it."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold: ``kind`` groups the alike, ``details`` are those of this play."""

    kind: str
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One play: its part and seed, what was done in words, how it ended, numbers that add up, and what did not hold."""

    part: str
    seed: int
    what: str
    ending: str
    violations: tuple[Violation, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def tell(self) -> list[str]:
        """Return a line for each violation, with the seed that repeats it."""
        again = f"PART={self.part} SEED={self.seed} COUNT=1"
        return [f"{again} {each.kind}. {self.what}. {each.details[:300]}" for each in self.violations]


Play = Callable[[int], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One way to break things. ``batch``: plays after which what it opened is opened anew, and another part's turn."""

    name: str
    open: Callable[[], AbstractContextManager[Play]]
    batch: int
    counts: str
    """What the report calls its plays."""


@dataclass(slots=True)
class State:
    """All outcomes so far. With a ``path`` each is a line of that file, and those of earlier runs are read from it.

    :raises OSError: there can be no such file; ValueError: it holds something else.
    """

    path: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.path is None:
            return
        with self.path.open("a+b") as file:
            file.seek(0)
            whole, cut = _split_cut(file.read())
            self.outcomes = [_read(line, at=f"{self.path}, line {at}") for at, line in enumerate(whole, 1) if line]
            if cut:
                print(f"{self.path}: the last line was cut off while it was written. Its play is played again.")
                file.truncate(file.tell() - len(cut))

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, also if the process is killed right after it."""
        self.outcomes.append(outcome)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")

    def find_next(self, part: str, *, start: int) -> int:
        """Return the first seed from ``start`` on that the part has not played."""
        played = {each.seed for each in self.outcomes if each.part == part}
        return next(seed for seed in range(start, start + len(played) + 1) if seed not in played)


def describe(outcomes: Iterable[Outcome], parts: Iterable[Part]) -> str:
    """Return the numbers reached as Markdown, and what did not hold, the most frequent kind first."""
    by_part = defaultdict(list)
    for outcome in outcomes:
        by_part[outcome.part].append(outcome)
    lines = ["| part | plays | with violations | ended | counted |", "|---|---|---|---|---|"]
    for part in (each for each in parts if each.name in by_part):
        played = by_part[part.name]
        counts: Counter[str] = Counter()
        for outcome in played:
            counts.update(outcome.counts)
        endings = Counter(each.ending for each in played).most_common(12)
        violated = sum(bool(each.violations) for each in played)
        lines.append(
            f"| {part.name} | {len(played)} {part.counts} | {violated} | {_list(endings)} | {_list(counts.items())} |"
        )
    lines.append("")
    kinds: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for name, played in by_part.items():
        for outcome in played:
            for kind in dict.fromkeys(each.kind for each in outcome.violations):
                kinds[name, kind].append(outcome)
    for (name, kind), found in sorted(kinds.items(), key=lambda item: -len(item[1])):
        lines.append(f"### {name}: {kind} ({len(found)})")
        for outcome in found[:5]:
            first = next(each for each in outcome.violations if each.kind == kind)
            lines.append(f"* SEED={outcome.seed} {outcome.what}: {first.details[:300]}")
        lines.append("")
    return "\n".join(lines)


def _list(numbers: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers) or "-"


def _split_cut(content: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines of a file, and what is left of one that a process could not write to its end."""
    *whole, cut = content.split(b"\n")
    return whole, cut


def _read(line: bytes, *, at: str) -> Outcome:
    try:
        fields: dict[str, Any] = json.loads(line)
        return Outcome(**fields | {"violations": tuple(Violation(**each) for each in fields["violations"])})
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError(
            f"{at} is no outcome of a play: {line[:60]!r}. Nothing is played. Delete this line, whose play is then "
            "played again, or give another STATE."
        ) from error
