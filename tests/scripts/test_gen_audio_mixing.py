# SPDX-License-Identifier: Apache-2.0
"""gen_audio.py's grids, ways and videos, over tiny random networks."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gen_audio
from patches.runs import tensorfile
from tests.patches.generate.support import RATE, save_snapshot
from tests.scripts.test_gen_audio import call, picture, sound


@pytest.fixture(scope="module", params=["stylegan2", "stylegan3-t"])
def snapshot(request, tmp_path_factory) -> Path:
    return save_snapshot(tmp_path_factory.mktemp("run") / "network-snapshot-000010.safetensors", request.param)


def grid(snapshot: Path, out: Path, *more: object) -> str:
    return call("--network", snapshot, "--outdir", out, "--style-rows", "0,2", "--style-cols", "5-6",
                "--style-layers", "0-2", *more)  # fmt: skip


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


CELLS = [f"seed000{row}-000{column}_l0-2" for row in (0, 2) for column in (5, 6)]
SOURCES = [f"seed000{seed}" for seed in (0, 2, 5, 6)]


def test_a_grid_writes_each_cell_its_sources_and_one_page(snapshot, tmp_path):
    told = grid(snapshot, tmp_path, "--subtype", "FLOAT")
    files = [f"{stem}.{end}" for stem in (*CELLS, *SOURCES) for end in ("json", "png", "wav")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*files, "style0+2x5-6_l0-2.png"])
    assert f"table: {tmp_path / 'style0+2x5-6_l0-2.png'}" in told
    assert "8 sounds" in told
    cells = [sound(tmp_path / f"{stem}.wav") for stem in (*CELLS, *SOURCES)]
    differences = [np.abs(one - other).max() for i, one in enumerate(cells) for other in cells[:i]]
    assert min(differences) > 1e-3 * max(np.abs(cell).max() for cell in cells)


def test_a_grids_page_shows_sources_along_the_edges(snapshot, tmp_path):
    grid(snapshot, tmp_path)
    page = picture(tmp_path / "style0+2x5-6_l0-2.png")
    high, wide = 128 + 4, 256 + 4
    for stem, row, column in [("seed0002-0005_l0-2", 2, 1), ("seed0006", 0, 2), ("seed0002", 2, 0)]:
        shown = np.asarray(Image.fromarray(picture(tmp_path / f"{stem}.png")).resize((256, 128), 0))
        top, left = page.shape[0] - (3 - row) * high, page.shape[1] - (3 - column) * wide
        np.testing.assert_array_equal(page[top : top + 128, left : left + 256], shown)
    assert (page[:100, page.shape[1] - 3 * wide : page.shape[1] - 2 * wide] == page[0, 0]).all()  # the corner is empty


def test_a_grids_sources_are_the_seeds_own_files(snapshot, tmp_path):
    grid(snapshot, tmp_path / "grid", "--trunc", "0.6")
    call("--network", snapshot, "--outdir", tmp_path / "seeds", "--seeds", "0,2,5,6", "--trunc", "0.6")
    made = bytes_of(tmp_path / "grid")
    assert all(made[name] == content for name, content in bytes_of(tmp_path / "seeds").items())


def test_recipes_of_cells_and_steps_make_the_same_bytes_again(snapshot, tmp_path):
    grid(snapshot, tmp_path / "grid", "--batch", "3", "--trunc", "0.8")
    call("--network", snapshot, "--outdir", tmp_path / "way", "--morph", "1:4:1:7", "--batch", "7", "--trim")
    for folder, pages in (("grid", "style*"), ("way", "*-0001.png")):
        first, again = tmp_path / folder, tmp_path / f"{folder} again"
        recipes = [item for path in sorted(first.glob("*.wav")) for item in ("--recipe", path)]
        call("--network", snapshot, "--outdir", again, *recipes)
        expected = bytes_of(first)
        for page in first.glob(pages):
            del expected[page.name]
        assert bytes_of(again) == expected


def test_a_mixs_recipe_tells_both_seeds_the_layers_and_the_version(snapshot, tmp_path):
    grid(snapshot, tmp_path)
    recipe = json.loads((tmp_path / f"{CELLS[1]}.json").read_text())
    told = {name: recipe[name] for name in ("version", "seed", "other", "amount", "layers", "name")}
    assert told == {"version": 2, "seed": 0, "other": 6, "amount": 1.0, "layers": [0, 1, 2], "name": CELLS[1]}
    plain = json.loads((tmp_path / "seed0005.json").read_text())
    assert (plain["version"], plain["batch"], "other" in plain) == (1, [5], False)


@pytest.mark.parametrize("name", ["../away", "/tmp/away", "a/b", ".hidden", "a" * 300, "a\n"])
def test_a_recipes_name_never_leads_out_of_the_folder(snapshot, tmp_path, name):
    grid(snapshot, tmp_path / "grid")
    recipe = json.loads((tmp_path / "grid" / f"{CELLS[0]}.json").read_text())
    (tmp_path / "bad.json").write_text(json.dumps({**recipe, "name": name}))
    error = call("--network", snapshot, "--outdir", tmp_path / "out", "--recipe", tmp_path / "bad.json", code=2)
    assert "damaged" in error


def test_a_way_begins_and_ends_with_the_seeds_own_sounds(snapshot, tmp_path):
    for mode in ("const", "random"):
        out = tmp_path / mode
        call("--network", snapshot, "--outdir", out, "--morph", "12:40:4", "--noise-mode", mode)
        call("--network", snapshot, "--outdir", out, "--seeds", "12,40", "--noise-mode", mode)
        end = "_const" if mode == "const" else ""
        for step, seed in (("01", 12), ("04", 40)):
            own, step_of_way = (out / f"{stem}{end}.wav" for stem in (f"seed00{seed}", f"morph0012-0040_{step}"))
            np.testing.assert_array_equal(sound(own), sound(step_of_way))
        assert (out / f"morph0012-0040{end}.png").is_file()
        assert len(list(out.glob("morph*.wav"))) == len(list(out.glob("morph*.json"))) == 4


def test_neighbours_on_a_way_are_alike(snapshot, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--morph", "12:40:9", "--subtype", "FLOAT")
    steps = [sound(path) for path in sorted(tmp_path.glob("*.wav"))]
    between = [np.abs(later - earlier).mean() for earlier, later in pairwise(steps)]
    assert max(between) < 0.6 * np.abs(steps[-1] - steps[0]).mean()


def test_several_networks_get_a_grid_each_and_a_way_one_table(tmp_path):
    paths = [save_snapshot(tmp_path / f"network-snapshot-00000{k}.safetensors", seed=k) for k in (1, 2)]
    both = [item for path in paths for item in ("--network", path)]
    call(*both, "--outdir", tmp_path / "grid", "--style-rows", "0", "--style-cols", "1", "--style-layers", "0")
    assert sorted(p.name for p in tmp_path.glob("grid/*")) == [path.stem for path in paths]
    assert len(list(tmp_path.glob("grid/*/style0x1_l0.png"))) == 2
    call(*both, "--outdir", tmp_path / "way", "--morph", "0:1:3")
    one, two = (picture(path) for path in (tmp_path / "way/morph0000-0001.png", tmp_path / "grid" / paths[0].stem
                / "style0x1_l0.png"))  # fmt: skip
    assert one.shape[0] > 2 * 128
    assert one.shape[1] > 3 * 256 > two.shape[1]


def test_classes_go_into_the_names_of_pages_too(tmp_path):
    network = save_snapshot(tmp_path / "n.safetensors", classes=("kick", "snare"))
    for name in ("kick", "snare"):
        call("--network", network, "--outdir", tmp_path / "out", "--morph", "0:1:3", "--class", name)
    out = tmp_path / "out"
    assert {p.name for p in out.glob("*1_c?.png")} >= {"morph0000-0001_c0.png", "morph0000-0001_c1.png"}
    kick, snare = (sound(out / f"morph0000-0001_02_c{index}.wav") for index in (0, 1))
    assert np.abs(kick - snare).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--style-rows", "0-4"), "--style-cols, --style-layers: missing"),
        (("--style-layers", "0-4"), "--style-rows, --style-cols: missing"),
        (("--style-rows", "0", "--style-cols", "1", "--style-layers", "0-99"), "layers, 0 to"),
        (("--style-rows", "0", "--style-cols", "x", "--style-layers", "0"), "--style-cols=x"),
        (("--morph", "12:40:1"), "--morph=12:40:1"),
        (("--morph", "12:40:16", "--seeds", "1"), "one at a time"),
        (("--morph", "12:40:16", "--style-rows", "1"), "one at a time"),
        (("--recipe", "x.wav", "--morph", "12:40:16"), "leave --morph away"),
        (("--recipe", "x.wav", "--video"), "leave --video away"),
        (("--video",), "--seeds: missing"),
    ],
)
def test_mistakes_are_told_in_one_line_and_write_nothing(snapshot, tmp_path, options, words):
    assert words in call("--network", snapshot, "--outdir", tmp_path / "out", *options, code=2)
    assert not list(tmp_path.glob("out/*"))


def test_a_missing_imageio_ffmpeg_is_told_before_any_work(snapshot, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    error = call("--network", snapshot, "--outdir", tmp_path / "out", "--seeds", "0", "--video", code=2)
    assert "pip install imageio-ffmpeg" in error
    assert not (tmp_path / "out").exists()


def test_a_video_is_made_of_the_sounds_that_were_written(tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg, the extra 'video', is not installed")
    network = save_snapshot(tmp_path / "n.safetensors")
    out = tmp_path / "out"
    told = call("--network", network, "--outdir", out, "--morph", "1:2:4", "--video", "--trunc", "0.7")
    film = out / "morph0001-0002_psi0.70.mp4"
    assert f"video: {film}" in told
    seconds = sum(sound(path).shape[1] for path in out.glob("*.wav")) / RATE
    assert frames_of(film) == round(30 * seconds)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def frames_of(film: Path) -> int:
    from patches.generate.video import find_ffmpeg

    command = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-i", film, "-map", "0:v", "-pix_fmt", "gray"]
    pictures = subprocess.run([*command, "-f", "rawvideo", "-s", "16x16", "pipe:1"], capture_output=True, check=True)
    return len(pictures.stdout) // 256


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_the_video_leaves_the_sounds_and_no_part_of_it(tmp_path, number, code):
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg, the extra 'video', is not installed")
    network, out = save_snapshot(tmp_path / "n.safetensors"), tmp_path / "out"
    (tmp_path / "slow").write_text('#!/bin/sh\nfor last; do :; done; echo x >"$last"; exec sleep 60\n')
    (tmp_path / "slow").chmod(0o755)
    command = [sys.executable, gen_audio.__file__, "--network", network, "--outdir", out, "--seeds", "0-1", "--video"]
    environment = {**os.environ, "IMAGEIO_FFMPEG_EXE": str(tmp_path / "slow")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:
        deadline = time.monotonic() + 60
        while not list(out.glob(".*/film.mp4")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == code
    assert complaint == (b"gen_audio.py: interrupted\n" if number == signal.SIGINT else b"")
    assert sorted(p.name for p in out.iterdir()) == [f"seed000{s}.{e}" for s in (0, 1) for e in ("json", "png", "wav")]


def test_older_recipes_are_still_read(snapshot, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "3,4", "--batch", "2")
    recipe = json.loads((tmp_path / "seed0004.json").read_text())
    assert (recipe["version"], recipe["seed"], recipe["batch"]) == (1, 4, [3, 4])
    assert recipe["network"]["sha256"] == tensorfile.digest(snapshot)
    call("--network", snapshot, "--outdir", tmp_path / "again", "--recipe", tmp_path / "seed0004.json")
    assert (tmp_path / "again/seed0004.wav").read_bytes() == (tmp_path / "seed0004.wav").read_bytes()
