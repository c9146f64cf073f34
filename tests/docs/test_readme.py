# SPDX-License-Identifier: Apache-2.0
"""What the README says is so: its commands run, its flags and paths exist, its links lead somewhere."""

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import click
import pytest

from examples.synth import write_notes

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text()
SCRIPTS = ("dataset_tool_wav.py", "train.py", "gen_audio.py", "calc_metrics.py")
# So small that a command takes seconds; options given twice count as given last.
SMALL = {
    "dataset_tool_wav.py": ("--resolution=16x16", "--sample-rate=8000"),
    "train.py": ("--kimg=0.032", "--tick=0.016", "--snap=1", "--batch=4", "--cbase=64", "--cmax=8", "--device=cpu"),
    "gen_audio.py": ("--device=cpu",),
    "calc_metrics.py": ("--device=cpu", "--seeds=0-7", "--metrics=kad,defects"),
}
# What stands in the README and belongs to other programs.
OTHERS = {"--help", "--build-arg", "--rm", "--gpus", "--ipc", "--stop-timeout", "--extra-index-url"}


def blocks() -> list[list[str]]:
    """The commands of each fenced bash block."""
    return [found.strip().splitlines() for found in re.findall(r"```bash\n(.*?)```", TEXT, flags=re.S)]


def script_commands() -> list[list[str]]:
    """Each command that runs one of the scripts, inside Docker or out, as [script, arguments...]."""
    found = []
    for line in (line for block in blocks() for line in block):
        words = shlex.split(line)
        for script in SCRIPTS:
            if script in words:
                found.append(words[words.index(script) :])
    return found


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"readme_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def script(name: str) -> click.Command:
    return load(ROOT / name).main


def options(name: str) -> set[str]:
    return {text for option in script(name).params for text in (*option.opts, *option.secondary_opts)}


def test_there_are_commands_of_every_script():
    assert {command[0] for command in script_commands()} == set(SCRIPTS)


@pytest.mark.parametrize("command", script_commands(), ids=lambda command: " ".join(command[:3]))
def test_every_command_is_one_that_the_script_understands(command):
    name, *arguments = command
    context = script(name).make_context(name, arguments)
    assert not context.args
    given = {word.split("=")[0] for word in arguments if word.startswith("--")}
    assert given <= options(name)


def test_every_flag_named_in_the_text_exists():
    known = set().union(*(options(name) for name in SCRIPTS)) | OTHERS
    for module in set(re.findall(r"`python -m ([\w.]+)", TEXT)):
        told = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, text=True, capture_output=True)
        assert told.returncode == 0, module
        known |= set(re.findall(r"--[a-z][a-z-]*[a-z]", told.stdout))
    assert sorted(set(re.findall(r"--[a-z][a-z-]*[a-z]", TEXT)) - known) == []


def inline_commands() -> list[list[str]]:
    """What stands in the running text as `script.py --option=value`, as [script, arguments...]."""
    found = [shlex.split(code) for code in re.findall(r"`([a-z_]+\.py --[^`]+)`", TEXT)]
    return [words for words in found if words[0] in SCRIPTS]


@pytest.mark.parametrize("command", inline_commands(), ids=lambda command: " ".join(command[:2]))
def test_every_option_in_the_running_text_is_one_of_its_script_and_takes_that_value(command):
    name, *arguments = command
    context = script(name).make_context(name, list(arguments), resilient_parsing=True)
    assert not context.args
    assert {word.split("=")[0] for word in arguments} <= options(name)


def test_there_are_options_of_every_script_in_the_running_text():
    assert {command[0] for command in inline_commands()} == set(SCRIPTS)


def test_every_benchmark_and_module_named_exists():
    named = set(re.findall(r"bench/\w+\.py", TEXT))
    assert named == {f"bench/{path.name}" for path in (ROOT / "bench").glob("*.py")}
    modules = re.findall(r"`python -m ([\w.]+)", TEXT)
    assert "spect.similarity" in modules
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_that_no_nvidia_code_is_in_here_stands_on_the_first_screen():
    assert "No NVIDIA code" in "".join(TEXT.splitlines()[:14])


def test_every_link_within_the_page_leads_to_a_heading():
    headings = [re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in TEXT.splitlines()]
    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert links
    assert [link for link in links if link not in headings] == []


