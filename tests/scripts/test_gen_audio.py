# SPDX-License-Identifier: Apache-2.0
import errno
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

import gen_audio
from patches.runs import tensorfile
from tests.patches.generate.support import FRAMES, RATE, ROWS, save_snapshot, spec_of

SAMPLES = 2 * ROWS * FRAMES


def call(*arguments: object, code: int = 0) -> str:
    """Run the script; return what it printed (stdout), or its one line of complaint (stderr)."""
    result = CliRunner().invoke(gen_audio.main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    if code == 0:
        return result.stdout
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("gen_audio.py: ")
    assert "Traceback" not in result.output
    return result.stderr


def sound(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_snapshot(tmp_path_factory.mktemp("run") / "network-snapshot-000010.safetensors")


@pytest.fixture(scope="module")
def drums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_snapshot(
        tmp_path_factory.mktemp("drums") / "network-snapshot-000002.safetensors", classes=("kick", "snare")
    )


def test_each_seed_becomes_a_wav_a_picture_and_a_recipe(snapshot, tmp_path):
    out = tmp_path / "new" / "out"
    told = call("--network", snapshot, "--outdir", out, "--seeds", "0-2,5")
    stems = [f"seed000{seed}" for seed in (0, 1, 2, 5)]
    assert sorted(p.name for p in out.iterdir()) == [f"{s}.{e}" for s in stems for e in ("json", "png", "wav")]
    info = soundfile.info(out / "seed0000.wav")
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 2, SAMPLES, "PCM_24")
    assert np.abs(sound(out / "seed0000.wav") - sound(out / "seed0001.wav")).max() > 0.01
    assert picture(out / "seed0000.png").ndim == 3
    assert "4 sounds" in told
    assert str(out) in told


def test_the_wav_carries_the_recipe_beside_it(snapshot, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "3", "--trunc", "0.7")
    recipe = json.loads((tmp_path / "seed0003_psi0.70.json").read_text())
    with soundfile.SoundFile(tmp_path / "seed0003_psi0.70.wav") as file:
        assert json.loads(file.comment) == recipe
        assert file.title == "seed0003_psi0.70"
    assert recipe["network"]["sha256"] == tensorfile.digest(snapshot)
    assert (recipe["seed"], recipe["psi"], recipe["class"], recipe["noise_mode"]) == (3, 0.7, None, "random")
    assert recipe["network"]["kimg"] == 10
    assert str(snapshot.parent) not in json.dumps(recipe)


@pytest.mark.parametrize("kind", ["stylegan2", "stylegan3-t"])
@pytest.mark.parametrize("noise", ["const", "random"])
def test_a_seed_sounds_the_same_in_any_batch(tmp_path, kind, noise):
    network = save_snapshot(tmp_path / "n.safetensors", kind)
    for batch in (1, 2, 5):
        call("--network", network, "--outdir", tmp_path / str(batch), "--seeds", "0-4", "--batch", batch,
             "--noise-mode", noise, "--subtype", "FLOAT")  # fmt: skip
    for path in (tmp_path / "1").glob("*.wav"):
        alone = sound(path)
        for batch in "25":
            together = sound(tmp_path / batch / path.name)
            assert np.abs(alone - together).max() <= 1e-5 * np.abs(alone).max()


def test_noise_modes_differ_and_random_noise_belongs_to_the_seed(snapshot, tmp_path):
    for mode in ("const", "random", "none"):
        call("--network", snapshot, "--outdir", tmp_path, "--seeds", "0", "--noise-mode", mode)
    call("--network", snapshot, "--outdir", tmp_path / "again", "--seeds", "7,0", "--noise-mode", "random")
    sounds = [sound(tmp_path / f"seed0000{suffix}.wav") for suffix in ("", "_const", "_nonoise")]
    assert min(np.abs(sounds[a] - sounds[b]).max() for a, b in ((0, 1), (0, 2), (1, 2))) > 1e-3
    assert (tmp_path / "seed0000.wav").read_bytes() == (tmp_path / "again/seed0000.wav").read_bytes()


def test_truncation_0_is_one_sound_for_all_seeds(snapshot, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "0,1", "--trunc", "0",
         "--noise-mode", "const")  # fmt: skip
    names = [tmp_path / f"seed000{seed}_psi0.00_const.wav" for seed in (0, 1)]
    assert np.abs(sound(names[0]) - sound(names[1])).max() < 1e-5


@pytest.mark.parametrize("suffix", [".wav", ".json"])
def test_a_recipe_makes_the_same_bytes_again(tmp_path, suffix):
    network = save_snapshot(tmp_path / "n.safetensors", "stylegan2", ("a", "b"), scale=20.0)
    call("--network", network, "--outdir", tmp_path / "first", "--seeds", "0-4", "--batch", "3", "--trunc", "0.8",
         "--noise-mode", "random", "--class", "b", "--subtype", "PCM_16", "--trim")  # fmt: skip
    name = "seed0001_psi0.80_c1"
    call("--network", network, "--outdir", tmp_path / "again", "--recipe", tmp_path / "first" / f"{name}{suffix}")
    assert [p.name for p in sorted((tmp_path / "again").iterdir())] == [f"{name}.{e}" for e in ("json", "png", "wav")]
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (tmp_path / "first" / path.name).read_bytes()


def test_operations_are_told_kept_in_the_recipe_and_make_the_same_sound(snapshot, tmp_path):
    told = call("--network", snapshot, "--outdir", tmp_path / "a", "--seeds", "1", "--ops", "reference")
    assert "Operations: reference, as asked" in told
    assert json.loads((tmp_path / "a/seed0001.json").read_text())["computed"]["ops"] == "reference"
    told = call("--network", snapshot, "--outdir", tmp_path / "b", "--recipe", tmp_path / "a/seed0001.wav")
    assert "by reference, again with" in told
    first, again = (sound(tmp_path / name / "seed0001.wav") for name in "ab")
    assert np.abs(first - again).max() < 1e-4 * np.abs(first).max()


def test_a_recipe_of_another_network_is_refused_with_both_hashes(snapshot, drums, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "1")
    error = call("--network", drums, "--outdir", tmp_path, "--recipe", tmp_path / "seed0001.wav", code=2)
    assert tensorfile.digest(snapshot)[:16] in error
    assert tensorfile.digest(drums)[:16] in error


def test_a_recipe_finds_its_network_among_several(snapshot, drums, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "1")
    call("--network", drums, "--network", snapshot, "--outdir", tmp_path / "b", "--recipe", tmp_path / "seed0001.json")
    assert (tmp_path / "b/seed0001.wav").read_bytes() == (tmp_path / "seed0001.wav").read_bytes()


def test_recipes_of_one_name_do_not_overwrite_each_other(snapshot, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path / "a", "--seeds", "1")
    call("--network", snapshot, "--outdir", tmp_path / "b", "--seeds", "0-1", "--batch", "2")
    alone, together = (tmp_path / folder / "seed0001.json" for folder in "ab")
    error = call(
        "--network", snapshot, "--outdir", tmp_path / "c", "--recipe", alone, "--recipe", together, code=2
    )  # fmt: skip
    assert "more than one makes seed0001.wav" in error
    assert not (tmp_path / "c").exists()
    call("--network", snapshot, "--outdir", tmp_path / "c", "--recipe", alone, "--recipe", alone.with_suffix(".wav"))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"RIFF\x04\0\0\0WAVE", b"\xff\xfe\x00", b'{"format": "sg3-spect sound"}']
)
def test_a_file_without_a_recipe_is_refused(snapshot, tmp_path, content):
    for name in ("x.wav", "x.json"):
        (tmp_path / name).write_bytes(content)
        assert "--recipe" in call("--network", snapshot, "--outdir", tmp_path, "--recipe", tmp_path / name, code=2)


