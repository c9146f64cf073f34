# SPDX-License-Identifier: Apache-2.0
"""From sounds to an archive: the sounds come back, bytes don't depend on workers, bad files stay out with a reason."""

import errno
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spect import audio
from spect.archive import writer
from spect.archive.reader import Archive
from spect.cmyk import Cmyk
from spect.dataset import build as build_module
from spect.dataset import journal, parts, reading
from spect.dataset.build import Built, build, scan
from spect.dataset.labels import NONE, of_names
from spect.dataset.options import Preparation
from spect.dataset.plan import held_out
from spect.dataset.pool import processes
from spect.dataset.previews import write_previews
from spect.dataset.reading import sixteen_bit
from spect.dataset.scan import Facts, examine
from spect.dataset.sources import Source, find
from spect.dataset.survey import survey
from spect.errors import SoundError
from tests.spect.interrupts import SOME, interrupted

RATE = 8000
SHAPE = Cmyk(sample_rate=RATE, rows=16, frames=32)  # 1024 samples
PLAIN = Preparation(SHAPE)
SLICED = Preparation(SHAPE, slice=True, stride=700)


def store(path: Path, length: int, *, channels: int = 2, rate: int = RATE, level: float = 0.5, offset: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(length)
    data = level * rng.uniform(-1, 1, (length, channels))
    data[:offset] = 0
    soundfile.write(path, data, rate, subtype="PCM_24" if path.suffix == ".flac" else "FLOAT")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for number, length in enumerate((300, 1024, 5000, 12000, 31)):
        store(tmp_path / "sounds" / "ab"[number % 2] / f"{number}.wav", length, channels=1 + number % 2)
    store(tmp_path / "sounds" / "other" / "fast.flac", 3000, rate=11025)
    return tmp_path / "sounds"


def made(folder: Path, dest: Path, preparation: Preparation = PLAIN, workers: int = 1, holdout: float = 0.0) -> Built:
    listing = find(folder)
    with processes(workers) as executor:
        facts = list(scan(listing.source, listing.names, executor, workers, downmix=False, trim=preparation.trim_start))
        good = survey(facts, (), preparation).good
        options = {"holdout": holdout, "executor": executor, "workers": workers}
        return build(listing.source, good, NONE, preparation, dest, **options)  # type: ignore[arg-type]


def decoded(archive: Archive, index: int) -> np.ndarray:
    sound: np.ndarray = archive.representation.decode(torch.from_numpy(archive.canvases([index])))[0].numpy()
    return sound


def source_sound(folder: Path, name: str) -> np.ndarray:
    data = soundfile.read(folder / name, dtype="float32", always_2d=True)[0].T
    return np.repeat(data, 2, axis=0) if len(data) == 1 else data


@pytest.mark.parametrize("preparation", [PLAIN, SLICED])
def test_every_sound_comes_back_from_where_its_record_says(
    sounds: Path, tmp_path: Path, preparation: Preparation
) -> None:
    made(sounds, tmp_path / "a.zip", preparation)
    archive = Archive.open(tmp_path / "a.zip")
    archive.verify()
    assert len(archive) == (6 if preparation is PLAIN else 30)
    for index in range(len(archive)):
        record = archive.item(index)
        if record["sample_rate"] != RATE:
            continue
        original = source_sound(sounds, record["source"])
        start, length = record["start_samples"], record["samples"]
        assert length == min(1024, original.shape[1] - start)
        error = decoded(archive, index)[:, :length] - original[:, start : start + length]
        assert 20 * np.log10(np.abs(error).max()) < -120  # dBFS
        assert not np.abs(decoded(archive, index)[:, length:]).max(initial=0) > 1e-6


@pytest.mark.parametrize("preparation", [PLAIN, SLICED])
def test_the_bytes_do_not_depend_on_the_number_of_workers(
    sounds: Path, tmp_path: Path, preparation: Preparation
) -> None:
    one, two = (made(sounds, tmp_path / f"{n}.zip", preparation, workers=n, holdout=0.3) for n in (1, 2))
    assert one.digest == two.digest
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_zip_of_the_folder_makes_the_same_archive(sounds: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "packed"), "zip", sounds)
    assert made(sounds, tmp_path / "a.zip").digest == made(tmp_path / "packed.zip", tmp_path / "b.zip").digest


