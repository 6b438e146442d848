"""What ``make release-check`` says of a project that is not ready. That it passes is seen by running it, by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airflow_provider_iginsights import __version__
from tests.support.pages import ROOT, list_blocks
from tests.support.release_check import (
    PACKAGE,
    STEPS,
    URLS,
    Release,
    check_changelog,
    check_tag,
    check_urls,
)

ALL_URLS = "\n".join(f'{name} = "https://example.org/{name}"' for name in URLS)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Return a small project that is ready, but for what a test changes."""
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2027-02-03)\n\n## 1.1.0 (2027-01-01)\n")
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "some-thing"\n\n[project.urls]\n{ALL_URLS}\n')
    return Release(root=tmp_path, dist=tmp_path / "dist", folder=tmp_path / "scratch")


def test_what_is_ready_passes(release: Release) -> None:
    """Addresses and changelog are as they must be."""
    assert [*check_urls(release), *check_changelog(release)] == []


@pytest.mark.parametrize("missing", [("Source",), ("Documentation", "Issues"), URLS])
def test_missing_addresses_are_named(release: Release, missing: tuple[str, ...]) -> None:
    """Nobody uploads a page that leads nowhere; the sentence says which addresses are to be written where."""
    text = "\n".join(line for line in ALL_URLS.splitlines() if not line.startswith(missing))
    (release.root / "pyproject.toml").write_text(f"[project]\n[project.urls]\n{text}\n")
    [said] = check_urls(release)
    assert said.startswith(f"[project.urls] in pyproject.toml has no {', '.join(missing)}.")


@pytest.mark.parametrize("newest", ["1.2.0 (unreleased)", "1.2.1 (2027-02-03)", "1.2.0", "Unreleased"])
def test_another_changelog_is_refused(release: Release, newest: str) -> None:
    """The newest section is this version's and has its day."""
    (release.root / "CHANGELOG.md").write_text(f"## {newest}\n\n## 1.2.0 (2027-02-03)\n")
    [said] = check_changelog(release)
    assert repr(newest) in said
    assert "1.2.0" in said


def test_the_commit_needs_the_tag(release: Release) -> None:
    """Work that is not committed, and a tag that is missing or another one, are named; the right one passes."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *who, *words], cwd=release.root, check=True, capture_output=True)  # noqa: S607 - any git

    git("init")
    git("add", ".")
    git("commit", "-m", "All", "--no-verify")
    git("tag", "v1.1.0")
    (release.root / "notes.md").write_text("")
    assert next(check_tag(release)) == "Not all is committed: notes.md."
    (release.root / "notes.md").unlink()
    assert list(check_tag(release)) == ["The commit has no tag v1.2.0; its tags: v1.1.0."]
    git("tag", "v1.2.0")
    assert list(check_tag(release)) == []


@pytest.mark.skipif(not (ROOT / PACKAGE).exists(), reason="needs the source tree")
def test_this_project_is_asked_for_its_addresses() -> None:
    """Until somebody names them in pyproject.toml, the check says so; the steps that it runs are in the README."""
    ours = Release(root=ROOT, dist=ROOT / "dist", folder=ROOT)
    assert ours.version == __version__
    assert bool(list(check_urls(ours))) == bool(set(URLS) - ours.project.get("urls", {}).keys())
    assert [block.language for block in list_blocks() if block.key == STEPS] == ["bash"]
