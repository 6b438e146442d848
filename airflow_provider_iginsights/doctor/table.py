"""Shows results: as lines for a person, aligned and wrapped, and as one JSON object for a program."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from airflow_provider_iginsights.doctor.check import STATUSES, CheckResult, find_worst

_ARROW = "-> "


def describe_as_rows(result: CheckResult, *, names: Iterable[str], width: int) -> Iterator[str]:
    """Yield the lines of one result: its status, its check, what was found, and behind an arrow what to do.

    :param names: of all checks, so that every row is aligned alike.
    :param width: characters of the longest line; at least 80.
    """
    finding = result.finding
    head = f"{finding.status:<{max(map(len, STATUSES))}}  {result.check.name:<{max(map(len, names))}}  "
    yield from _wrap(finding.found, head=head, indent=len(head), width=width)
    if finding.to_do:
        yield from _wrap(finding.to_do, head=" " * len(head) + _ARROW, indent=len(head) + len(_ARROW), width=width)


def describe_count(results: Iterable[CheckResult]) -> str:
    """Return how many checks ended how, in one line."""
    counts = Counter(result.finding.status for result in results)
    return f"{', '.join(f'{counts[status]} {status}' for status in STATUSES if counts[status])}."


def describe_as_json(results: Iterable[CheckResult]) -> str:
    """Return all results as one object: ``status`` and ``checks``, a list of objects of five texts each."""
    listed = list(results)
    checks = [
        {
            "check": each.check.name,
            "about": each.check.about,
            "status": each.finding.status,
            "found": each.finding.found,
            "to_do": each.finding.to_do,
        }
        for each in listed
    ]
    return json.dumps({"status": find_worst(listed), "checks": checks}, indent=2)


def _wrap(text: str, *, head: str, indent: int, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width=max(width, 80),
        initial_indent=head,
        subsequent_indent=" " * indent,
        # An id or an address that is broken cannot be copied.
        break_long_words=False,
        break_on_hyphens=False,
    )
