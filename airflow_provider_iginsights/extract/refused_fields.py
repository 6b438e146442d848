"""Fields that Meta refuses of a node, by name or not, and what a run has learned not to ask again.

"Tried accessing nonexisting field (website) on node type (IGUser)" is true of every account (code 100); that the token
may not read a field (code 10) is the account's own, unless account after account says so. A node type of another kind,
such as Page, is no word about a field: the id is wrong.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from airflow_provider_iginsights.errors import InsightsError, MetricRefused, PermissionMissing
from airflow_provider_iginsights.extract.refusals import ACCOUNTS_FOR_ALL

MOST_NAMED = 2
"""So many refusals that name a field are taken by their word; after that the fields are asked one by one, at once."""

_NODE_TYPE = re.compile(r"node type \((?:Shadow)?(?P<type>\w+)\)")
_OURS = ("IG", "Instagram")
_NAMED = re.compile(r"\(([a-z][a-z0-9_]*)\)")
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")

Node = str


def find_refused_fields(error: InsightsError, fields: Sequence[str]) -> tuple[str, ...]:
    """Return the fields of a request that a refusal names: in parentheses, or by a name that is no word of a language.

    Meta translates its messages, but not the names in them.
    """
    if is_other_node(error):
        return ()
    said = error.facts.said
    named = {*_NAMED.findall(said), *_WORD.findall(said)}
    return tuple(name for name in fields if name in named and name != "id")


def is_other_node(error: InsightsError) -> bool:
    """Return whether the object is of another kind than accounts and media: a Page, a user, an app."""
    found = _NODE_TYPE.search(error.facts.said)
    return found is not None and not found["type"].startswith(_OURS)


def is_about_fields(error: InsightsError) -> bool:
    """Return whether a refusal of a node may be about some of its fields, named or not."""
    return isinstance(error, MetricRefused | PermissionMissing) and not is_other_node(error)


@dataclass(slots=True)
class RefusedFields:
    """What the accounts of a run taught about the fields of a node (``profile``, ``media``, ``stories``)."""

    _answered: set[tuple[Node, str]] = field(default_factory=set)
    _refused: dict[tuple[Node, str], tuple[set[str], InsightsError]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, node: Node, account_id: str) -> dict[str, InsightsError]:
        """Return the fields that need not be asked of the account, each with the reason."""
        with self._lock:
            return {
                name: error
                for (of, name), (accounts, error) in self._refused.items()
                if of == node and (account_id in accounts or self._is_everybodys((of, name), accounts, error))
            }

    def learn_refusal(self, node: Node, names: Iterable[str], error: InsightsError, *, account_id: str) -> None:
        """Remember that an account refused these fields."""
        with self._lock:
            for name in names:
                self._refused.setdefault((node, name), (set(), error))[0].add(account_id)

    def learn_answer(self, node: Node, names: Iterable[str]) -> None:
        """Remember that an account answers these fields: then their refusal is not everybody's."""
        with self._lock:
            self._answered.update((node, name) for name in names)

    def _is_everybodys(self, key: tuple[Node, str], accounts: set[str], error: InsightsError) -> bool:
        if key in self._answered:
            return False
        return len(accounts) >= ACCOUNTS_FOR_ALL or bool(_NODE_TYPE.search(error.facts.said))


@dataclass(slots=True, kw_only=True)
class FieldSearch:
    """Finds out which fields of one node are refused, refusal by refusal, in a bounded number of requests.

    ``ask_alone`` asks for fields one by one, all at once, and returns the error of each, None for an answer. That a
    permission is missing (code 10) is said of the whole node as of one of its fields, in the same words: so the id is
    asked for first, which costs an account that is denied as a whole one request.
    """

    fields: Sequence[str]
    ask_alone: Callable[[Sequence[str]], Sequence[InsightsError | None]]
    refused: dict[str, InsightsError] = field(default_factory=dict)
    _named: int = 0
    _is_searched: bool = False

    def take(self, error: InsightsError) -> bool:
        """Take a refusal; return whether it taught which fields to leave out, so that another request is worth it."""
        left = [name for name in self.fields if name not in self.refused and name != "id"]
        if not is_about_fields(error) or self._is_searched:
            return False
        named = find_refused_fields(error, left)
        if not named and isinstance(error, PermissionMissing) and self._is_node_refused():
            return False
        self._named += 1
        found = dict.fromkeys(named, error)
        if not named or self._named > MOST_NAMED:
            self._is_searched = True
            results = zip(left, self.ask_alone(left), strict=True)
            found |= {name: alone for name, alone in results if alone is not None and is_about_fields(alone)}
        if len(found) == len(left):
            return False
        self.refused |= found
        return bool(found)

    def _is_node_refused(self) -> bool:
        return isinstance(next(iter(self.ask_alone(["id"]))), InsightsError)
