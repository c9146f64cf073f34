# SPDX-License-Identifier: Apache-2.0
"""Archives come apart and together to the bytes of a build; statistics are those of a build; nothing is left half."""

from pathlib import Path

import numpy as np
import pytest

from spect.archive.reader import Archive
from spect.archives.merge import merge
from spect.archives.split import parse_shares, part_of, split
from spect.cmyk import Cmyk
from spect.dataset.labels import Asked
from spect.dataset.options import Preparation
from spect.dataset.plan import held_out
from spect.errors import SoundError
from tests.spect.archives.support import RATE, SHAPE, damage, made, sounds

TABLES = Asked(("folders",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sounds(tmp_path / "sounds")


def asked(folder: Path) -> Asked:
    return Asked((str(folder / "table.csv"),))


@pytest.mark.parametrize("dc", ["packed", "dropped"])
def test_what_is_split_comes_together_to_the_same_bytes(folder: Path, tmp_path: Path, dc: str) -> None:
    shape = Cmyk(RATE, 16, 16, dc)  # type: ignore[arg-type]
    preparation = Preparation(shape, slice=True, stride=400)
    whole = made(folder, tmp_path / "all.zip", preparation=preparation, asked=asked(folder))
    parts = split(whole, (0.5, 0.3, 0.2), [tmp_path / f"{n}.zip" for n in range(3)])
    assert sum(part.items for part in parts) == len(whole)
    merged = merge([Archive.open(part.path) for part in reversed(parts)], tmp_path / "again.zip")
    assert merged.digest == whole.digest
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "all.zip").read_bytes()
    assert (merged.shared, merged.astray, merged.differing) == (0, 0, ())


def test_a_merge_is_what_a_build_over_all_sounds_writes(folder: Path, tmp_path: Path) -> None:
    for labels in (TABLES, Asked()):
        whole = made(folder, tmp_path / "all.zip", asked=labels)
        parts = [made(folder, tmp_path / f"{name}.zip", name, asked=labels) for name in ("tom", "kick", "snare")]
        merge(parts, tmp_path / "merged.zip")
        assert (tmp_path / "merged.zip").read_bytes() == (tmp_path / "all.zip").read_bytes()
        assert Archive.open(tmp_path / "merged.zip").statistics == whole.statistics


def test_label_sets_are_joined_by_name_and_absent_ones_are_no_labels(folder: Path, tmp_path: Path) -> None:
    one = made(folder, tmp_path / "1.zip", "kick", asked=asked(folder))
    two = made(folder, tmp_path / "2.zip", "snare tom", asked=TABLES)
    merge([one, two], tmp_path / "m.zip")
    merged = Archive.open(tmp_path / "m.zip")
    merged.verify()
    assert [one.name for one in merged.label_sets] == ["instrument", "bright", "class"]
    labels = {name: merged.label_values(name) for name in ("instrument", "bright", "class")}
    for item, source in enumerate(merged.sources(np.arange(len(merged)))):
        kick = source.startswith("kick")
        assert labels["instrument"][item] == (0 if kick else -1)
        assert np.isnan(labels["bright"][item, 0]) == (not kick)
        named = merged.label_sets[2].classes[labels["class"][item]] if labels["class"][item] >= 0 else None
        assert named == (None if kick else source.split("/")[0])
    assert merged.label_sets[1].without == len(two)
    assert merged.label_sets[1].spread == one.label_sets[1].spread


def test_the_clips_of_a_file_stay_together_and_classes_keep_their_numbers(folder: Path, tmp_path: Path) -> None:
    whole = made(folder, tmp_path / "all.zip", asked=TABLES)
    split(whole, (0.8, 0.2), [tmp_path / "a.zip", tmp_path / "b.zip"])
    a, b = Archive.open(tmp_path / "a.zip"), Archive.open(tmp_path / "b.zip")
    a_files, b_files = (set(one.sources(np.arange(len(one)))) for one in (a, b))
    assert not a_files & b_files
    assert all(part_of(name, (0.8, 0.2)) == 0 for name in a_files)
    assert a.classes == b.classes == whole.classes
    for one in (a, b):
        one.verify()
        for item, source in enumerate(one.sources(np.arange(len(one)))):
            assert one.classes[one.labels[item]] == source.split("/")[0]
            assert (item in one.holdout) == held_out(source, 0.3)


def test_shares_choose_by_the_name_alone_and_apart_from_holdout() -> None:
    names = [f"{n}.wav" for n in range(4000)]
    parts = np.asarray([part_of(name, parse_shares("90/10")) for name in names])
    held = np.asarray([held_out(name, 0.1) for name in names])
    assert abs(parts.mean() - 0.1) < 0.02
    assert abs(held[parts == 1].mean() - 0.1) < 0.05  # 400 of them: a standard error of 0.015
    for text in ("0.9", "0.9/x", "0/1", "", "1/-1", "nan/1", "inf/1"):
        with pytest.raises(SoundError, match="two or more shares above 0"):
            parse_shares(text)


def test_every_parameter_that_differs_is_named(folder: Path, tmp_path: Path) -> None:
    one = made(folder, tmp_path / "1.zip", "kick", asked=Asked())
    other = Preparation(Cmyk(sample_rate=RATE, rows=32, frames=16, dc="dropped"))
    two = made(folder, tmp_path / "2.zip", "tom", preparation=other, asked=Asked())
    with pytest.raises(SoundError, match=r"2\.zip has dc dropped, rows 32, where .*1\.zip has dc packed, rows 16"):
        merge([one, two], tmp_path / "m.zip")
    assert not (tmp_path / "m.zip").exists()


def test_what_was_prepared_differently_is_told_and_not_recorded_as_shared(folder: Path, tmp_path: Path) -> None:
    one = made(folder, tmp_path / "1.zip", "kick", asked=Asked(), holdout=0.2)
    two = made(folder, tmp_path / "2.zip", "tom", preparation=Preparation(SHAPE), asked=Asked())
    assert merge([one, two], tmp_path / "m.zip").differing == ("slice", "stride_samples")
    merged = Archive.open(tmp_path / "m.zip").summary
    assert (merged["preparation"]["slice"], merged["preparation"]["resampler"], merged["holdout"]) == (
        None, "soxr", None,
    )  # fmt: skip


def test_a_source_that_is_held_out_here_and_learned_there_is_told(folder: Path, tmp_path: Path) -> None:
    one = made(folder, tmp_path / "1.zip", "kick", asked=Asked(), holdout=0.0)
    two = made(folder, tmp_path / "2.zip", "kick snare", asked=Asked(), holdout=0.5)
    merged = merge([one, two], tmp_path / "m.zip")
    kicks = set(one.sources(np.arange(len(one))))
    assert (merged.shared, merged.astray) == (len(kicks), sum(held_out(name, 0.5) for name in kicks))
    assert merged.astray > 0
    assert merged.items == len(one) + len(two)


def test_sets_of_one_name_and_two_kinds_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "other.csv").write_text("file,instrument\n" + "".join(f"kick/{n:02d}.wav,0.{n}\n" for n in (0, 3)))
    one = made(folder, tmp_path / "1.zip", "tom", asked=asked(folder))
    two = made(folder, tmp_path / "2.zip", "kick", asked=Asked((str(folder / "other.csv"),)))
    with pytest.raises(SoundError, match=r"label set 'instrument' is 1 numbers, that of .* is classes"):
        merge([one, two], tmp_path / "m.zip")


