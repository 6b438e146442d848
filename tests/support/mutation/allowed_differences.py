"""What a mutation may rightly change: why a row or a value may differ from the truth without being named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from airflow_provider_iginsights.sandbox.graph.numbers import midnight
from tests.support import truth
from tests.support.left_out import OPTIONAL, is_told
from tests.support.mutation.documents import find
from tests.support.mutation.readings import allow, find_new, is_among, leaves, readings, spell
from tests.support.mutation.scenarios import Scenario, changes
from tests.support.sandboxes import DAY, Row

# What Meta may rightly answer: there can be fewer of these, and nobody can tell from the answer that there were more.
FEWER: dict[str, tuple[str, ...]] = {
    r"results\[\]$": ("drop",),  # a breakdown has as many values as it has
    r"results$": ("cut", "list", "drop", "rename"),
    r"breakdowns\[\]$": ("cut", "drop"),  # a breakdown beside its total may be empty, but not absent
    r"breakdowns$": ("cut", "list"),
    r"values\[\]$": ("drop",),  # a series has a point for each day that has one
    r"values$": ("cut", "list"),
    r"\bend_time$": ("a date",),  # of a day that nobody asked for: a point that is not there, and one that Meta may add
    r"values\[\]\.value(\.#)?$": ("drop", "cut", "object"),  # an hour without followers is not named
    r"body\.data\[\]$": ("drop",),  # a listing is as long as it is
    r"body\.data$": ("cut", "list"),
    r"children\.data\[\]$": ("drop",),  # an album is as long as it is
    r"children\.data$": ("cut", "list"),
    r"instagram_business_account$": ("drop", "rename", "null"),  # a Page has no account
}
# Where an answer says nothing yet about a day that ended less than 48 hours ago.
YOUNG: dict[str, tuple[str, ...]] = {
    r"\bdata(\[\]\.values)?$": ("cut", "list"),  # neither the metric nor a point
    r"\bdata\[\]$": ("drop",),
    r"(total_value|values\[\])\.value$": ("null",),  # a number that is not there yet
    r"\bend_time$": ("a date",),  # a point of a neighbouring day, which Meta may add
}
KEY_PARTS = ("account_id", "media_id", "child_id", "metric", "breakdown_value", "value", "end_time")
"""Columns of which one is gone from the answer with an element of a list."""
ABSENT = ("drop", "rename", "null", "empty text", "key twice")


def for_any_change(says: Callable[..., bool]) -> Callable[..., bool]:
    """Let what one mutation may explain be explained by any of them."""

    @wraps(says)
    def say(scenario: Scenario, *given: Any) -> bool:
        return any(says(each, *given) for each in changes(scenario))

    return say


@for_any_change
def is_linked_otherwise(scenario: Scenario, account_id: str) -> bool:
    """Say whether a Page is linked to the account of another Page: no answer tells that this is wrong."""
    mutation = scenario.mutation
    if mutation is None or mutation.path[-1] != "id" or mutation.name != "the value of another":
        return False
    return account_id in find_new(mutation.after, mutation.before) and allow(scenario, "another account")


@for_any_change
def is_warned_of(scenario: Scenario, account_id: str) -> bool:
    """Say whether a warning names the account, the id that it was given instead, or that its list is not whole."""
    mutation = scenario.mutation
    ids = {account_id, *(readings(scenario) if mutation and mutation.path[-1] == "id" else ())}
    path = re.escape(scenario.spot.exchange.signature[1].rpartition("/v25.0/")[2])
    warnings = scenario.mutated.warnings
    return any(each and each in warning for warning in warnings for each in ids) or any(
        re.search(rf"{path}|account of Page", warning) and re.search("left out|skipped|ends", warning)
        for warning in warnings
    )


def is_account_named(scenario: Scenario, account_id: str) -> bool:
    """Say whether the account as a whole is named: in the summary, or in the error that ended the run."""
    summary, error = scenario.mutated.summary, scenario.mutated.error
    named = any(account_id in (summary.get(f"accounts_{how}") or {}) for how in ("failed", "skipped", "throttled"))
    return named or (error is not None and scenario.mutated.is_named and (account_id in str(error) or not summary))


@for_any_change
def is_named(scenario: Scenario, account_id: str, row: Row, column: str | None = None) -> bool:
    """Say whether the summary of the mutated run names what became of a row, or of one of its columns."""
    if is_told(scenario.mutated.summary, account_id, row, column=column):
        return True
    ids = {account_id, str(row.get("media_id", account_id))}
    if scenario.spot.exchange.label == "GET me/accounts":
        ids |= {"me/accounts", "account of Page"}  # whose id cannot be read cannot be named by it
    return any(each in note for note in scenario.mutated.summary.get("notes") or () for each in ids)


def are_stories_named(scenario: Scenario, account_id: str, count: int) -> bool:
    """Say whether so many stories of the account are named as left out."""
    whom = f"account {account_id} (story "
    entries = scenario.mutated.summary.get("left_out") or ()
    named: int = sum(who.startswith(whom) for entry in entries for who in entry["whom"])
    return named >= count > 0


@for_any_change
def may_be_fewer(scenario: Scenario, row: Row) -> bool:
    """Say whether a row may be missing: the list became shorter by what the row is made of."""
    mutation = scenario.mutation
    if mutation is None:
        return False
    allowed = (names for pattern, names in FEWER.items() if re.search(pattern, scenario.spot.shape))
    label, where = scenario.spot.exchange.label, scenario.spot.shape
    # A Page that is cut short may lack its account, as Pages without one do.
    is_unlinked = (label, where, mutation.name) == ("GET me/accounts", "body.data[]", "cut")
    if not any(mutation.name in names for names in allowed) and not is_unlinked:
        return False
    if label == "GET me/businesses":  # the accounts of a portfolio are listed elsewhere
        return allow(scenario, "fewer")
    # Under another name, the values are still in the answer, and nobody asks for them by that name.
    gone = set(leaves(mutation.old)) if mutation.name == "rename" else find_new(mutation.after, mutation.before)
    parts = [each for name in KEY_PARTS if (each := row.get(name)) is not None]
    is_made_of_it = any(is_among(gone, each) for each in parts) or ("live_stories" in row and bool(gone))
    return is_made_of_it and allow(scenario, "fewer")


@for_any_change
def is_optional(scenario: Scenario, column: str) -> bool:
    """Say whether a column may be empty without a word, since the mutation took away what an answer may lack."""
    mutation = scenario.mutation
    path = [str(step) for step in mutation.path] if mutation else []
    if "end_time" in path:  # where one day was asked, the question dates the point
        return column == "end_time" and mutation is not None and mutation.name in ABSENT
    if column == "position":  # what is left of an album moves up
        return "children" in path
    if any(step in OPTIONAL for step in path):
        return mutation is not None and mutation.name in ABSENT
    return mutation is not None and mutation.name == "cut" and (column in OPTIONAL or column == "end_time")


def is_told_of_missed(wanted: Row, column: str) -> bool:
    """Say whether a later poll counts what the mutated one before it missed; that is tested with the gaps."""
    return column in ("seen_late", "finals_missed") and wanted["previous_poll_at"] is not None


@for_any_change
def is_invented(scenario: Scenario, key: tuple[Any, ...]) -> bool:
    """Say whether a key differs from a true one only by a value that the mutation brought in."""
    new = readings(scenario)
    texts = [spell(part) for part in key]
    return any(text in new or any(each in new for each in re.split(r"(?<!\\)\|", text)) for text in texts) and allow(
        scenario, "another key"
    )


def has_another_key(scenario: Scenario, key: tuple[Any, ...], others: Iterable[tuple[Any, ...]]) -> bool:
    """Say whether a row stands under a key of which one part is a value that the mutation brought in."""
    new = readings(scenario)
    for other in others:
        changed = [theirs for ours, theirs in zip(key, other, strict=True) if ours != theirs]
        if len(changed) <= 1 + len(scenario.more) and all(is_among(new, each) for each in changed):
            return allow(scenario, "another key")
    return False


def is_twin(scenario: Scenario, key: tuple[Any, ...], wanted: Row, found: Mapping[Any, Row]) -> bool:
    """Say whether the row got the dimension values of another with an equal number: these two are one row."""
    number = wanted.get("value")
    return number is not None and has_another_key(
        scenario, key, [other for other, row in found.items() if row["value"] == number]
    )


@for_any_change
def has_another_id(scenario: Scenario, key: tuple[Any, ...]) -> bool:
    """Say whether the row's media or account was given another id: it is asked, and named, under that one."""
    mutation = scenario.mutation
    if mutation is None or mutation.path[-1] not in ("id", "user_id") or mutation.old not in key:
        return False
    new = readings(scenario)
    named = {
        number for entry in scenario.mutated.summary["left_out"] for number in re.findall(r"\d+", str(entry["whom"]))
    }
    accounts = (scenario.mutated.summary.get(f"accounts_{how}") or () for how in ("done", "failed", "skipped"))
    asked = named.union(*accounts)
    is_swapped = mutation.name == "the value of another"
    return (is_swapped or not new.isdisjoint(asked)) and allow(scenario, "another id")


