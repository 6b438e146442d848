"""Draws what the demo prints: ``make demo-picture`` runs it and writes the picture that the README shows.

The clock of the run stands still and the seed is the default, so that all but the seconds and the name of the log are
the same each time.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.text import Text

from tests.support.pages import DOCS

PICTURE = DOCS / "images" / "demo.svg"
COMMAND = (sys.executable, "-m", "airflow_provider_iginsights", "demo", "--now", "2026-11-21T20:00:00+00:00")
LOG = "/tmp/iginsights-demo.log"  # noqa: S108 - a text of the picture
_FONTS = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)


def run_demo(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with its temporary files in a folder, and these variables of the user's."""
    given = {**os.environ, "TMPDIR": str(folder), "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(COMMAND, env=given, capture_output=True, text=True, check=False, timeout=500)


def even_out(printed: str) -> str:
    """Return what is printed without what differs from run to run: the name of the log, and seconds."""
    without_name = re.sub(r"^/.*iginsights-demo-\w+\.log$", LOG, printed, flags=re.MULTILINE)
    return re.sub(r"(\.) *([^.\n]*?) +\d+ s$", r"\1 \2 … s", without_name, flags=re.MULTILINE)


def draw(printed: str) -> str:
    """Return an SVG of a terminal that shows the lines. It asks no server for a font."""
    lines = [f"$ airflow instagram demo\n{re.sub(r'^/.*[.]log$', LOG, printed, flags=re.MULTILINE)}"]
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in "".join(lines).splitlines():
        console.print(Text(line, style=_find_style(line)), soft_wrap=True)
    return _FONTS.sub("", console.export_svg(title="airflow instagram demo", unique_id="demo"))


def read_lines(svg: str) -> str:
    """Return the text of the terminal in such a picture."""
    lines: dict[int, str] = {}
    for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314 - our own picture
        if (place := re.fullmatch(r"url\(#demo-line-(\d+)\)", text.get("clip-path", ""))) is not None:
            shown = (text.text or "").replace("\N{NO-BREAK SPACE}", " ")
            lines[int(place[1])] = f"{lines.get(int(place[1]), '')}{shown}".rstrip()
    return "".join(f"{lines.get(number, '')}\n" for number in range(1, max(lines) + 1))


def _find_style(line: str) -> str:
    if re.search(r"\d+ s$", line):
        return "green"
    return "bold" if re.match(r"\$|Yesterday|Reels|Followers|Views|The SQL|Where next", line) else ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        done = run_demo(Path(folder))
    if done.returncode:
        sys.exit(done.stderr)
    PICTURE.write_text(draw(done.stdout), "utf-8")
