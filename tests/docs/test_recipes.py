# SPDX-License-Identifier: Apache-2.0
"""Recipes are listed, dated, and made of commands that run."""

import importlib.util
import re
import shlex
import subprocess
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "recipes").glob("*.sh"))
RECIPES = [path for path in SCRIPTS if path.name != "grid.sh"]  # a tool: tests/docs/test_grid.py


def commands(recipe: Path) -> list[list[str]]:
    """The calls of this project's scripts, as [script, arguments...]."""
    lines = (shlex.split(line) for line in recipe.read_text().splitlines() if line.startswith("python "))
    return [words[1:] for words in lines if words[1].endswith(".py")]


def test_every_recipe_is_listed_and_every_one_listed_is_there():
    listed = re.findall(r"\]\(([^)]+\.sh)\)", (ROOT / "recipes" / "README.md").read_text())
    assert sorted(listed) == [script.name for script in SCRIPTS]
    assert RECIPES


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_dated_tells_cost_and_result_and_is_a_shell_script(recipe: Path):
    date.fromisoformat(recipe.name[:10])
    text = recipe.read_text()
    assert "# Cost: " in text
    assert "# Result: " in text
    subprocess.run(["sh", "-n", str(recipe)], check=True)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_scripts_understand_every_command_of_a_recipe(recipe: Path):
    assert [command[0] for command in commands(recipe)] == ["dataset_tool_wav.py", "train.py", "gen_audio.py"]
    for name, *arguments in commands(recipe):
        spec = importlib.util.spec_from_file_location(f"recipe_{Path(name).stem}", ROOT / name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert not module.main.make_context(name, arguments).args


def test_a_folder_that_is_there_already_is_left_alone(tmp_path: Path):
    for recipe in RECIPES:
        ended = subprocess.run(["sh", str(recipe), str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
        assert ended.returncode == 2
        assert "new folder" in ended.stderr
    assert not list(tmp_path.iterdir())
