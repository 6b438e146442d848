"""What must hold after any mutation, and what a mutation may rightly change."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import wraps
from pathlib import Path as FilePath
from typing import Any

from airflow_provider_iginsights.sandbox.graph.numbers import midnight
from tests.support import truth
from tests.support.left_out import OPTIONAL, is_told
from tests.support.mutation.documents import Inner, Literal, Pairs, find
from tests.support.mutation.scenarios import Ending, Scenario, Tables, index, is_at_a_step
from tests.support.sandboxes import DAY, KEYS, Row

OURS = "airflow_provider_iginsights"
UNEXPECTED = re.compile(r"unexpected (\w+(Error|Exception|Iteration))")

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
# Where another plausible value is read as what it says: another number, another city, another id, another day.
PLAUSIBLE = re.compile(
    r"(value|dimension_values(\[\])?|value\.#|\.(user_)?id|\.timestamp|end_time|dimension_keys(\[\])?|name|results(\[\])?|breakdowns(\[\])?"
    r"|total_value|values(\[\])?|data(\[\])?|body|\(text\)|body\[\]"
    r"|instagram_business_account|username|biography|website|\w+_count|media_type|media_product_type|caption|permalink|shortcode|alt_text"
    r"|media_url|thumbnail_url|profile_picture_url|is_comment_enabled|is_shared_to_feed|ig_id|owner|children)$"
)
KEY_PARTS = ("account_id", "media_id", "child_id", "metric", "breakdown_value", "value", "end_time")
"""Columns of which one is gone from the answer with an element of a list."""
ADDRESSES = frozenset(["media_url", "thumbnail_url", "profile_picture_url"])
"""Columns with addresses that are signed anew for each answer, and expire after some days."""
ABSENT = ("drop", "rename", "null", "empty text", "key twice")


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold: ``kind`` groups the alike, ``details`` are those of this scenario."""

    invariant: str
    kind: str
    details: str


def changes(scenario: Scenario) -> list[Scenario]:
    """Return the scenario once for each of its mutations, as if it were the only one."""
    others = [replace(scenario, spot=spot, mutation=mutation, more=()) for spot, mutation in scenario.more]
    return [replace(scenario, more=()), *others]


def _for_any_change(says: Callable[..., bool]) -> Callable[..., bool]:
    """Let what one mutation may explain be explained by any of them."""

    @wraps(says)
    def say(scenario: Scenario, *given: Any) -> bool:
        return any(says(each, *given) for each in changes(scenario))

    return say


def check(scenario: Scenario) -> list[Violation]:
    """Return what does not hold after a scenario."""
    return [
        *_check_ending("a: the mutated run", scenario.mutated),
        *_check_ending("a: the clean run", scenario.clean, must_succeed=True),
        *_check_list(scenario),
        *_check_others(scenario),
        *_check_keys(scenario),
        *_check_spot(scenario),
        *_check_afterwards(scenario),
        *_check_provenance(scenario),
        *_check_secrets(scenario),
        *_check_allowed(scenario),
    ]


def _check_ending(invariant: str, ending: Ending, *, must_succeed: bool = False) -> Iterator[Violation]:
    error = ending.error
    if error is not None and (must_succeed or not ending.is_named):
        yield Violation(invariant, f"{type(error).__name__} at {find_frame(error)}", repr(error)[:300])
    texts = [*_texts_of_accounts(ending.summary), str(error or ""), str(ending.result)[:5000]]
    for text in texts:
        if found := UNEXPECTED.search(text):
            frames = re.findall(rf'File "[^"]*/{OURS}/([^"]+)", line (\d+), in (\S+)', ending.log)
            where = ":".join(frames[-1]) if frames else "?"
            yield Violation(f"{invariant}, caught bare", f"{found[1]} at {where}", text[:300])
            return


