"""Changes an answer's body at named places, so that it has another shape than Meta documents."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["REMOVE", "Edit", "edit_body"]

REMOVE: Final = object()
"""What ``Edit.change`` returns to take a key away."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Change the JSON at every place that ``where`` names: keys joined by ``/``, from the end of the path.

    ``values/*/value`` is the value of every point, ``caption|alt_text`` either key, ``/data`` only the answer's own
    ``data``, and ``""`` the whole answer. A part is a regular expression; ``*`` is any key or place of a list.
    ``change`` gets what stands there and returns what shall stand there, or ``REMOVE``.
    """

    where: str
    change: Callable[[Any], Any]

    def names(self, trail: tuple[str, ...]) -> bool:
        """Say whether the place at the end of this path is meant."""
        parts = tuple(part for part in self.where.split("/") if part)
        if not parts or self.where.startswith("/"):
            return len(parts) == len(trail) and _fit(parts, trail)
        return len(parts) <= len(trail) and _fit(parts, trail[-len(parts) :])


def edit_body(
    body: Any, edit: Edit, *, path: str, object_id: str | None, metric: str | None, product_type: str | None
) -> tuple[Any, int]:
    """Return a changed copy of an answer's body and how many places were changed.

    With ``object_id``, ``product_type`` or ``metric`` only what belongs to that object, those media, that metric.
    """
    whole = copy.deepcopy(body)
    if object_id == metric == product_type is None:
        return _edit(whole, edit, ())
    changed = 0
    for part in list(_parts(whole, path, object_id=object_id, metric=metric, product_type=product_type)):
        changed += _edit_inside(part, edit, ())
    return whole, changed


def _fit(parts: tuple[str, ...], trail: tuple[str, ...]) -> bool:
    return all(part == "*" or re.fullmatch(part, key) for part, key in zip(parts, trail, strict=True))


def _edit(value: Any, edit: Edit, trail: tuple[str, ...]) -> tuple[Any, int]:
    if edit.names(trail):
        return edit.change(value), 1
    return value, _edit_inside(value, edit, trail)


def _edit_inside(value: Any, edit: Edit, trail: tuple[str, ...]) -> int:
    changed = 0
    places = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for place in places:
        new, count = _edit(value[place], edit, (*trail, str(place)))
        changed += count
        value[place] = new
    if isinstance(value, dict):
        for key in [key for key, each in value.items() if each is REMOVE]:
            del value[key]
    return changed


def _parts(
    body: Any, path: str, *, object_id: str | None, metric: str | None, product_type: str | None
) -> Iterator[Any]:
    """Yield the largest parts of a body that belong to the object, the kind of media and the metric."""
    is_own_answer = object_id is not None and re.match(rf"/{re.escape(object_id)}(/|$)", path) is not None
    own = [body] if object_id is None or is_own_answer else _outermost(body, "id", rf"{object_id}(/insights/.*)?")
    kinds = own if product_type is None else [each for part in own for each in _of_kind(part, product_type)]
    yield from kinds if metric is None else (each for part in kinds for each in _outermost(part, "name", metric))


def _of_kind(part: Any, product_type: str) -> list[Any]:
    return list(_outermost(part, "media_product_type", product_type))


def _outermost(value: Any, key: str, pattern: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and re.fullmatch(pattern, str(value.get(key, ""))):
        yield value
        return
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _outermost(each, key, pattern)