def test_what_a_recipe_says_cannot_be_said_again(snapshot, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "1")
    error = call(
        "--network", snapshot, "--outdir", tmp_path, "--recipe", tmp_path / "seed0001.wav", "--seeds", "2", code=2
    )
    assert "--seeds" in error


def test_a_peak_above_full_scale_is_lowered_and_told(tmp_path):
    network = save_snapshot(tmp_path / "n.safetensors", scale=20.0)
    told = call("--network", network, "--outdir", tmp_path, "--seeds", "0")
    call("--network", network, "--outdir", tmp_path / "float", "--seeds", "0", "--subtype", "FLOAT")
    kept, lowered = sound(tmp_path / "float/seed0000.wav"), sound(tmp_path / "seed0000.wav")
    recipe = json.loads((tmp_path / "seed0000.json").read_text())
    assert np.abs(kept).max() > 1
    assert 20 * np.log10(np.abs(lowered).max()) == pytest.approx(-0.1, abs=1e-3)
    np.testing.assert_allclose(lowered, kept * 10 ** (recipe["gain_db"] / 20), atol=2**-23)
    assert f"by {-recipe['gain_db']:.1f} dB" in told
    assert json.loads((tmp_path / "float/seed0000.json").read_text())["gain_db"] == 0


def test_npy_holds_the_picture_that_the_sound_comes_from(snapshot, tmp_path):
    from spect.cmyk import Cmyk, from_file_layout

    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "0", "--npy", "--subtype", "FLOAT")
    picture = np.load(tmp_path / "seed0000.npy", allow_pickle=False)
    assert (picture.shape, picture.dtype) == ((ROWS, FRAMES, 4), np.float32)
    import torch

    again = Cmyk(RATE, ROWS, FRAMES).decode(torch.from_numpy(np.ascontiguousarray(from_file_layout(picture)))).numpy()
    np.testing.assert_allclose(again, sound(tmp_path / "seed0000.wav"), atol=1e-6)