def find_frame(error: BaseException) -> str:
    """Return the innermost frame of the package in an error's traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"/{OURS}/" in frame.filename]
    if not frames:
        return "?"
    last = frames[-1]
    return f"{FilePath(last.filename).as_posix().rpartition(f'/{OURS}/')[2]}:{last.lineno} {last.name}"


def _texts_of_accounts(summary: Mapping[str, Any]) -> Iterator[str]:
    for name in ("accounts_failed", "accounts_skipped", "accounts_throttled"):
        yield from (summary.get(name) or {}).values()


def find_owner(scenario: Scenario) -> set[str]:
    """Return the accounts that a mutated answer is about: all, where it is about none in particular."""
    return {owner for each in changes(scenario) for owner in _find_owner(each)}


def _find_owner(scenario: Scenario) -> set[str]:
    world = scenario.world
    signature = " ".join(scenario.spot.exchange.signature)
    digits = set(re.findall(r"\d{10,}", signature))
    owners = {each for each in digits if each in world.accounts}
    owners |= {
        media.account_id
        for account_id in world.accounts
        for media in [*world.media_of(account_id, world.now), *world.stories_of(account_id, world.now)]
        if media.id in digits
    }
    return owners or set(scenario.wanted)


def _check_others(scenario: Scenario) -> Iterator[Violation]:
    owners = find_owner(scenario)
    if scenario.question.kind not in ("account", "media", "story"):
        return
    if _stops_all_rightly(scenario):
        return
    for account_id, tables in scenario.wanted.items():
        if account_id in owners:
            continue
        for table, wanted in tables.items():
            found = _of(scenario.tables, table, account_id)
            if found != wanted:
                ended = f" ({type(scenario.mutated.error).__name__})" if scenario.mutated.error else ""
                kind = f"{table} {_difference_kind(found, wanted)}{ended}"
                yield Violation("b: other accounts", kind, _show(found, wanted))


def _check_list(scenario: Scenario) -> Iterator[Violation]:
    """Compare a list of accounts with the truth: each once; what is missing is named in a warning."""
    if scenario.question.kind != "list" or scenario.mutated.error is not None:
        return
    listed = [account_id for chunk in scenario.mutated.result for account_id in chunk]
    if len(set(listed)) < len(listed):
        yield Violation("c: an account twice", "the list", str(listed))
    others = set(listed) - scenario.wanted.keys()
    if not others <= readings(scenario):
        yield Violation("d: an account is invented", "the list", str(others))
    for account_id in scenario.wanted.keys() - set(listed):
        row = {"account_id": account_id}
        is_plausible = others or _may_be_fewer(scenario, row) or _is_linked_otherwise(scenario, account_id)
        if not is_plausible and not _is_warned_of(scenario, account_id):
            yield Violation("d: an account is missing, unnamed", "the list", account_id)


@_for_any_change
def _is_linked_otherwise(scenario: Scenario, account_id: str) -> bool:
    """Say whether a Page is linked to the account of another Page: no answer tells that this is wrong."""
    mutation = scenario.mutation
    if mutation is None or mutation.path[-1] != "id" or mutation.name != "the value of another":
        return False
    return account_id in _find_new(mutation.after, mutation.before) and _allow(scenario, "another account")


@_for_any_change
def _is_warned_of(scenario: Scenario, account_id: str) -> bool:
    """Say whether a warning names the account, the id that it was given instead, or that its list is not whole."""
    mutation = scenario.mutation
    ids = {account_id, *(readings(scenario) if mutation and mutation.path[-1] == "id" else ())}
    path = re.escape(scenario.spot.exchange.signature[1].rpartition("/v25.0/")[2])
    warnings = scenario.mutated.warnings
    return any(each and each in warning for warning in warnings for each in ids) or any(
        re.search(rf"{path}|account of Page", warning) and re.search("left out|skipped|ends", warning)
        for warning in warnings
    )


def _stops_all_rightly(scenario: Scenario) -> bool:
    """Say whether the run waits for a limit of the app, or the token itself was refused."""
    return not scenario.tables and scenario.mutated.is_named and scenario.mutated.error is not None and (
        find_owner(scenario) == set(scenario.wanted)
    )  # fmt: skip


def _check_keys(scenario: Scenario) -> Iterator[Violation]:
    for when, tables in (("after it", scenario.tables), ("after the clean run", scenario.tables_after)):
        for table, rows in tables.items():
            counted = Counter(tuple(row[name] for name in KEYS[table]) for row in rows)
            if twice := [key for key, count in counted.items() if count > 1]:
                yield Violation("c: a key twice", f"{table} {when}", str(twice[:2]))


def _check_spot(scenario: Scenario) -> Iterator[Violation]:
    """Compare the rows of the mutated account with the truth; each difference must be named or be the mutation's."""
    if scenario.question.kind not in ("account", "media", "story"):
        return
    for account_id in find_owner(scenario):
        if _is_account_named(scenario, account_id):
            continue
        for table, wanted in scenario.wanted[account_id].items():
            found = _of(scenario.tables, table, account_id)
            for key in wanted.keys() - found.keys():
                if not (
                    _is_named(scenario, account_id, wanted[key])
                    or _may_be_fewer(scenario, wanted[key])
                    or _has_another_key(scenario, key, found.keys() - wanted.keys())
                    or _is_twin(scenario, key, wanted[key], found)
                    or _has_another_id(scenario, key)
                    or _is_young(scenario, wanted[key])
                    or _is_of_another_type(scenario, wanted[key])
                    or _is_part_of_nothing(scenario, wanted, wanted[key])
                    or _is_answered_elsewhere(scenario, wanted[key])
                    or _is_planned_otherwise(scenario, wanted[key])
                ):
                    yield Violation("d: a row is missing, unnamed", table, str(key))
            for key in found.keys() & wanted.keys():
                yield from _compare_rows(scenario, account_id, table, found[key], wanted[key])
            for key in found.keys() - wanted.keys():
                if not _is_invented(scenario, key) and not _is_answered_elsewhere(scenario, found[key]):
                    yield Violation("d: a row is invented", f"{table} {_metric(found[key])}", str(key)[:300])