def test_whole_files_are_held_out_and_statistics_are_of_the_rest(sounds: Path, tmp_path: Path) -> None:
    built = made(sounds, tmp_path / "a.zip", SLICED, holdout=0.4)
    archive = Archive.open(tmp_path / "a.zip")
    names = {name: held_out(name, 0.4) for name in find(sounds).names}
    assert 0 < built.holdout < built.items
    for index in range(len(archive)):
        assert (index in archive.holdout) == names[archive.item(index)["source"]]
    for name, held in names.items():
        if held:
            (sounds / name).unlink()
    made(sounds, tmp_path / "train.zip", SLICED)
    assert Archive.open(tmp_path / "train.zip").statistics == archive.statistics


def test_preparation_is_done_and_recorded(tmp_path: Path) -> None:
    store(tmp_path / "s" / "late.wav", 900, level=0.2, offset=100)
    preparation = Preparation(SHAPE, trim_start=True, peak_db=-6.0, fade_out_ms=25.0)
    made(tmp_path / "s", tmp_path / "a.zip", preparation)
    archive = Archive.open(tmp_path / "a.zip")
    record, sound = archive.item(0), decoded(archive, 0)
    original = source_sound(tmp_path / "s", "late.wav")[:, 100:]
    assert (record["start_samples"], record["samples"], record["trimmed_samples"]) == (100, 800, 100)
    assert record["fade_out_samples"] == 200
    assert np.abs(sound).max() == pytest.approx(10 ** (-6 / 20), rel=1e-4)
    gain = 10 ** (record["gain_db"] / 20)
    assert np.abs(sound[:, :600] - gain * original[:, :600]).max() < 1e-4
    assert np.abs(sound[:, 798:]).max() < 1e-3 < np.abs(sound[:, 600:650]).max()
    assert archive.summary["preparation"] == preparation.to_dict()


def test_slices_of_a_file_keep_their_levels_among_each_other(tmp_path: Path) -> None:
    store(tmp_path / "s" / "x.wav", 3072, level=0.1)
    made(tmp_path / "s", tmp_path / "a.zip", replace(SLICED, stride=1024, peak_db=0.0))
    archive = Archive.open(tmp_path / "a.zip")
    assert len({archive.item(index)["gain_db"] for index in range(3)}) == 1
    assert max(np.abs(decoded(archive, index)).max() for index in range(3)) == pytest.approx(1, rel=1e-4)


def test_a_canvas_of_the_quiet_start_of_a_file_is_not_raised_to_full_scale(tmp_path: Path) -> None:
    data = np.concatenate([1e-5 * tone(1024), tone(1024)])
    (tmp_path / "s").mkdir()
    soundfile.write(tmp_path / "s" / "late.wav", data, RATE, subtype="FLOAT")
    made(tmp_path / "s", tmp_path / "a.zip", replace(PLAIN, peak_db=0.0))
    archive = Archive.open(tmp_path / "a.zip")
    assert archive.item(0)["gain_db"] == pytest.approx(6.02, abs=0.01)
    assert np.abs(decoded(archive, 0)).max() == pytest.approx(1e-5, rel=0.01)


