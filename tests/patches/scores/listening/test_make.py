# SPDX-License-Identifier: Apache-2.0
"""The command: a page that gives nothing away, a key that gives everything."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from patches.scores.listening.__main__ import main
from patches.scores.listening.make import CHECK_SECONDS, pink_noise
from spect.archive.reader import Archive
from tests.patches.runs.support import build, notes
from tests.patches.scores.listening.support import CLIPS, WANTED, arguments, key_of


def data_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="test">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def test_neither_page_nor_program_names_a_system_a_file_or_a_class(made: Path):
    page = (made / "index.html").read_text()
    markup = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page).lower()
    for secret in ("secretive", "obscure", "network", "snapshot", "held", "through", "pluck", ".wav", "kimg"):
        assert secret not in markup, secret
    tested = data_of(page)
    assert set(tested) == {"id", "question", "repeats", "seconds", "check", "clips"}
    assert all(isinstance(uri, str) and uri.startswith("data:audio/flac") for uri in tested["clips"].values())


def test_clips_are_sorted_by_names_that_the_key_alone_explains(made: Path):
    data, key = data_of((made / "index.html").read_text()), key_of(made)
    assert data["id"] == key["test"]
    assert list(data["clips"]) == sorted(key["clips"])
    assert all(re.fullmatch("[0-9a-f]{10}", name) for name in data["clips"])
    systems = [one["system"] for one in key["clips"].values()]
    assert {name: systems.count(name) for name in systems} == dict.fromkeys(WANTED, CLIPS)
    assert systems != sorted(systems, key=list(WANTED).index)


def test_a_clip_is_the_sound_that_the_key_says(made: Path, sounds: Path):
    data, key, archive = data_of((made / "index.html").read_text()), key_of(made), Archive.open(sounds)
    name, origin = next((n, one) for n, one in key["clips"].items() if one["system"] == "held-out real")
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(data["clips"][name].split(",")[1])))
    wanted = archive.representation.decode(torch.from_numpy(archive.canvases([origin["item"]])))[0].numpy()
    assert rate == key["sample_rate"] == 8000
    assert np.abs(sound.T - wanted * 10 ** (key["gain_db"] / 20)).max() < 2**-22  # FLAC of 24 bits


def test_equal_input_gives_equal_files_and_another_seed_others(
    made: Path,
    sounds: Path,
    networks: list[Path],
    tmp_path: Path,
):
    assert main(arguments(sounds, networks, tmp_path / "same")) == 0
    assert main(arguments(sounds, networks, tmp_path / "other", "--seed=1")) == 0
    for name in ("key.json", "index.html"):
        assert (tmp_path / "same" / name).read_bytes() == (made / name).read_bytes()
    assert not set(key_of(tmp_path / "other")["clips"]) & set(key_of(made)["clips"])


def test_a_key_is_never_overwritten(made: Path, sounds: Path, networks: list[Path], capsys):
    before = (made / "key.json").read_bytes()
    assert main(arguments(sounds, networks, made, "--seed=2")) == 2
    assert "give another folder" in capsys.readouterr().err
    assert (made / "key.json").read_bytes() == before


def test_train_sounds_stand_in_marked_where_nothing_is_held_out(networks: list[Path], tmp_path: Path, capsys):
    archive = build(notes(tmp_path / "notes", 8, 1024), tmp_path / "all.zip", "16x32", holdout=0)
    assert main(arguments(archive, networks, tmp_path / "test")) == 0
    names = [one["name"] for one in key_of(tmp_path / "test")["systems"]]
    assert names[2:] == ["train real", "train real through the representation"]
    assert "no sounds are held out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [("--clips=0", "--clips=0: at least 1"), ("--networks=,", "names nothing"), ("--data=/no", "/no")],
)
def test_mistakes_are_one_line(sounds: Path, networks: list[Path], tmp_path: Path, capsys, more: str, message: str):
    assert main(arguments(sounds, networks, tmp_path / "test", more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "test").exists()


def test_the_sound_check_is_pink_at_its_level():
    noise = pink_noise(-20, 32000)[0].double()
    middle = noise[3200:-3200]
    assert len(noise) == CHECK_SECONDS * 32000
    assert 10 * middle.square().mean().log10().item() == pytest.approx(-20, abs=0.5)
    power = np.abs(np.fft.rfft(middle.numpy())) ** 2
    hertz = np.fft.rfftfreq(len(middle), 1 / 32000)
    octaves = [power[(hertz >= f) & (hertz < 2 * f)].sum() for f in (250, 500, 1000, 2000, 4000)]
    assert 10 * np.log10(max(octaves) / min(octaves)) < 1.5  # equal power in each octave
