# SPDX-License-Identifier: Apache-2.0
"""lapped, stft and wave: fitted to an archive, exact to sound and back, and augmented as the sound itself would be."""

import json
from pathlib import Path

import pytest
import torch

from patches.augment import SoundAugment
from patches.errors import UserError
from patches.scaling import Compand, Linear, Unit
from patches.views import View
from patches.views.stft import moduli
from spect.errors import SoundError
from spect.lapped import Lapped
from spect.stft import Stft
from spect.wave import Wave
from tests.patches.views.sounds import STORED, agreement_db, archive, augmented, check_unread, noise

LINEAR = ("shift", "polarity", "gain", "width", "swap", "pan")
HEARD_DB = 60.0  # promised; measured about 110 where it is exact
FORMS = {
    "lapped": (Lapped(8000, 32, 32), 64),
    "lapped kbd": (Lapped(8000, 32, 32, "kbd"), 64),
    "stft": (Stft(8000, 32, 64), 32),
    "stft, hop window/4": (Stft(8000, 32, 128, 4), 16),
    "stft, hann": (Stft(8000, 32, 64, 2, "hann"), 32),
    "wave": (Wave(8000, 2048), 1),
}
VALUES = {"shift": 3, "polarity": -1, "gain": -4.5, "width": 0.6, "swap": -1, "pan": 25}


def sounds(n: int = 3) -> torch.Tensor:
    return noise(n, 2, STORED.samples) * torch.tensor([1.0, 0.4])[:, None] + 0.1


def fitted(name: str, folder: Path, scaling: str | None = None, **arguments: str) -> View:
    return View.fit(archive(sounds(20), folder), name, scaling, arguments)


@pytest.mark.parametrize(
    ("name", "scaling", "shape"),
    [
        ("lapped", "compand", (4, 32, 32)),
        ("lapped", "linear", (4, 32, 32)),
        ("stft", "compand", (4, 32, 64)),
        ("stft", "linear", (4, 32, 64)),
        ("wave", "unit", (2, 1, 2048)),
    ],
)
def test_a_sound_of_the_archive_comes_back_from_model_space(name, scaling, shape, tmp_path):
    view = fitted(name, tmp_path, scaling)
    assert view.shape == shape
    x = sounds()
    picture = view.picture(STORED, STORED.encode(x))
    assert picture.shape == (3, *shape)
    assert agreement_db(x, view.sound(picture)) > 110
    again = View.from_dict(json.loads(json.dumps(view.to_dict())))
    assert again == view
    assert again.sound(picture).equal(view.sound(picture))


def test_default_scalings_are_compand_and_for_a_wave_none(tmp_path):
    lapped, stft = fitted("lapped", tmp_path).scaling, fitted("stft", tmp_path).scaling
    assert isinstance(lapped, Compand)
    assert isinstance(stft, Compand)
    assert (lapped.pairs, lapped.dc) == (False, None)
    assert stft.pairs
    assert fitted("wave", tmp_path).scaling == Unit()
    assert isinstance(fitted("lapped", tmp_path, "linear").scaling, Linear)
    with pytest.raises(UserError, match="allowed with the view wave: unit"):
        fitted("wave", tmp_path, "compand")


def test_lapped_scales_are_the_rows_robust_maxima_over_items(tmp_path):
    loudest = Lapped(8000, 32, 32).encode(sounds(20)).abs().amax((1, 3)).double()
    scaling = fitted("lapped", tmp_path).scaling
    assert isinstance(scaling, Compand)
    torch.testing.assert_close(torch.tensor(scaling.rows).double(), loudest.quantile(0.99, dim=0), rtol=1e-4, atol=0)


def test_stft_scales_are_moduli_and_those_of_dc_apart(tmp_path):
    canvas = Stft(8000, 32, 64).encode(sounds(20))
    value = torch.complex(canvas[:, 0::2], canvas[:, 1::2])
    scaling = fitted("stft", tmp_path).scaling
    assert isinstance(scaling, Compand)
    rows = value.abs().amax((1, 3)).double().quantile(0.99, dim=0)
    torch.testing.assert_close(torch.tensor(scaling.rows[1:]).double(), rows[1:], rtol=1e-4, atol=0)
    for got, part in ((scaling.rows[0], value.real), (scaling.dc, value.imag)):
        assert got == pytest.approx(float(part[:, :, 0].abs().amax((1, 2)).double().quantile(0.99)), rel=1e-4)
    assert moduli(canvas).shape == (20, 2, 33, 64)