@pytest.mark.parametrize(("hertz", "gain_db"), [(1500, 6.0), (10000, 6.0)])
def test_a_whole_file_has_its_peak_after_resampling_unless_nothing_is_left(
    tmp_path: Path, hertz: float, gain_db: float
) -> None:
    sound = 0.5 * np.sin(2 * np.pi * hertz / 32000 * np.arange(3000)) * np.hanning(3000)
    (tmp_path / "s").mkdir()
    soundfile.write(tmp_path / "s" / "x.wav", sound, 32000, subtype="FLOAT")  # 10 kHz is beyond 8 kHz's reach
    made(tmp_path / "s", tmp_path / "a.zip", replace(PLAIN, peak_db=0.0))
    archive = Archive.open(tmp_path / "a.zip")
    peak = np.abs(decoded(archive, 0)).max()
    assert archive.item(0)["gain_db"] == pytest.approx(gain_db, abs=0.3)
    assert peak == pytest.approx(1, rel=1e-4) if hertz < 4000 else peak < 1e-3


def test_dropped_dc_is_what_summary_pictures_and_statistics_say(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    soundfile.write(tmp_path / "s" / "x.wav", tone(1024) + 0.25, RATE, subtype="FLOAT")
    digests = [made(tmp_path / "s", tmp_path / f"{dc}.zip", Preparation(replace(SHAPE, dc=dc))).digest
               for dc in ("packed", "dropped")]  # fmt: skip
    archives = [Archive.open(tmp_path / f"{dc}.zip") for dc in ("packed", "dropped")]
    assert digests[0] != digests[1]
    assert [archive.representation.dc for archive in archives] == ["packed", "dropped"]
    assert [archive.statistics["dc_maximum_p99"] > 1 for archive in archives] == [True, False]
    means = [decoded(archive, 0).reshape(2, 32, 32).mean(axis=-1) for archive in archives]
    assert np.abs(means[0] - 0.25).mean() < 0.1
    assert np.abs(means[1]).max() < 1e-6


def test_a_build_of_held_out_files_alone_is_refused(sounds: Path, tmp_path: Path) -> None:
    for name in find(sounds).names:
        if not held_out(name, 0.5):
            (sounds / name).unlink()
    with pytest.raises(SoundError, match=r"--holdout=0\.5: takes"):
        made(sounds, tmp_path / "a.zip", holdout=0.5)
    assert not list(tmp_path.glob("*.zip"))


def test_a_long_sound_in_a_zip_is_unpacked_once_for_the_scan_and_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path / "s" / "a.wav", 40 * 1024)
    store(tmp_path / "s" / "b.wav", 30 * 1024)
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "s")
    unpacked, read = [], zipfile.ZipFile.read
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda self, name: unpacked.append(name) or read(self, name))
    built = made(tmp_path / "packed.zip", tmp_path / "a.zip", replace(SLICED, stride=1024))
    assert (built.items, unpacked) == (70, ["a.wav", "b.wav"] * 2)


def test_a_mono_sound_has_no_side(tmp_path: Path) -> None:
    store(tmp_path / "s" / "mono.wav", 1024, channels=1)
    made(tmp_path / "s", tmp_path / "a.zip")
    assert not Archive.open(tmp_path / "a.zip").canvases([0])[:, 2:].any()


