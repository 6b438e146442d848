"""Prints for a person or a pipe. A reader that closes the pipe early, such as ``head -1``, ends no work half-way."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import TextIO

_RESULTS: ContextVar[TextIO | None] = ContextVar("results", default=None)


def print_result(*lines: object) -> None:
    """Print results, a line each, at once."""
    _print(_RESULTS.get() or sys.stdout, lines)


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


def _print(stream: TextIO, lines: tuple[object, ...], end: str = "\n") -> None:
    try:
        print(*lines, sep="\n", end=end, file=stream, flush=True)
    except BrokenPipeError:
        # What is still in the buffer would raise once more at exit: "Note on SIGPIPE" in Python's signal module.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
