"""Carries out checks, one after the other. What one of them meets stops none but those that need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.redact import escape

if TYPE_CHECKING:
    from airflow_provider_iginsights.doctor.setup import Setup

Status = Literal["ok", "warning", "failed", "not checked"]
STATUSES: tuple[Status, ...] = ("ok", "warning", "failed", "not checked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found, and what to do about it; both in sentences, which hold no secret."""

    status: Status
    found: str
    to_do: str = ""


def ok(found: str) -> Finding:
    """Return that all is right."""
    return Finding(status="ok", found=found)


def warn(found: str, *, to_do: str = "") -> Finding:
    """Return that it works, and should be seen to."""
    return Finding(status="warning", found=found, to_do=to_do)


def fail(found: str, *, to_do: str = "") -> Finding:
    """Return that it does not work."""
    return Finding(status="failed", found=found, to_do=to_do)


def skip(why: str) -> Finding:
    """Return that there was nothing to look at.

    :param why: completes "Not checked, since ...".
    """
    return Finding(status="not checked", found=f"Not checked, since {why}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    :param about: what is checked, in words.
    :param look: returns the finding. An error that it raises is one, too: ``failed``.
    :param needs: names of checks before it, without which there is nothing to look at.
    """

    name: str
    about: str
    look: Callable[[Setup], Finding]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """A check and what it found."""

    check: Check
    finding: Finding


def run_checks(
    checks: Iterable[Check], setup: Setup, *, describe_error: Callable[[Exception], str]
) -> Iterator[CheckResult]:
    """Yield the result of each check, as soon as it is known.

    :param describe_error: puts an error that is none of the package's into a sentence.
    """
    findings: dict[str, Finding] = {}
    for check in checks:
        finding = _find_missing(check, findings) or _look(check, setup, describe_error)
        findings[check.name] = finding
        yield CheckResult(check=check, finding=finding)


def find_worst(results: Iterable[CheckResult]) -> Status:
    """Return ``failed`` if any check failed, else ``warning`` if any warns, else ``ok``."""
    found = {result.finding.status for result in results}
    return "failed" if "failed" in found else "warning" if "warning" in found else "ok"


def _find_missing(check: Check, findings: Mapping[str, Finding]) -> Finding | None:
    for name in check.needs:
        if findings[name].status == "failed":
            return skip(f"{name} failed")
        if findings[name].status == "not checked":
            return findings[name]
    return None


def _look(check: Check, setup: Setup, describe_error: Callable[[Exception], str]) -> Finding:
    try:
        found = check.look(setup)
    except InsightsError as error:
        found = fail(error.message)
    except Exception as error:
        found = fail(describe_error(error))
    return Finding(
        status=found.status, found=escape(setup.redact(found.found)), to_do=escape(setup.redact(found.to_do))
    )
