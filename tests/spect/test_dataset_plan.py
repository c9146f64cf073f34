# SPDX-License-Identifier: Apache-2.0
"""Cuts cover a file as promised; pieces of a resampled file fit together; the holdout depends on names alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spect.audio import resample
from spect.cmyk import Cmyk
from spect.dataset.options import Preparation, parse_resolution
from spect.dataset.plan import CANVASES_A_PIECE, check_holdout, cuts_of, held_out, pieces, resampled
from spect.dataset.scan import Facts
from spect.errors import SoundError
from spect.representation import trainable

SHAPE = Cmyk(rows=16, frames=16)  # 512 samples


def sliced(stride: int = 512, rate: int = 44100, rows: int = 16, **more: object) -> Preparation:
    shape = Cmyk(sample_rate=rate, rows=rows, frames=rows)
    return Preparation(shape, slice=True, stride=stride, **more)  # type: ignore[arg-type]


@given(st.integers(1, 20000), st.integers(1, 2000))
def test_slices_cover_all_but_less_than_half_a_canvas(length: int, stride: int) -> None:
    cuts = cuts_of(length, sliced(stride))
    assert [cut.start for cut in cuts] == [stride * number for number in range(len(cuts))]
    assert all(0 < cut.length <= 512 and cut.start + cut.length <= length for cut in cuts)
    assert all(cut.length >= 256 for cut in cuts[1:])
    if stride <= 512:
        assert length - (cuts[-1].start + cuts[-1].length) < max(256, stride)


@given(st.integers(1, 20000))
def test_without_slices_a_file_is_one_canvas(length: int) -> None:
    (cut,) = cuts_of(length, Preparation(SHAPE))
    assert (cut.start, cut.length) == (0, min(length, 512))


@pytest.mark.parametrize("rates", [(48000, 44100), (44100, 48000), (8000, 44100), (96000, 22050), (44101, 44100)])
@pytest.mark.parametrize(("method", "tolerance"), [("soxr", 2e-5), ("linear", 2e-6)])
def test_pieces_of_a_resampled_file_are_the_file_resampled_whole(
    rates: tuple[int, int], method: str, tolerance: float
) -> None:
    rate, to_rate = rates
    preparation = sliced(stride=6000, rate=to_rate, rows=64, resampler=method)
    frames = 3 * CANVASES_A_PIECE * 8192 * rate // to_rate + 77
    sound = np.random.default_rng(0).uniform(-1, 1, (1, frames)).astype(np.float32)
    facts = Facts("x.wav", None, rate, 1, frames, 1.0, onset=1000)
    whole = resample(sound[:, 1000:], rate, to_rate, method)  # type: ignore[arg-type]
    found = list(pieces([facts], preparation, {}, 0))
    assert len(found) > 2
    for piece in found:
        part = resample(sound[:, piece.begin : piece.begin + piece.frames], rate, to_rate, method)  # type: ignore[arg-type]
        for cut in piece.cuts:
            got = part[:, cut.start - piece.origin :][:, : cut.length]
            expected = whole[:, cut.start : cut.start + got.shape[1]]
            assert cut.length - got.shape[1] <= 1
            assert np.abs(got - expected).max() < tolerance


@given(st.integers(1, 10**7), st.sampled_from([8000, 22050, 44100, 48000, 96000]))
def test_the_planned_length_is_that_of_resampling(frames: int, rate: int) -> None:
    short = frames % 3000 + 1
    assert resample(np.zeros((1, short), np.float32), rate, 44100).shape[1] == resampled(short, rate, 44100)
    assert abs(resampled(frames, rate, 44100) - frames * 44100 / rate) <= 1


def test_numbers_of_canvases_run_on_over_files_and_pieces() -> None:
    files = [Facts(f"{n}.wav", None, 44100, 1, 512 * length, 1.0) for n, length in enumerate((1, 20, 3))]
    found = list(pieces(files, sliced(), {"1.wav": 4}, 0))
    assert [piece.first for piece in found] == [0, 1, 9, 17, 21]
    assert [piece.label for piece in found] == [-1, 4, 4, 4, -1]


def test_the_holdout_depends_on_the_name_alone_and_grows_with_its_share() -> None:
    names = [f"kit/sound{number}.wav" for number in range(2000)]
    tenth, third = ({name for name in names if held_out(name, share)} for share in (0.1, 0.33))
    assert tenth < third
    assert 150 < len(tenth) < 250
    assert not any(held_out(name, 0.0) for name in names)
    assert held_out("kit/caf\udce9.wav", 0.5) in (True, False)  # a name that isn't UTF-8


def test_a_holdout_of_every_file_is_refused() -> None:
    files = [Facts(name, None, 44100, 1, 512, 1.0) for name in "abcdefgh"]
    held = [facts for facts in files if held_out(facts.name, 0.5)]
    assert 0 < len(held) < len(files)
    check_holdout(files, 0.5)
    check_holdout(held, 0.0)
    with pytest.raises(SoundError, match="--holdout: got nan"):
        check_holdout(files, float("nan"))
    with pytest.raises(SoundError, match=rf"--holdout=0\.5: takes {len(held)} of {len(held)} files"):
        check_holdout(held, 0.5)


@pytest.mark.parametrize(
    ("text", "shape"), [("512x512", (512, 512)), ("64X128", (64, 128)), (" 256 ", (256, 256)), ("2x1", (2, 1))]
)
def test_resolutions_are_read(text: str, shape: tuple[int, int]) -> None:
    assert parse_resolution(text) == shape


@pytest.mark.parametrize("text", ["", "512x", "0x64", "axb", "64x64x4", "-64", "1x1", "9999999"])
def test_other_resolutions_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(SoundError, match=r"--resolution: got .* such as 512x512"):
        parse_resolution(text)


@pytest.mark.parametrize(
    ("rows", "frames", "fits"), [(512, 512, True), (64, 192, True), (256, 16, True), (8, 64, False), (100, 100, False)]
)
def test_the_shapes_that_networks_learn(rows: int, frames: int, fits: bool) -> None:
    assert trainable(rows, frames) is fits


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"slice": True, "stride": 0}, "--stride"),
        ({"peak_db": 3.0}, "--peak"),
        ({"fade_out_ms": 1e6}, "--fade-out"),
        ({"fade_out_ms": -1}, "--fade-out"),
    ],
)
def test_impossible_preparations_name_their_option(options: dict[str, float], said: str) -> None:
    with pytest.raises(SoundError, match=said):
        Preparation(SHAPE, **options)  # type: ignore[arg-type]