@for_any_change
def is_young(scenario: Scenario, row: Row) -> bool:
    """Say whether a number of a day that ended less than 48 hours ago is missing in a usual way: Meta has none yet."""
    mutation, day = scenario.mutation, row.get("metric_date")
    if mutation is None or day is None:
        return False
    silent = (names for pattern, names in YOUNG.items() if re.search(pattern, scenario.spot.shape))
    if not any(mutation.name in names for names in silent):
        return False
    ended = midnight(day + DAY)
    return scenario.world.now - ended < 2 * DAY and allow(scenario, "too young to be missed")


@for_any_change
def is_of_another_type(scenario: Scenario, row: Row) -> bool:
    """Say whether the row's media was listed as one of another product type, which does not have the row's metric.

    Nothing in the answer tells that it is wrong, so only the metrics of that type are asked for.
    """
    mutation = scenario.mutation
    if mutation is None or (mutation.path[-1], mutation.name) != ("media_product_type", "the value of another"):
        return False
    media, new_type = find(mutation.before, mutation.path[:-1]), find(mutation.after, mutation.path)
    offered = truth.ALL_POSTS.metrics.get(new_type, {})
    is_lost = scenario.question.kind == "media" and row.get("metric", "reach") not in offered
    return is_lost and row["media_id"] == media["id"] and allow(scenario, "another product type")