def _compare_rows(scenario: Scenario, account_id: str, table: str, found: Row, wanted: Row) -> Iterator[Violation]:
    for column in wanted:
        if found.get(column) == wanted[column] or _is_reading(scenario, found.get(column)):
            continue
        if _is_told_of_missed(wanted, column):
            continue
        # What cannot be read in a later step keeps what an earlier one stored.
        is_kept = scenario.question.waits and column in OPTIONAL
        # Of a story whose expiry cannot be read, no numbers are the last: the next poll sets that right (finals.py).
        is_not_last = column == "is_final" and found.get("expires_at") is None
        if (found.get(column) is None or column == "live_stories" or is_kept or is_not_last) and (
            _is_named(scenario, account_id, wanted, column) or _is_optional(scenario, column)
        ):
            continue
        if column == "live_stories" and (
            _may_be_fewer(scenario, wanted)
            or _are_stories_named(scenario, account_id, wanted[column] - (found.get(column) or 0))
        ):
            continue
        if column == "value" and _is_answered_elsewhere(scenario, found):
            continue
        if column in ("published_date", "expires_at", "is_final") and _is_reading(scenario, found.get("published_at")):
            continue
        shown = f"{table}.{column}: {found.get(column)!r} instead of {wanted[column]!r}"
        yield Violation("d: a value is wrong, unnamed", f"{table}.{column}", shown[:400])


def _are_stories_named(scenario: Scenario, account_id: str, count: int) -> bool:
    """Say whether so many stories of the account are named as left out."""
    whom = f"account {account_id} (story "
    entries = scenario.mutated.summary.get("left_out") or ()
    named: int = sum(who.startswith(whom) for entry in entries for who in entry["whom"])
    return named >= count > 0


def _check_afterwards(scenario: Scenario) -> Iterator[Violation]:
    if scenario.question.kind not in ("account", "media", "story") or scenario.clean.error is not None:
        return
    wanted: Tables = {}
    for tables in scenario.wanted_after.values():
        for table, rows in tables.items():
            wanted.setdefault(table, {}).update(rows)
    for table, rows in wanted.items():
        found = index(table, scenario.tables_after.get(table, []))
        yield from _compare_afterwards(table, found, rows, before=index(table, scenario.tables.get(table, [])))
        earlier = {key for tables in scenario.wanted.values() for key in tables.get(table, ())}
        for key in found.keys() - rows.keys() - earlier:
            if not _is_invented(scenario, key) and not _is_answered_elsewhere(scenario, found[key]):
                yield Violation("e: after a clean run a row is left", f"{table} {_metric(found[key])}", str(key)[:300])