def test_classes_stand_in_labels_and_summary(sounds: Path, tmp_path: Path) -> None:
    listing = find(sounds)
    labels = of_names({name: name.split("/")[0] for name in listing.names if not name.startswith("other")})
    facts = [examine(listing.source, name) for name in listing.names]
    build(listing.source, facts, labels, PLAIN, tmp_path / "a.zip")
    archive = Archive.open(tmp_path / "a.zip")
    assert archive.classes == ("a", "b")
    assert archive.labels.tolist() == [0, 0, 0, 1, 1, -1]
    assert archive.summary["class_items"] == [3, 2]


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # Python drops those of a generator's end
def test_ctrl_c_at_any_line_of_a_build_that_begins_again_leaves_what_can_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # hundreds of builds
    for name in ("kept", "later"):
        store(tmp_path / "s" / f"{name}.wav", 100, channels=1)
    listing = find(tmp_path / "s")
    facts = [examine(listing.source, name) for name in listing.names]
    store(tmp_path / "s" / "later.wav", 77, channels=1)
    dest = tmp_path / "z"
    whole = build(listing.source, facts, NONE, PLAIN, dest).digest
    dest.unlink()
    places, kept = [], 0
    for place in interrupted(
        (build_module, journal, parts, writer), lambda: build(listing.source, facts, NONE, PLAIN, dest)
    ):
        if dest.exists():
            Archive.open(dest).verify()
            dest.unlink()
        assert {path.name for path in tmp_path.iterdir()} <= {"s", "z.parts"}, place
        places.append(place)
        if len(places) % 3:
            shutil.rmtree(tmp_path / "z.parts", ignore_errors=True)
            continue
        again = build(listing.source, facts, NONE, PLAIN, dest, resume=True)
        assert again.digest == whole, place
        assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "z"], place
        dest.unlink()
        kept += again.kept
    assert len(places) > SOME
    assert kept > 0


