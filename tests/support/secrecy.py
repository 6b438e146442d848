"""Collects all text that an error could show, for tests that look for secrets in it."""

from __future__ import annotations

import pickle
import traceback


def gather(error: BaseException) -> str:
    """Return the text, the pickle and the attributes of an error and of all that it is chained to."""
    chained: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        found = pending.pop()
        if found is not None and found not in chained:
            chained.append(found)
            pending += [found.__cause__, found.__context__]
    texts = ["".join(traceback.format_exception(error)), repr(pickle.dumps(error))]
    return "\n".join([*texts, *(f"{each!r} {each} {vars(each)!r}" for each in chained)])
