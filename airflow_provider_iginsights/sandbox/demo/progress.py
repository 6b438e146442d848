"""Lines that tell what is done: the words at once, and behind them what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WIDTH = 79


class StepPrinter:
    """Prints steps, a line each, in the same way to a terminal and to a file."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """Take what writes a text as it is, without a line break of its own."""
        self._write = write

    def say(self, *lines: str) -> None:
        """Print whole lines."""
        self._write("".join(f"{line}\n" for line in lines))

    @contextmanager
    def step(self, words: str) -> Iterator[Callable[[str], None]]:
        """Print the words, and at the end what was given to the yielded function, and the seconds."""
        began = time.monotonic()
        found: list[str] = []
        self._write(f"{words} ")
        try:
            yield found.append
        except BaseException:
            # What comes next, a sentence or the shell's prompt, has a line of its own.
            self.say("")
            raise
        told = f" {', '.join(found)} {time.monotonic() - began:3.0f} s"
        self.say(told.rjust(WIDTH - len(words) - 1, "."))
