"""How code is mutated: operators of Cosmic Ray, and three of our own: ``in``, what is written out as data, and SQL.

Each operator has one or two replacements: ``+`` becomes ``-``, and not each of nine others that fail with a TypeError
and would be found by any test. Decorators stay, since caches and slots change no result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

_COMPARISONS = "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Is_IsNot IsNot_Is"
_ARITHMETIC = "Add_Sub Sub_Add Mul_FloorDiv FloorDiv_Mul Div_Mul Mod_FloorDiv Pow_Mul BitOr_BitAnd BitAnd_BitOr"
_NAMES = (
    *(f"ReplaceComparisonOperator_{each}" for each in _COMPARISONS.split()),
    *(f"ReplaceBinaryOperator_{each}" for each in _ARITHMETIC.split()),
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_USub",
    "NumberReplacer",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "AddNot",
    "ZeroIterationForLoop",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
)

_SQL = {
    " AND ": " OR ",
    " OR ": " AND ",
    " >= ": " > ",
    " < ": " <= ",
    " > ": " >= ",
    " = ": " != ",
    " DESC": " ASC",
    "NOT EXISTS": "EXISTS",
    "NOT ": "",
    "IS NULL": "IS NOT NULL",
    "IS NOT NULL": "IS NULL",
    "FALSE": "TRUE",
    "TRUE": "FALSE",
    "DISTINCT ": "",
    " IGNORE NULLS": "",
    "UNBOUNDED FOLLOWING": "CURRENT ROW",
    "S.{0}": "T.{0}",
    "T.{0}": "S.{0}",
    " = 1": " = 2",
    "BETWEEN": "NOT BETWEEN",
}
_SQL_WORD = re.compile("|".join(map(re.escape, sorted(_SQL, key=len, reverse=True))))


class ReplaceSql(Operator):  # type: ignore[misc]
    """Replaces one word of SQL in a text: ``AND`` by ``OR``, ``IS NULL`` by ``IS NOT NULL``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        """Yield a position for each word of SQL in a text."""
        if node.type in ("string", "fstring_string") and not node.value.startswith('"""'):
            for _ in _SQL_WORD.finditer(node.value):
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Replace the word with this number."""
        found = list(_SQL_WORD.finditer(node.value))[index]
        node.value = node.value[: found.start()] + _SQL[found[0]] + node.value[found.end() :]
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none."""
        return ()


class ReplaceMembership(Operator):  # type: ignore[misc]
    """Replaces ``in`` by ``not in`` and the reverse."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        """Yield a position for each test of membership."""
        for position in self._tests(node):
            yield node.children[position].start_pos, node.children[position].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Turn the test with this number round."""
        position = list(self._tests(node))[index]
        word = node.children[position].get_code().strip()
        node.children[position] = parso.parse(" in" if word != "in" else " not in")
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none."""
        return ()

    def _tests(self, node: Any) -> Iterator[int]:
        if node.type == "comparison":
            for position, child in enumerate(node.children):
                if " ".join(child.get_code().split()) in ("in", "not in"):
                    yield position


class RemoveElement(Operator):  # type: ignore[misc]
    """Removes one element of a tuple, a list, a set or a dict that is written out, such as a row of a table."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        """Yield a position for each element; where there is only one, none."""
        elements = self._elements(node)
        for element in elements if len(elements) > 1 else ():
            yield element[0].start_pos, element[-1].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Remove the element with this number."""
        elements = self._elements(node)
        comma = next(child for child in node.children if _is_comma(child))
        kept = elements[:index] + elements[index + 1 :]
        node.children = [child for element in kept for child in (*element, comma)]
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none."""
        return ()

    def _elements(self, node: Any) -> list[list[Any]]:
        """Return the parts between commas; none where nothing is written out."""
        if node.type not in ("testlist_comp", "dictorsetmaker") or not any(map(_is_comma, node.children)):
            return []
        elements: list[list[Any]] = [[]]
        for child in node.children:
            if _is_comma(child):
                elements.append([])
            else:
                elements[-1].append(child)
        return [element for element in elements if element]


def _is_comma(node: Any) -> bool:
    return bool(node.type == "operator" and node.value == ",")


def build_operators(file: str) -> dict[str, Operator]:
    """Return the operators for a file by name: words of SQL are replaced where the package writes it."""
    operators = {name: get_operator(f"core/{name}")() for name in _NAMES}
    operators |= {"ReplaceMembership": ReplaceMembership(), "RemoveElement": RemoveElement()}
    return operators | ({"ReplaceSql": ReplaceSql()} if file.startswith("bigquery/") else {})
