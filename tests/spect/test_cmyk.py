# SPDX-License-Identifier: Apache-2.0
"""The lossless picture: exact inversion on any signal, any F x T, and the paper's variant beside it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spect.audio import read, to_stereo
from spect.cmyk import Cmyk, from_file_layout, to_file_layout
from spect.errors import SoundError
from spect.representation import REPRESENTATIONS, from_dict

ROUND_TRIP_DB = 130.0  # float32 rounding of a 1 024-point transform and back
LOOPS = Path(__file__).parents[3] / "shared" / "audio" / "loops"
SHAPES = [(512, 64), (64, 64), (128, 256), (256, 64), (16, 48), (3, 5)]


def snr_db(sound: torch.Tensor, other: torch.Tensor) -> float:
    error = (other.double() - sound.double()).square().sum().clamp_min(1e-60)
    return float(10 * torch.log10(sound.double().square().sum() / error))


def signals(samples: int) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    noise = torch.rand(2, samples, generator=rng) * 2 - 1
    square = torch.sign(torch.sin(torch.arange(samples) * 0.013 + 0.001)).expand(2, -1)
    click = torch.zeros(2, samples)
    click[:, samples // 2] = 1
    return {
        "white noise": noise,
        "left only": noise * torch.tensor([[1.0], [0.0]]),
        "constant": torch.full((2, samples), -0.7),
        "full-scale square": square,
        "Nyquist": torch.tensor([1.0, -1.0]).repeat(samples // 2).expand(2, -1),
        "slow sine with offset": (0.5 + 0.5 * torch.sin(torch.arange(samples) * 1e-4)).expand(2, -1),
        "click": click,
    }


@pytest.mark.parametrize("rows_frames", SHAPES)
def test_packed_round_trip_is_exact_on_any_signal(rows_frames: tuple[int, int]) -> None:
    form = Cmyk(rows=rows_frames[0], frames=rows_frames[1])
    for name, sound in signals(form.samples).items():
        assert snr_db(sound, form.decode(form.encode(sound))) >= ROUND_TRIP_DB, name


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(2, 40), frames=st.integers(1, 12), seed=st.integers(0, 2**31), level_db=st.floats(-90, 0),
    offset=st.floats(-1, 1),
)  # fmt: skip
def test_round_trip_holds_for_every_shape_level_and_offset(
    rows: int, frames: int, seed: int, level_db: float, offset: float
) -> None:
    form = Cmyk(rows=rows, frames=frames)
    noise = torch.rand(2, form.samples, generator=torch.Generator().manual_seed(seed)) - 0.5
    sound = 10 ** (level_db / 20) * noise + offset
    assert snr_db(sound, form.decode(form.encode(sound))) >= ROUND_TRIP_DB


def test_canvas_holds_the_coefficients_of_each_frame_by_the_definition() -> None:
    form = Cmyk(rows=8, frames=3)
    sound = torch.rand(2, form.samples, generator=torch.Generator().manual_seed(1)).double() - 0.5
    canvas = form.encode(sound)
    n = np.arange(16)
    for part, signal in ((0, (sound[0] + sound[1]) / 2), (2, (sound[0] - sound[1]) / 2)):
        for t in range(3):
            frame = signal.numpy()[16 * t : 16 * (t + 1)]
            for k in range(1, 8):
                value = np.sum(frame * np.exp(-2j * np.pi * k * n / 16))
                assert canvas[part, 8 - k, t] == pytest.approx(value.real, abs=1e-12)
                assert canvas[part + 1, 8 - k, t] == pytest.approx(value.imag, abs=1e-12)
            assert canvas[part, 0, t] == pytest.approx(np.sum(frame * (-1.0) ** n), abs=1e-12)  # Nyquist
            assert canvas[part + 1, 0, t] == pytest.approx(frame.sum(), abs=1e-12)  # DC


def test_low_tone_lies_in_the_bottom_row_and_high_tone_near_the_top() -> None:
    form = Cmyk(rows=32, frames=4)
    time = torch.arange(form.samples) / form.window
    for bin_, row in ((1, 31), (30, 2)):
        canvas = form.encode(torch.cos(2 * torch.pi * bin_ * time).expand(2, -1))
        assert int(canvas.square().sum(dim=(0, 2)).argmax()) == row


def test_energy_of_canvas_is_energy_of_sound() -> None:
    # Parseval for a real frame: W sum x^2 = X_0^2 + X_(W/2)^2 + 2 sum of |X_k|^2 between; L^2 + R^2 = 2 (M^2 + S^2).
    form = Cmyk(rows=64, frames=16)
    sound = torch.rand(2, form.samples, generator=torch.Generator().manual_seed(2)).double() - 0.3
    energy = form.encode(sound).square()
    total = 2 * (2 * energy[:, 1:].sum() + energy[:, 0].sum()) / form.window
    assert float(total) == pytest.approx(float(sound.square().sum()), rel=1e-12)


def test_encoding_is_linear_and_decoding_too() -> None:
    form = Cmyk(rows=16, frames=8)
    rng = torch.Generator().manual_seed(3)
    a, b = (torch.randn(5, 2, form.samples, generator=rng).double() for _ in range(2))
    torch.testing.assert_close(form.encode(2 * a - 3 * b), 2 * form.encode(a) - 3 * form.encode(b))
    x, y = form.encode(a), form.encode(b)
    torch.testing.assert_close(form.decode(2 * x - 3 * y), 2 * form.decode(x) - 3 * form.decode(y))


def test_decoding_then_encoding_gives_any_canvas_back() -> None:
    form = Cmyk(rows=32, frames=16)
    canvas = torch.randn(3, 4, 32, 16, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(form.encode(form.decode(canvas)), canvas, rtol=0, atol=1e-5)


def test_a_batch_is_its_items() -> None:
    form = Cmyk(rows=16, frames=8)
    sounds = torch.randn(3, 2, 2, form.samples, generator=torch.Generator().manual_seed(5))
    batch = form.encode(sounds)
    assert batch.shape == (3, 2, 4, 16, 8)
    torch.testing.assert_close(batch[1, 0], form.encode(sounds[1, 0]))
    assert form.encode(torch.zeros(0, 2, form.samples)).shape == (0, 4, 16, 8)
    assert form.decode(torch.zeros(0, 4, 16, 8)).shape == (0, 2, form.samples)


def test_mono_has_an_exactly_empty_side_both_ways() -> None:
    form = Cmyk(rows=64, frames=8)
    sound = torch.randn(1, form.samples, generator=torch.Generator().manual_seed(6)).expand(2, -1)
    canvas = form.encode(sound)
    assert not canvas[2:].any()
    left, right = form.decode(canvas)
    assert torch.equal(left, right)


def test_dropped_dc_loses_each_frames_mean_and_nothing_else() -> None:
    form = Cmyk(rows=64, frames=8, dc="dropped")
    sound = torch.rand(2, form.samples, generator=torch.Generator().manual_seed(7))
    frames = sound.unflatten(-1, (8, 128))
    without = (frames - frames.mean(-1, keepdim=True)).flatten(-2)
    canvas = form.encode(sound)
    assert not canvas[1::2, 0].any()
    assert snr_db(without, form.decode(canvas)) >= ROUND_TRIP_DB
    canvas[1::2, 0] = 5.0
    assert snr_db(without, form.decode(canvas)) >= ROUND_TRIP_DB, "the spare slot is ignored"


@pytest.mark.parametrize("hz", [32.703, 65.406, 261.63])  # C1, C2, C4
def test_dropped_dc_of_a_tone_costs_its_mean_over_a_frame(hz: float) -> None:
    # A frame's mean of sin(2 pi f t + phase) has the power sinc(f W / rate)^2 of the tone's: 10.8 dB below it for C1.
    form = Cmyk(frames=512, dc="dropped")
    sound = torch.sin(2 * torch.pi * hz * torch.arange(form.samples).double() / 44100).expand(2, -1)
    expected_db = -20 * np.log10(abs(np.sinc(hz * form.window / 44100)))
    assert snr_db(sound, form.decode(form.encode(sound))) == pytest.approx(expected_db, abs=0.3)


def test_decode_is_differentiable_to_second_order() -> None:
    form = Cmyk(rows=4, frames=2)
    canvas = torch.randn(
        1, 4, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(8), requires_grad=True
    )
    assert torch.autograd.gradcheck(form.decode, canvas)
    assert torch.autograd.gradgradcheck(lambda c: form.decode(c).pow(3), canvas)


def test_file_layout_is_rows_columns_channels_and_back() -> None:
    canvas = np.arange(4 * 3 * 5, dtype=np.float32).reshape(4, 3, 5)
    stored = to_file_layout(canvas)
    assert stored.shape == (3, 5, 4)
    assert stored.flags.c_contiguous
    assert stored[2, 4, 1] == canvas[1, 2, 4]
    np.testing.assert_array_equal(from_file_layout(stored), canvas)


@pytest.mark.parametrize("form", [Cmyk(), Cmyk(22050, 64, 128, "dropped")])
def test_parameters_survive_json(form: Cmyk) -> None:
    assert from_dict(json.loads(json.dumps(form.to_dict()))) == form
    assert REPRESENTATIONS["cmyk"] is Cmyk


def test_default_is_the_papers_canvas() -> None:
    form = Cmyk()
    assert (form.shape, form.window, form.samples) == ((4, 512, 512), 1024, 524288)


def test_wrong_parameters_and_shapes_are_refused_in_one_line() -> None:
    with pytest.raises(SoundError, match="rows"):
        Cmyk(rows=1)
    with pytest.raises(SoundError, match="dc"):
        Cmyk(dc="lost")  # type: ignore[arg-type]
    with pytest.raises(SoundError, match=r"\[\.\.\., 2, 32\]"):
        Cmyk(rows=4, frames=4).encode(torch.zeros(2, 31))
    with pytest.raises(SoundError, match=r"\[\.\.\., 4, 4, 4\]"):
        Cmyk(rows=4, frames=4).decode(torch.zeros(4, 4, 3))
    with pytest.raises(SoundError, match="unknown"):
        from_dict({"name": "nothing"})
    with pytest.raises(SoundError, match="hop"):
        from_dict({"name": "cmyk", "hop": 3})


@pytest.mark.parametrize("name", ["loop_amen_full", "loop_garzul"])
def test_real_loop_comes_back_whole(name: str) -> None:
    if not LOOPS.exists():
        pytest.skip("shared/audio isn't beside this tree")
    sound, rate = read(LOOPS / f"{name}.flac")
    form = Cmyk(sample_rate=rate, rows=512, frames=256)
    padded = np.zeros((2, form.samples), dtype=np.float32)
    padded[:, : sound.shape[1]] = to_stereo(sound)[:, : form.samples]
    original = torch.from_numpy(padded)
    assert snr_db(original, form.decode(form.encode(original))) >= ROUND_TRIP_DB
