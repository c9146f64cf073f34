# SPDX-License-Identifier: Apache-2.0
"""Label sets: where they come from, what kind they are, and how an archive keeps them."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spect.archive.reader import Archive
from spect.archive.sets import spread
from spect.cmyk import Cmyk
from spect.dataset.build import build, scan
from spect.dataset.labels import Asked, Labels, find_labels, label
from spect.dataset.labels_set import ClassSet, ValueSet
from spect.dataset.options import Preparation
from spect.dataset.pool import processes
from spect.dataset.sources import Source, find
from spect.errors import SoundError
from tests.spect.test_pitch import with_smpl

NSYNTH = ["bass_electronic_000-036-075.wav", "bass_synthetic_033-022-050.wav", "synth_lead_acoustic_011-060-127.wav"]
NOTES = ["keys/piano_C#3.wav", "kick_064.wav", "grand piano Bb2.wav", "loop.wav"]
NOWHERE = Source(Path("nowhere"), "folder")


def numbers_of(found: ValueSet) -> dict[str, tuple[float, ...]]:
    return {file: tuple(found.numbers[row].tolist()) for file, row in found.rows.items()}


def values_of(found: Labels) -> dict[str, object]:
    """Labels by set and file, classes by name."""
    told: dict[str, object] = {}
    for one in found.sets:
        if isinstance(one, ClassSet):
            told[one.name] = {file: one.classes[number] for file, number in one.numbers.items()}
        else:
            told[one.name] = numbers_of(one)
    return told


def by_pattern(pattern: str, names: list[str], sets: tuple[str, ...] | None = None) -> dict[str, object]:
    return values_of(find_labels(Asked(pattern=pattern, sets=sets), NOWHERE, names))


# names


def test_the_names_of_nsynth_are_four_sets():
    found = by_pattern("nsynth", NSYNTH)
    assert list(found) == ["instrument", "source", "pitch", "velocity"]
    assert list(found["instrument"].values()) == ["bass", "bass", "synth_lead"]
    assert list(found["source"].values()) == ["electronic", "synthetic", "acoustic"]
    assert list(found["pitch"].values()) == ["36", "22", "60"]  # MIDI numbers without leading zeros


def test_notes_in_names_become_midi_numbers_whatever_their_spelling():
    found = by_pattern("note", NOTES)
    assert found["pitch"] == {NOTES[0]: "49", NOTES[1]: "64", NOTES[2]: "46"}  # the loop has none
    assert found["instrument"] == {NOTES[0]: "piano", NOTES[1]: "kick", NOTES[2]: "grand piano"}


def test_a_pattern_of_ones_own_may_leave_groups_out_and_use_folders():
    found = by_pattern(r"^(?P<kit>\w+)/\w+?(?:-v(?P<hit>\d+))?$", ["a/kick-v2.wav", "b/kick.wav"])
    assert found == {"kit": {"a/kick-v2.wav": "a", "b/kick.wav": "b"}, "hit": {"a/kick-v2.wav": "2"}}


def test_sets_are_taken_in_the_order_asked_for():
    labels = find_labels(Asked(pattern="nsynth", sets=("source", "pitch")), NOWHERE, NSYNTH)
    assert [one.name for one in labels.sets] == ["source", "pitch"]
    assert labels.classes == ("acoustic", "electronic", "synthetic")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(pattern="("), "not a regular expression"),
        (Asked(pattern="[a-z]+"), "has no named group"),
        (Asked(pattern="(?P<x>zzz)"), "none of the 4 files matches, the first is 'keys/piano_C#3.wav'"),
        (Asked(pattern="note", sets=("tempo",)), "--label-sets: no set tempo; there are instrument, pitch"),
        (Asked(sets=("tempo",)), "there are none: add --labels"),
        (Asked(labels=("folders",), pattern="(?P<class>.)"), "two label sets called 'class'"),
    ],
)
def test_mistakes_are_named_in_one_line(asked, said):
    with pytest.raises(SoundError) as error:
        find_labels(asked, NOWHERE, NOTES)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


# chunks


def test_pitches_of_smpl_chunks_are_notes_and_with_fractions_numbers(tmp_path):
    for number in range(3):
        with_smpl(tmp_path / f"{number}.wav", 60 + number)
    soundfile.write(tmp_path / "bare.wav", np.zeros(99), 8000)
    listing = find(tmp_path)
    assert values_of(label("smpl", listing.source, listing.names)) == {
        "pitch": {"0.wav": "60", "1.wav": "61", "2.wav": "62"}
    }
    with_smpl(tmp_path / "0.wav", 60, 0x40000000)
    assert values_of(label("smpl", listing.source, listing.names)) == {
        "pitch": {"0.wav": (60.25,), "1.wav": (61.0,), "2.wav": (62.0,)}
    }
    with pytest.raises(SoundError, match="none of the 1 files carries a pitch"):
        label("smpl", listing.source, ["bare.wav"])


# tables


def table(tmp_path: Path, text: str, sets: tuple[str, ...] | None = None) -> dict[str, object]:
    path = tmp_path / ("t.json" if text[0] in "[{" else "t.csv")
    path.write_text(text, encoding="utf-8")
    return values_of(find_labels(Asked((str(path),), sets=sets), NOWHERE, ["a.wav", "b.wav", "c.wav"]))


MIXED = "file,instrument,pitch,brightness,velocity\na.wav,bass,C2,0.25,7\nb.wav,lead,,nan,127\nc.wav,,D#2,-1e2,100\n"


def test_columns_of_a_csv_are_sets_with_a_decimal_point_numbers(tmp_path):
    assert table(tmp_path, MIXED) == {
        "instrument": {"a.wav": "bass", "b.wav": "lead"},
        "pitch": {"a.wav": "36", "c.wav": "39"},
        "brightness": {"a.wav": (0.25,), "c.wav": (-100.0,)},
        "velocity": {"a.wav": "7", "b.wav": "127", "c.wav": "100"},
    }


def test_whole_numbers_stay_classes_where_some_are_nan(tmp_path):
    found = table(tmp_path, "file,take,loud\na.wav,7,0.5\nb.wav,nan,nan\nc.wav,11,2\n")
    assert found["take"] == {"a.wav": "7", "c.wav": "11"}
    assert found["loud"] == {"a.wav": (0.5,), "c.wav": (2.0,)}


def test_a_column_called_class_is_all_that_is_taken_unless_others_are_asked_for(tmp_path):
    text = "file,licence,class,level\na.wav,CC0,x,0.5\nb.wav,CC0,1.5,0.75\n"
    assert table(tmp_path, text) == {"class": {"a.wav": "x", "b.wav": "1.5"}}
    assert list(table(tmp_path, text, ("level", "class"))) == ["level", "class"]
    assert table(tmp_path, text.replace("x", "2"))["class"] == {"a.wav": "2", "b.wav": "1.5"}  # classes all the same


def test_json_holds_names_numbers_and_lists_by_set(tmp_path):
    text = json.dumps({"a.wav": {"kind": "x", "level": 0.5, "mood": [1, 2]}, "b.wav": {"mood": [3, None]}})
    found = table(tmp_path, text)
    assert (found["kind"], found["level"]) == ({"a.wav": "x"}, {"a.wav": (0.5,)})
    assert np.array_equal(found["mood"]["b.wav"], (3, np.nan), equal_nan=True)
    assert table(tmp_path, '{"a.wav": [1, 2]}') == {"vector": {"a.wav": (1.0, 2.0)}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,a:b\na.wav,1\n", "can't be called 'a:b'"),
        ("file,x,x\na.wav,1,2\n", "two columns called 'x'"),
        ("file,x\na.wav,\n", "has no label for a file"),
        ('{"a.wav": [1, 2], "b.wav": [1]}', "vectors of one length"),
        ('{"a.wav": {"x": [1, 2]}, "b.wav": {"x": "y"}}', "of one kind for all files"),
        ('{"a.wav": {"x": {"y": 1}}}', "holds neither"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(SoundError) as error:
        table(tmp_path, text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


# vectors


def vectors(tmp_path: Path, text: str = "deep.npy", names: tuple[str, ...] = ("a.wav", "b.wav")) -> ValueSet:
    place = "=".join([*text.split("=")[:-1], str(tmp_path / text.split("=")[-1])])
    (found,) = find_labels(Asked(vectors=(place,)), NOWHERE, names).sets
    assert isinstance(found, ValueSet)
    return found


def test_an_npy_goes_by_the_names_beside_it(tmp_path):
    np.save(tmp_path / "deep.npy", np.array([[1, 2, 3], [4, 5, np.nan], [7, 8, 9]], np.float32))
    (tmp_path / "deep.json").write_text('["b.wav", "a.wav", "gone.wav"]')
    found = vectors(tmp_path)
    assert (found.name, found.width, numbers_of(found)["b.wav"]) == ("deep", 3, (1, 2, 3))
    assert np.array_equal(numbers_of(found)["a.wav"], (4, 5, np.nan), equal_nan=True)
    (tmp_path / "deep.json").write_text('{"b.wav": 1, "a.wav": 0, "c.wav": 2}')
    assert numbers_of(vectors(tmp_path, "mood=deep.npy"))["a.wav"] == (1, 2, 3)
    (tmp_path / "deep.txt").write_text("c.wav\nb.wav\na.wav\n")
    assert numbers_of(vectors(tmp_path))["a.wav"] == (7, 8, 9)


def test_a_csv_of_numbers_keeps_its_columns_names(tmp_path):
    (tmp_path / "d.csv").write_text("file,flux,zcr\na.wav,1,0.5\nb.wav,,2\n")
    found = vectors(tmp_path, "d.csv")
    assert (found.columns, numbers_of(found)["a.wav"]) == (("flux", "zcr"), (1.0, 0.5))
    assert np.isnan(numbers_of(found)["b.wav"][0])
    (tmp_path / "d.csv").write_text("a.wav,1,0.5\nb.wav,3,2\n")
    assert numbers_of(vectors(tmp_path, "d.csv"))["b.wav"] == (3.0, 2.0)


@pytest.mark.parametrize(
    ("array", "names", "said"),
    [
        (np.zeros((2, 3)), None, "has no names beside it"),
        (np.zeros((2, 3)), '["a.wav"]', "2 rows, and the list beside it 1 names"),
        (np.zeros(3), '["a.wav"]', r"float64 (3,)"),
        (np.array([["x"]]), '["a.wav"]', "numbers [files, width] are needed"),
        (np.zeros((1, 0)), '["a.wav"]', "has 0 numbers a file"),
        (np.zeros((1, 2)), '["z.wav"]', "none of the 1 rows"),
        (np.zeros((1, 2)), "3", "holds neither"),
        (np.zeros((2, 2)), '{"a.wav": 1, "b.wav": 2}', "its rows aren't 0 to 1, each once"),
        (np.zeros((2, 2)), '{"a.wav": 0, "b.wav": "x"}', "holds neither"),
        (np.zeros((1, 2)), "\xe9", "is not UTF-8"),
    ],
)
def test_bad_vectors_are_refused_in_one_line(tmp_path, array, names, said):
    np.save(tmp_path / "deep.npy", array)
    if names:
        (tmp_path / "deep.json").write_bytes(names.encode("latin-1"))
    with pytest.raises(SoundError) as error:
        vectors(tmp_path)
    assert said in str(error.value)
    assert str(error.value).startswith("--vectors")


def test_vectors_that_are_no_file_or_no_numbers_are_refused(tmp_path):
    (tmp_path / "d.csv").write_text("file,flux\na.wav,loud\n")
    for name, said in (("d.csv", "isn't 1 numbers"), ("d.txt", "doesn't exist")):
        with pytest.raises(SoundError, match=said):
            vectors(tmp_path, name)


# the archive


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for number in range(12):
        path = tmp_path / "sounds" / f"{('bass', 'lead')[number % 2]}_{40 + number:03d}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.1 * np.random.default_rng(number).uniform(-1, 1, 300 + 50 * number), 8000)
    (tmp_path / "sounds" / "loop.wav").write_bytes(path.read_bytes())
    rows = [f"bass_{40 + n:03d}.wav,{n / 4},{n}" for n in range(0, 12, 2)]
    (tmp_path / "d.csv").write_text("\n".join(["file,flux,zcr", *rows, "loop.wav,,1000"]))
    return tmp_path / "sounds"


def built(sounds: Path, dest: Path, workers: int = 1, **asked: object) -> Archive:
    listing, plain = find(sounds), Preparation(Cmyk(8000, 16, 8), slice=True, stride=256)
    labels = find_labels(Asked(**asked), listing.source, listing.names)  # type: ignore[arg-type]
    with processes(workers) as executor:
        facts = list(scan(listing.source, listing.names, executor, workers, downmix=False, trim=False))
        build(listing.source, facts, labels, plain, dest, holdout=0.3, executor=executor, workers=workers)
    return Archive.open(dest)


def test_each_item_has_the_labels_of_its_file(sounds, tmp_path):
    archive = built(sounds, tmp_path / "a.zip", pattern="note", vectors=(str(tmp_path / "d.csv"),))
    archive.verify()
    instrument, pitch, deep = archive.label_sets
    assert (instrument.name, instrument.kind, instrument.classes) == ("instrument", "classes", ("bass", "lead"))
    assert (pitch.classes, pitch.width) == (tuple(str(40 + n) for n in range(12)), 1)
    assert (deep.name, deep.kind, deep.width, deep.columns) == ("d", "values", 2, ("flux", "zcr"))
    assert len(archive) > 13  # sliced
    for index in range(len(archive)):
        stem = archive.item(index)["source"].removesuffix(".wav")
        loop, number = stem == "loop", int(stem[-3:]) - 40 if stem != "loop" else 0
        expected = [-1, -1] if loop else [("bass", "lead").index(stem[:4]), number]
        assert [archive.label_values(name)[index] for name in ("instrument", "pitch")] == expected
        numbers = (np.nan, 1000) if loop else (number / 4, number) if number % 2 == 0 else (np.nan, np.nan)
        assert np.array_equal(archive.label_values("d")[index], np.float32(numbers), equal_nan=True)
    assert archive.labels.tolist() == archive.label_values("instrument").tolist()
    assert archive.label_values("d").dtype == np.float32
    assert not archive.label_values("d").flags.writeable


def test_what_is_missing_is_counted_and_the_spread_is_the_train_splits(sounds, tmp_path):
    archive = built(sounds, tmp_path / "a.zip", pattern="note", vectors=(str(tmp_path / "d.csv"),))
    _, _, deep = archive.label_sets
    values = archive.label_values("d")
    assert deep.without == int(np.isnan(values).any(axis=1).sum()) > 0
    flux = values[archive.train, 0].astype(np.float64)
    flux = flux[np.isfinite(flux)]
    assert len(archive.holdout) > 0
    assert len(set(flux)) > 1
    assert deep.spread is not None
    assert deep.spread.mean[0] == pytest.approx(flux.mean(), rel=1e-5)
    assert deep.spread.deviation[0] == pytest.approx(flux.std(), rel=1e-5)
    assert (deep.spread.minimum[0], deep.spread.maximum[0]) == (flux.min(), flux.max())


def test_the_bytes_do_not_depend_on_the_workers(sounds, tmp_path):
    asked = {"pattern": "note", "vectors": (str(tmp_path / "d.csv"),)}
    built(sounds, tmp_path / "one.zip", 1, **asked)
    built(sounds, tmp_path / "two.zip", 2, **asked)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_an_archive_with_classes_alone_stays_as_it_was_and_names_its_one_set(sounds, tmp_path):
    archive = built(sounds, tmp_path / "a.zip", pattern="(?P<class>[a-z]+)_")
    assert "label_sets" not in archive.summary
    (one,) = archive.label_sets
    assert (one.name, one.kind, one.classes) == ("class", "classes", ("bass", "lead"))
    assert one.without == int((archive.labels < 0).sum()) > 0
    assert archive.label_values("class").tolist() == archive.labels.tolist()


def test_an_archive_without_labels_has_no_sets_and_says_so(sounds, tmp_path):
    archive = built(sounds, tmp_path / "a.zip")
    assert archive.label_sets == ()
    with pytest.raises(SoundError, match="no label set 'pitch'; there is none at all"):
        archive.label_values("pitch")


def test_vectors_alone_leave_the_archive_without_classes(sounds, tmp_path):
    archive = built(sounds, tmp_path / "a.zip", vectors=(f"mood={tmp_path / 'd.csv'}",))
    assert archive.classes == ()
    assert set(archive.labels.tolist()) == {-1}
    assert [one.name for one in archive.label_sets] == ["mood"]


def test_a_spread_leaves_out_what_is_not_known_and_keeps_constants_apart():
    found = spread(np.array([[1, 5, np.nan, 1e6], [3, 5, np.nan, 1e6], [np.nan, 5, np.nan, 1e6]], np.float32))
    assert found.mean == (2, 5, 0, 1e6)
    assert found.deviation == (1, 1, 1, 1)
    assert (found.minimum, found.maximum) == ((1, 5, 0, 1e6), (3, 5, 0, 1e6))
    assert spread(np.empty((0, 2), np.float32)).deviation == (1, 1)
    wide = np.random.default_rng(0).normal(3, 2, (50, 100)).astype(np.float32)
    np.testing.assert_allclose(spread(wide).mean, wide.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(spread(wide).maximum, wide.max(axis=0), rtol=1e-5)
