# SPDX-License-Identifier: Apache-2.0
"""The metrics' names, as --metrics takes them."""

from patches.errors import UserError

DEFAULT = ("kad", "defects", "novelty")
NAMES = ("kad", "frechet", "prdc", "ndb", "classes", "pitch", "defects", "novelty", "pictures")


def parse_metrics(text: str, classes: bool = True) -> tuple[str, ...]:
    """Read --metrics: names, "all", or "none".

    Args:
        classes: whether there are any to score with; "all" leaves out what needs them where not.

    Raises:
        UserError: a name that isn't one.
    """
    word = text.strip().lower()
    if word in ("", "none"):
        return ()
    if word == "all":
        return tuple(name for name in NAMES if classes or name != "classes")
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in NAMES:
            raise UserError(f"--metrics={text}: {name!r} is none; allowed are {', '.join(NAMES)}, or all or none alone")
    return names