def _compare_afterwards(
    table: str, found: Mapping[Any, Row], wanted: Mapping[Any, Row], *, before: Mapping[Any, Row]
) -> Iterator[Violation]:
    for key, row in wanted.items():
        if key not in found:
            yield Violation("e: after a clean run a row is missing", table, str(key))
            continue
        for column in row:
            # A signed address alone is no reason to write a row again.
            if column in ADDRESSES and found[key].get(column) == before.get(key, {}).get(column):
                continue
            if found[key].get(column) != row[column] and not _is_told_of_missed(row, column):
                shown = f"{key}: {found[key].get(column)!r} instead of {row[column]!r}"
                yield Violation("e: after a clean run a value is wrong", f"{table}.{column}", shown[:400])


def _is_told_of_missed(wanted: Row, column: str) -> bool:
    """Say whether a later poll counts what the mutated one before it missed; that is tested with the gaps."""
    return column in ("seen_late", "finals_missed") and wanted["previous_poll_at"] is not None


def _check_provenance(scenario: Scenario) -> Iterator[Violation]:
    """Each row of the mutated run says which run brought it, when, and which version of the API answered."""
    for table, rows in scenario.tables.items():
        for row in rows:
            right = {
                "run_id": row.get("run_id") == scenario.run_id,
                "fetched_at": is_at_a_step(row, scenario.mutated),
                "connection_id": row.get("connection_id") in (None, "instagram_default"),
                "api_version": row.get("api_version") in (None, "v25.0") or _is_reading(scenario, row["api_version"]),
            }
            if wrong := [name for name, holds in right.items() if not holds]:
                yield Violation("d: a row's origin is wrong", f"{table}.{wrong[0]}", repr(row[wrong[0]])[:200])
                break


def _check_secrets(scenario: Scenario) -> Iterator[Violation]:
    for ending in (scenario.mutated, scenario.clean):
        places = {
            "log": ending.log,
            "error": f"{ending.error!r}{ending.error}",
            "summary": f"{ending.summary}{ending.result}",
        }
        for place, text in places.items():
            if any(secret in text for secret in scenario.secrets):
                yield Violation("f: a secret", place, "")
    if any(secret in str(scenario.tables) for secret in scenario.secrets):
        yield Violation("f: a secret", "tables", "")


def _check_allowed(scenario: Scenario) -> Iterator[Violation]:
    """Find a plain reading of a value of which none can be said."""
    if scenario.allowed and not any(PLAUSIBLE.search(each.spot.shape) for each in changes(scenario)):
        yield Violation("d: a reading where none is", scenario.spot.shape, str(sorted(scenario.allowed)))


def _of(tables: Mapping[str, list[Row]], table: str, account_id: str) -> dict[tuple[Any, ...], Row]:
    return index(table, [row for row in tables.get(table, []) if row["account_id"] == account_id])


def _is_account_named(scenario: Scenario, account_id: str) -> bool:
    """Say whether the account as a whole is named: in the summary, or in the error that ended the run."""
    summary, error = scenario.mutated.summary, scenario.mutated.error
    named = any(account_id in (summary.get(f"accounts_{how}") or {}) for how in ("failed", "skipped", "throttled"))
    return named or (error is not None and scenario.mutated.is_named and (account_id in str(error) or not summary))


@_for_any_change
def _is_named(scenario: Scenario, account_id: str, row: Row, column: str | None = None) -> bool:
    if is_told(scenario.mutated.summary, account_id, row, column=column):
        return True
    ids = {account_id, str(row.get("media_id", account_id))}
    if scenario.spot.exchange.label == "GET me/accounts":
        ids |= {"me/accounts", "account of Page"}  # whose id cannot be read cannot be named by it
    return any(each in note for note in scenario.mutated.summary.get("notes") or () for each in ids)


