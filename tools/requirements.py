"""Print what pyproject.toml requires, one requirement a line: ``requirements.py [--unmet] [EXTRA,EXTRA ...]``.

With ``--unmet``, only what the running Python does not have in a fitting version. Needs nothing but pip.
"""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement


def required(extras: list[str]) -> list[Requirement]:
    """Return the requirements of the package with these extras that apply to this Python and platform."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    requirements = (Requirement(line) for line in lines)
    return [r for r in requirements if r.marker is None or r.marker.evaluate()]


def met(requirement: Requirement) -> bool:
    """Return whether the running Python has a distribution that fits."""
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def main() -> None:
    arguments = sys.argv[1:]
    unmet = "--unmet" in arguments
    extras = [extra for argument in arguments if argument != "--unmet" for extra in argument.split(",")]
    for requirement in required(extras):
        if not (unmet and met(requirement)):
            requirement.marker = None
            print(requirement)


if __name__ == "__main__":
    main()
