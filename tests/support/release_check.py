"""Check that a release can be made of the tree: ``make release-check``.

It prints a line for each check, and ends with 1 if one fails. It leaves the sdist and the wheel in dist/. It is run by
hand, from a commit with its tag: it installs from the package index, as the README tells a user to, and runs what the
README prints.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.pages import ROOT, find_blocks

PACKAGE = "airflow_provider_iginsights"
URLS = ("Source", "Documentation", "Issues", "Changelog")
STEPS = "Try it 1"
"""The README's block whose lines are run."""
_SANDBOX_SECONDS = 120.0


@dataclass(frozen=True)
class Release:
    """What is to be released: the tree, and a folder for what is built from it.

    :param folder: a scratch folder; the distributions go to ``dist``.
    """

    root: Path
    dist: Path
    folder: Path

    @cached_property
    def project(self) -> dict[str, Any]:
        """The table ``[project]`` of pyproject.toml."""
        found: dict[str, Any] = tomllib.loads((self.root / "pyproject.toml").read_text("utf-8"))["project"]
        return found

    @cached_property
    def version(self) -> str:
        """``__version__``."""
        [found] = re.findall(r'^__version__ = "(.+)"$', (self.root / PACKAGE / "__init__.py").read_text("utf-8"), re.M)
        return str(found)

    @property
    def wheel(self) -> Path:
        """The wheel that is uploaded, which was built from the sdist."""
        return self.dist / f"{PACKAGE}-{self.version}-py3-none-any.whl"

    def build(self) -> None:
        """Build the sdist and from it the wheel into ``dist``, and another wheel from the tree beside them."""
        shutil.rmtree(self.dist, ignore_errors=True)
        python = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
        run((*python, str(self.dist), str(self.root)))
        run((*python, str(self.folder), "--wheel", str(self.root)))


class CheckFailed(Exception):
    """A command of a check failed; the text says which, and ends with its last lines."""


def run(command: Sequence[str], **options: Any) -> str:
    """Run a command and return what it printed.

    :raises CheckFailed: it ended with another code than 0.
    """
    done: subprocess.CompletedProcess[str]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise CheckFailed(f"{shlex.join(command)} ended with {done.returncode}:\n{last}")
    return done.stdout


def check_urls(release: Release) -> Iterator[str]:
    """Yield what keeps PyPI's page from leading somewhere."""
    missing = [name for name in URLS if not release.project.get("urls", {}).get(name)]
    if missing:
        yield (
            f"[project.urls] in pyproject.toml has no {', '.join(missing)}. Name the addresses of this project there: "
            "PyPI shows them, and the README's links lead to the files in Source."
        )


def check_changelog(release: Release) -> Iterator[str]:
    """Yield why the newest section of CHANGELOG.md is not that of this version, with its day."""
    text = (release.root / "CHANGELOG.md").read_text("utf-8")
    newest = re.findall(r"^## (.+)$", text, re.MULTILINE)[0]
    if not re.fullmatch(rf"{re.escape(release.version)} \(\d{{4}}-\d\d-\d\d\)", newest):
        yield (
            f"The newest section of CHANGELOG.md is {newest!r}, and __version__ is {release.version}. Name it "
            f"{release.version} with the day of the release, such as: ## {release.version} (2026-01-31)"
        )


def check_tag(release: Release) -> Iterator[str]:
    """Yield what is not committed, and the tag that is missing."""
    if changed := run(("git", "status", "--porcelain"), cwd=release.root):
        yield f"Not all is committed: {', '.join(line[3:] for line in changed.splitlines()[:5])}."
    tags = run(("git", "tag", "--points-at", "HEAD"), cwd=release.root).split()
    if f"v{release.version}" not in tags:
        yield f"The commit has no tag v{release.version}; its tags: {', '.join(tags) or 'none'}."


def check_distributions(release: Release) -> Iterator[str]:
    """Build, and let ``twine check --strict`` say whether an index would take it."""
    release.build()
    run((sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(release.dist.iterdir()))))
    yield from ()


def check_files(release: Release) -> Iterator[str]:
    """Yield the files in which the wheel differs from the commit, and from the wheel that the tree builds."""
    wheel, from_tree = (read_wheel(path) for path in (release.wheel, release.folder / release.wheel.name))
    if wheel != from_tree:
        yield f"The sdist builds another wheel than the tree: {differences(wheel, from_tree)}."
    committed = run(("git", "ls-files", PACKAGE, "example_dags"), cwd=release.root).split()
    expected = {
        f"{PACKAGE}/{name}" if name.startswith("example_dags/") else name: (release.root / name).read_bytes()
        for name in committed
        if (release.root / name).is_file()
    }
    packaged = {name: content for name, content in wheel.items() if ".dist-info/" not in name}
    if packaged != expected:
        yield f"The wheel holds other files than the commit: {differences(packaged, expected)}."


def check_steps(release: Release) -> Iterator[str]:
    """Run each line of the README's first block in an empty environment, with this wheel."""
    [block] = [block for block in find_blocks(release.root / "README.md") if block.key == STEPS]
    run((sys.executable, "-m", "venv", str(release.folder / "venv")))
    environment = make_environment(release.folder)
    for line in block.text.splitlines():
        words = [word.replace(release.project["name"], str(release.wheel)) for word in shlex.split(line)]
        started = time.monotonic()
        step = run_sandbox if words[-1] == "sandbox" else run
        step(words, cwd=release.folder, env=environment)
        print(f"     {line}: {time.monotonic() - started:.0f} s", flush=True)
    yield from ()


def make_environment(folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has only this virtual environment, and no settings of Airflow."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "INSTAGRAM"))
    }
    path = f"{folder / 'venv' / 'bin'}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"PATH": path, "HOME": str(folder), "AIRFLOW_HOME": str(folder / "airflow")}


def run_sandbox(command: Sequence[str], **options: Any) -> None:
    """Start the servers, wait until they say what to export, and end them.

    :raises CheckFailed: they said nothing, or did not end as they should.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        deadline = threading.Timer(_SANDBOX_SECONDS, process.kill)
        deadline.start()
        said = []
        for line in process.stdout or ():
            said.append(line)
            # The last line that is printed before the servers wait for a signal.
            if line.startswith("#"):
                process.terminate()
        deadline.cancel()
    if process.returncode or not any(line.startswith("export ") for line in said):
        raise CheckFailed(f"{shlex.join(command)} ended with {process.returncode} after it said: {''.join(said)}")


def read_wheel(path: Path) -> dict[str, bytes]:
    """Return the content of each file of a wheel."""
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def differences(left: dict[str, bytes], right: dict[str, bytes]) -> str:
    """Return the names whose content is not the same, the first ten of them."""
    return ", ".join(sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))[:10])


CHECKS: tuple[Callable[[Release], Iterator[str]], ...] = (
    check_urls,
    check_changelog,
    check_tag,
    check_distributions,
    check_files,
    check_steps,
)


def main() -> int:
    """Run all checks, also after one that fails; return the exit code."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="iginsights-release-") as folder:
        release = Release(root=ROOT, dist=ROOT / "dist", folder=Path(folder))
        for check in CHECKS:
            try:
                problems = list(check(release))
            except CheckFailed as error:
                problems = [str(error)]
            name = check.__name__.removeprefix("check_")
            print("\n".join(f"FAIL {name}: {problem}" for problem in problems) or f"ok   {name}", flush=True)
            failed += bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
