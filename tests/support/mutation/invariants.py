"""What must hold after any mutation."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from tests.support.left_out import OPTIONAL
from tests.support.mutation.allowed_differences import (
    are_stories_named,
    has_another_id,
    has_another_key,
    is_account_named,
    is_answered_elsewhere,
    is_in_another_order,
    is_invented,
    is_linked_otherwise,
    is_named,
    is_of_another_type,
    is_optional,
    is_part_of_nothing,
    is_planned_otherwise,
    is_told_of_missed,
    is_twin,
    is_warned_of,
    is_young,
    may_be_fewer,
)
from tests.support.mutation.readings import is_reading, readings
from tests.support.mutation.scenarios import Ending, Scenario, Tables, changes, find_owner, index, is_at_a_step
from tests.support.sandboxes import KEYS, Row

OURS = "airflow_provider_iginsights"
UNEXPECTED = re.compile(r"unexpected (\w+(Error|Exception|Iteration))")
# Where another plausible value is read as what it says: another number, another city, another id, another day.
PLAUSIBLE = re.compile(
    r"(value|dimension_values(\[\])?|value\.#|\.(user_)?id|\.timestamp|end_time|dimension_keys(\[\])?|name|results(\[\])?|breakdowns(\[\])?"
    r"|total_value|values(\[\])?|data(\[\])?|body|\(text\)|body\[\]"
    r"|instagram_business_account|username|biography|website|\w+_count|media_type|media_product_type|caption|permalink|shortcode|alt_text"
    r"|media_url|thumbnail_url|profile_picture_url|is_comment_enabled|is_shared_to_feed|ig_id|owner|children)$"
)
ADDRESSES = frozenset(["media_url", "thumbnail_url", "profile_picture_url"])
"""Columns with addresses that are signed anew for each answer, and expire after some days."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold: ``kind`` groups the alike, ``details`` are those of this scenario."""

    invariant: str
    kind: str
    details: str


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
        is_plausible = others or may_be_fewer(scenario, row) or is_linked_otherwise(scenario, account_id)
        if not is_plausible and not is_warned_of(scenario, account_id):
            yield Violation("d: an account is missing, unnamed", "the list", account_id)


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
        if is_account_named(scenario, account_id):
            continue
        for table, wanted in scenario.wanted[account_id].items():
            found = _of(scenario.tables, table, account_id)
            for key in wanted.keys() - found.keys():
                if not (
                    is_named(scenario, account_id, wanted[key])
                    or may_be_fewer(scenario, wanted[key])
                    or has_another_key(scenario, key, found.keys() - wanted.keys())
                    or is_twin(scenario, key, wanted[key], found)
                    or has_another_id(scenario, key)
                    or is_young(scenario, wanted[key])
                    or is_of_another_type(scenario, wanted[key])
                    or is_part_of_nothing(scenario, wanted, wanted[key])
                    or is_answered_elsewhere(scenario, wanted[key])
                    or is_planned_otherwise(scenario, wanted[key])
                ):
                    yield Violation("d: a row is missing, unnamed", table, str(key))
            for key in found.keys() & wanted.keys():
                yield from _compare_rows(scenario, account_id, table, found[key], wanted[key])
            for key in found.keys() - wanted.keys():
                if not is_invented(scenario, key) and not is_answered_elsewhere(scenario, found[key]):
                    yield Violation("d: a row is invented", f"{table} {_metric(found[key])}", str(key)[:300])


def _compare_rows(scenario: Scenario, account_id: str, table: str, found: Row, wanted: Row) -> Iterator[Violation]:
    for column in wanted:
        if found.get(column) == wanted[column] or is_reading(scenario, found.get(column)):
            continue
        if is_told_of_missed(wanted, column):
            continue
        # What cannot be read in a later step keeps what an earlier one stored.
        is_kept = scenario.question.waits and column in OPTIONAL
        # Of a story whose expiry cannot be read, no numbers are the last: the next poll sets that right (finals.py).
        is_not_last = column == "is_final" and found.get("expires_at") is None
        if (found.get(column) is None or column == "live_stories" or is_kept or is_not_last) and (
            is_named(scenario, account_id, wanted, column) or is_optional(scenario, column)
        ):
            continue
        if column == "live_stories" and (
            may_be_fewer(scenario, wanted)
            or are_stories_named(scenario, account_id, wanted[column] - (found.get(column) or 0))
        ):
            continue
        if column == "value" and is_answered_elsewhere(scenario, found):
            continue
        if is_in_another_order(scenario, column):
            continue
        if column in ("published_date", "expires_at", "is_final") and is_reading(scenario, found.get("published_at")):
            continue
        shown = f"{table}.{column}: {found.get(column)!r} instead of {wanted[column]!r}"
        yield Violation("d: a value is wrong, unnamed", f"{table}.{column}", shown[:400])


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
            if not is_invented(scenario, key) and not is_answered_elsewhere(scenario, found[key]):
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
            if found[key].get(column) != row[column] and not is_told_of_missed(row, column):
                shown = f"{key}: {found[key].get(column)!r} instead of {row[column]!r}"
                yield Violation("e: after a clean run a value is wrong", f"{table}.{column}", shown[:400])


def _check_provenance(scenario: Scenario) -> Iterator[Violation]:
    """Each row of the mutated run says which run brought it, when, and which version of the API answered."""
    for table, rows in scenario.tables.items():
        for row in rows:
            right = {
                "run_id": row.get("run_id") == scenario.run_id,
                "fetched_at": is_at_a_step(row, scenario.mutated),
                "connection_id": row.get("connection_id") in (None, "instagram_default"),
                "api_version": row.get("api_version") in (None, "v25.0") or is_reading(scenario, row["api_version"]),
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


def _metric(row: Row) -> str:
    return f"{row.get('metric', '')}{'/' + row['breakdown'] if row.get('breakdown') else ''}"


def _difference_kind(found: Mapping[Any, Row], wanted: Mapping[Any, Row]) -> str:
    if not found:
        return "has none of the rows"
    return "misses rows" if wanted.keys() - found.keys() else "has other rows"


def _show(found: Mapping[Any, Row], wanted: Mapping[Any, Row]) -> str:
    first = next((key for key in wanted if found.get(key) != wanted[key]), None)
    return f"{len(found)} rows instead of {len(wanted)}; the first difference is at {first}"
