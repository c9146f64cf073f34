# SPDX-License-Identifier: Apache-2.0
"""The MDCT: the definition's coefficients, orthonormal up to the sound's very ends, exact on any signal and shape."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal.windows import kaiser_bessel_derived

from spect.audio import read, to_stereo
from spect.errors import SoundError
from spect.lapped import Lapped
from spect.representation import REPRESENTATIONS, from_dict

ROUND_TRIP_DB = 130.0  # float32 rounding of a transform of 512 and back
LOOPS = Path(__file__).parents[3] / "shared" / "audio" / "loops"
SHAPES = [(512, 64), (64, 64), (128, 256), (256, 64), (16, 48), (6, 5), (10, 1), (2, 3)]


def snr_db(sound: torch.Tensor, other: torch.Tensor) -> float:
    error = (other.double() - sound.double()).square().sum().clamp_min(1e-60)
    return float(10 * torch.log10(sound.double().square().sum() / error))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def signals(samples: int) -> dict[str, torch.Tensor]:
    click = torch.zeros(2, samples)
    click[:, samples // 2] = 1
    ends = torch.zeros(2, samples)
    ends[:, [0, -1]] = 1
    return {
        "white noise": noise(2, samples),
        "left only": noise(2, samples) * torch.tensor([[1.0], [0.0]]),
        "constant": torch.full((2, samples), -0.7),
        "full-scale square": torch.sign(torch.sin(torch.arange(samples) * 0.013 + 0.001)).expand(2, -1),
        "Nyquist": torch.tensor([1.0, -1.0]).repeat(samples // 2).expand(2, -1),
        "click": click,
        "first and last sample": ends,
    }


@pytest.mark.parametrize("window", ["sine", "kbd"])
@pytest.mark.parametrize("rows_frames", SHAPES)
def test_round_trip_is_exact_on_any_signal(rows_frames: tuple[int, int], window: str) -> None:
    form = Lapped(rows=rows_frames[0], frames=rows_frames[1], window=window)  # type: ignore[arg-type]
    for name, sound in signals(form.samples).items():
        assert snr_db(sound, form.decode(form.encode(sound))) >= ROUND_TRIP_DB, name


@settings(max_examples=40, deadline=None)
@given(
    half_rows=st.integers(1, 20), frames=st.integers(1, 12), seed=st.integers(0, 2**31), level_db=st.floats(-90, 0),
    offset=st.floats(-1, 1), window=st.sampled_from(["sine", "kbd"]), alpha=st.floats(0.1, 12),
)  # fmt: skip
def test_round_trip_holds_for_every_shape_window_level_and_offset(
    half_rows: int, frames: int, seed: int, level_db: float, offset: float, window: str, alpha: float
) -> None:
    form = Lapped(rows=2 * half_rows, frames=frames, window=window, alpha=alpha)  # type: ignore[arg-type]
    sound = 10 ** (level_db / 20) * noise(2, form.samples, seed=seed) + offset
    assert snr_db(sound, form.decode(form.encode(sound))) >= ROUND_TRIP_DB


@pytest.mark.parametrize("window", ["sine", "kbd"])
def test_canvas_holds_the_coefficients_of_each_frame_by_the_definition(window: str) -> None:
    form = Lapped(rows=8, frames=3, window=window)  # type: ignore[arg-type]
    sound = noise(2, form.samples).double()
    canvas = form.encode(sound).numpy()
    n, k = np.arange(16), np.arange(8)[:, None]
    whole = np.sin(np.pi * (n + 0.5) / 16) if window == "sine" else kaiser_bessel_derived(16, 4 * np.pi)
    basis = np.sqrt(2 / 8) * np.cos(np.pi / 8 * (n + 0.5 - 4) * (k + 0.5))
    for first, signal in ((0, (sound[0] + sound[1]) / 2), (2, (sound[0] - sound[1]) / 2)):
        padded = np.pad(signal.numpy(), 4)
        for j in range(6):
            shape = whole.copy()
            if j == 0:
                shape[:8] = [0] * 4 + [1] * 4
            if j == 5:
                shape[8:] = [1] * 4 + [0] * 4
            expected = basis @ (shape * padded[8 * j : 8 * j + 16])
            np.testing.assert_allclose(canvas[first + j % 2, ::-1, j // 2], expected, atol=1e-12)


@pytest.mark.parametrize("form", [Lapped(rows=8, frames=3), Lapped(rows=6, frames=2, window="kbd", alpha=2)])
def test_transform_is_orthonormal_so_errors_keep_their_size(form: Lapped) -> None:
    # The matrix from (L, R) to the canvas, times sqrt 2 for M and S, has orthonormal rows and columns, ends included.
    size = 2 * form.samples
    matrix = form.encode(torch.eye(size).double().unflatten(1, (2, -1))).flatten(1) * 2**0.5
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size).double(), rtol=0, atol=1e-12)


def test_it_is_critically_sampled() -> None:
    form = Lapped(rows=32, frames=5)
    assert np.prod(form.shape) == 2 * form.samples


def test_canvas_comes_back_from_its_sound() -> None:
    form = Lapped(rows=32, frames=16)
    canvas = torch.randn(3, 4, 32, 16, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(form.encode(form.decode(canvas)), canvas, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window", ["sine", "kbd"])
def test_low_tone_lies_in_the_bottom_rows_and_high_tone_in_the_top_ones(window: str) -> None:
    form = Lapped(rows=32, frames=16, window=window)  # type: ignore[arg-type]
    time = torch.arange(form.samples) / (2 * form.rows)
    for bin_, row in ((1.5, 30), (30.5, 1), (31.5, 0), (0.5, 31)):
        canvas = form.encode(torch.cos(2 * torch.pi * bin_ * time + 1).expand(2, -1))
        power = canvas[:, :, 1:-1].square().sum(dim=(0, 2))
        assert int(power.argmax()) == row
        assert float(power[max(0, row - 2) : row + 3].sum() / power.sum()) > 0.98


def test_kbd_leaks_less_than_sine_far_from_a_tone() -> None:
    far = {}
    for window in ("sine", "kbd"):
        form = Lapped(rows=64, frames=16, window=window)  # type: ignore[arg-type]
        tone = torch.cos(2 * torch.pi * 20.5 / 128 * torch.arange(form.samples).double()).expand(2, -1)
        power = form.encode(tone)[:, :, 2:-2].square().sum(dim=(0, 2)).flip(0)
        far[window] = float(10 * torch.log10(power[40:].sum() / power.sum()))
    assert far["kbd"] < far["sine"] - 20


def test_a_click_is_heard_by_two_frames_at_most() -> None:
    form = Lapped(rows=16, frames=4)
    sound = torch.zeros(2, form.samples)
    sound[0, 50] = 1  # block 3's third sample: frames 2 and 3, which are even and odd of column 1
    alive = form.encode(sound).abs().sum(1) > 1e-6
    assert alive.nonzero().tolist() == [[c, 1] for c in range(4)]


def test_mono_has_an_exactly_empty_side_both_ways() -> None:
    form = Lapped(rows=64, frames=8)
    canvas = form.encode(noise(1, form.samples).expand(2, -1))
    assert not canvas[2:].any()
    left, right = form.decode(canvas)
    assert torch.equal(left, right)


def test_a_batch_is_its_items_and_may_be_empty() -> None:
    form = Lapped(rows=16, frames=8)
    sounds = noise(3, 2, 2, form.samples)
    canvas = form.encode(sounds)
    assert canvas.shape == (3, 2, 4, 16, 8)
    assert canvas[1, 0].equal(form.encode(sounds[1, 0]))
    assert form.decode(canvas)[2, 1].equal(form.decode(canvas[2, 1]))
    assert form.encode(torch.zeros(0, 2, form.samples)).shape == (0, 4, 16, 8)
    assert form.decode(torch.zeros(0, 4, 16, 8), seeds=[]).shape == (0, 2, form.samples)


def test_decode_is_differentiable_to_second_order() -> None:
    form = Lapped(rows=4, frames=2)
    canvas = torch.randn(1, 4, 4, 2, generator=torch.Generator().manual_seed(8)).double().requires_grad_()
    assert torch.autograd.gradcheck(form.decode, canvas)
    assert torch.autograd.gradgradcheck(lambda c: form.decode(c).pow(3), canvas)


def test_gradients_pass_after_a_first_call_in_inference_mode() -> None:
    form = Lapped(rows=22, frames=2)  # a shape of this test alone: its tables are made here
    with torch.inference_mode():
        form.decode(torch.zeros(4, 22, 2))
    canvas = torch.randn(4, 22, 2, requires_grad=True)
    form.decode(canvas).square().sum().backward()
    torch.testing.assert_close(canvas.grad, 4 * canvas.detach(), rtol=1e-4, atol=1e-4)  # orthonormal


def test_shape_is_the_archives_where_networks_learn_that() -> None:
    for rows, frames in ((512, 512), (64, 128), (256, 64)):
        form = Lapped.suited(44100, 2 * rows * frames, rows, frames, window="kbd")
        assert form == Lapped(44100, rows, frames, "kbd")


def test_parameters_survive_json() -> None:
    form = Lapped(22050, 64, 128, "kbd", 3.0)
    assert from_dict(json.loads(json.dumps(form.to_dict()))) == form
    assert REPRESENTATIONS["lapped"] is Lapped


def test_preview_draws_mid_red_and_green_and_all_of_the_top_row() -> None:
    form = Lapped(rows=32, frames=8)
    canvas = torch.zeros(1, *form.shape)
    canvas[0, 1, 0, 3] = 1.0  # the odd frame of column 3, highest frequency: no slot of DC
    shown = form.preview(canvas)
    assert (shown.dtype, shown.shape) == (torch.uint8, (1, 32, 8, 3))
    assert shown[0, :, 3, 1].any()
    assert not shown[..., [0, 2]].any()
    assert not form.preview(form.encode(noise(1, 1, form.samples).expand(-1, 2, -1)))[..., 2].any()  # mono: no blue


def test_wrong_parameters_and_shapes_are_refused_in_one_line() -> None:
    for wrong, said in (
        ({"rows": 7}, "rows is even, got 7"),
        ({"rows": 0}, "rows is a whole number from 2 up"),
        ({"frames": 2.5}, "frames is a whole number"),
        ({"window": "hann"}, "'sine' or 'kbd'"),
        ({"alpha": 0}, "alpha is above 0"),
    ):
        with pytest.raises(SoundError, match=said):
            Lapped(**wrong)  # type: ignore[arg-type]
    with pytest.raises(SoundError, match=r"\[\.\.\., 2, 32\]"):
        Lapped(rows=4, frames=4).encode(torch.zeros(2, 31))
    with pytest.raises(SoundError, match=r"\[\.\.\., 4, 4, 4\]"):
        Lapped(rows=4, frames=4).decode(torch.zeros(4, 4, 3))


@pytest.mark.parametrize("name", ["loop_amen_full", "loop_garzul"])
def test_real_loop_comes_back_whole(name: str) -> None:
    if not LOOPS.exists():
        pytest.skip("shared/audio isn't beside this tree")
    sound, rate = read(LOOPS / f"{name}.flac")
    form = Lapped(sample_rate=rate, rows=512, frames=256)
    padded = np.zeros((2, form.samples), dtype=np.float32)
    padded[:, : sound.shape[1]] = to_stereo(sound)[:, : form.samples]
    original = torch.from_numpy(padded)
    assert snr_db(original, form.decode(form.encode(original))) >= ROUND_TRIP_DB
