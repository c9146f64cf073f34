# SPDX-License-Identifier: Apache-2.0
"""instfreq: fitted to an archive, back to sound, and augmented as the sound itself would be."""

import json
from pathlib import Path

import pytest
import torch

from patches.augment import SoundAugment
from patches.scaling import Standard, Unit
from patches.views import View
from spect.instfreq import Instfreq
from tests.patches.views.sounds import STORED, agreement_db, archive, augmented, check_unread, noise

FORM = Instfreq(8000, 64, 64, 128, 32, 16, 2048, 4, "packed", True)
FORMS = {
    "ours": FORM,
    "as published": Instfreq(8000, 64, 64, 128, 32, 16, 2048),
    "absolute, mid and side": Instfreq(8000, 64, 64, 128, 32, 16, 2048, 4, "packed"),
}
VALUES = {"shift": 5, "polarity": -1, "gain": -4.5, "width": 0.6, "swap": -1, "pan": 25}


def sounds(n: int = 3) -> torch.Tensor:
    """Noise that swells, silent for 256 samples at both ends. Shape: [n, 2, 2048]."""
    swell = torch.nn.functional.pad(torch.hann_window(STORED.samples - 512), (256, 256))
    return noise(n, 2, STORED.samples) * torch.tensor([1.0, 0.4])[:, None] * swell


def fitted(folder: Path, scaling: str | None = None, **arguments: str) -> View:
    return View.fit(archive(sounds(20), folder), "instfreq", scaling, arguments)


@pytest.mark.parametrize("scaling", ["standard", "standard-one"])
def test_a_sound_of_the_archive_comes_back_from_model_space(scaling, tmp_path):
    view = fitted(tmp_path, scaling)
    picture = view.picture(STORED, STORED.encode(sounds()))
    assert picture.shape == (3, 4, 64, 64)
    assert float(picture.abs().max()) <= 1.0001
    assert agreement_db(sounds(), view.sound(picture)) > 60
    assert View.from_dict(json.loads(json.dumps(view.to_dict()))) == view


def test_turns_stay_as_they_are_and_silence_is_within_reach(tmp_path):
    view = fitted(tmp_path)
    canvas = view.representation.encode(sounds())
    torch.testing.assert_close(view.to_model(canvas)[:, 1::2], canvas[:, 1::2].clamp(-1, 1), rtol=0, atol=1e-6)
    assert isinstance(view.scaling, Standard)
    lowest = torch.tensor(view.scaling.mean) - 3 * torch.tensor(view.scaling.deviation)
    assert (lowest[0::2] <= FORM.floor_db + 1e-3).all()
    assert not view.sound(view.picture(STORED, torch.zeros(1, *STORED.shape))).any()


@pytest.mark.parametrize("label", FORMS)
@pytest.mark.parametrize("name", VALUES)
def test_augment_then_decode_is_decode_then_augment(name, label):
    form = FORMS[label]
    transform = next((t for t in View(form, Unit()).transforms if t.name == name), None)
    if transform is None:
        assert (form.channels, name in ("width", "swap", "pan")) == (2, True)
        return
    canvas = form.encode(sounds(2))
    changed = transform(canvas, torch.tensor([VALUES[name], transform.identity]))
    heard, before = form.decode(changed), form.decode(canvas)
    wanted = augmented(before[0], name, VALUES[name], form.hop)
    inner = slice(128, -128) if name == "shift" else slice(None)
    assert agreement_db(wanted[:, inner], heard[0][:, inner]) >= 80
    assert agreement_db(before[1], heard[1]) >= 80


@pytest.mark.parametrize("name", VALUES)
def test_the_augmented_picture_is_that_of_the_augmented_sound(name):
    transform = next(t for t in View(FORM, Unit()).transforms if t.name == name)
    canvas = transform(FORM.encode(sounds(1)), torch.tensor([float(VALUES[name])]))
    wanted = FORM.encode(augmented(sounds(1)[0], name, VALUES[name], FORM.hop)[None])
    loud = wanted[:, 0::2] > -60
    assert loud.double().mean() > 0.3
    assert ((canvas - wanted)[:, 0::2].abs() * loud).max() < 0.05  # dB
    turned = torch.remainder((canvas - wanted)[:, 1::2] + 1, 2) - 1  # -1 and 1 are one
    begun = loud & loud.roll(1, -1)  # elsewhere what is next to silence decides, and rounding decides that
    assert (turned.abs() * begun).max() < 0.02


@pytest.mark.parametrize("name", ["polarity", "gain", "width", "swap", "pan"])
def test_that_holds_for_pictures_that_no_sound_has(name):
    transform = next(t for t in View(FORM, Unit()).transforms if t.name == name)
    canvas = (
        noise(1, *FORM.shape, seed=5) * torch.tensor([20.0, 1.0, 20.0, 1.0])[:, None, None]
        - torch.tensor([40.0, 0.0, 60.0, 0.0])[:, None, None]
    )
    heard = FORM.decode(transform(canvas, torch.tensor([float(VALUES[name])])))
    assert agreement_db(augmented(FORM.decode(canvas)[0], name, VALUES[name], 0), heard[0]) >= 80


def test_what_it_bears_in_mono_stereo_and_mel(tmp_path):
    linear = ("shift", "polarity", "gain", "width", "swap", "pan")
    assert fitted(tmp_path).augmentations == linear
    assert fitted(tmp_path, channels="2").augmentations == linear[:3]
    assert fitted(tmp_path, mel="true").augmentations == linear[:5]


def test_they_are_drawn_and_applied_in_model_space_with_gradients(tmp_path):
    view = fitted(tmp_path)
    augment = SoundAugment(view)
    pictures = view.picture(STORED, STORED.encode(sounds())).requires_grad_()
    changed = augment(pictures, augment.draw(3, 1.0, torch.Generator().manual_seed(1)))
    check_unread(augment, pictures)
    (gradient,) = torch.autograd.grad(changed.square().sum(), pictures)
    assert torch.isfinite(gradient).all()
    assert (changed != pictures).flatten(1).any(1).all()
    assert augment(pictures, augment.draw(3, 0.0, torch.Generator())).equal(pictures)
    assert view.preview(pictures).shape == (3, 64, 64, 3)
