# SPDX-License-Identifier: Apache-2.0
"""Several archives read as one say of every item what the archive merged of them says."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from spect.archive.reader import Archive
from spect.archives.joined import JoinedArchive
from spect.archives.merge import merge
from spect.archives.opening import is_several, open_archives, paths_of
from spect.cmyk import Cmyk
from spect.dataset.labels import Asked
from spect.dataset.options import Preparation
from spect.errors import SoundError
from tests.spect.archives.support import RATE, damage, made, sounds


@pytest.fixture
def parts(tmp_path: Path) -> list[Archive]:
    folder = sounds(tmp_path / "sounds")
    asked = Asked((str(folder / "table.csv"), "folders"))
    return [made(folder, tmp_path / f"{name}.zip", name, asked=asked) for name in ("tom", "kick", "snare")]


def test_items_labels_splits_and_records_are_those_of_the_merged_archive(parts: list[Archive], tmp_path: Path) -> None:
    joined = JoinedArchive(parts)
    merge(parts, tmp_path / "m.zip")
    merged = Archive.open(tmp_path / "m.zip")
    places = {(r["source"], r["start_samples"]): item for item, r in enumerate(merged.records())}
    order = np.asarray([places[r["source"], r["start_samples"]] for r in joined.records()])
    assert sorted(order) == list(range(len(joined)))
    assert not np.array_equal(np.sort(order), order)  # tom comes first here
    everything = np.arange(len(joined))
    assert np.array_equal(joined.canvases(everything), merged.canvases(order))
    assert joined.sources(everything) == merged.sources(order)
    assert [joined.item(item) for item in (0, 7, -1)] == [merged.item(int(order[item])) for item in (0, 7, -1)]
    assert np.array_equal(np.sort(order[joined.train]), merged.train)
    assert np.array_equal(np.sort(order[joined.holdout]), merged.holdout)
    assert [one.name for one in joined.label_sets] == ["instrument", "bright", "class"]
    assert [one.to_dict() for one in joined.label_sets] == [one.to_dict() for one in merged.label_sets]
    for name in ("instrument", "bright", "class"):
        assert np.array_equal(joined.label_values(name), merged.label_values(name)[order], equal_nan=name == "bright")
    assert joined.classes == merged.classes
    assert np.array_equal(joined.labels, merged.labels[order])
    assert joined.representation == merged.representation
    assert joined.statistics == merged.statistics  # all of so few are in the sample


def test_the_hash_is_of_the_members_in_their_order(parts: list[Archive]) -> None:
    one, other = JoinedArchive(parts), JoinedArchive(parts[::-1])
    assert one.digest != other.digest
    assert one.digest == JoinedArchive([Archive.open(part.path) for part in parts]).digest
    assert one.digest not in [part.digest for part in parts]


def test_what_is_measured_of_it_is_kept_beside_the_first_and_read_again(parts: list[Archive]) -> None:
    found = JoinedArchive(parts).statistics
    (kept,) = parts[0].path.parent.glob("*.statistics-*.json")
    assert kept.name.startswith("tom.zip+2.")
    kept.write_text(kept.read_text().replace(str(found["dc_rms"]), "4321"))
    assert JoinedArchive(parts).statistics["dc_rms"] == 4321


def test_it_pickles_as_its_paths_and_a_replaced_member_is_refused(parts: list[Archive]) -> None:
    frozen = pickle.dumps(JoinedArchive(parts))
    assert len(frozen) < 2000
    assert np.array_equal(pickle.loads(frozen).raw(9), JoinedArchive(parts).raw(9))
    shutil.copy(parts[0].path, parts[2].path)
    with pytest.raises(SoundError, match="replaced while it was in use"):
        pickle.loads(frozen)


def test_labels_are_read_only_and_items_have_bounds(parts: list[Archive]) -> None:
    joined = JoinedArchive(parts)
    with pytest.raises(ValueError, match="read-only"):
        joined.labels[0] = 1
    for index in (len(joined), -len(joined) - 1):
        with pytest.raises(IndexError):
            joined.raw(index)
    with pytest.raises(SoundError, match="no label set 'pitch'; there is instrument, bright, class"):
        joined.label_values("pitch")


def test_names_lists_and_patterns(parts: list[Archive], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_archives("tom.zip"), Archive)
    listed = open_archives("tom.zip,kick.zip,snare.zip")
    assert listed.digest == JoinedArchive(parts).digest
    met = open_archives("*.zip")
    assert [path.name for path in paths_of("*.zip")] == ["kick.zip", "snare.zip", "tom.zip"]
    assert len(met) == len(listed)
    shutil.move("tom.zip", "a,b[1].zip")
    assert not is_several("a,b[1].zip")  # a name of something is that
    assert len(open_archives("a,b[1].zip")) == len(parts[0])
    for data, said in (
        ("kick.zip,", "an empty name"),
        ("none*.zip", r"none\*\.zip: no file has such a name"),
        ("kick.zip,none.zip", "none.zip: no such file"),
        ("kick.zip,kick.zip", "the same archive"),
        ("*.zip", "can't have a comma"),
    ):
        with pytest.raises(SoundError, match=said):
            open_archives(data)


def test_members_of_other_parameters_are_named(parts: list[Archive], tmp_path: Path) -> None:
    other = made(
        tmp_path / "sounds", tmp_path / "other.zip", preparation=Preparation(Cmyk(2 * RATE, 16, 16)), asked=Asked()
    )
    with pytest.raises(SoundError, match=r"other\.zip has sample_rate 16000, where .*tom\.zip has sample_rate 8000"):
        JoinedArchive([*parts, other])
    damage(parts[1].path, 0, 0)
    assert len(JoinedArchive(parts)) == sum(map(len, parts))  # opening reads no pictures
