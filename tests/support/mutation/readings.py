"""The values of an answer as comparable texts, and which of them a mutation brought in or took out."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.support.mutation.documents import Inner, Literal, Pairs
from tests.support.mutation.scenarios import Scenario, changes


def readings(scenario: Scenario) -> set[str]:
    """Return the plain readings of all values that stand in the mutated answer and did not stand there before."""
    mutations = [each.mutation for each in changes(scenario) if each.mutation]
    new = {leaf for mutation in mutations for leaf in find_new(mutation.before, mutation.after)}
    parts = {part for leaf in new for part in leaf.split("|")} | {leaf.replace("|", "\\|") for leaf in new}
    # Of a signed address, rows are compared by what stands before its signature.
    return new | parts | {leaf.partition("?")[0] for leaf in new if leaf.lower().lstrip().startswith("https://")}


def find_new(before: Any, after: Any) -> set[str]:
    """Return the values of ``after`` that stand there more often than in ``before``."""
    known = leaves(before)
    return {leaf for leaf, count in leaves(after).items() if count > known.get(leaf, 0)}


def leaves(value: Any) -> Counter[str]:
    """Return how often each value and each key stands in a document."""
    match value:
        case dict():
            inner: Any = [*value.values(), *value.keys()]
        case list():
            inner = value
        case Pairs(pairs):
            inner = [each for pair in pairs for each in pair]
        case Inner(each):
            inner = [each]
        case Literal(text):
            return Counter([spell(text)])
        case _:
            return Counter([spell(value)])
    found: Counter[str] = Counter()
    for each in inner:
        found += leaves(each)
    return found


def spell(value: Any) -> str:
    """Return a value as comparable text: a number by its value, an instant in UTC, half an emoji as U+FFFD."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bool) or value is None:
        return str(value)
    text = re.sub(r"[\ud800-\udfff]", "�", str(value))
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+[+-]\d{4}", text):
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC).isoformat()
        except ValueError:
            return text
    try:
        # A number between blanks is a text.
        return format(Decimal(text).normalize(), "f") if len(text) < 60 and text == text.strip() else text
    except (InvalidOperation, ValueError):
        return text


def is_reading(scenario: Scenario, value: Any) -> bool:
    """Say whether a stored value is the plain reading of a value that the mutation put into the answer."""
    # A flag may come as 0 or 1.
    spelled = {spell(value), spell(int(value))} if isinstance(value, bool) else {spell(value)}
    return value is not None and not spelled.isdisjoint(readings(scenario)) and allow(scenario, "another value")


def is_among(new: set[str], value: Any) -> bool:
    """Say whether a value, or one of those that ``|`` joins in it, is among the texts."""
    return spell(value) in new or any(part in new for part in str(value).split("|"))


def allow(scenario: Scenario, reason: str) -> bool:
    """Note why a difference is allowed, and return true."""
    scenario.allowed.add(reason)
    return True
