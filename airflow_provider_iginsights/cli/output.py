"""Prints for a person or a pipe. A reader that closes the pipe early, such as ``head -1``, ends no work half-way."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def say(*lines: object) -> None:
    """Print results, a line each, at once."""
    _print(sys.stdout, lines)


def complain(*lines: object) -> None:
    """Print what went wrong, a line each, to the error output."""
    _print(sys.stderr, lines)


def _print(stream: TextIO, lines: tuple[object, ...]) -> None:
    try:
        print(*lines, sep="\n", file=stream, flush=True)
    except BrokenPipeError:
        # What is still in the buffer would raise once more at exit: "Note on SIGPIPE" in Python's signal module.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
