# SPDX-License-Identifier: Apache-2.0
"""Stereo pictures: mono stays mono, the image keeps its width, silence is smooth, what comes back is near."""

import dataclasses
from pathlib import Path

import pytest
import torch

from spect.audio import read, to_stereo
from spect.errors import SoundError
from spect.interchannel import pair_spectra, pair_values
from spect.representation import from_dict, of_length
from spect.stereo import Stereo

FORM = Stereo.suited(22050, 8192, 64, 64)
SMALL = Stereo(8000, rows=8, frames=8, hop=4, first=2, samples=32)
AUDIO = Path(__file__).parents[3] / "shared" / "audio"


def hit(seed: int = 0) -> torch.Tensor:
    """A tone and a noise that die away. Shape: [8192]."""
    rng = torch.Generator().manual_seed(seed)
    time = torch.arange(8192) / 22050
    wave = 0.5 * torch.sin(2 * torch.pi * (180 + 40 * seed) * time) + 0.2 * torch.randn(8192, generator=rng)
    return wave * torch.exp(-18 * time)


def wide(seed: int = 0, share: float = 0.5) -> torch.Tensor:
    """Two hits, one in the middle, one to the side. Shape: [2, 8192]."""
    mid, side = hit(seed), share * hit(seed + 10)
    return torch.stack([mid + side, mid - side])


def correlation(sound: torch.Tensor) -> float:
    left, right = sound.double()
    return float(left @ right / (left.norm() * right.norm()))


def width(sound: torch.Tensor) -> float:
    """Side energy over mid energy."""
    left, right = sound.double()
    return float((left - right).square().sum() / (left + right).square().sum())


def convergence_db(form: Stereo, sound: torch.Tensor) -> float:
    wanted = form.layout.stft(sound).abs()
    found = form.layout.stft(form.decode(form.encode(sound))).abs()
    return float(20 * torch.log10((found - wanted).norm() / wanted.norm()))


@pytest.mark.parametrize("inverse", ["pghi+griffin-lim", "pghi", "griffin-lim"])
def test_mono_stays_mono_bit_for_bit(inverse: str) -> None:
    for samples in (8192, 7001):  # ends of arrays that fill no vector register
        form = dataclasses.replace(Stereo.suited(22050, samples, 64, 64), inverse=inverse, iterations=8)
        sounds = torch.stack([of_length(hit(seed), samples).expand(2, -1) for seed in range(3)])
        found = form.decode(form.encode(sounds))
        assert found.abs().max() > 0.1
        assert torch.equal(found[:, 0], found[:, 1])


def test_a_mono_picture_has_equal_levels_cosine_1_and_sine_0() -> None:
    canvas = FORM.encode(hit().expand(2, -1))
    assert torch.equal(canvas[0], canvas[1])
    torch.testing.assert_close(canvas[2], torch.ones(128, 128), rtol=0, atol=1e-6)
    assert not canvas[3].any()


def test_silence_is_the_floor_and_mono_and_stays_silent() -> None:
    canvas = FORM.encode(torch.zeros(2, 8192))
    assert [channel.unique().tolist() for channel in canvas] == [[-100], [-100], [1], [0]]
    assert not FORM.decode(canvas).any()
    assert not FORM.decode(canvas - 5).any()


def test_near_silence_has_no_noise_in_the_angle() -> None:
    rng = torch.Generator().manual_seed(0)
    quiet = 10 ** (-115 / 20) * torch.randn(2, 8192, generator=rng)  # peaks near the floor, channels unlike
    angle = FORM.encode(quiet)[2:]
    assert float((angle - torch.tensor([1.0, 0.0])[:, None, None]).abs().max()) < 0.2


def test_the_angle_is_the_phase_difference() -> None:
    time = torch.arange(8192)
    for turn in (0.0, 1.0, torch.pi / 2, 3.0, -2.0):
        sound = torch.stack(
            [torch.cos(2 * torch.pi * 20 / 256 * time + turn), torch.cos(2 * torch.pi * 20 / 256 * time)]
        )
        cosine, sine = FORM.encode(sound)[2:, 127 - 20, 64]
        expected = torch.tensor(turn)
        torch.testing.assert_close(cosine, expected.cos(), rtol=0, atol=1e-4)
        torch.testing.assert_close(sine, expected.sin(), rtol=0, atol=1e-4)


def test_one_side_alone_comes_back_alone() -> None:
    for gains in ([[1.0], [0.0]], [[0.0], [1.0]]):
        found = FORM.decode(FORM.encode(hit() * torch.tensor(gains)))
        loud, silent = (0, 1) if gains[0][0] else (1, 0)
        assert found[silent].abs().max() < 1e-6
        assert found[loud].abs().max() > 0.1


def test_pairs_come_back_but_for_the_phase_they_share() -> None:
    rng = torch.Generator().manual_seed(1)
    left, right = torch.view_as_complex(torch.randn(2, 9, 17, 2, generator=rng).double())
    found = pair_spectra(pair_values(left, right, -100.0), -100.0)
    turn = torch.sgn(right)
    torch.testing.assert_close(found[0] * turn, left, rtol=0, atol=1e-6)
    torch.testing.assert_close(found[1] * turn, right, rtol=0, atol=1e-6)