def is_part_of_nothing(scenario: Scenario, wanted: Mapping[Any, Row], row: Row) -> bool:
    """Say whether a row breaks a total of 0 down: that its breakdown did not come, is worth no word."""
    if not row.get("breakdown"):
        return False
    about = ("media_id", "metric", "period", "timeframe", "metric_date")
    totals = (each for each in wanted.values() if each["breakdown"] == "")
    of = next((each for each in totals if all(each.get(name) == row.get(name) for name in about)), None)
    return of is not None and of["value"] == 0 and allow(scenario, "a breakdown of nothing")


@for_any_change
def is_answered_elsewhere(scenario: Scenario, row: Row) -> bool:
    """Say whether the answers of a batch came in another order.

    A batch is told by its order and by nothing else (Meta's batch reference): a total, which has no date of its own, is
    then that of the day whose place it took, and a story's number that of the other story. A day that is young is not
    missed where its place was taken.
    """
    mutation = scenario.mutation
    if mutation is None or mutation.path != ("body",) or mutation.name != "backwards" or "value" not in row:
        return False
    return spell(row["value"]) in leaves(mutation.before) and allow(scenario, "another day's answer")


@for_any_change
def is_in_another_order(scenario: Scenario, column: str) -> bool:
    """Say whether an album's children were listed backwards: the place of a child is that in Meta's list."""
    mutation = scenario.mutation
    if mutation is None or column != "position" or mutation.name != "backwards":
        return False
    return "children" in mutation.path and allow(scenario, "another order of children")


@for_any_change
def is_planned_otherwise(scenario: Scenario, row: Row) -> bool:
    """Say whether a story's time was changed: it says when the story is read again, and one that is none says never."""
    mutation = scenario.mutation
    if mutation is None or "capture" not in scenario.question.arguments or mutation.path[-1:] != ("timestamp",):
        return False
    is_later = "snapshot_at" in row and row["snapshot_at"] > scenario.now
    return is_later and allow(scenario, "another time to read a story")
