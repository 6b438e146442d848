"""What the story transfer says of gaps in its summary, also after several captures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMED = 20  # stories of one account that are named; the rest is counted
ACCOUNTS = 100  # accounts whose gaps are described; the rest is counted
JOBS = 200  # job ids that the summary of many captures keeps, the latest
_LISTS = {"left_out": JOBS, "notes": JOBS, "bigquery_jobs": JOBS}


def merge_gaps(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> dict[str, Any]:
    """Return two described gaps of one account as one."""
    if not before:
        return dict(after)
    return {
        "pauses": [*before["pauses"], *(pause for pause in after["pauses"] if pause not in before["pauses"])],
        "seen_late": before["seen_late"] + after["seen_late"],
        "finals_missed": before["finals_missed"] + after["finals_missed"],
        "stories": [*before["stories"], *after["stories"]][:NAMED],
    }


def continue_gaps(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``gaps`` and ``first_polls`` of a task that waited in between; nothing where a transfer has none."""
    if "gaps" not in after:
        return {}
    gaps = dict(before.get("gaps", {}))
    for account_id, gap in after["gaps"].items():
        gaps[account_id] = merge_gaps(gaps.get(account_id), gap)
    return {"gaps": gaps, "first_polls": before.get("first_polls", 0) + after["first_polls"]}


def shorten_lists(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the summary of a run of many captures with its lists at a bounded length, the latest entries last."""
    return summary | {name: summary[name][-most:] for name, most in _LISTS.items()}
