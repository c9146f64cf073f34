# SPDX-License-Identifier: Apache-2.0
"""mel: fitted to an archive, mono kept, silence reached, augmented as the sound itself would be."""

import json
from pathlib import Path

import pytest
import torch

from patches.augment import SoundAugment
from patches.errors import UserError
from patches.scaling import Standard, Unit
from patches.views import View
from spect.mel import Mel
from tests.patches.views.sounds import STORED, archive, augmented, check_unread

FORM = Mel(8000, 32, 64, 256, 32, 16, 2048, fmax=4000.0, iterations=16)
VALUES = {"shift": 4, "gain": -4.5, "width": 0.5, "swap": -1, "pan": 20}


def sounds(n: int = 3, seed: int = 0) -> torch.Tensor:
    """Plucks of several pitches over noise, wide in the room, silent at both ends. Shape: [n, 2, 2048]."""
    rng = torch.Generator().manual_seed(seed)
    time = torch.arange(STORED.samples) / STORED.sample_rate
    pitch = 200 + 900 * torch.rand(n, 1, 1, generator=rng)
    noise = 0.1 * torch.randn(n, 2, STORED.samples, generator=rng)
    heard = (0.4 * torch.sin(2 * torch.pi * pitch * time + torch.tensor([[0.0], [0.8]])) + noise) * torch.exp(
        -12 * time
    )
    return heard * (time > 0.05) * (time < 0.2)


def fitted(folder: Path, scaling: str | None = None, **arguments: str) -> View:
    return View.fit(archive(sounds(20), folder), "mel", scaling, {"iterations": "4", **arguments})


@pytest.mark.parametrize("channels", ["1", "4"])
@pytest.mark.parametrize("scaling", ["standard", "standard-one"])
def test_a_sound_of_the_archive_comes_near_from_model_space(channels, scaling, tmp_path):
    view = fitted(tmp_path, scaling, channels=channels)
    picture = view.picture(STORED, STORED.encode(sounds()))
    assert picture.shape == (3, int(channels), 32, 32)
    assert float(picture.abs().max()) <= 1.0001
    levels = min(2, int(channels))
    canvas = view.representation.encode(sounds())[:, :levels]
    again = view.representation.encode(view.sound(picture))[:, :levels]
    loud = canvas > canvas.amax() - 30
    assert float((again - canvas)[loud].abs().mean()) < 2
    read = View.from_dict(json.loads(json.dumps(view.to_dict())))
    assert read == view
    assert read.sound(picture, seeds=[1, 2, 3]).equal(view.sound(picture, seeds=[1, 2, 3]))
    assert not view.sound(view.picture(STORED, torch.zeros(1, *STORED.shape))).any()


def test_mono_stays_mono_and_angles_as_they_are(tmp_path):
    view = fitted(tmp_path)
    scaling = view.scaling
    assert isinstance(scaling, Standard)
    assert (scaling.mean[0], scaling.deviation[0]) == (scaling.mean[1], scaling.deviation[1])
    canvas = view.representation.encode(sounds())
    torch.testing.assert_close(scaling.to_model(canvas)[:, 2:], canvas[:, 2:], rtol=0, atol=1e-6)
    mono = sounds()[:, :1].expand(-1, 2, -1)
    heard = view.sound(view.to_model(view.representation.encode(mono)))
    assert heard.abs().max() > 0.05
    assert heard[:, 0].equal(heard[:, 1])


@pytest.mark.parametrize("name", VALUES)
def test_an_augmented_canvas_is_that_of_the_augmented_sound(name):
    transform = next(t for t in View(FORM, Unit()).transforms if t.name == name)
    sound = sounds(2)
    canvas = transform(FORM.encode(sound), torch.tensor([float(VALUES[name]), transform.identity]))
    wanted = FORM.encode(torch.stack([augmented(sound[0], name, VALUES[name], FORM.hop), sound[1]]))
    heard = wanted[:, :2].amin(1, keepdim=True) > -60
    assert heard.double().mean() > 0.3
    apart = (canvas - wanted).abs() * heard
    assert apart[:, :2].max() < 0.01  # dB
    assert apart[:, 2:].max() < 0.01


@pytest.mark.parametrize("name", VALUES)
def test_augment_then_decode_is_decode_then_augment_in_level(name):
    transform = next(t for t in View(FORM, Unit()).transforms if t.name == name)
    canvas = FORM.encode(sounds(1))
    first = FORM.encode(FORM.decode(transform(canvas, torch.tensor([float(VALUES[name])]))))
    after = FORM.encode(augmented(FORM.decode(canvas)[0], name, VALUES[name], FORM.hop)[None])
    error = first[:, :2].clamp_min(-60) - after[:, :2].clamp_min(-60)
    assert error.square().mean().sqrt() < 1.5  # dB, found phases among it


def test_what_it_bears_in_mono_and_stereo(tmp_path):
    assert fitted(tmp_path).augmentations == ("shift", "gain", "width", "swap", "pan")
    assert fitted(tmp_path, channels="1").augmentations == ("shift", "gain")
    with pytest.raises(UserError, match="does not bear 'polarity'"):
        SoundAugment(fitted(tmp_path), ("polarity",))


def test_it_is_augmented_in_model_space_with_gradients(tmp_path):
    view = fitted(tmp_path)
    augment = SoundAugment(view)
    pictures = view.picture(STORED, STORED.encode(sounds())).requires_grad_()
    changed = augment(pictures, augment.draw(3, 1.0, torch.Generator().manual_seed(1)))
    check_unread(augment, pictures)
    (gradient,) = torch.autograd.grad(changed.square().sum(), pictures)
    assert torch.isfinite(gradient).all()
    assert (changed != pictures).flatten(1).any(1).all()
    assert view.preview(pictures).shape == (3, 32, 32, 3)