def test_a_file_that_changed_since_the_scan_is_left_out_and_named(sounds: Path, tmp_path: Path) -> None:
    listing, done = find(sounds), []
    facts = [examine(listing.source, name) for name in listing.names]
    (sounds / "a" / "2.wav").unlink()
    store(sounds / "b" / "1.wav", 77)
    built = build(listing.source, facts, NONE, PLAIN, tmp_path / "a.zip", progress=done.append)
    assert [name for name, _ in built.failed] == ["a/2.wav", "b/1.wav"]
    assert all(reason.startswith("changed since the scan") for _, reason in built.failed)
    assert built.items == len(Archive.open(tmp_path / "a.zip")) == sum(done) == 4
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["a.zip"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_build_that_ends_early_leaves_the_old_archive_alone(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = made(sounds, tmp_path / "a.zip").digest

    def stop(job: object, piece: object) -> None:
        raise error

    monkeypatch.setattr(build_module, "make", stop)
    with pytest.raises(type(error)):
        made(sounds, tmp_path / "a.zip", SLICED)
    assert Archive.open(tmp_path / "a.zip").digest == before
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["a.zip"]


def test_records_are_sorted_json_with_relative_names_alone(sounds: Path, tmp_path: Path) -> None:
    made(sounds, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        text = archive.read("items.jsonl").decode() + archive.read("dataset.json").decode()
        records = [json.loads(line) for line in archive.read("items.jsonl").splitlines()]
    assert str(tmp_path) not in text
    assert [record["source"] for record in records] == sorted(record["source"] for record in records)
    assert list(records[0]) == sorted(records[0])


def test_a_preview_of_each_canvas_is_named_by_number_and_source(sounds: Path, tmp_path: Path) -> None:
    made(sounds, tmp_path / "a.zip")
    paths = list(write_previews(tmp_path / "a.zip", tmp_path / "png", None, 1))
    assert [path.name for path in paths][-1] == "00000005_fast.png"
    assert len(list((tmp_path / "png").iterdir())) == 6


# scan


def facts_of(path: Path) -> Facts:
    return examine(Source(path.parent, "folder"), path.name)


def tone(length: int = 2000, level: float = 0.5) -> np.ndarray:
    return level * np.sin(np.arange(length) / 5.0)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_scan_tells_length_peak_silence_and_clipping(tmp_path: Path, subtype: str) -> None:
    cases = {"plain": tone(), "clipped": np.clip(tone(level=3.0), -1, 1), "touching": tone(), "silent": 0 * tone()}
    cases["touching"][[100, 101, 500]] = 1.0  # two on end are no clipping
    for name, data in cases.items():
        soundfile.write(tmp_path / f"{name}.wav", data, RATE, subtype=subtype)
    found = {name: facts_of(tmp_path / f"{name}.wav") for name in cases}
    assert [name for name, facts in found.items() if facts.clipped] == ["clipped"]
    assert [name for name, facts in found.items() if facts.silent] == ["silent"]
    assert found["plain"].peak == pytest.approx(0.5, abs=1e-3)
    assert {(facts.frames, facts.rate, facts.channels) for facts in found.values()} == {(2000, RATE, 1)}


def test_a_long_file_is_examined_in_blocks_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.concatenate([np.zeros(1500), tone(3000), np.ones(5)])
    soundfile.write(tmp_path / "x.wav", data, RATE, subtype="FLOAT")
    source = Source(tmp_path, "folder")
    whole = examine(source, "x.wav", trim=True)
    monkeypatch.setattr("spect.dataset.scan.BLOCK", 700)
    assert examine(source, "x.wav", trim=True) == whole
    assert (whole.onset, whole.frames, whole.clipped) == (1501, 4505, True)


def _bad(folder: Path, what: str) -> Path:
    path = folder / "x.wav"
    data = np.stack([tone(), tone()], 1)
    if what == "six":
        data = np.tile(data, (1, 3))
    if what == "nan":
        data[77] = np.nan
    soundfile.write(path, data[: 0 if what == "none" else None], RATE, subtype="FLOAT")
    content = path.read_bytes()
    path.write_bytes({"text": b"hello", "empty": b"", "cut": content[:3000]}.get(what, content))
    return path


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("six", "6 channels"),
        ("nan", "NaN or Inf"),
        ("none", "zero length"),
        ("text", "not a sound"),
        ("empty", "zero length"),
        ("cut", "truncated"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_bad_file_comes_back_with_its_reason_and_no_place(tmp_path: Path, what: str, said: str, kind: str) -> None:
    path, source = _bad(tmp_path, what), Source(tmp_path, "folder")
    if kind == "zip":
        source = Source(tmp_path / "x.zip", "zip")
        with zipfile.ZipFile(source.path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "x.wav")
    reason = examine(source, "x.wav").reason
    assert reason is not None
    assert said in reason
    assert str(tmp_path) not in reason
    assert "\n" not in reason


def test_six_channels_go_in_when_mixed_down(tmp_path: Path) -> None:
    _bad(tmp_path, "six")
    assert examine(Source(tmp_path, "folder"), "x.wav", downmix=True).reason is None
    assert examine(Source(tmp_path, "folder"), "x.wav", downmix=True).channels == 6


@pytest.mark.parametrize(
    ("peak", "said"),
    [
        (32767.0, r"^peak 32767, \+90 dBFS: looks like 16-bit integers saved as float; divide them by 32768$"),
        (8e6, "looks like 24-bit integers .* by 8388608"),
        (2.0**31, "looks like 32-bit integers .* by 2147483648"),
        (1e20, r"\+400 dBFS: no sound .* write it again, between -1 and 1"),
    ],
)
@pytest.mark.parametrize("trim", [False, True])
def test_absurd_levels_are_refused_with_what_they_look_like(tmp_path: Path, peak: float, said: str, trim: bool) -> None:
    data = tone()
    data[100] = -1
    soundfile.write(tmp_path / "x.wav", peak * data, RATE, subtype="FLOAT")
    reason = examine(Source(tmp_path, "folder"), "x.wav", trim=trim).reason
    assert reason is not None
    assert re.search(said, reason)


def test_one_absurd_file_stops_no_build_not_even_when_it_comes_after_the_scan(sounds: Path, tmp_path: Path) -> None:
    soundfile.write(sounds / "a" / "ints.wav", np.full(1024, 20000.0), RATE, subtype="FLOAT")
    assert made(sounds, tmp_path / "a.zip").items == 6
    listing = find(sounds)
    facts = [one for name in listing.names if (one := examine(listing.source, name)).reason is None]
    soundfile.write(sounds / "a" / "0.wav", np.full((300, 1), 1e30), RATE, subtype="FLOAT")
    built = build(listing.source, facts, NONE, PLAIN, tmp_path / "a.zip")
    assert [(name, "+600 dBFS" in reason) for name, reason in built.failed] == [("a/0.wav", True)]
    assert np.isfinite(Archive.open(tmp_path / "a.zip").statistics["row_rms"]).all()


def test_a_float_file_a_little_over_full_scale_goes_in_as_it_is(tmp_path: Path) -> None:
    store(tmp_path / "s" / "hot.wav", 1024, level=900.0)
    made(tmp_path / "s", tmp_path / "a.zip")
    error = decoded(Archive.open(tmp_path / "a.zip"), 0) - source_sound(tmp_path / "s", "hot.wav")
    assert np.abs(error).max() < 1e-6 * 900 * 8


@pytest.mark.parametrize(
    ("form", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16"), ("WAV", "PCM_24")]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_quick_way_into_a_sound_gives_the_same_values(
    tmp_path: Path, form: str, subtype: str, channels: int
) -> None:
    data = np.random.default_rng(0).uniform(-1, 1, (3000, channels))
    soundfile.write(tmp_path / "x", data, RATE, subtype=subtype, format=form)
    assert (sixteen_bit(tmp_path / "x", 0, 3000) is not None) == (subtype == "PCM_16")
    for start, frames in ((0, 3000), (1234, 500)):
        expected, _ = audio.read(tmp_path / "x", start=start, frames=frames)
        for opened in (tmp_path / "x", io.BytesIO((tmp_path / "x").read_bytes())):
            sound, rate = reading.read(opened, start, frames, downmix=False)
            assert rate == RATE
            assert np.array_equal(sound, expected)
    assert sixteen_bit(tmp_path / "x", 2000, 1001) is None
    assert sixteen_bit(tmp_path / "none", 0, 1) is None


# sources


def test_folders_are_searched_through_links_but_not_in_circles(tmp_path: Path) -> None:
    for name in ("b/x.WAV", "a/y.flac", "z.aif", ".hidden.wav", "._x.wav", "__MACOSX/x.wav", "notes.txt", "c/old.m4a"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "linked.ogg").touch()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "b" / "circle").symlink_to(tmp_path / "root")
    listing = find(tmp_path / "root")
    assert listing.names == ("a/y.flac", "b/x.WAV", "link/linked.ogg", "z.aif")
    assert (listing.unreadable, listing.others) == (("c/old.m4a",), {".txt": 1})


def test_a_name_that_is_not_utf8_goes_in(tmp_path: Path) -> None:
    store(tmp_path / "s" / "x.wav", 500)
    try:
        os.rename(tmp_path / "s" / "x.wav", os.fsencode(tmp_path / "s") + b"/caf\xe9.wav")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    made(tmp_path / "s", tmp_path / "a.zip")
    assert Archive.open(tmp_path / "a.zip").item(0)["source"] == "caf\udce9.wav"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "doesn't exist"),
        (lambda path: path.mkdir(), "holds nothing and no sound"),
        (lambda path: path.write_text("x"), "is not a sound"),
    ],
)
def test_a_source_without_sounds_is_refused(tmp_path: Path, make: object, said: str) -> None:
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(SoundError, match=f"--source: .*{said}"):
        find(tmp_path / "x")


def names_of(facts: Sequence[Facts]) -> list[str]:
    return [one.name for one in facts]


def test_silent_files_go_in_unless_their_peak_or_start_is_asked_for() -> None:
    facts = [Facts("a.wav", None, RATE, 1, 5000, 0.5), Facts("quiet.wav", None, RATE, 1, 5000, 0.0)]
    assert names_of(survey(facts, (), PLAIN).good) == ["a.wav", "quiet.wav"]
    for preparation in (replace(PLAIN, peak_db=-1.0), replace(PLAIN, trim_start=True)):
        found = survey(facts, (), preparation)
        assert names_of(found.good) == ["a.wav"]
        assert found.bad[0][0] == "quiet.wav"
