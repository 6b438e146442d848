"""Finds the fields of a node that Meta refuses, and records them, so that they are not requested again.

"Tried accessing nonexisting field (website) on node type (IGUser)" (code 100) holds for every account. A missing
permission for a field (code 10) concerns one account, unless several accounts answer so. Another node type, such as
Page, means that the id is wrong, not the field.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from airflow_provider_iginsights.errors import InsightsError, MetricRefused, PermissionMissing
from airflow_provider_iginsights.extract.refused_metrics import MIN_REFUSING_ACCOUNTS

MAX_NAMED_REFUSALS = 2
"""After so many refusals that name a field, all fields are requested one by one, in one batch."""

_NODE_TYPE = re.compile(r"node type \((?:Shadow)?(?P<type>\w+)\)")
_INSTAGRAM_TYPES = ("IG", "Instagram")
_NAMED = re.compile(r"\(([a-z][a-z0-9_]*)\)")
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")

Node = str


def find_refused_fields(error: InsightsError, fields: Sequence[str]) -> tuple[str, ...]:
    """Return the fields of a request that a refusal names: in parentheses, or by a name with an underscore.

    A name that the children of albums share with the album itself is taken for theirs: Meta has fields that cannot be
    read of children. If it was the album's, the next refusal names it again.
    """
    if is_other_node(error):
        return ()
    said = error.facts.said  # META-19: Meta translates its messages, but not the names of fields.
    named = {*_NAMED.findall(said), *_WORD.findall(said)} - {"id"}
    inner = [name for name in fields if "." in name and not named.isdisjoint(name.split("."))]
    plain = named.difference(name.rpartition(".")[2] for name in inner)
    return tuple(name for name in fields if name in inner or name in plain)


def is_other_node(error: InsightsError) -> bool:
    """Return whether the object is of another kind than accounts and media: a Page, a user, an app."""
    found = _NODE_TYPE.search(error.facts.said)
    return found is not None and not found["type"].startswith(_INSTAGRAM_TYPES)


def is_about_fields(error: InsightsError) -> bool:
    """Return whether a refusal of a node may be about some of its fields, named or not."""
    return isinstance(error, MetricRefused | PermissionMissing) and not is_other_node(error)


@dataclass(slots=True)
class RefusedFields:
    """The fields of a node (``profile``, ``media``, ``stories``) that the accounts of a run refused or answered."""

    _answered: set[tuple[Node, str]] = field(default_factory=set)
    _refused: dict[tuple[Node, str], tuple[set[str], InsightsError]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, node: Node, account_id: str) -> dict[str, InsightsError]:
        """Return the fields that are left out for the account, each with the reason."""
        with self._lock:
            return {
                name: error
                for (of, name), (accounts, error) in self._refused.items()
                if of == node and (account_id in accounts or self._holds_for_all((of, name), accounts, error))
            }

    def record_refusal(self, node: Node, names: Iterable[str], error: InsightsError, *, account_id: str) -> None:
        """Record that an account refused these fields."""
        with self._lock:
            for name in names:
                self._refused.setdefault((node, name), (set(), error))[0].add(account_id)

    def record_answer(self, node: Node, names: Iterable[str]) -> None:
        """Record that an account answers these fields: then a refusal does not hold for all accounts."""
        with self._lock:
            self._answered.update((node, name) for name in names)

    def _holds_for_all(self, key: tuple[Node, str], accounts: set[str], error: InsightsError) -> bool:
        if key in self._answered:
            return False
        return len(accounts) >= MIN_REFUSING_ACCOUNTS or bool(_NODE_TYPE.search(error.facts.said))


@dataclass(slots=True, kw_only=True)
class FieldSearch:
    """Finds the refused fields of one node from its refusals, with a limited number of requests.

    :param read_single: requests fields one by one, in one batch, and returns the error of each, None for an answer.
    """

    fields: Sequence[str]
    read_single: Callable[[Sequence[str]], Sequence[InsightsError | None]]
    refused: dict[str, InsightsError] = field(default_factory=dict)
    _refusals: int = 0
    _is_searched: bool = False

    def record(self, error: InsightsError) -> bool:
        """Use a refusal; return whether there are new fields to leave out, so that another request may be answered."""
        left = [name for name in self.fields if name not in self.refused and name != "id"]
        if not is_about_fields(error) or self._is_searched:
            return False
        named = find_refused_fields(error, left)
        # The text of code 10 is the same for a field and for the whole node. So the id alone is requested first.
        if not named and isinstance(error, PermissionMissing) and self._is_node_refused():
            return False
        self._refusals += 1
        found = dict.fromkeys(named, error)
        if not named or self._refusals > MAX_NAMED_REFUSALS:
            self._is_searched = True
            results = zip(left, self.read_single(left), strict=True)
            found |= {name: single for name, single in results if single is not None and is_about_fields(single)}
        if len(found) == len(left):
            return False
        self.refused |= found
        return bool(found)

    def _is_node_refused(self) -> bool:
        return isinstance(next(iter(self.read_single(["id"]))), InsightsError)
