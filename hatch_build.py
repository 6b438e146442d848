"""Hatchling asks this module for the project's description: the README, with links that lead somewhere on PyPI.

PyPI shows the README without the files that lie beside it. So a link to ``docs/time.md`` becomes one to that file of
this very release: in the repository that ``[project.urls]`` names as ``Source``, at the tag of the version. As long as
no ``Source`` is named, the README stays as it is, and ``make release-check`` says so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# A picture or a link to a file beside the README: neither an address nor an anchor of the page itself.
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<path>(?![a-z]+:|#)[^)\s]+)\)")
_BLOCK = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def make_links_absolute(text: str, *, source: str, tag: str) -> str:
    """Return Markdown whose relative links lead into a repository; what stands in fenced blocks is code and stays.

    :param source: address of the repository, as GitHub, GitLab or Gitea serve one.
    :param tag: tag of the release, such as ``v1.2.0``.
    """

    def lead(link: re.Match[str]) -> str:
        folder = "raw" if link["picture"] else "blob"
        return f"{link['picture']}[{link['text']}]({source.rstrip('/')}/{folder}/{tag}/{link['path']})"

    parts = _BLOCK.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(lead, part) for part in parts)


class ReadmeMetadataHook(MetadataHookInterface):
    """Sets ``readme``, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description to the metadata of the project; the version is known by then."""
        text = Path(self.root, "README.md").read_text("utf-8")
        if source := metadata.get("urls", {}).get("Source"):
            text = make_links_absolute(text, source=source, tag=f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
