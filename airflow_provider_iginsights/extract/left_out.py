"""What a run noticed beside its rows: refused metrics, skipped objects, days Meta no longer has. Each is named once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_iginsights.errors import InsightsError

log: logging.Logger = logging.getLogger(__name__)

Group = Mapping[str, Sequence[str]]
"""Rows by what stands in some of their columns: each column with the texts (ISO dates) that it may hold."""

EXAMPLES = 20
UNNAMED = "insights"
"""Stands in the place of a metric where an answer does not name it."""
MOST_GROUPS = 1000
"""More groups with something unread are told by their metrics alone: they end up in one statement."""


@dataclass(slots=True)
class LeftOutEntry:
    """Things left out for one reason: ``what`` (a metric, days), ``kind`` (an error's name), ``why``, of ``whom``."""

    what: str
    kind: str
    why: str
    whom: dict[str, None] = field(default_factory=dict)
    count: int = 0

    def describe(self) -> dict[str, str | int | list[str]]:
        """Return a JSON-able dict: ``what``, ``kind``, ``why``, ``count`` and up to twenty examples in ``whom``."""
        return {"what": self.what, "kind": self.kind, "why": self.why, "count": self.count, "whom": list(self.whom)}


class LeftOutLog:
    """A thread-safe collection. The same object, thing and kind count once."""

    def __init__(self) -> None:
        self._left_out_log: dict[tuple[str, str], LeftOutEntry] = {}
        self._remarks: dict[tuple[str, str], LeftOutEntry] = {}
        self._unread: dict[frozenset[tuple[str, tuple[str, ...]]], Group] = {}
        self._seen: set[int] = set()  # hashes: a run over many posts would remember as many names
        self._lock = threading.Lock()

    def note(self, whom: str, what: str, kind: str, why: str, *, level: int = logging.WARNING) -> None:
        """Keep what was left out for ``whom``; log the first of its kind on this level."""
        finding = LeftOutEntry(what, kind, why)
        if count := self._count(self._left_out_log, (what, kind), finding, whom):
            log.log(level if count == 1 else logging.DEBUG, "%s of %s left out: %s", what, whom, why)

    def note_unread(self, whom: str, what: str, kind: str, why: str, *, group: Group) -> None:
        """Keep what Meta did send though nobody can say what it means: the group may have more rows than are stored.

        :param what: a metric, which narrows the group; or what stands in its place where not even that is known.
        :param group: where the rows of this answer are; ``{}`` = anywhere.
        """
        self.note(whom, what, kind, why)
        self.keep_unread(group if what == UNNAMED else {**group, "metric": (what,)})

    def keep_unread(self, group: Group) -> None:
        """Keep that a group may have more rows than are stored."""
        with self._lock:
            self._unread[frozenset((name, tuple(values)) for name, values in group.items())] = group
            if len(self._unread) > MOST_GROUPS:
                coarse = [{"metric": each["metric"]} if "metric" in each else {} for each in self._unread.values()]
                self._unread = {frozenset((name, tuple(of)) for name, of in each.items()): each for each in coarse}

    def note_error(self, whom: str, what: str, error: InsightsError) -> None:
        """Keep a refusal of Meta under the name of its error."""
        self.note(whom, what, type(error).__name__, str(error))

    def note_silence(self, whom: str, what: str, why: str) -> None:
        """Keep that Meta was asked for a metric and sent no number: often there is none, hence no warning."""
        self.note(whom, what, "NoData", why, level=logging.INFO)

    def remark(self, whom: str, what: str, why: str) -> None:
        """Keep what somebody should know about numbers that were stored; log the first of its kind."""
        remark = LeftOutEntry(what, "remark", why)
        if count := self._count(self._remarks, (what, why), remark, whom):
            log.log(logging.WARNING if count == 1 else logging.DEBUG, "%s of %s: %s", what, whom, why)

    def _count(
        self, known: dict[tuple[str, str], LeftOutEntry], key: tuple[str, str], new: LeftOutEntry, whom: str
    ) -> int:
        """Take one more down and return how many there are by now; 0 where it was known."""
        seen = hash((whom, new.what, new.kind))
        with self._lock:
            if seen in self._seen:
                return 0
            self._seen.add(seen)
            finding = known.setdefault(key, new)
            finding.count += 1
            if len(finding.whom) < EXAMPLES:
                finding.whom[whom] = None
            return finding.count

    def list_remarks(self) -> list[str]:
        """Return the remarks as sentences that say whom they concern."""
        with self._lock:
            return [
                f"{each.what} of {', '.join(each.whom)}"
                f"{f' and {each.count - len(each.whom)} more' if each.count > len(each.whom) else ''}: {each.why}"
                for each in self._remarks.values()
            ]

    def find_unread(self) -> list[Group]:
        """Return the groups of which something came that could not be read: they may have more rows than are stored."""
        with self._lock:
            return list(self._unread.values())

    @property
    def count(self) -> int:
        """Return how many things were left out."""
        with self._lock:
            return sum(finding.count for finding in self._left_out_log.values())

    def summarize(self) -> list[dict[str, str | int | list[str]]]:
        """Return the findings as JSON-able dicts, in the order in which they came up."""
        with self._lock:
            return [finding.describe() for finding in self._left_out_log.values()]
