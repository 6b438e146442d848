"""Keeps a summary short enough for XCom, however many accounts there are: counts stay exact, names are cut.

Airflow means XComs to be small, and its UI shows them whole. What another task needs (``staged``) is never cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from airflow_provider_iginsights.task.summary import MORE, NAMED

MOST_BYTES = 48 * 1024


class Limit(NamedTuple):
    """How many entries of a list or mapping are kept, and how many characters of a text."""

    entries: int
    characters: int


LIMITS: Sequence[Limit] = (
    Limit(NAMED, 1000),
    Limit(50, 500),
    Limit(20, 500),
    Limit(10, 300),
    Limit(5, 200),
    Limit(2, 100),
    Limit(0, 0),
)
"""Tried in this order, after the whole summary, until one is short enough."""


def shorten_summary(summary: Mapping[str, Any], *, most: int = MOST_BYTES) -> dict[str, Any]:
    """Return the summary with its lists and texts cut until its JSON has at most so many bytes.

    What is cut is counted: ``account_counts``, ``rows`` and the like stay as they are, and a cut list or mapping says
    how many entries it had beyond.
    """
    kept = {name: summary[name] for name in _NEVER_CUT if name in summary}
    short = {name: value for name, value in summary.items() if name not in kept}
    for limit in (None, *LIMITS):
        if limit:
            short = {name: _CUTS.get(name, _keep)(summary[name], limit) for name in short}
        if len(json.dumps(short)) <= most:
            break
    return short | kept


def limit_left_out(entries: Sequence[Mapping[str, Any]], *, most: int) -> list[dict[str, Any]]:
    """Return the first entries of ``left_out``, and one that counts the others."""
    first = [dict(entry) for entry in entries[:most]]
    if len(entries) <= most:
        return first
    count = sum(entry["count"] for entry in entries[most:])
    why = f"{len(entries) - most} more things and reasons, which are too many for XCom."
    return [*first, {"what": MORE, "kind": "more", "why": why, "count": count, "whom": []}]


def _keep(value: Any, limit: Limit) -> Any:  # noqa: ARG001 - as the others
    return value


def _cut_text(text: str, limit: Limit) -> str:
    return text if len(text) <= limit.characters else f"{text[: limit.characters]} …"


def _cut_reasons(found: Mapping[str, Any], limit: Limit) -> dict[str, Any]:
    """Return accounts, chunks or tables with what is said of them, the first ones; under ``MORE``, how many others."""
    named = {name: _cut_within(said, limit) for name, said in found.items() if name != MORE}
    first = dict(islice(named.items(), limit.entries))
    others = len(named) - len(first) + int(found.get(MORE, 0))
    return first | ({MORE: str(others)} if others else {})


def _cut_within(said: Any, limit: Limit) -> Any:
    if isinstance(said, str):
        return _cut_text(said, limit)
    if isinstance(said, Mapping):
        return {name: _cut_within(value, limit) for name, value in said.items()}
    return list(said[: limit.entries]) if isinstance(said, list) else said


def _cut_left_out(entries: Sequence[Mapping[str, Any]] | Mapping[str, int], limit: Limit) -> Any:
    if isinstance(entries, Mapping):  # of the webhook transfer: reason -> count
        return entries
    listed = [_cut_within(entry, limit) for entry in entries]
    return limit_left_out(listed, most=limit.entries)


def _cut_texts(texts: Iterable[str], limit: Limit) -> list[str]:
    listed = [_cut_text(text, limit) for text in texts]
    others = len(listed) - limit.entries
    return listed if others <= 0 else [*listed[: limit.entries], f"{MORE}: {others}"]


_NEVER_CUT = ("staged",)
_CUTS: Mapping[str, Callable[[Any, Limit], Any]] = {
    "left_out": _cut_left_out,
    "notes": _cut_texts,
    "bigquery_jobs": _cut_texts,
    "accounts_done": lambda ids, limit: ids[: limit.entries],
    **dict.fromkeys(
        (
            "accounts_skipped",
            "accounts_failed",
            "accounts_throttled",
            "accounts_quarantined",
            "accounts_not_whole",
            "chunks_missing",
            "gaps",
        ),
        _cut_reasons,
    ),
}