@_for_any_change
def _may_be_fewer(scenario: Scenario, row: Row) -> bool:
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
        return _allow(scenario, "fewer")
    # Under another name, the values are still in the answer, and nobody asks for them by that name.
    gone = set(_leaves(mutation.old)) if mutation.name == "rename" else _find_new(mutation.after, mutation.before)
    parts = [each for name in KEY_PARTS if (each := row.get(name)) is not None]
    is_made_of_it = any(_is_among(gone, each) for each in parts) or ("live_stories" in row and bool(gone))
    return is_made_of_it and _allow(scenario, "fewer")


def _allow(scenario: Scenario, reason: str) -> bool:
    scenario.allowed.add(reason)
    return True


@_for_any_change
def _is_optional(scenario: Scenario, column: str) -> bool:
    mutation = scenario.mutation
    path = [str(step) for step in mutation.path] if mutation else []
    if "end_time" in path:  # where one day was asked, the question dates the point
        return column == "end_time" and mutation is not None and mutation.name in ABSENT
    if column == "position":  # what is left of an album moves up
        return "children" in path
    if any(step in OPTIONAL for step in path):
        return mutation is not None and mutation.name in ABSENT
    return mutation is not None and mutation.name == "cut" and (column in OPTIONAL or column == "end_time")


def _is_reading(scenario: Scenario, value: Any) -> bool:
    """Say whether a stored value is the plain reading of a value that the mutation put into the answer."""
    # A flag may come as 0 or 1.
    spelled = {spell(value), spell(int(value))} if isinstance(value, bool) else {spell(value)}
    return value is not None and not spelled.isdisjoint(readings(scenario)) and _allow(scenario, "another value")


def readings(scenario: Scenario) -> set[str]:
    """Return the plain readings of all values that stand in the mutated answer and did not stand there before."""
    mutations = [each.mutation for each in changes(scenario) if each.mutation]
    new = {leaf for mutation in mutations for leaf in _find_new(mutation.before, mutation.after)}
    parts = {part for leaf in new for part in leaf.split("|")} | {leaf.replace("|", "\\|") for leaf in new}
    # Of a signed address, rows are compared by what stands before its signature.
    return new | parts | {leaf.partition("?")[0] for leaf in new if leaf.lower().startswith("https://")}


def _find_new(before: Any, after: Any) -> set[str]:
    """Return the values of ``after`` that stand there more often than in ``before``."""
    known = _leaves(before)
    return {leaf for leaf, count in _leaves(after).items() if count > known.get(leaf, 0)}


def _leaves(value: Any) -> Counter[str]:
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
        found += _leaves(each)
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
        return format(Decimal(text).normalize(), "f") if len(text) < 60 else text
    except (InvalidOperation, ValueError):
        return text


@_for_any_change
def _is_invented(scenario: Scenario, key: tuple[Any, ...]) -> bool:
    """Say whether a key differs from a true one only by a value that the mutation brought in."""
    new = readings(scenario)
    texts = [spell(part) for part in key]
    return any(text in new or any(each in new for each in re.split(r"(?<!\\)\|", text)) for text in texts) and _allow(
        scenario, "another key"
    )


def _has_another_key(scenario: Scenario, key: tuple[Any, ...], others: Iterable[tuple[Any, ...]]) -> bool:
    """Say whether a row stands under a key of which one part is a value that the mutation brought in."""
    new = readings(scenario)
    for other in others:
        changed = [theirs for ours, theirs in zip(key, other, strict=True) if ours != theirs]
        if len(changed) <= 1 + len(scenario.more) and all(_is_among(new, each) for each in changed):
            return _allow(scenario, "another key")
    return False


def _is_twin(scenario: Scenario, key: tuple[Any, ...], wanted: Row, found: Mapping[Any, Row]) -> bool:
    """Say whether the row got the dimension values of another with an equal number: these two are one row."""
    number = wanted.get("value")
    return number is not None and _has_another_key(
        scenario, key, [other for other, row in found.items() if row["value"] == number]
    )


