# SPDX-License-Identifier: Apache-2.0
import tomllib
from pathlib import Path

from patches.version import NAME, VERSION

ROOT = Path(__file__).parents[2]


def test_the_program_names_its_version_as_the_project_does():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == (NAME, VERSION)


def test_the_newest_part_of_the_changelog_is_this_version():
    heading = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert heading.split()[1] == VERSION