def test_classes_are_chosen_by_name_and_index(drums, tmp_path):
    call("--network", drums, "--outdir", tmp_path / "name", "--seeds", "0", "--class", "snare")
    call("--network", drums, "--outdir", tmp_path / "index", "--seeds", "0", "--class", "1")
    call("--network", drums, "--outdir", tmp_path / "kick", "--seeds", "0", "--class", "kick")
    snare = (tmp_path / "name/seed0000_c1.wav").read_bytes()
    assert snare == (tmp_path / "index/seed0000_c1.wav").read_bytes()
    assert np.abs(sound(tmp_path / "kick/seed0000_c0.wav") - sound(tmp_path / "name/seed0000_c1.wav")).max() > 1e-3
    assert json.loads((tmp_path / "name/seed0000_c1.json").read_text())["class"] == {"index": 1, "name": "snare"}


def test_what_is_refused_leaves_no_folder(snapshot, drums, tmp_path):
    bad = tmp_path / "network-snapshot-000001.safetensors"
    bad.write_bytes(b"no")
    out = tmp_path / "new" / "out"
    for options in (
        ("--network", drums, "--seeds", "0"),
        ("--network", drums, "--seeds", "0", "--class", "tom"),
        ("--network", drums, bad, "--seeds", "0", "--class", "tom"),
        ("--network", snapshot, "--style-rows=0", "--style-cols=1", "--style-layers=0-99"),
    ):
        call(*options, "--outdir", out, code=2)
        assert list(tmp_path.iterdir()) == [bad]


def test_a_snapshot_that_is_refused_has_no_folder_beside_the_others(snapshot, drums, tmp_path):
    told = call("--network", snapshot, drums, "--outdir", tmp_path, "--seeds=0", "--class=kick")
    assert "without classes" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network-snapshot-000002", "table_c0.png"]


def test_class_needed_and_class_not_known_are_said(snapshot, drums, tmp_path):
    assert "kick, snare" in call("--network", drums, "--outdir", tmp_path, "--seeds", "0", code=2)
    assert "kick, snare" in call("--network", drums, "--outdir", tmp_path, "--seeds", "0", "--class", "tom", code=2)
    assert "without classes" in call(
        "--network", snapshot, "--outdir", tmp_path, "--seeds", "0", "--class", "a", code=2
    )


