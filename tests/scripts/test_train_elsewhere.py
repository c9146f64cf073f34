# SPDX-License-Identifier: Apache-2.0
"""Training from and to an address: what is there equals what a run here has, and goes on from there anywhere."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import calc_metrics
import gen_audio
from patches.runs import tensorfile
from patches.runs.elsewhere import folder_of
from spect.storage import outbox
from spect.storage.address import Address
from spect.storage.fetch import cache_folder, fetch
from spect.storage.send import listed, send
from tests.patches.runs.support import archive, call, only_run
from tests.spect.storage.conftest import Place, own_home, place, servers
from tests.spect.storage.servers import QUIET

__all__ = ["archive", "own_home", "place", "servers"]
pytestmark = QUIET
LENGTH = {"kimg": 0.024, "tick": 0.008, "snap": 1, "metrics": "none", "keep_states": 9}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Path:
    """A run of three snapshots that never stopped and stayed here."""
    outdir = tmp_path_factory.mktemp("here")
    call(outdir=outdir, data=archive, **LENGTH)
    return only_run(outdir)


def there(place: Place) -> dict[str, Path]:
    """The one run at the address: its files by name, fetched."""
    root = Address(place.at("runs"))
    names = listed(root)
    assert len({name.partition("/")[0] for name in names}) == 1
    return {name.partition("/")[2]: fetch(root.child(name)) for name in names}


def assert_equal(place: Place, here: Path) -> None:
    """What training made is there, and is what it is here."""
    found, made = there(place), ("network-", "training-state-", "fakes", "reals")
    own = {path.relative_to(here).as_posix(): path for path in here.rglob("*") if path.is_file()}
    assert {name for name in found if name.startswith(made)} == {name for name in own if name.startswith(made)}
    for name in own:
        if name.endswith(".safetensors"):
            assert tensorfile.digest(found[name]) == tensorfile.digest(own[name]), name
        elif name.startswith(made):
            assert found[name].read_bytes() == own[name].read_bytes(), name
    assert {"log.txt", "stats.jsonl", "training_options.json"} <= set(found)
    rows = [[json.loads(line)["images"] for line in path.read_text().splitlines()]
            for path in (found["stats.jsonl"], own["stats.jsonl"])]  # fmt: skip
    assert rows[0] == rows[1]


def another_machine() -> None:
    """Forget all that this one has."""
    shutil.rmtree(cache_folder())


def test_a_run_goes_there_and_goes_on_on_another_machine_bit_for_bit(place: Place, archive: Path, here: Path) -> None:
    send(archive, Address(place.at("notes.zip")))
    options = {"outdir": place.at("runs"), "data": place.at("notes.zip"), **LENGTH}
    out = call("--resume=auto", **{**options, "kimg": 0.016})
    assert "-notes-" in next(line for line in out.splitlines() if line.startswith("Run: "))
    another_machine()
    out = call("--resume=auto", **options)
    assert "Going on from" in out
    assert_equal(place, here)
    (run,) = folder_of(place.at("runs")).glob("0*")
    assert not (run / "network-snapshot-000000.safetensors").exists()  # old ones weren't brought; they stand there
    assert "upload failed" not in out


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_the_newest_run_goes_on_and_new_ones_are_numbered_after_those_there(place: Place, archive: Path) -> None:
    options = {"outdir": place.at("runs"), "data": archive, **LENGTH}
    for _ in range(2):
        call(**{**options, "kimg": 0.008})
        another_machine()
    out = call("--resume=latest", outdir=place.at("runs"), kimg=0.016, **dict.fromkeys(_OF_RUN))
    assert "/00001-" in out
    names = listed(Address(place.at("runs")))
    assert sorted({name[:6] for name in names}) == ["00000-", "00001-"]
    assert len([name for name in names if "training-state-" in name]) == 2 + 3


_OF_RUN = ("cfg", "view", "batch", "gamma", "cbase", "cmax", "map_depth", "device", "batch_gpu")


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_an_older_state_goes_on_by_its_address_and_what_was_newer_goes_there_too(
    place: Place, archive: Path, here: Path
) -> None:
    call(outdir=place.at("runs"), data=archive, **{**LENGTH, "kimg": 0.032})
    names = listed(Address(place.at("runs")))
    (state,) = [name for name in names if name.endswith("training-state-000000.008.safetensors")]
    another_machine()
    call("--resume", f"{place.at('runs')}/{state}", kimg=0.024, **dict.fromkeys(_OF_RUN))
    # a resumed run has the sheets, snapshots and rows of one that never went further
    assert_equal(place, here)


@pytest.mark.parametrize("place", ["sftp"], indirect=True)
def test_a_storage_that_is_away_is_told_and_the_run_ends_well(
    place: Place, archive: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = outbox.Outbox.__enter__

    def cut(self):  # type: ignore[no-untyped-def]
        place.wire.cut(100_000, 0)
        return begin(self)

    options = {"outdir": place.at("runs"), "data": archive, **LENGTH}
    with monkeypatch.context() as patched:
        patched.setattr(outbox.Outbox, "__enter__", cut)
        out = call(**options)
    assert "upload failed, training goes on and it is tried again" in out
    assert f"files are not at {place.at('runs')}/00000-" in out
    place.wire.cut(0, 0)
    (run,) = folder_of(place.at("runs")).glob("0*")
    assert "is reached already" in call("--resume", str(run), kimg=0.024, **dict.fromkeys(_OF_RUN))
    call("--resume=auto", **{**options, "kimg": 0.032})
    found = there(place)
    for name in ("training-state-000000.024.safetensors", "network-snapshot-000000.008.safetensors"):
        assert tensorfile.digest(found[name]) == tensorfile.digest(here / name), name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"outdir": "https://127.0.0.1:1/x"}, "is for reading"),
        ({"resume": "{}/runs"}, "not the address of a run"),
        ({"resume": "{}/00000-x"}, "not a run of this program"),
        ({"data": "{}/none.zip", "outdir": "x"}, "none.zip: can't be read (there is no such file)"),
        ({"data": "{}/none*.zip", "outdir": "x"}, "no file has such a name"),
        ({"resume": "latest", "outdir": "{}/runs"}, "no run in"),
    ],
)
@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_misuse_is_one_line(place: Place, archive: Path, arguments: dict[str, str], said: str) -> None:
    filled = {name: value.format(place.at("")) for name, value in arguments.items()}
    assert said in call(code=2, **{"data": archive, **filled})


@pytest.mark.parametrize("place", ["sftp"], indirect=True)
def test_sounds_and_scores_of_a_run_there_go_there(place: Place, archive: Path, here: Path) -> None:
    for name in ("network-snapshot-000000.safetensors", "network-snapshot-000000.008.safetensors"):
        send(here / name, Address(place.at(f"runs/{here.name}/{name}")))
    run, made = place.at(f"runs/{here.name}"), place.at("made")
    options = ["--network", run, "--outdir", made, "--device=cpu"]
    out = CliRunner().invoke(gen_audio.main, [*options, "--seeds=0-1"])
    assert out.exit_code == 0, out.output
    assert f"in {made}" in out.output
    assert listed(Address(made)) == sorted(f"seed000{n}.{kind}" for n in (0, 1) for kind in ("json", "png", "wav"))
    recipe = json.loads(fetch(Address(f"{made}/seed0000.json")).read_text())
    assert recipe["network"]["file"] == "network-snapshot-000000.008.safetensors"  # the newest
    scored = CliRunner().invoke(
        calc_metrics.main, [*options, "--data", str(archive), "--seeds=0-7", "--metrics=defects"]
    )
    assert scored.exit_code == 0, scored.output
    assert "metric-defects.jsonl" in listed(Address(made))
    refused = CliRunner().invoke(gen_audio.main, ["--network", place.at("none"), "--outdir", made, "--seeds=0"])
    assert "no network-snapshot-*.safetensors there" in refused.stderr
