"""Records what a run leaves out: refused metrics, skipped objects, days that Meta no longer has. Each is named once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.account_counts import AccountCounts

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.left_out_examples import LeftOutExamples

log: logging.Logger = logging.getLogger(__name__)

Group = Mapping[str, Sequence[str]]
"""A set of rows, by values of some columns: each column with the texts (ISO dates) that it may have."""

NO_DATA = "NoData"
MAX_EXAMPLES = 20
UNNAMED_METRIC = "insights"
"""The name for a metric that the answer does not name."""
MAX_GROUPS = 1000
"""Above this number, groups with unreadable values are kept by metric alone, since all go into one SQL statement."""


def limit_groups(groups: Iterable[Group]) -> list[Group]:
    """Return the groups, each once; where there are more than MAX_GROUPS, by metric alone, which covers more rows."""
    known = {_identify(group): group for group in groups}
    if len(known) > MAX_GROUPS:
        coarse = ({"metric": group["metric"]} if "metric" in group else {} for group in known.values())
        known = {_identify(group): group for group in coarse}
    return list(known.values())


def _identify(group: Group) -> frozenset[tuple[str, tuple[str, ...]]]:
    return frozenset((name, tuple(values)) for name, values in group.items())


@dataclass(slots=True)
class LeftOutEntry:
    """Values left out for one reason: ``what`` (a metric, days), ``kind`` (an error's name), ``why``, of ``whom``."""

    what: str
    kind: str
    why: str
    whom: dict[str, None] = field(default_factory=dict)
    count: int = 0

    def describe(self) -> dict[str, str | int | list[str]]:
        """Return a JSON-able dict: ``what``, ``kind``, ``why``, ``count`` and up to twenty examples in ``whom``."""
        return {"what": self.what, "kind": self.kind, "why": self.why, "count": self.count, "whom": list(self.whom)}


class LeftOutLog:
    """A thread-safe log. The same ``whom``, ``what`` and ``kind`` count once, in ``accounts`` as well."""

    def __init__(self) -> None:
        self.accounts: AccountCounts = AccountCounts()
        self.examples: LeftOutExamples | None = None
        self._entries: dict[tuple[str, str], LeftOutEntry] = {}
        self._remarks: dict[tuple[str, str], LeftOutEntry] = {}
        self._unreadable: dict[frozenset[tuple[str, tuple[str, ...]]], Group] = {}
        self._seen: set[int] = set()  # Hashes, since a run may read 100,000s of posts.
        self._lock = threading.Lock()

    def about(self, account_id: str) -> AbstractContextManager[None]:
        """Count what this thread notes in the block for an account."""
        return self.accounts.reading(account_id)

    def note(
        self, whom: str, what: str, kind: str, why: str, *, level: int = logging.WARNING, raw: object = None
    ) -> None:
        """Record what was left out for ``whom``; log the first of its kind on this level.

        :param raw: the part of the answer that it is about, of which an example may be kept.
        """
        entry = LeftOutEntry(what, kind, why)
        if count := self._count(self._entries, (what, kind), entry, whom):
            self.accounts.add_left_out(kind)
            if self.examples is not None and kind != NO_DATA:  # of no answer there is nothing to show
                account_id = self.accounts.account_id
                self.examples.add(account_id, what=what, kind=kind, whom=whom, why=why, raw=raw)
            log.log(level if count == 1 else logging.DEBUG, "%s of %s left out: %s", what, whom, why)

    def note_unreadable(self, whom: str, what: str, kind: str, why: str, *, group: Group, raw: object = None) -> None:
        """Record a value that Meta sent and that cannot be read: the group may have more rows than are stored.

        :param what: a metric, which narrows the group; or ``UNNAMED_METRIC``.
        :param group: the rows of this answer; ``{}`` = any rows.
        """
        self.note(whom, what, kind, why, raw=raw)
        self.keep_unreadable(group if what == UNNAMED_METRIC else {**group, "metric": (what,)})

    def keep_unreadable(self, group: Group) -> None:
        """Record that a group may have more rows than are stored."""
        with self._lock:
            self._unreadable[_identify(group)] = group
            if len(self._unreadable) > MAX_GROUPS:
                self._unreadable = {_identify(each): each for each in limit_groups(self._unreadable.values())}

    def note_error(self, whom: str, what: str, error: InsightsError) -> None:
        """Record a refusal of Meta under the name of its error class."""
        self.note(whom, what, type(error).__name__, str(error), raw=_describe_answer(error))

    def note_no_data(self, whom: str, what: str, why: str) -> None:
        """Record that Meta was asked for a metric and sent no number."""
        # META-09: without data, Meta sends an empty list instead of 0. That is common, so it is no warning.
        self.note(whom, what, NO_DATA, why, level=logging.INFO)

    def remark(self, whom: str, what: str, why: str) -> None:
        """Record a remark about numbers that were stored; log the first of its kind."""
        remark = LeftOutEntry(what, "remark", why)
        if count := self._count(self._remarks, (what, why), remark, whom):
            log.log(logging.WARNING if count == 1 else logging.DEBUG, "%s of %s: %s", what, whom, why)

    def _count(
        self, known: dict[tuple[str, str], LeftOutEntry], key: tuple[str, str], new: LeftOutEntry, whom: str
    ) -> int:
        """Count one more and return the count; 0 where the same was recorded before."""
        seen = hash((whom, new.what, new.kind))
        with self._lock:
            if seen in self._seen:
                return 0
            self._seen.add(seen)
            entry = known.setdefault(key, new)
            entry.count += 1
            if len(entry.whom) < MAX_EXAMPLES:
                entry.whom[whom] = None
            return entry.count

    def list_remarks(self) -> list[str]:
        """Return the remarks as sentences that name the objects."""
        with self._lock:
            return [
                f"{each.what} of {', '.join(each.whom)}"
                f"{f' and {each.count - len(each.whom)} more' if each.count > len(each.whom) else ''}: {each.why}"
                for each in self._remarks.values()
            ]

    def list_unreadable(self) -> list[Group]:
        """Return the groups that had an unreadable value: they may have more rows than are stored."""
        with self._lock:
            return list(self._unreadable.values())

    @property
    def count(self) -> int:
        """Return the number of values that were left out."""
        with self._lock:
            return sum(entry.count for entry in self._entries.values())

    def summarize(self) -> list[dict[str, str | int | list[str]]]:
        """Return the entries as JSON-able dicts, in the order in which they came up."""
        with self._lock:
            return [entry.describe() for entry in self._entries.values()]


def _describe_answer(error: InsightsError) -> dict[str, object] | None:
    """Return what Meta's answer said, under Meta's names; None where it said nothing."""
    facts = error.facts
    said = {"message": facts.said or None, "code": facts.code, "error_subcode": facts.subcode}
    known = {name: value for name, value in said.items() if value is not None}
    return {"error": known} if known else None
