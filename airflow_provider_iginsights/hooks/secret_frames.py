"""Keeps secrets out of the frames of an error: what tracks errors shows the variables of each frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from airflow_provider_iginsights.errors import InsightsError

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


def without_frames(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Let an error of the package leave a function that holds secrets without its frames, and without its cause.

    Its message says all that its reader needs. Who calls the function should not keep a secret in a variable, either.
    """

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        try:
            return function(*args, **kwargs)
        except InsightsError as error:
            failure = error.with_traceback(None)
        failure.__cause__ = failure.__context__ = None
        del args, kwargs
        raise failure

    return call