def test_a_pkl_name_a_run_directory_and_a_pattern_find_the_snapshot(snapshot, tmp_path):
    for number, name in enumerate((snapshot.with_suffix(".pkl"), snapshot.parent, snapshot.parent / "network-*.pkl")):
        call("--network", name, "--outdir", tmp_path / str(number), "--seeds", "0")
    files = [(tmp_path / str(number) / "seed0000.wav").read_bytes() for number in range(3)]
    assert files[0] == files[1] == files[2]


def test_a_run_directory_gives_its_newest_snapshot(tmp_path):
    for kimg in (2, 10):
        save_snapshot(tmp_path / f"network-snapshot-{kimg:06d}.safetensors", seed=kimg, images=kimg * 1000)
    call("--network", tmp_path, "--outdir", tmp_path / "out", "--seeds", "0")
    assert json.loads((tmp_path / "out/seed0000.json").read_text())["network"]["kimg"] == 10


def test_several_snapshots_get_folders_and_one_table(tmp_path):
    for kimg in (2, 4):
        save_snapshot(tmp_path / f"run/network-snapshot-{kimg:06d}.safetensors", seed=kimg, images=kimg * 1000)
    (tmp_path / "run/training-state-000004.safetensors").write_bytes(b"")
    out = tmp_path / "out"
    told = call("--network", tmp_path / "run" / "*.safetensors", "--outdir", out, "--seeds", "0-2")
    assert sorted(p.name for p in out.iterdir()) == ["network-snapshot-000002", "network-snapshot-000004", "table.png"]
    assert len(list(out.glob("*/*.wav"))) == 6
    height, width, _ = picture(out / "table.png").shape
    assert (height > 2 * 128, width > 3 * 256) == (True, True)
    assert "6 sounds" in told
    assert "table.png" in told


def test_a_pattern_that_the_shell_spelled_out_works_too(snapshot, tmp_path):
    other = save_snapshot(tmp_path / "network-snapshot-000003.safetensors", seed=3)
    call("--network", snapshot, other, "--outdir", tmp_path / "out", "--seeds", "0")
    assert len(list((tmp_path / "out").glob("*/seed0000.wav"))) == 2


def test_one_bad_snapshot_is_named_and_the_rest_is_kept(snapshot, tmp_path):
    bad = tmp_path / "network-snapshot-000012.safetensors"
    bad.write_bytes(snapshot.read_bytes()[:-50])
    told = call("--network", bad, "--network", snapshot, "--outdir", tmp_path / "out", "--seeds", "0")
    assert "left out" in told
    assert bad.name in told
    assert len(list((tmp_path / "out").glob("*/seed0000.wav"))) == 1


def test_two_bad_snapshots_leave_nothing(snapshot, tmp_path):
    bad = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in bad:
        path.write_bytes(b"no")
    error = call("--network", bad[0], "--network", bad[1], "--outdir", tmp_path / "out", "--seeds", "0", code=2)
    assert "none of 2" in error
    assert not (tmp_path / "out").exists()


def test_a_network_of_nan_is_refused_and_writes_no_sound(tmp_path):
    path = save_snapshot(tmp_path / "n.safetensors")
    tensors, header = tensorfile.load(path)
    tensorfile.save(path, {name: tensor * float("nan") for name, tensor in tensors.items()}, header)
    assert "NaN" in call("--network", path, "--outdir", tmp_path / "out", "--seeds", "0-1", code=2)
    assert [one.name for one in tmp_path.iterdir()] == ["n.safetensors"]


def rewritten(snapshot: Path, path: Path, **changes: object) -> Path:
    tensors, header = tensorfile.load(snapshot)
    tensorfile.save(path, tensors, {**header, **changes})
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"format_version": 9}, "newer"),
        ({"kind": "state"}, "training state"),
        ({"kind": "picture"}, "picture"),
        ({"view": None}, "not sounds"),
        ({"view": {"name": "x"}}, "damaged"),
        ({"generator": {**spec_of().to_dict(), "channel_max": 4}}, "header tells"),
        ({"generator": {**spec_of().to_dict(), "shape": [4, 16, 16]}}, "damaged"),
    ],
)
def test_another_kind_of_snapshot_is_refused_in_one_line(snapshot, tmp_path, changes, words):
    path = rewritten(snapshot, tmp_path / "x.safetensors", **changes)
    assert words in call("--network", path, "--outdir", tmp_path / "out", "--seeds", "0", code=2)