def test_a_damaged_picture_ends_it_and_leaves_nothing_but_what_was_there(folder: Path, tmp_path: Path) -> None:
    one = made(folder, tmp_path / "1.zip", "kick snare", asked=Asked())
    two = made(folder, tmp_path / "2.zip", "tom", asked=Asked())
    merge([one, two], tmp_path / "m.zip")
    before, names = (tmp_path / "m.zip").read_bytes(), sorted(path.name for path in tmp_path.iterdir())
    damage(tmp_path / "1.zip", len(one) - 1, 100)
    with pytest.raises(SoundError, match=rf"spect{len(one) - 1:08d}\.npy is damaged; nothing was written"):
        merge([Archive.open(tmp_path / "1.zip"), two], tmp_path / "m.zip")
    with pytest.raises(SoundError, match="damaged"):
        split(Archive.open(tmp_path / "1.zip"), (0.5, 0.5), [tmp_path / "m.zip", tmp_path / "n.zip"])
    assert (tmp_path / "m.zip").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_part_without_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    one = made(folder, tmp_path / "1.zip", "kick/00", asked=Asked(), holdout=0)
    with pytest.raises(SoundError, match="gets none of the 1 files"):
        split(one, (0.5, 0.5), [tmp_path / "a.zip", tmp_path / "b.zip"])
