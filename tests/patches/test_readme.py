# SPDX-License-Identifier: Apache-2.0
"""patches/README.md names what there is."""

import re
from pathlib import Path

from patches.scaling import SCALINGS
from patches.series import SERIES
from patches.views import KINDS
from spect.cmyk import Cmyk

FOLDER = Path(__file__).parents[2] / "patches"
TEXT = (FOLDER / "README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Cells of the first table after a heading, without its head."""
    table = TEXT.split(heading, 1)[1].split("|---", 1)[1].split("\n\n", 1)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_patch_stands_in_the_order_of_its_application_with_a_file_that_is_there():
    table = rows("# The patch series")
    assert [row[3].strip("`") for row in table] == list(SERIES)
    for row in table:
        for file in row[4].split(", "):
            assert (FOLDER / file.strip("`")).exists()


def test_every_augmentation_stands_with_what_cmyk_makes_of_it():
    said = {row[0].strip("`"): row[4] for row in rows("## Augmentations")}
    borne = [transform.name for transform in KINDS["cmyk"].transforms(Cmyk())]
    on_request = [transform.name for transform in KINDS["cmyk"].on_request]
    assert {name for name, answer in said.items() if answer == "yes"} == set(borne)
    assert {name for name, answer in said.items() if answer == "on request"} == set(on_request)


def test_every_scaling_stands():
    assert [re.search(r"`([\w-]+)`", row[0])[1] for row in rows("## Views")] == list(SCALINGS)