def test_files_that_are_no_snapshots_are_refused_in_one_line(snapshot, tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(snapshot.read_bytes()[:1000])
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "real.pkl").write_bytes(b"\x80\x04.")
    for stem in ("other", "cut", "text", "empty", "none", "none*", "real.pkl", "none.pkl"):
        name = stem if stem.endswith(".pkl") else f"{stem}.safetensors"
        assert name in call("--network", tmp_path / name, "--outdir", tmp_path / "out", "--seeds", "0", code=2)


def test_a_training_state_points_at_the_network_beside_it(snapshot, tmp_path):
    shutil.copy(snapshot, tmp_path / "network-snapshot-000010.safetensors")
    shutil.copy(snapshot, tmp_path / "training-state-000010.safetensors")
    error = call(
        "--network", tmp_path / "training-state-000010.safetensors", "--outdir", tmp_path, "--seeds", "0", code=2
    )
    assert "training state" in error
    assert "network-snapshot-000010.safetensors" in error


def test_malformed_seeds_are_refused_before_any_work(snapshot, tmp_path):
    assert "--seeds" in call("--network", snapshot, "--outdir", tmp_path / "out", "--seeds", "1-", code=2)
    assert "--seeds" in call("--network", snapshot, "--outdir", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()


def test_an_outdir_that_is_a_file_is_refused(snapshot, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "--outdir" in call("--network", snapshot, "--outdir", tmp_path / "file", "--seeds", "0", code=2)


def test_a_full_disk_ends_in_one_line_and_keeps_what_is_whole(snapshot, tmp_path, monkeypatch):
    from patches.generate import files

    write = files.write_wav

    def full(path: Path, *arguments: object, **options: object) -> None:
        if path.name == "seed0002.wav":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, *arguments, **options)

    monkeypatch.setattr(files, "write_wav", full)
    assert "disk is full" in call("--network", snapshot, "--outdir", tmp_path, "--seeds", "0-4", code=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"seed000{s}.{e}" for s in (0, 1) for e in ("json", "png", "wav")
    ]


def test_silence_is_told(tmp_path):
    path = save_snapshot(tmp_path / "n.safetensors")
    tensors, header = tensorfile.load(path)
    tensorfile.save(path, {name: tensor * 0 for name, tensor in tensors.items()}, header)
    told = call("--network", path, "--outdir", tmp_path / "out", "--seeds", "0")
    assert "silent: seed0000" in told


def test_trimmed_sounds_end_where_they_fade(snapshot, tmp_path):
    call("--network", snapshot, "--outdir", tmp_path, "--seeds", "0", "--trim")
    trimmed = sound(tmp_path / "seed0000.wav")
    assert trimmed.shape[1] <= SAMPLES
    assert np.abs(trimmed[:, -1]).max() > 1e-3 * np.abs(trimmed).max()
    edit = json.loads((tmp_path / "seed0000.json").read_text())["edits"][-1]
    assert edit == {"edit": "trim_tail", "floor_db": -60.0, "samples": trimmed.shape[1]}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_at_once_with_nothing_half_written(snapshot, tmp_path, number, code):
    command = [sys.executable, gen_audio.__file__, "--network", snapshot, "--outdir", tmp_path, "--seeds", "0-99999"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("seed*.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == code
    assert complaint == ("gen_audio.py: interrupted\n" if number == signal.SIGINT else "")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("seed")] == []
    for path in tmp_path.glob("*.wav"):
        assert sound(path).shape == (2, SAMPLES)
    for path in tmp_path.glob("*.json"):
        json.loads(path.read_text())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_libraries_load_ends_it_without_a_word(tmp_path, number, code):
    (tmp_path / "click.py").write_text(f"import os\nos.kill(os.getpid(), {int(number)})\n")  # found before the real one
    ended = subprocess.run(
        [sys.executable, gen_audio.__file__, "--help"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
