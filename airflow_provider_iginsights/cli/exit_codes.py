"""How a command ends: the exit codes and what each of them says."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ExitCode(IntEnum):
    """What the process returns to the shell."""

    DONE = 0
    FOUND = 1
    NOT_DONE = 2
    WARNED = 3
    INTERRUPTED = 130


MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.DONE: "done, and nothing is wrong",
        ExitCode.FOUND: "something was found, or does not work: the output says what",
        ExitCode.NOT_DONE: "it could not be done, or the command line is wrong: the error output says why",
        ExitCode.WARNED: "it works, and something should be seen to: the output says what",
        ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    }
)


def describe_exit_codes() -> str:
    """Return the table as the end of a help text."""
    return "exit codes:\n" + "\n".join(f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items())
