"""The mutants of a file: its text with one change each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from tests.support.mutation_score.operators import build_operators


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file of the package with one change.

    :param line: number of the changed line, from 1; ``before``, ``after``: how it reads.
    """

    file: str
    operator: str
    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        """Return the change as one line of a report."""
        return f"{self.file}:{self.line} {self.operator}: {self.before} -> {self.after}"


def find_mutants(file: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a source that is another program."""
    meaning, nodes = _meaning(source), list(ast_nodes(get_ast(source)))
    for name, operator in build_operators(file).items():
        for number in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            mutated = mutate_code(source, operator, number)
            if mutated and _meaning(mutated) not in ("", meaning):
                yield Mutant(file, name, *_difference(source, mutated), mutated)


def keep(file: str, source: str) -> Mutant:
    """Return the file without any change, which no test may notice."""
    return Mutant(file, "nothing", 0, "", "", source)


def _meaning(source: str) -> str:
    """Return the program as text, without what changes no result; ``""`` for what is no program."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    tree.body = [each for each in tree.body if not _is_for_readers(each)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            node.decorator_list = []
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Name("Any")
    return ast.dump(tree)


def _is_for_readers(statement: ast.stmt) -> bool:
    """Return whether a statement of a module is for type checkers: imports, ``__all__``, another name of a type."""
    if isinstance(statement, ast.If):
        return "TYPE_CHECKING" in ast.unparse(statement.test)
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.Subscript) or (value is not None and ast.unparse(statement).startswith("__all__"))


def _difference(source: str, mutated: str) -> tuple[int, str, str]:
    """Return the number of the first line that differs, and both forms of the part that does, a few lines at most."""
    before, after = source.splitlines(), mutated.splitlines()
    first = next(number for number, (old, new) in enumerate(zip(before, [*after, ""], strict=False)) if old != new)
    end = next(
        back
        for back in range(len(before) - first)
        if back == len(after) - first or before[-1 - back] != after[-1 - back]
    )
    parts = ([line.strip() for line in lines[first : len(lines) - end]] for lines in (before, after))
    return first + 1, *(" ".join(part) for part in parts)  # type: ignore[return-value]