def _is_among(new: set[str], value: Any) -> bool:
    return spell(value) in new or any(part in new for part in str(value).split("|"))


@_for_any_change
def _has_another_id(scenario: Scenario, key: tuple[Any, ...]) -> bool:
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
    return (is_swapped or not new.isdisjoint(asked)) and _allow(scenario, "another id")


@_for_any_change
def _is_young(scenario: Scenario, row: Row) -> bool:
    """Say whether a number of a day that ended less than 48 hours ago is missing in a usual way: Meta has none yet."""
    mutation, day = scenario.mutation, row.get("metric_date")
    if mutation is None or day is None:
        return False
    silent = (names for pattern, names in YOUNG.items() if re.search(pattern, scenario.spot.shape))
    if not any(mutation.name in names for names in silent):
        return False
    ended = midnight(day + DAY)
    return scenario.world.now - ended < 2 * DAY and _allow(scenario, "too young to be missed")


@_for_any_change
def _is_of_another_type(scenario: Scenario, row: Row) -> bool:
    """Say whether the row's media was listed as one of another product type, which does not have the row's metric.

    Nothing in the answer tells that it is wrong, so only the metrics of that type are asked for.
    """
    mutation = scenario.mutation
    if mutation is None or (mutation.path[-1], mutation.name) != ("media_product_type", "the value of another"):
        return False
    media, new_type = find(mutation.before, mutation.path[:-1]), find(mutation.after, mutation.path)
    offered = truth.ALL_POSTS.metrics.get(new_type, {})
    is_lost = scenario.question.kind == "media" and row.get("metric", "reach") not in offered
    return is_lost and row["media_id"] == media["id"] and _allow(scenario, "another product type")


def _is_part_of_nothing(scenario: Scenario, wanted: Mapping[Any, Row], row: Row) -> bool:
    """Say whether a row breaks a total of 0 down: that its breakdown did not come, is worth no word."""
    if not row.get("breakdown"):
        return False
    about = ("media_id", "metric", "period", "timeframe", "metric_date")
    totals = (each for each in wanted.values() if each["breakdown"] == "")
    of = next((each for each in totals if all(each.get(name) == row.get(name) for name in about)), None)
    return of is not None and of["value"] == 0 and _allow(scenario, "a breakdown of nothing")


@_for_any_change
def _is_answered_elsewhere(scenario: Scenario, row: Row) -> bool:
    """Say whether the answers of a batch came in another order.

    A batch is told by its order and by nothing else (Meta's batch reference): a total, which has no date of its own, is
    then that of the day whose place it took, and a story's number that of the other story. A day that is young is not
    missed where its place was taken.
    """
    mutation = scenario.mutation
    if mutation is None or mutation.path != ("body",) or mutation.name != "backwards" or "value" not in row:
        return False
    return spell(row["value"]) in _leaves(mutation.before) and _allow(scenario, "another day's answer")


@_for_any_change
def _is_planned_otherwise(scenario: Scenario, row: Row) -> bool:
    """Say whether a story's time was changed: it says when the story is read again, and one that is none says never."""
    mutation = scenario.mutation
    if mutation is None or "capture" not in scenario.question.arguments or mutation.path[-1:] != ("timestamp",):
        return False
    is_later = "snapshot_at" in row and row["snapshot_at"] > scenario.now
    return is_later and _allow(scenario, "another time to read a story")


def _metric(row: Row) -> str:
    return f"{row.get('metric', '')}{'/' + row['breakdown'] if row.get('breakdown') else ''}"


def _difference_kind(found: Mapping[Any, Row], wanted: Mapping[Any, Row]) -> str:
    if not found:
        return "has none of the rows"
    return "misses rows" if wanted.keys() - found.keys() else "has other rows"


def _show(found: Mapping[Any, Row], wanted: Mapping[Any, Row]) -> str:
    first = next((key for key in wanted if found.get(key) != wanted[key]), None)
    return f"{len(found)} rows instead of {len(wanted)}; the first difference is at {first}"
