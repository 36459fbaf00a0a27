"""Print what pyproject.toml requires, one requirement a line: ``requirements.py [OPTION] [EXTRA,EXTRA ...]``.

With ``--unmet``, only what the running Python does not have in a fitting version. With ``--lowest``, each in the lowest
version that it allows: constraints for pip, as in ``PIP_CONSTRAINT=FILE make test``. Needs nothing but pip.
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


def lowest(requirement: Requirement) -> str:
    """Return the requirement with the bound that it has below as the only version."""
    (bound,) = (part.version for part in requirement.specifier if part.operator == ">=")
    return f"{requirement.name}=={bound}"


def main() -> None:
    options = {argument for argument in sys.argv[1:] if argument.startswith("--")}
    extras = [extra for argument in sys.argv[1:] if argument not in options for extra in argument.split(",")]
    for requirement in required(extras):
        if "--unmet" in options and met(requirement):
            continue
        requirement.marker = None
        print(lowest(requirement) if "--lowest" in options else requirement)


if __name__ == "__main__":
    main()
