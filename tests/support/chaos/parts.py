"""The parts of chaos, in the order of their turns."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.chaos.kills import open_kills
from tests.support.chaos.mutations import open_mutations
from tests.support.chaos.outcomes import Part
from tests.support.chaos.script_runs import open_scripts

PARTS: tuple[Part, ...] = (
    Part(name="kills", open=open_kills, batch=10, counts="tasks"),
    Part(name="scripts", open=open_scripts, batch=50, counts="scripts"),
    Part(name="mutations", open=open_mutations, batch=100, counts="scenarios"),
)


def choose_parts(names: str | None) -> Sequence[Part]:
    """Return the parts of these names, with commas between them; None = all. Raises ValueError for another name."""
    if names is None:
        return list(PARTS)
    by_name = {part.name: part for part in PARTS}
    wanted = names.split(",")
    if unknown := set(wanted) - set(by_name):
        raise ValueError(f"There is no part {', '.join(sorted(unknown))}: there are {', '.join(by_name)}.")
    return [by_name[name] for name in wanted]