@pytest.mark.parametrize("label", FORMS)
@pytest.mark.parametrize("name", LINEAR)
def test_augment_then_decode_is_decode_then_augment(name, label):
    form, column = FORMS[label]
    transform = next(t for t in View(form, Unit()).transforms if t.name == name)
    canvas = form.encode(sounds(2))
    value = VALUES[name] * (64 // column if name == "shift" else 1)
    heard = form.decode(transform(canvas, torch.tensor([value, transform.identity])))
    wanted = augmented(sounds(2)[0], name, value, column)
    # shift: away from where the old ends come to lie, by half a window of the view; elsewhere on every sample
    start = 3 * 64 + 64 if name == "shift" else 0
    stop = STORED.samples - (64 if name == "shift" else 0)
    assert agreement_db(wanted[:, start:stop], heard[0, :, start:stop]) >= HEARD_DB
    assert agreement_db(sounds(2)[1], heard[1]) >= HEARD_DB


@pytest.mark.parametrize("label", FORMS)
@pytest.mark.parametrize("columns", [2, -2])
def test_a_sound_with_silence_at_its_ends_is_shifted_exactly(columns, label):
    form, column = FORMS[label]
    sound = torch.nn.functional.pad(sounds(1)[..., 256:-256], (256, 256))
    shift = next(t for t in View(form, Unit()).transforms if t.name == "shift")
    value = columns * 64 // column
    heard = form.decode(shift(form.encode(sound), torch.tensor([float(value)])))
    assert agreement_db(augmented(sound[0], "shift", value, column), heard[0]) >= 100


@pytest.mark.parametrize("label", [label for label in FORMS if not label.startswith("wave")])
@pytest.mark.parametrize("name", LINEAR[1:])
def test_that_holds_for_canvases_that_no_sound_has(name, label):
    form, column = FORMS[label]
    transform = next(t for t in View(form, Unit()).transforms if t.name == name)
    canvas = noise(1, *form.shape, seed=5)
    heard = form.decode(transform(canvas, torch.tensor([float(VALUES[name])])))
    assert agreement_db(augmented(form.decode(canvas)[0], name, VALUES[name], column), heard[0]) >= 100


@pytest.mark.parametrize("label", [label for label in FORMS if label.startswith("stft")])
def test_a_phase_rotation_is_the_sounds_from_bin_8_up(label):
    form, _ = FORMS[label]
    spectrum = torch.fft.rfft(sounds(1))
    bins = torch.arange(spectrum.shape[-1]) * 64 / form.samples
    spectrum[..., (bins < 8) | (bins > 24)] = 0
    sound = torch.fft.irfft(spectrum, n=form.samples) * torch.hann_window(form.samples)
    phase = next(t for t in View(form, Unit()).transforms if t.name == "phase")
    heard = form.decode(phase(form.encode(sound), torch.tensor([0.7])))
    assert agreement_db(augmented(sound[0], "phase", 0.7, 0), heard[0]) >= HEARD_DB


def test_only_stft_bears_a_phase_rotation_and_one_channel_no_stereo(tmp_path):
    assert fitted("lapped", tmp_path).augmentations == LINEAR
    assert fitted("stft", tmp_path).augmentations == (*LINEAR, "phase")
    assert fitted("wave", tmp_path).augmentations == LINEAR
    mono = fitted("wave", tmp_path, channels="1")
    assert mono.shape == (1, 1, 2048)
    assert mono.augmentations == LINEAR[:3]


@pytest.mark.parametrize("name", ["lapped", "stft", "wave"])
def test_they_are_drawn_and_applied_in_model_space_with_gradients(name, tmp_path):
    view = fitted(name, tmp_path)
    augment = SoundAugment(view)
    pictures = view.picture(STORED, STORED.encode(sounds())).requires_grad_()
    draws = augment.draw(3, 1.0, torch.Generator().manual_seed(1))
    changed = augment(pictures, draws)
    check_unread(augment, pictures)
    (gradient,) = torch.autograd.grad(changed.square().sum(), pictures)
    assert torch.isfinite(gradient).all()
    assert (changed != pictures).flatten(1).any(1).all()
    assert augment(pictures, augment.draw(3, 0.0, torch.Generator())).equal(pictures)
    assert view.preview(pictures).shape[0] == 3


def test_views_are_cut_by_hand_and_refuse_what_does_not_fit(tmp_path):
    assert fitted("stft", tmp_path, overlap="4").shape == (4, 32, 128)
    assert fitted("lapped", tmp_path, rows="16", window="kbd").representation == Lapped(8000, 16, 64, "kbd")
    assert fitted("wave", tmp_path, length="1024").samples == 1024
    with pytest.raises(SoundError, match="the sounds have 2048"):
        fitted("wave", tmp_path, length="4096")
    with pytest.raises(SoundError, match="no parameter 'hop'; allowed: rows, frames, window, alpha"):
        fitted("lapped", tmp_path, hop="4")
    with pytest.raises(SoundError, match="overlap is one of 2, 4, got '3'"):
        fitted("stft", tmp_path, overlap="3")
