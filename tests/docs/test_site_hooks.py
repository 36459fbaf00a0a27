"""What the site's hooks make of links and docstrings."""

from __future__ import annotations

import doctest
import logging
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("griffe")

from mkdocs.structure.files import InclusionLevel

from tools import docstring_examples, site_pages

HOME = "https://github.com/krnlpy/krnlpy"
PAGES = {"kernels.md", "index.md", "pictures/mandelbrot.png", "changes.md"}


class Files:
    """Those of a site."""

    def get_file_from_path(self, path: str) -> Any:
        hidden = InclusionLevel.EXCLUDED if path.startswith("notebooks/") else InclusionLevel.INCLUDED
        is_there = path in PAGES or path.startswith("notebooks/")
        return SimpleNamespace(src_uri=path, inclusion=hidden) if is_there else None


def on_page(markdown: str, page: str = "runtime.md") -> str:
    config: Any = SimpleNamespace(repo_url=f"{HOME}/")
    of: Any = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    files: Any = Files()
    return site_pages.on_page_markdown(markdown, of, config, files)


@pytest.mark.parametrize(
    ("page", "link", "made"),
    [
        ("runtime.md", "kernels.md#groups", "kernels.md#groups"),
        ("runtime.md", "../README.md", "index.md"),
        ("runtime.md", "../examples/capture.py", f"{HOME}/blob/main/examples/capture.py"),
        ("runtime.md", "../examples/kernels", f"{HOME}/tree/main/examples/kernels"),
        ("runtime.md", "notebooks/kernel.ipynb", f"{HOME}/blob/main/docs/notebooks/kernel.ipynb"),
        ("runtime.md", "#graphs", "#graphs"),
        ("runtime.md", "https://example.org/x.md", "https://example.org/x.md"),
        ("reference/command.md", "../kernels.md", "../kernels.md"),
        ("index.md", f"{HOME}/blob/main/docs/kernels.md", "kernels.md"),
        ("index.md", "CHANGELOG.md", "changes.md"),
        ("index.md", f"{HOME}/blob/main/LICENSE-MIT", f"{HOME}/blob/main/LICENSE-MIT"),
    ],
)
def test_links(page: str, link: str, made: str) -> None:
    assert on_page(f"[a]({link}) and\n[b]: {link}\n", page) == f"[a]({made}) and\n[b]: {made}\n"


def test_pictures() -> None:
    raw = "https://raw.githubusercontent.com/krnlpy/krnlpy/main/docs/pictures/mandelbrot.png"
    assert on_page(f'<img src="{raw}">', "index.md") == '<img src="pictures/mandelbrot.png">'


def test_code_is_left_alone() -> None:
    markdown = "`f[0](x)`\n\n```py\nkernel[1](nowhere.md)\n```\n"
    assert on_page(markdown) == markdown


def test_links_to_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert on_page("[a](nowhere.md)") == "[a](nowhere.md)"
    assert "runtime.md links to nowhere.md, which is not there" in caplog.text


def test_pages_that_are_not_there_are_left_out() -> None:
    config: Any = SimpleNamespace(nav=[{"A": [{"B": "nowhere.md"}]}, {"C": [{"D": "kernels.md"}, {"E": "no.md"}]}])
    assert site_pages.on_config(config).nav == [{"C": [{"D": "kernels.md"}]}]


def test_examples_are_fenced() -> None:
    text = "Adds.\n\n>>> add(1,\n...     2)\n3\n\nSee :func:`~a.b` and :class:`C`.\n"
    assert docstring_examples.marked(text) == (
        "Adds.\n\n```pycon\n>>> add(1,\n...     2)\n3\n```\n\nSee `a.b` and `C`.\n"
    )
    assert doctest.testmod(docstring_examples).failed == 0
