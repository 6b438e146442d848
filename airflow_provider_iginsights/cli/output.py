"""Prints for a person or a pipe. A reader that closes the pipe early, such as ``head -1``, ends no work half-way."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import TextIO

# By the library that an error comes from: what the person can do.
_ADVICE = (
    ("sqlalchemy", "Airflow's metadata database cannot be used. Run `airflow db migrate`, and check its address."),
    ("airflow", "Airflow refuses it."),
    ("google", "Google refuses it."),
    ("builtins", "The machine refuses it, or it is a defect of this package."),
)
_RESULTS: ContextVar[TextIO | None] = ContextVar("results", default=None)


def print_result(*lines: object) -> None:
    """Print results, a line each, at once."""
    _print(_RESULTS.get() or sys.stdout, lines)


def print_text(text: str) -> None:
    """Print a part of the results as it is, at once."""
    _print(_RESULTS.get() or sys.stdout, (text,), end="")


def can_print(text: str) -> bool:
    """Tell whether the encoding of the output has these characters."""
    try:
        text.encode((_RESULTS.get() or sys.stdout).encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def format_exports(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return for each variable the line of a shell that sets it, and does nothing else, whatever its value is."""
    return tuple(f"export {name}={shlex.quote(value)}" for name, value in environment.items())


@contextmanager
def reserve_output() -> Iterator[None]:
    """Keep the standard output for :func:`say`, for the time of the block: Airflow 2 logs there."""
    reserved = _RESULTS.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _RESULTS.reset(reserved)


def print_error(*lines: object) -> None:
    """Print what went wrong, a line each, to the error output."""
    _print(sys.stderr, lines)


def flush_output() -> None:
    """Flush what others have printed, such as argparse its help."""
    _print(sys.stdout, (), end="")


def describe_stop(error: Exception, *, what: str = "command") -> str:
    """Return in sentences what stopped a command, and what the person can do; no secret is in them."""
    from airflow_provider_iginsights.graph.redact import escape, redact

    library = type(error).__module__.partition(".")[0]
    advice = next((advice for name, advice in _ADVICE if name == library), "The debug log has the details.")
    said = escape(redact(" ".join(str(error).split())))[:500].rstrip(".")
    return f"The {what} stopped: {type(error).__name__}: {said}. {advice}"


def _print(stream: TextIO, lines: tuple[object, ...], end: str = "\n") -> None:
    try:
        print(*lines, sep="\n", end=end, file=stream, flush=True)
    except BrokenPipeError:
        # What is still in the buffer would raise once more at exit: "Note on SIGPIPE" in Python's signal module.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
