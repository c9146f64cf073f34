# SPDX-License-Identifier: Apache-2.0
"""logmag and stereo: fitted to an archive, near to sound and back, mono kept, left and right alike, augmented."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from patches.augment import SoundAugment
from patches.errors import UserError
from patches.scaling import Standard
from patches.views import View
from patches.views.levels import scaled_alike
from spect.logmag import Logmag
from spect.stereo import Stereo
from tests.patches.views.sounds import STORED, archive, check_unread

VIEWS = [("logmag", {}), ("logmag", {"channels": "2"}), ("stereo", {})]
IDS = ["logmag", "logmag 2", "stereo"]


def sounds(n: int = 3, seed: int = 0) -> torch.Tensor:
    """Plucks of several pitches, wide in the room, dying away. Shape: [n, 2, 2048]."""
    rng = torch.Generator().manual_seed(seed)
    time = torch.arange(STORED.samples) / STORED.sample_rate
    pitch = 200 + 900 * torch.rand(n, 1, 1, generator=rng)
    turn = torch.tensor([[0.0], [0.8]])
    noise = 0.05 * torch.randn(n, 2, STORED.samples, generator=rng)
    return (0.4 * torch.sin(2 * torch.pi * pitch * time + turn) + noise) * torch.exp(-12 * time)


def fitted(name: str, folder: Path, scaling: str | None = None, arguments: dict[str, str] | None = None) -> View:
    return View.fit(archive(sounds(20), folder), name, scaling, {"iterations": "8", **(arguments or {})})


@pytest.mark.parametrize(("name", "arguments"), VIEWS, ids=IDS)
@pytest.mark.parametrize("scaling", ["standard", "standard-one"])
def test_a_sound_of_the_archive_comes_near_from_model_space(name, arguments, scaling, tmp_path):
    view = fitted(name, tmp_path, scaling, arguments)
    picture = view.picture(STORED, STORED.encode(sounds()))
    assert picture.shape == (3, {"logmag": 1, "logmag 2": 2, "stereo": 4}[name + " 2" * bool(arguments)], 64, 64)
    assert float(picture.abs().max()) <= 1.0001
    assert float(picture[:, :2].std()) > 0.1
    canvas = view.representation.encode(sounds())
    again = view.representation.encode(view.sound(picture))
    loud = canvas[:, :2] > canvas[:, :2].amax() - 30
    assert float((again - canvas)[:, :2][loud].abs().mean()) < 3
    read = View.from_dict(json.loads(json.dumps(view.to_dict())))
    assert read == view
    assert read.sound(picture, seeds=[1, 2, 3]).equal(view.sound(picture, seeds=[1, 2, 3]))


@pytest.mark.parametrize("name", ["logmag", "stereo"])
def test_mono_stays_mono_through_model_space(name, tmp_path):
    view = fitted(name, tmp_path, arguments={"channels": "2"} if name == "logmag" else None)
    mono = sounds()[:, :1].expand(-1, 2, -1)
    heard = view.sound(view.to_model(view.representation.encode(mono)))
    assert heard.abs().max() > 0.05
    assert heard[:, 0].equal(heard[:, 1])


def test_left_and_right_have_one_scaling_and_angles_none(tmp_path):
    scaling = fitted("stereo", tmp_path).scaling
    assert isinstance(scaling, Standard)
    assert scaling.mean[0] == scaling.mean[1]
    assert scaling.deviation[0] == scaling.deviation[1]
    canvas = fitted("stereo", tmp_path).representation.encode(sounds())
    torch.testing.assert_close(scaling.to_model(canvas)[:, 2:], canvas[:, 2:].clamp(-1, 1), rtol=0, atol=1e-6)
    both = torch.cat([Stereo.suited(8000, 2048, 32, 32).encode(sounds(20))[:, channel] for channel in (0, 1)], dim=-1)
    mean, deviation = both.double().mean((0, 2)), both.double().std((0, 2), correction=0)
    assert torch.tensor(scaling.mean[0]).tolist() == pytest.approx(mean.tolist(), abs=0.01)
    widened = torch.stack([deviation, (mean + 100) / 3, (both.double().amax((0, 2)) - mean) / 3]).amax(0)
    assert torch.tensor(scaling.deviation[0]).tolist() == pytest.approx(widened.tolist(), abs=0.01)


def test_a_scaling_of_both_is_that_of_their_values_thrown_together():
    values = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1.0], [3.0]])
    values += torch.tensor([[5.0], [-2.0]])
    each = Standard(
        *(tuple((float(v),) for v in x) for x in (values.mean(1), values.std(1, correction=0), values.amax(1)))
    )
    both = scaled_alike(replace(each, highest=((5.0,), (-2.0,))), 2, -1.0)
    assert both.mean[0][0] == pytest.approx(float(values.mean()), rel=1e-5)
    assert both.deviation[1][0] == pytest.approx(float(values.std(correction=0)), rel=1e-5)
    top = (max(each.highest)[0] - float(values.mean())) / 3
    assert scaled_alike(each, 2, -1.0).deviation[0][0] == pytest.approx(
        max(top, float(values.std(correction=0))), rel=1e-5
    )
    assert scaled_alike(each, 2, -100.0).deviation[0][0] == pytest.approx((float(values.mean()) + 100) / 3, rel=1e-5)
    assert scaled_alike(each, 1, -1.0).mean[1] == each.mean[1]


@pytest.mark.parametrize(("name", "arguments"), VIEWS, ids=IDS)
def test_silence_stays_silent_through_model_space(name, arguments, tmp_path):
    view = fitted(name, tmp_path, arguments=arguments)
    assert not view.sound(view.picture(STORED, STORED.encode(torch.zeros(2, 2, 2048)))).any()


@pytest.mark.parametrize(("name", "arguments"), VIEWS, ids=IDS)
def test_they_are_augmented_in_model_space_with_gradients(name, arguments, tmp_path):
    view = fitted(name, tmp_path, arguments=arguments)
    augment = SoundAugment(view)
    pictures = view.picture(STORED, STORED.encode(sounds())).requires_grad_()
    changed = augment(pictures, augment.draw(3, 1.0, torch.Generator().manual_seed(1)))
    check_unread(augment, pictures)
    (gradient,) = torch.autograd.grad(changed.square().sum(), pictures)
    assert torch.isfinite(gradient).all()
    assert (changed != pictures).flatten(1).any(1).all()
    assert augment(pictures, augment.draw(3, 0.0, torch.Generator())).equal(pictures)
    assert view.preview(pictures).shape == (3, 64, 64, 3)


def test_arguments_and_what_is_not_borne(tmp_path):
    assert fitted("logmag", tmp_path).augmentations == ("shift", "gain")
    assert fitted("logmag", tmp_path, arguments={"channels": "2"}).augmentations == ("shift", "gain", "swap")
    assert fitted("stereo", tmp_path).augmentations == ("shift", "gain", "width", "swap", "pan")
    with pytest.raises(UserError, match="does not bear 'polarity'"):
        SoundAugment(fitted("stereo", tmp_path), ("polarity",))
    chosen = fitted("logmag", tmp_path, arguments={"rows": "32", "frames": "64", "hop": "32", "inverse": "griffin-lim"})
    assert chosen.representation == Logmag(
        8000, rows=32, frames=64, hop=32, first=16, samples=2048, inverse="griffin-lim", iterations=8
    )
