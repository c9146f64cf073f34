# SPDX-License-Identifier: Apache-2.0
"""Log power pictures: the papers' shapes, levels that mean something, silence, gradients, and what comes back."""

import dataclasses
from pathlib import Path

import pytest
import torch

from spect.audio import read, to_stereo
from spect.errors import SoundError
from spect.logmag import Logmag
from spect.phase.griffin_lim import spectral_convergence_db
from spect.phase.inverse import INVERSES
from spect.representation import from_dict, of_length

FORM = Logmag.suited(22050, 8192, 64, 64)
SMALL = Logmag(8000, rows=8, frames=8, hop=4, first=2, samples=32)
ELECTROGAN = Logmag(44100, rows=1024, frames=1024, hop=1025, first=0, samples=1048576, inverse="griffin-lim",
                    iterations=10, momentum=0.0)  # fmt: skip
SPECGAN = Logmag(16000, rows=128, frames=128, hop=128, first=64, samples=16384, inverse="griffin-lim", iterations=16,
                 momentum=0.0)  # fmt: skip
DRUMS = Path(__file__).parents[3] / "shared" / "audio" / "drums"


def hit(seed: int = 0, samples: int = 8192) -> torch.Tensor:
    """A tone and a noise that die away, mono."""
    rng = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 22050
    wave = 0.5 * torch.sin(2 * torch.pi * (180 + 40 * seed) * time) + 0.2 * torch.randn(samples, generator=rng)
    return (wave * torch.exp(-18 * time)).expand(2, -1)


def convergence_db(form: Logmag, sound: torch.Tensor, **options: object) -> float:
    made = dataclasses.replace(form, **options)  # type: ignore[arg-type]
    wanted = made.layout.stft(sound.mean(0)).abs()
    return float(spectral_convergence_db(made.layout, wanted, made.decode(made.encode(sound)).mean(0)))


def test_the_papers_shapes_are_exact() -> None:
    assert ELECTROGAN.shape == (1, 1024, 1024)
    assert ELECTROGAN.layout.window == 2048
    assert (ELECTROGAN.frames - 1) * ELECTROGAN.hop == 1048576 - 1  # 1 + floor(L / hop) centred frames
    options = {"inverse": "griffin-lim", "iterations": 10, "momentum": 0.0}
    chosen = Logmag.suited(44100, 1048576, 512, 1024, rows=1024, frames=1024, hop=1025, **options)
    assert chosen == ELECTROGAN
    assert SPECGAN.shape == (1, 128, 128)
    assert SPECGAN.encode(torch.zeros(2, 16384)).shape == (1, 128, 128)


def test_electrogans_picture_is_that_of_centred_frames() -> None:
    sound = hit(samples=1048576)
    spectrum = torch.stft(
        sound[0], 2048, 1025, window=torch.hann_window(2048), pad_mode="constant", return_complex=True
    )
    assert spectrum.shape == (1025, 1024)
    power = (4 / 2048 * spectrum[:-1].abs()) ** 2
    torch.testing.assert_close(ELECTROGAN.encode(sound)[0], 10 * torch.log10(power + 1e-10).flip(0), rtol=0, atol=2e-3)


def test_a_full_scale_sine_is_0_db_in_its_row_and_silence_the_floor() -> None:
    time = torch.arange(8192)
    canvas = FORM.encode(torch.sin(2 * torch.pi * 20 / 256 * time).expand(2, -1))
    assert float(canvas[0, 127 - 20, 64]) == pytest.approx(0, abs=1e-3)
    assert int(canvas[0, :, 64].argmax()) == 127 - 20
    assert FORM.encode(torch.zeros(2, 8192)).unique().tolist() == [-100]


def test_a_constant_lies_in_the_last_row() -> None:
    assert int(FORM.encode(torch.full((2, 8192), 0.3))[0, :, 64].argmax()) == 127


def test_silence_stays_silent_for_every_floor() -> None:
    for floor_db in (-60.0, -90.3, -100.0, -117.7, -140.0):
        form = dataclasses.replace(FORM, floor_db=floor_db)
        assert not form.decode(form.encode(torch.zeros(2, 8192))).any()
        quieter = form.encode(torch.zeros(2, 8192)) - 5
        assert not form.decode(quieter).any()


def test_silence_before_a_sound_stays_silent() -> None:
    sound = torch.zeros(2, 8192)
    sound[:, 4096:] = hit()[:, :4096]
    found = FORM.decode(FORM.encode(sound))
    assert not found[:, : 4096 - 256].any()


def test_pghi_with_griffin_lim_is_nearer_than_griffin_lim_alone() -> None:
    found = torch.tensor(
        [[convergence_db(FORM, hit(seed), inverse=name) for name in INVERSES] for seed in range(4)]
    ).mean(0)
    both, pghi_alone, griffin_lim_alone = found.tolist()
    assert both < griffin_lim_alone - 2
    assert both < -23
    assert pghi_alone < -12