def test_every_preset_is_named_with_its_resolution():
    from patches.presets import PRESETS

    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| (\d+x\d+) \|$", TEXT, flags=re.M))
    assert rows == {name: preset.resolution for name, preset in PRESETS.items() if name in rows}
    assert {"tiny", "quick", "paper"} <= set(rows)


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text()
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.S)
    lines = [line for block in blocks() for line in block] + re.findall(r"`([^`\n]+)`", prose)
    targets = {line.split()[1] for line in lines if line.startswith("make ")}
    assert {"demo", "test", "setup"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


def test_every_path_of_ours_in_the_map_exists():
    rows = re.search(r"\| in the reference \| here \|\n\|---\|---\|\n(.*?)\n\n", TEXT, flags=re.S)
    assert rows is not None
    ours = [path for row in rows[1].splitlines() for path in re.findall(r"`([^`]+)`", row.split("|")[2])]
    assert len(ours) > 10
    assert [path for path in ours if not (ROOT / path).exists()] == []


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_table_of_equality_is_what_is_measured():
    stated = dict(re.findall(r"^\| ([^|]+) \| (\de-\d\d|\d\.\de-\d\d) \|$", TEXT, flags=re.M))
    measured = dict(load(ROOT / "bench" / "equality.py").rows())
    assert stated.keys() == measured.keys()
    # Other processors round otherwise: the order of magnitude is the claim.
    assert {name for name in measured if measured[name] > 4 * float(stated[name])} == set()
    assert max(measured.values()) < 1e-5


def run(command: list[str], cwd: Path) -> str:
    name, *arguments = command
    small = SMALL[name] if name != "dataset_tool_wav.py" or "--source" in " ".join(arguments) else ()
    ended = subprocess.run(
        [sys.executable, str(ROOT / name), *arguments, *small], cwd=cwd, text=True, capture_output=True
    )
    assert ended.returncode == 0, f"{shlex.join(command)}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def test_ones_own_sounds_in_three_commands_and_the_resume_line(tmp_path: Path):
    write_notes(tmp_path / "my_sounds", count=9, seconds=0.064, sample_rate=8000, seed=0)
    (three,) = [block for block in blocks() if "source .venv/bin/activate" in block]
    for line in three[1:]:
        run(shlex.split(line)[1:], tmp_path)
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == sorted(f"seed{seed:04d}.{suffix}" for seed in range(10) for suffix in ("json", "png", "wav"))
    (resume,) = [block[0] for block in blocks() if "--resume=auto" in block[0] and block[0].startswith("python")]
    run(shlex.split(resume)[1:], tmp_path)
    assert len(list((tmp_path / "trained_networks").glob("0*"))) == 1  # it went on in the same run
    (scored,) = [block[0] for block in blocks() if block[0].startswith("python calc_metrics.py")]
    assert "train real" in run(shlex.split(scored)[1:], tmp_path)
    assert "<html" in (tmp_path / "out" / "report.html").read_text()


def test_archives_are_verified_split_merged_and_trained_on_in_parts_and_at_an_address(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    from tests.spect.storage.servers import BUCKET, served

    pytest.importorskip("s3fs")
    write_notes(tmp_path / "my_sounds", count=24, seconds=0.064, sample_rate=8000, seed=0)
    (three,) = [block for block in blocks() if "source .venv/bin/activate" in block]
    run(shlex.split(three[1])[1:], tmp_path)
    (lines,) = [block for block in blocks() if "--split" in "".join(block)]
    fast = {"train.py": ["--metrics=none"]}
    *here, there = [[*words, *fast.get(words[0], [])] for words in (shlex.split(line)[1:] for line in lines)]
    for command in here:
        run(command, tmp_path)
    merged, whole = (tmp_path / "datasets" / name for name in ("again.zip", "mine.zip"))
    assert merged.read_bytes() == whole.read_bytes()
    (trained,) = (tmp_path / "trained_networks").glob("0*")
    assert "-parts-" in trained.name
    with served(tmp_path_factory.mktemp("served")) as servers:
        for name, value in servers.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        import boto3

        client = boto3.client("s3")
        client.upload_file(str(whole), BUCKET, "mine.zip")
        for _ in range(2):
            run(there, tmp_path)
        names = [found["Key"] for found in client.list_objects_v2(Bucket=BUCKET, Prefix="runs/")["Contents"]]
        client.close()
    assert len({name.split("/")[1] for name in names}) == 1  # it went on in the same run
    assert any("network-snapshot-" in name for name in names)
