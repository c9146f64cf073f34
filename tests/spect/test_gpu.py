# SPDX-License-Identifier: Apache-2.0
"""The same code on a CUDA device: equal figures, and the lossless picture stays lossless."""

import pytest
import torch

from spect.cmyk import Cmyk
from spect.damage import DAMAGES
from spect.instfreq import Instfreq
from spect.lapped import Lapped
from spect.measures import FEATURES, levels, measure
from spect.mel import Mel
from spect.preview import picture
from spect.stft import Stft

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
FORM = Cmyk(rows=512, frames=64)


def sounds() -> torch.Tensor:
    noise = torch.rand(3, 2, FORM.samples, generator=torch.Generator().manual_seed(0)) - 0.4
    return noise * torch.tensor([1.0, 0.1, 0.0])[:, None, None]


def test_round_trip_is_exact_on_the_device() -> None:
    sound = sounds().cuda()
    error = (FORM.decode(FORM.encode(sound)) - sound).double().square().sum()
    assert 10 * torch.log10(sound.double().square().sum() / error) >= 130


def test_canvases_features_levels_and_pictures_equal_the_cpus() -> None:
    sound = sounds()
    canvas = FORM.encode(sound)
    torch.testing.assert_close(FORM.encode(sound.cuda()).cpu(), canvas, rtol=0, atol=1e-5 * float(canvas.abs().max()))
    for feature in FEATURES.values():
        on_device = feature.function(sound.cuda(), 44100).cpu()
        torch.testing.assert_close(on_device, feature.function(sound, 44100), rtol=0, atol=1e-3)
    for name, value in levels(sound.cuda()).items():
        torch.testing.assert_close(value.cpu(), levels(sound)[name], msg=name)
    difference = picture(canvas.cuda()).cpu().int() - picture(canvas).int()
    assert int(difference.abs().max()) <= 1


def test_measures_of_single_sounds_and_damages_equal_the_cpus() -> None:
    sound = sounds()
    on_device = measure(sound.cuda(), 44100)
    for name, value in measure(sound, 44100).items():
        torch.testing.assert_close(on_device[name].cpu(), value, rtol=1e-3, atol=1e-3, msg=name)
    for name, damage in DAMAGES.items():
        wanted, got = (
            damage.apply(x, 44100, damage.levels[0], torch.Generator().manual_seed(0)) for x in (sound, sound.cuda())
        )
        if name != "griffin-lim":  # whose iterations let rounding grow
            torch.testing.assert_close(got.cpu(), wanted, rtol=0, atol=1e-4, msg=name)


@pytest.mark.parametrize("form", [Lapped(rows=512, frames=64), Stft(rows=512, frames=128)], ids=lambda form: form.name)
def test_overlapping_frames_are_exact_on_the_device_and_equal_the_cpus(form: Lapped | Stft) -> None:
    sound = sounds()
    canvas = form.encode(sound.cuda())
    expected = form.encode(sound)
    torch.testing.assert_close(canvas.cpu(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    error = (form.decode(canvas).cpu() - sound).double().square().sum()
    assert 10 * torch.log10(sound.double().square().sum() / error) >= 120
    assert form.preview(canvas).shape == (3, *form.shape[1:], 3)


def test_mel_and_instfreq_are_the_cpus_pictures_and_mono_stays_mono_on_the_device() -> None:
    sound = torch.stack([sounds()[0], sounds()[0, :1].expand(2, -1)])
    for form in (
        Mel.suited(44100, FORM.samples, 128, 128, iterations=4),
        Instfreq.suited(44100, FORM.samples, 128, 128),
    ):
        canvas, expected = form.encode(sound.cuda()), form.encode(sound)
        torch.testing.assert_close(canvas[:, 0].cpu(), expected[:, 0], rtol=0, atol=0.05)  # dB
        heard = form.decode(canvas)
        assert heard.device == canvas.device
        assert torch.equal(heard[1, 0], heard[1, 1])
        loud = expected[:, 0] > -60
        again = form.encode(heard)[:, 0].cpu()
        assert (again - expected[:, 0])[loud].square().mean().sqrt() < 2
