# SPDX-License-Identifier: Apache-2.0
"""The tempo of what a network learned, from its header to the wav files of its sounds."""

import re
from pathlib import Path

import pytest
import soundfile
import torch

from patches.errors import UserError
from patches.generate import plan
from patches.generate.network import open_network
from patches.generate.recipe import read_recipe
from patches.generate.tempo import Tempo
from spect.audio import read
from spect.wavfile import Acid
from tests.patches.generate.support import FRAMES, RATE, ROWS, save_snapshot

WHOLE = 2 * ROWS * FRAMES  # 1024 samples, 128 ms
LOOP = {"bpm": 1000.0, "beats": 2}  # 960 samples at 8 kHz


def make(tmp_path: Path, tempo: dict | None, **options) -> Path:
    snapshot = save_snapshot(tmp_path / "network-snapshot-000010.safetensors", tempo=tempo)
    chosen = {"network": [str(snapshot)], "outdir": tmp_path / "out", "device": torch.device("cpu"), **options}
    plan(**({"seeds": "3"} if "recipe" not in options else {}), **chosen).run(lambda *_: None)
    return tmp_path / "out" / "seed0003.wav"


def acid(path: Path) -> dict[str, str]:
    """Read the chunk as libsndfile tells it."""
    with soundfile.SoundFile(path) as file:
        log = file.extra_info
    assert "*** " not in log
    told = log[log.index("acid : 24") :].partition("LIST")[0] if "acid : 24" in log else ""
    return dict(re.findall(r"^  (\w+) +: (.+)$", told, re.M))


def test_a_loop_is_cut_to_its_beats_and_says_so(tmp_path: Path) -> None:
    path = make(tmp_path, LOOP)
    assert read(path)[0].shape == (2, 960)
    told = acid(path)
    assert (told["Beats"], told["Meter"], float(told["Tempo"])) == ("2", "4/4", 1000.0)
    assert told["Flags"].startswith("0x0004 (Loop,RootNoteInvalid,StretchOn")


def test_a_loop_keeps_its_length_under_trim_and_its_recipe_makes_it_again(tmp_path: Path) -> None:
    path = make(tmp_path, LOOP, trim=True)
    first = path.read_bytes()
    assert read(path)[0].shape == (2, 960)
    assert not read_recipe(path).output.trim
    again = tmp_path / "again"
    again.mkdir()
    recipe = again / "seed0003.json"
    recipe.write_bytes(path.with_suffix(".json").read_bytes())
    assert '"edit": "cut_loop"' in recipe.read_text()
    path.unlink()
    assert make(tmp_path, LOOP, recipe=[recipe]).read_bytes() == first


def test_a_sound_that_is_no_loop_keeps_its_length_and_tells_its_tempo(tmp_path: Path) -> None:
    path = make(tmp_path, {"bpm": 1000.0, "beats": None})
    assert read(path)[0].shape == (2, WHOLE)
    told = acid(path)
    assert (told["Beats"], float(told["Tempo"])) == ("2", 1000.0)  # 2.13 of them
    assert told["Flags"].startswith("0x0001 (OneShot")


def test_without_a_tempo_there_is_no_chunk(tmp_path: Path) -> None:
    assert acid(make(tmp_path, None)) == {}


def test_a_loop_longer_than_the_networks_sounds_is_no_loop() -> None:
    assert Tempo(1000.0, 2).acid(960, RATE) == Acid(1000.0, 2, loop=True)
    assert Tempo(1000.0, 8).acid(WHOLE, RATE) == Acid(1000.0, 2, loop=False)


@pytest.mark.parametrize("tempo", [{"bpm": 0, "beats": None}, {"bpm": "x", "beats": 4}, {"bpm": 130.0}, [130.0]])
def test_a_damaged_tempo_is_refused(tmp_path: Path, tempo: object) -> None:
    snapshot = save_snapshot(tmp_path / "network-snapshot-000010.safetensors", tempo=tempo)
    with pytest.raises(UserError, match="header is damaged"):
        open_network(snapshot, torch.device("cpu"))
