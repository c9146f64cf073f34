# SPDX-License-Identifier: Apache-2.0
"""The windowed spectrum: the definition's coefficients, exact back, and the nearest sound of a canvas that has none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spect.audio import read, to_stereo
from spect.errors import SoundError
from spect.representation import REPRESENTATIONS, from_dict
from spect.stft import Stft

ROUND_TRIP_DB = 120.0  # float32; the outermost samples are divided by a window of .15 at least
LOOPS = Path(__file__).parents[3] / "shared" / "audio" / "loops"
VARIANTS = [(2, "sine"), (4, "sine"), (2, "hann"), (4, "hann")]
SHAPES = [(512, 64), (64, 64), (128, 256), (256, 64), (16, 48), (4, 5), (12, 3), (4, 1)]


def snr_db(sound: torch.Tensor, other: torch.Tensor) -> float:
    error = (other.double() - sound.double()).square().sum().clamp_min(1e-60)
    return float(10 * torch.log10(sound.double().square().sum() / error))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def random_canvas(form: Stft, *, count: int = 1) -> torch.Tensor:
    return torch.randn(count, *form.shape, generator=torch.Generator().manual_seed(3)).double()


def weighted_power(canvas: torch.Tensor) -> torch.Tensor:
    """A bin between DC and Nyquist stands for two of the whole spectrum. Shape: [N, 4, F, T] -> []."""
    return 2 * canvas[:, :, 1:].square().sum() + canvas[:, :, 0].square().sum()


@pytest.mark.parametrize(("overlap", "window"), VARIANTS)
@pytest.mark.parametrize("rows_frames", SHAPES)
def test_round_trip_is_exact_on_any_signal(rows_frames: tuple[int, int], overlap: int, window: str) -> None:
    form = Stft(44100, *rows_frames, overlap, window)  # type: ignore[arg-type]
    click = torch.zeros(2, form.samples)
    click[:, form.samples // 2] = 1
    ends = torch.zeros(2, form.samples)
    ends[:, [0, -1]] = 1
    nyquist = torch.tensor([1.0, -1.0]).repeat(form.samples // 2).expand(2, -1)
    for sound in (noise(2, form.samples), torch.full((2, form.samples), -0.7), nyquist, click, ends):
        assert snr_db(sound, form.decode(form.encode(sound))) >= ROUND_TRIP_DB


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 10), frames=st.integers(1, 12), seed=st.integers(0, 2**31), level_db=st.floats(-90, 0),
    offset=st.floats(-1, 1), variant=st.sampled_from(VARIANTS),
)  # fmt: skip
def test_round_trip_holds_for_every_shape_level_and_offset(
    rows: int, frames: int, seed: int, level_db: float, offset: float, variant: tuple[int, str]
) -> None:
    form = Stft(44100, 4 * rows, frames, *variant)  # type: ignore[arg-type]
    sound = 10 ** (level_db / 20) * noise(2, form.samples, seed=seed) + offset
    assert snr_db(sound, form.decode(form.encode(sound))) >= ROUND_TRIP_DB


@pytest.mark.parametrize(("overlap", "window"), VARIANTS)
def test_canvas_holds_the_coefficients_by_the_definition(overlap: int, window: str) -> None:
    form = Stft(44100, 8, 3, overlap, window)  # type: ignore[arg-type]
    sound = noise(2, form.samples).double()
    canvas = form.encode(sound)
    n, hop = np.arange(16), 16 // overlap
    weight = np.sin(np.pi * n / 16) ** (1 if window == "sine" else 2)
    for part, signal in ((0, (sound[0] + sound[1]) / 2), (2, (sound[0] - sound[1]) / 2)):
        padded = np.pad(signal.numpy(), 16)
        for t in range(3):
            begin = 16 + t * hop + hop // 2 - 8
            frame = weight * padded[begin : begin + 16]
            for k in range(1, 8):
                value = np.sum(frame * np.exp(-2j * np.pi * k * (n - 8) / 16))  # phases count from the middle
                assert canvas[part, 8 - k, t] == pytest.approx(value.real, abs=1e-12)
                assert canvas[part + 1, 8 - k, t] == pytest.approx(value.imag, abs=1e-12)
            assert canvas[part, 0, t] == pytest.approx(np.sum(frame * (-1.0) ** n), abs=1e-12)  # Nyquist
            assert canvas[part + 1, 0, t] == pytest.approx(frame.sum(), abs=1e-12)  # DC


def test_an_attack_in_a_frames_middle_has_one_phase_in_all_bins() -> None:
    form = Stft(rows=16, frames=8)
    sound = torch.zeros(2, form.samples)
    sound[:, 5 * form.hop + form.hop // 2] = 1
    real, imaginary = form.encode(sound)[:2, 1:, 5]
    torch.testing.assert_close(real, torch.ones(15))
    assert imaginary.abs().max() < 1e-6


@pytest.mark.parametrize(("overlap", "window"), VARIANTS)
def test_decoding_projects_on_the_canvases_that_sounds_have(overlap: int, window: str) -> None:
    form = Stft(44100, 16, 12, overlap, window)  # type: ignore[arg-type]
    canvas = random_canvas(form)
    once = form.encode(form.decode(canvas))
    assert float((once - canvas).square().mean()) > 0.1  # a random canvas is no sound's
    torch.testing.assert_close(form.encode(form.decode(once)), once)
    # the projection is orthogonal: power is that of what is kept plus that of what is left out
    torch.testing.assert_close(weighted_power(once) + weighted_power(canvas - once), weighted_power(canvas))


@pytest.mark.parametrize(("overlap", "window"), VARIANTS)
def test_a_random_error_shrinks_by_the_redundancy(overlap: int, window: str) -> None:
    # A projection on 1 / overlap of the dimensions keeps that share of noise that is white where powers are counted.
    form = Stft(44100, 32, 32, overlap, window)  # type: ignore[arg-type]
    canvas = random_canvas(form, count=16)
    canvas[:, :, 0] *= 2**0.5
    kept = weighted_power(form.encode(form.decode(canvas))) / weighted_power(canvas)
    assert float(kept) == pytest.approx(1 / overlap, rel=0.02)


def test_sine_windows_leave_an_error_equally_large_everywhere_and_hanns_at_half_do_not() -> None:
    for window, expected in (("sine", 1.0), ("hann", 2.0)):
        form = Stft(44100, 16, 64, 2, window)  # type: ignore[arg-type]
        error = form.decode(random_canvas(form, count=64))
        power = error[..., form.hop : -form.hop].unflatten(-1, (-1, form.hop)).square().mean(dim=(0, 1, 2))
        assert float(power.max() / power.min()) == pytest.approx(expected, rel=0.07)


def test_mono_has_an_exactly_empty_side_both_ways() -> None:
    form = Stft(rows=64, frames=8)
    canvas = form.encode(noise(1, form.samples).expand(2, -1))
    assert not canvas[2:].any()
    left, right = form.decode(canvas)
    assert torch.equal(left, right)


def test_a_batch_is_its_items_and_may_be_empty() -> None:
    form = Stft(rows=16, frames=8)
    sounds = noise(3, 2, 2, form.samples)
    canvas = form.encode(sounds)
    assert canvas.shape == (3, 2, 4, 16, 8)
    assert canvas[1, 0].equal(form.encode(sounds[1, 0]))
    assert form.decode(canvas)[2, 1].equal(form.decode(canvas[2, 1]))
    assert form.encode(torch.zeros(0, 2, form.samples)).shape == (0, 4, 16, 8)
    assert form.decode(torch.zeros(0, 4, 16, 8), seeds=[]).shape == (0, 2, form.samples)


def test_decode_is_differentiable_to_second_order() -> None:
    form = Stft(rows=4, frames=3)
    canvas = random_canvas(form).requires_grad_()
    assert torch.autograd.gradcheck(form.decode, canvas)
    assert torch.autograd.gradgradcheck(lambda c: form.decode(c).pow(3), canvas)


def test_gradients_pass_after_a_first_call_in_inference_mode() -> None:
    form = Stft(rows=22, frames=2)  # a shape of this test alone: its tables are made here
    with torch.inference_mode():
        form.decode(torch.zeros(4, 22, 2))
    canvas = torch.ones(4, 22, 2, requires_grad=True)
    form.decode(canvas).square().sum().backward()
    assert canvas.grad is not None
    assert torch.isfinite(canvas.grad).all()


def test_twice_the_columns_hold_the_archives_sounds() -> None:
    assert Stft.suited(44100, 2 * 512 * 512, 512, 512).shape == (4, 512, 1024)
    assert Stft.suited(22050, 2 * 64 * 64, 64, 64, overlap=4) == Stft(22050, 64, 256, 4)
    assert Stft.suited(22050, 2 * 64 * 64, 64, 64, rows=128, window="hann") == Stft(22050, 128, 64, 2, "hann")


def test_parameters_survive_json() -> None:
    form = Stft(22050, 64, 128, 4, "hann")
    assert from_dict(json.loads(json.dumps(form.to_dict()))) == form
    assert REPRESENTATIONS["stft"] is Stft


def test_preview_is_a_picture_of_rows_and_columns() -> None:
    form = Stft(rows=32, frames=8)
    shown = form.preview(form.encode(noise(2, 2, form.samples)))
    assert (shown.dtype, shown.shape) == (torch.uint8, (2, 32, 8, 3))
    assert shown.float().mean() > 100


def test_wrong_parameters_and_shapes_are_refused_in_one_line() -> None:
    for wrong, said in (
        ({"rows": 7}, r"multiple of the overlap \(2\), got 7"),
        ({"rows": 6, "overlap": 4}, r"multiple of the overlap \(4\), got 6"),
        ({"frames": 0}, "frames is a whole number from 1 up"),
        ({"overlap": 3}, "overlap is 2 or 4, got 3"),
        ({"window": "kbd"}, "'sine' or 'hann'"),
    ):
        with pytest.raises(SoundError, match=said):
            Stft(**wrong)  # type: ignore[arg-type]
    with pytest.raises(SoundError, match=r"\[\.\.\., 2, 16\]"):
        Stft(rows=4, frames=4).encode(torch.zeros(2, 15))
    with pytest.raises(SoundError, match=r"\[\.\.\., 4, 4, 4\]"):
        Stft(rows=4, frames=4).decode(torch.zeros(4, 4, 3))


@pytest.mark.parametrize("name", ["loop_amen_full", "loop_garzul"])
def test_real_loop_comes_back_whole(name: str) -> None:
    if not LOOPS.exists():
        pytest.skip("shared/audio isn't beside this tree")
    sound, rate = read(LOOPS / f"{name}.flac")
    form = Stft(sample_rate=rate, rows=512, frames=256)
    padded = np.zeros((2, form.samples), dtype=np.float32)
    padded[:, : sound.shape[1]] = to_stereo(sound)[:, : form.samples]
    original = torch.from_numpy(padded)
    assert snr_db(original, form.decode(form.encode(original))) >= ROUND_TRIP_DB
