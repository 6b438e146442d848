"""The catalog held against the names that Meta accepts, which the Graph API lists when it refuses one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.media_metrics import MEDIA_METRICS
from airflow_provider_iginsights.catalog.metrics import Level, Metric
from airflow_provider_iginsights.graph_api import Login

_NAME = r"[a-z][a-z0-9_]*"
_LIST = re.compile(rf"{_NAME}(?:\s*[,;、،，]\s*{_NAME})+")

_METRICS: Mapping[Level, tuple[Metric, ...]] = {"account": ACCOUNT_METRICS, "media": MEDIA_METRICS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Where the catalog and Meta disagree about one level, for one version and login. All names in Meta's order.

    ``accepted``: what Meta lists; ``uncatalogued``: what the catalog does not list; ``unaccepted``: what the
    catalog would ask for and Meta does not list; ``lingering``: what Meta lists but, as it announced, does not answer.
    """

    level: Level
    version: str
    login: Login
    accepted: tuple[str, ...]
    uncatalogued: tuple[str, ...]
    unaccepted: tuple[str, ...]
    lingering: tuple[str, ...]

    @property
    def matter(self) -> bool:
        """Return whether numbers are missed, or asked for in vain. Names that merely linger do not matter."""
        return bool(self.uncatalogued or self.unaccepted)

    def describe(self) -> Iterator[str]:
        """Yield lines for a person."""
        yield f"{self.level} metrics, {self.version}, {self.login} login: Meta accepts {len(self.accepted)} names."
        for names, meaning in (
            (self.uncatalogued, "Meta accepts, the catalog does not know"),
            (self.unaccepted, "the catalog offers, Meta does not accept"),
            (self.lingering, "Meta lists, but answers no longer or not with this login"),
        ):
            if names:
                yield f"  {meaning}: {', '.join(names)}"
        if not self.matter:
            yield "  No difference that matters."


def read_accepted(said: str) -> tuple[str, ...]:
    """Return the names that a refusal lists as accepted, in whatever language the rest of it is; ``()`` for none.

    Meta writes ``(#100) metric[0] must be one of the following values: reach, follower_count, …``; the list is the
    longest run of names between commas.
    """
    # META-19: the sentence around the list is translated; the names and the commas are not.
    runs: list[list[str]] = [re.findall(_NAME, run) for run in _LIST.findall(said)]
    longest: list[str] = max(runs, key=len, default=[])
    return tuple(longest)


def compare(level: Level, accepted: Collection[str], *, version: str, login: Login) -> Differences:
    """Return where the catalog differs from what Meta accepts at a level for a pinned version and a login."""
    known = {metric.name for metric in _METRICS[level]}
    # Nobody waits for numbers of another product, or of a name that Meta's reference does not have.
    unclaimed = {metric.name for metric in _METRICS[level] if metric.selection == "never" or not metric.documented}
    offered = [
        metric.name
        for metric in _METRICS[level]
        if metric.name not in unclaimed and metric.lives_in(version) and login in metric.logins
    ]
    return Differences(
        level=level,
        version=version,
        login=login,
        accepted=tuple(accepted),
        uncatalogued=tuple(name for name in accepted if name not in known),
        unaccepted=tuple(dict.fromkeys(name for name in offered if name not in accepted)),
        lingering=tuple(name for name in accepted if name in known - unclaimed and name not in offered),
    )