def test_the_image_keeps_its_width_from_mono_over_wide_to_side_alone() -> None:
    for sound in (wide(share=0.1), wide(share=1.0), wide(share=3.0), hit() * torch.tensor([[1.0], [-1.0]])):
        found = FORM.decode(FORM.encode(sound))
        assert correlation(found) == pytest.approx(correlation(sound), abs=0.02)
        if width(sound) < 100:
            assert width(found) == pytest.approx(width(sound), rel=0.05)
        assert convergence_db(FORM, sound) < -15


def test_real_stereo_keeps_correlation_and_width() -> None:
    files = [AUDIO / "drums" / "cymbal", AUDIO / "drums" / "percussion", AUDIO / "notes" / "marimba", AUDIO / "misc"]
    if not all(folder.is_dir() for folder in files):
        pytest.skip("shared/audio is not here")
    for folder in files:
        sounds = (torch.from_numpy(to_stereo(read(path)[0])) for path in sorted(folder.iterdir()))
        sound = of_length(
            next(s for s in sounds if not torch.equal(s[0], s[1]) and s[:, :16384].abs().max() > 0.05), 16384
        )
        form = Stereo.suited(44100, 16384, 128, 64)
        found = form.decode(form.encode(sound))
        assert correlation(found) == pytest.approx(correlation(sound), abs=0.02), folder
        assert width(found) == pytest.approx(width(sound), abs=0.02), folder
        assert convergence_db(form, sound) < -15, folder


def test_knowing_both_channels_finds_phase_better_than_griffin_lim() -> None:
    by_chance = dataclasses.replace(FORM, inverse="griffin-lim")
    found = [[convergence_db(form, wide(seed)) for form in (FORM, by_chance)] for seed in range(6)]
    both, chance = torch.tensor(found).mean(0).tolist()
    assert both < chance - 1
    assert both < -22


def test_a_sound_does_not_depend_on_its_batch_but_on_its_seed() -> None:
    form = dataclasses.replace(FORM, iterations=4)
    canvas = form.encode(torch.stack([wide(seed) for seed in range(3)]))
    batch = form.decode(canvas, seeds=[7, 8, 9])
    torch.testing.assert_close(batch[1], form.decode(canvas[1], seeds=[8]), rtol=0, atol=1e-5)
    by_chance = dataclasses.replace(form, inverse="griffin-lim")
    assert not torch.allclose(by_chance.decode(canvas[1], seeds=[8]), by_chance.decode(canvas[1], seeds=[9]), atol=1e-3)


def test_any_canvas_has_a_sound() -> None:
    # a network's: angles longer and shorter than 1, levels below the floor and above full scale
    canvas = torch.randn(2, 4, 128, 128, generator=torch.Generator().manual_seed(2))
    canvas[:, :2] = 80 * canvas[:, :2] - 60
    assert torch.isfinite(dataclasses.replace(FORM, iterations=2).decode(canvas.clamp(-400, 60))).all()


def test_leading_axes_and_empty_batches_pass() -> None:
    sounds = torch.randn(2, 3, 2, 32, generator=torch.Generator().manual_seed(0))
    canvas = SMALL.encode(sounds)
    assert canvas.shape == (2, 3, 4, 8, 8)
    assert SMALL.decode(canvas, seeds=range(6)).shape == (2, 3, 2, 32)
    assert SMALL.decode(SMALL.encode(torch.zeros(0, 2, 32)), seeds=[]).shape == (0, 2, 32)


def test_gradients_agree_with_differences() -> None:
    sound = torch.rand(2, 32, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    assert torch.autograd.gradcheck(SMALL.encode, sound)


def test_decoding_has_gradients_also_of_silence_and_mono() -> None:
    canvas = FORM.encode(hit().expand(2, -1)).clone()
    canvas[:2, :40] = -100
    canvas.requires_grad_()
    dataclasses.replace(FORM, iterations=2).decode(canvas).square().sum().backward()
    assert torch.isfinite(canvas.grad).all()  # type: ignore[arg-type]


def test_pictures_suit_the_sounds_and_go_to_json_and_back() -> None:
    assert FORM.shape == (4, 128, 128)
    assert Stereo.suited(44100, 524288, 512, 512).shape == (4, 1024, 1024)
    assert from_dict(FORM.to_dict()) == FORM
    with pytest.raises(SoundError, match="inverse is one of"):
        dataclasses.replace(FORM, inverse="none")
    with pytest.raises(SoundError, match=r"sounds are \[\.\.\., 2, 8192\]"):
        FORM.encode(torch.zeros(1, 8192))
    with pytest.raises(SoundError, match="canvases are"):
        FORM.decode(torch.zeros(2, 128, 128))


def test_the_preview_is_grey_for_mono_and_coloured_to_the_sides() -> None:
    sounds = torch.stack([hit().expand(2, -1), hit() * torch.tensor([[1.0], [0.0]])])
    mono, left = FORM.preview(FORM.encode(sounds)).amax(dim=(1, 2)).tolist()
    assert mono[0] == mono[1] == mono[2] == 255
    assert left[0] > 250 > 40 > left[2]
