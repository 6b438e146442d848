"""What many scenarios came to, grouped by what did not hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.support.mutation.invariants import Violation
from tests.support.mutation.scenarios import Scenario


@dataclass(slots=True)
class Report:
    """Counts, and the violations by invariant and kind."""

    played: int = 0
    violated: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    allowed: Counter[str] = field(default_factory=Counter)
    groups: dict[tuple[str, str], list[tuple[Scenario, Violation]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, scenario: Scenario, violations: Sequence[Violation]) -> Iterator[str]:
        """Take one scenario down; yield a line per kind of violation that it shows."""
        self.played += 1
        self.violated += bool(violations)
        self.allowed.update(f"{reason}: {scenario.spot.shape}" for reason in scenario.allowed)
        error = scenario.mutated.error
        self.endings["well" if error is None else type(error).__name__] += 1
        for invariant, kind in dict.fromkeys((each.invariant, each.kind) for each in violations):
            first = next(each for each in violations if (each.invariant, each.kind) == (invariant, kind))
            self.groups[invariant, kind].append((scenario, first))
            yield f"SEED={scenario.seed} {invariant}: {kind}. {list_spots(scenario)}. {first.details[:160]}"

    def describe(self) -> str:
        """Return the groups as Markdown, the largest of each invariant first."""
        lines = [f"{self.played} scenarios, {self.violated} with violations.", ""]
        for (invariant, kind), found in sorted(self.groups.items(), key=lambda item: (item[0][0], -len(item[1]))):
            lines.append(f"### {invariant}: {kind} ({len(found)})")
            for scenario, violation in found[:3]:
                lines.append(f"* SEED={scenario.seed} `{list_spots(scenario)}`: {violation.details[:220]!r}")
            lines.append("")
        lines += ["### Plain readings of mutated values", ""]
        lines += [f"* {reason} ({count})" for reason, count in self.allowed.most_common()]
        return "\n".join(lines)


def list_spots(scenario: Scenario) -> str:
    """Return what was mutated."""
    return " and ".join(map(str, (scenario.spot, *(spot for spot, _ in scenario.more))))
