"""The parts of chaos, in the order of their turns."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.chaos.kills import open_kills
from tests.support.chaos.limits import open_limits
from tests.support.chaos.loads import open_loads, open_referee_loads
from tests.support.chaos.mutations import open_mutations
from tests.support.chaos.outcomes import Part
from tests.support.chaos.script_runs import open_scripts
from tests.support.chaos.writers import open_writers

PARTS: tuple[Part, ...] = (
    Part(name="kills", open=open_kills, batch=100, counts="tasks"),
    Part(name="scripts", open=open_scripts, batch=200, counts="scripts"),
    Part(name="writers", open=open_writers, batch=1, counts="datasets"),
    Part(name="limits", open=open_limits, batch=6, counts="tasks"),
    Part(name="loads", open=open_loads, batch=50, counts="scripts"),
    Part(name="mutations", open=open_mutations, batch=100, counts="scenarios"),
)

ON_REQUEST = (Part(name="referee", open=open_referee_loads, batch=100, counts="scripts"),)
"""What needs an environment that not everybody has: only where it is named."""


def choose_parts(names: str | None) -> Sequence[Part]:
    """Return the parts of these names, with commas between them; None = all. Raises ValueError for another name."""
    if names is None:
        return list(PARTS)
    by_name = {part.name: part for part in (*PARTS, *ON_REQUEST)}
    wanted = names.split(",")
    if unknown := set(wanted) - set(by_name):
        raise ValueError(f"There is no part {', '.join(sorted(unknown))}: there are {', '.join(by_name)}.")
    return [by_name[name] for name in wanted]
