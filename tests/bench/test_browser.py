"""Pages in a browser: nothing stands out of a phone's width, and the system's colours are taken."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from krnlpy.bench.reports import page

from . import fakes

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# The page says in its title what the browser made of it.
PROBE = """<script>
const wide = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
const bars = [...document.querySelectorAll(".bar")].map(e => e.getBoundingClientRect());
document.title = JSON.stringify({
  wide: wide.length, scrolls: document.documentElement.scrollWidth > innerWidth, width: innerWidth,
  bars: bars.map(b => [b.left, b.width, b.height]), background: getComputedStyle(document.body).backgroundColor,
});</script>"""


def shown(path: Path, width: int, folder: Path, *more: str) -> dict[str, Any]:
    """What a browser makes of a page."""
    text = path.read_text()
    # The page allows no script; that of the probe is the test's.
    probed = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", f"{PROBE}</body>")
    (folder / "probed.html").write_text(probed)
    # A window of a headless browser is at least 500 wide: a frame has any width.
    frame = f'<iframe id="f" src="probed.html" style="width:{width}px;height:900px;border:0"></iframe>'
    script = '<script>onload = () => { document.title = document.getElementById("f").contentDocument.title; }</script>'
    (folder / "frame.html").write_text(f"<!doctype html><title></title>{frame}{script}")
    assert BROWSER is not None
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    done = subprocess.run(
        [BROWSER, *options, *more, f"--user-data-dir={folder}/profile", (folder / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title and title[1], done.stderr
    found: dict[str, Any] = json.loads(title[1])
    return found


@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_phone_and_the_dark(tmp_path: Path) -> None:
    name = "A card with a name that is rather long for a telephone, rev. 3, 96 GB of memory"
    slow = fakes.result("sum", seconds=0.002, size=999, status="not steady", reason="others took 1.9 processors")
    longer = fakes.result("sum", size=64 << 20, status="failed", reason="OSError: " + "x" * 300, samples=())
    page.write(tmp_path / "a.html", fakes.report(fakes.result(), fakes.result("sum"), slow, longer, name=name))
    phone = shown(tmp_path / "a.html", 360, tmp_path)
    assert (phone["width"], phone["wide"], phone["scrolls"]) == (360, 0, False)
    (left, _, height), *others = phone["bars"]
    assert height > 5 and all(bar[0] == left for bar in others)
    # Of one scale: the second of "sum" has 999 bytes in twice the time of 1,000.
    assert others[1][1] / others[0][1] == pytest.approx(0.4995, rel=0.02)
    dark = shown(tmp_path / "a.html", 1000, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert phone["background"] == "rgb(255, 255, 255)" and dark["background"] == "rgb(22, 24, 27)"
    assert dark["wide"] == 0
