"""Hooks of the documents' site (mkdocs.yml): pages that are files elsewhere in the repository, and links out of docs.

README is the home page, CHANGELOG and CONTRIBUTING are pages, so that nothing is written twice. A link to a file that
is no page leads to the repository; one to a file that is not there is a warning, which ends the build.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools import device_pages

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}

GENERATED = {"measured-devices.md": device_pages.page}
"""Pages that are made of data."""

_log = logging.getLogger("mkdocs.hooks")
_LINK = re.compile(r"(\]\(|^\[[^\]]+\]: |src=\")([^)\s\"]+)", re.MULTILINE)
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leaves pages out of the navigation that are not there (yet)."""
    config.nav = _there(config.nav)
    return config


def _there(entries: Any) -> Any:
    if isinstance(entries, str):
        return entries if entries in {*PAGES.values(), *GENERATED} or (ROOT / "docs" / entries).exists() else None
    if isinstance(entries, dict):
        kept = {name: found for name, entry in entries.items() if (found := _there(entry))}
        return kept or None
    return [found for entry in entries if (found := _there(entry))]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that lie elsewhere."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for page, made in GENERATED.items():
        files.append(File.generated(config, page, content=made()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links to files of the repository into links to their pages, or to the repository."""
    home = str(config.repo_url).rstrip("/")
    folder = (ROOT / "docs" / page.file.src_uri).parent if page.file.src_uri not in PAGES.values() else ROOT

    def linked(found: re.Match[str]) -> str:
        before, target = found.groups()
        path, hash, anchor = target.partition("#")
        raw = home.replace("//github.com/", "//raw.githubusercontent.com/")
        local = re.fullmatch(rf"(?:{re.escape(home)}/(?:blob|tree)|{re.escape(raw)})/main/(.*)", path)
        if local is not None:
            file = ROOT / local[1]
        elif "://" in path or not path or path.startswith("mailto:"):
            return found[0]
        else:
            file = (folder / path).resolve()
        if not file.exists():
            _log.warning("%s links to %s, which is not there", page.file.src_uri, target)
            return found[0]
        inside = file.relative_to(ROOT).as_posix()
        name = PAGES.get(inside, inside.removeprefix("docs/") if inside.startswith("docs/") else None)
        source = files.get_file_from_path(name) if name is not None else None
        if source is not None and source.inclusion.name != "EXCLUDED":
            up = "../" * page.file.src_uri.count("/")
            return f"{before}{up}{source.src_uri}{hash}{anchor}"
        kind = "tree" if file.is_dir() else "blob"
        return f"{before}{home}/{kind}/main/{inside}{hash}{anchor}"

    # What stands in code is no link.
    return "".join(part if part.startswith("`") else _LINK.sub(linked, part) for part in _CODE.split(markdown))