def test_real_drums_come_back() -> None:
    if not DRUMS.is_dir():
        pytest.skip("shared/audio is not here")
    found = []
    for path in sorted(DRUMS.glob("*/*"))[::40]:
        sound = of_length(torch.from_numpy(to_stereo(read(path)[0])), 8192)
        found.append(convergence_db(FORM, sound))
    assert float(torch.tensor(found).median()) < -22
    assert max(found) < -10


def test_two_channels_keep_levels_and_what_is_equal() -> None:
    form = dataclasses.replace(FORM, channels=2)
    mono = form.decode(form.encode(hit()))
    assert torch.equal(mono[0], mono[1])
    panned = hit() * torch.tensor([[1.0], [0.25]])
    found = form.decode(form.encode(panned))
    assert float(found[0].norm() / found[1].norm()) == pytest.approx(4, rel=1e-3)
    left_only = hit() * torch.tensor([[1.0], [0.0]])
    assert not form.decode(form.encode(left_only))[1].any()


def test_a_sound_does_not_depend_on_its_batch_but_on_its_seed() -> None:
    form = dataclasses.replace(FORM, iterations=4)
    canvas = form.encode(torch.stack([hit(seed) for seed in range(3)]))
    batch = form.decode(canvas, seeds=[7, 8, 9])
    torch.testing.assert_close(batch[1], form.decode(canvas[1], seeds=[8]), rtol=0, atol=1e-5)
    torch.testing.assert_close(form.decode(canvas)[2], form.decode(canvas[2:], seeds=[0])[0], rtol=0, atol=1e-5)
    by_chance = dataclasses.replace(form, inverse="griffin-lim")
    assert not torch.allclose(by_chance.decode(canvas[1], seeds=[8]), by_chance.decode(canvas[1], seeds=[9]), atol=1e-3)
    with pytest.raises(SoundError, match="3 canvases need 3 seeds, got 2"):
        form.decode(canvas, seeds=[1, 2])


def test_leading_axes_and_empty_batches_pass() -> None:
    sounds = torch.randn(2, 3, 2, 32, generator=torch.Generator().manual_seed(0))
    canvas = SMALL.encode(sounds)
    assert canvas.shape == (2, 3, 1, 8, 8)
    assert SMALL.decode(canvas, seeds=range(6)).shape == (2, 3, 2, 32)
    assert SMALL.decode(SMALL.encode(torch.zeros(0, 2, 32)), seeds=[]).shape == (0, 2, 32)


def test_gradients_of_encoding_agree_with_differences() -> None:
    sound = torch.rand(2, 32, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    for channels in (1, 2):
        form = dataclasses.replace(SMALL, channels=channels)
        assert torch.autograd.gradcheck(form.encode, sound)


def test_decoding_has_gradients_also_of_silence() -> None:
    canvas = FORM.encode(hit()).clone()
    canvas[:, :40] = -100
    canvas.requires_grad_()
    dataclasses.replace(FORM, iterations=2).decode(canvas).square().sum().backward()
    assert torch.isfinite(canvas.grad).all()  # type: ignore[arg-type]
    assert canvas.grad[:, 40:].abs().max() > 0  # type: ignore[index]


def test_pictures_suit_the_sounds() -> None:
    assert FORM.shape == (1, 128, 128)
    assert (FORM.hop, FORM.layout.window, FORM.samples) == (64, 256, 8192)
    assert Logmag.suited(44100, 524288, 512, 512).shape == (1, 1024, 1024)
    assert Logmag.suited(44100, 8192, 64, 64, channels=2, frames=64).shape[::2] == (2, 64)


def test_parameters_go_to_json_and_back_and_mistakes_have_one_line() -> None:
    assert from_dict(SPECGAN.to_dict()) == SPECGAN
    for wrong, message in (
        ({"channels": 3}, "channels is 1"),
        ({"floor_db": 0.0}, "floor_db lies"),
        ({"inverse": "istft"}, "inverse is one of pghi"),
        ({"iterations": -1}, "iterations is a whole number"),
        ({"hop": 256}, "hop is less than the window"),
    ):
        with pytest.raises(SoundError, match=message):
            dataclasses.replace(FORM, **wrong)  # type: ignore[arg-type]
    with pytest.raises(SoundError, match="sounds are"):
        FORM.encode(torch.zeros(2, 8191))
    with pytest.raises(SoundError, match="canvases are"):
        FORM.decode(torch.zeros(2, 128, 128))


def test_the_preview_shows_a_low_tone_low() -> None:
    tone = torch.sin(2 * torch.pi * 3 / 256 * torch.arange(8192)).expand(2, -1)
    shown = FORM.preview(FORM.encode(tone)[None])
    assert shown.shape == (1, 128, 128, 3)
    assert int(shown[0, :, 64, 0].int().argmax()) > 80
