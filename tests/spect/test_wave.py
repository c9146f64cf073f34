# SPDX-License-Identifier: Apache-2.0
import json

import pytest
import torch

from spect.errors import SoundError
from spect.representation import REPRESENTATIONS, from_dict, trainable
from spect.wave import Wave


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_two_channels_are_the_sound_itself() -> None:
    form = Wave(length=1001)
    sound = noise(3, 2, 1001)
    canvas = form.encode(sound)
    assert canvas.shape == (3, 2, 1, 1001)
    assert canvas.squeeze(2).equal(sound)
    assert form.decode(canvas).equal(sound)


def test_one_channel_is_the_mid_and_a_mono_sound_comes_back_whole() -> None:
    form = Wave(length=1001, channels=1)
    sound = noise(2, 1001)
    torch.testing.assert_close(form.decode(form.encode(sound)), sound.mean(0).expand(2, -1))
    mono = noise(1, 1001).expand(2, -1)
    assert form.decode(form.encode(mono)).equal(mono)


def test_batches_of_any_depth_and_none() -> None:
    form = Wave(length=8, channels=1)
    assert form.decode(form.encode(noise(3, 4, 2, 8))).shape == (3, 4, 2, 8)
    assert form.decode(form.encode(torch.zeros(0, 2, 8)), seeds=[]).shape == (0, 2, 8)


def test_decode_is_differentiable() -> None:
    canvas = noise(2, 1, 1, 5).double().requires_grad_()
    assert torch.autograd.gradcheck(Wave(length=5, channels=1).decode, canvas)


def test_length_is_the_sounds_or_what_is_asked_for() -> None:
    assert Wave().samples == 16384  # WaveGAN's
    assert Wave.suited(16000, 20000, 64, 64).samples == 20000
    form = Wave.suited(16000, 20000, 64, 64, length=16384, channels=1)
    assert form == Wave(16000, 16384, 1)
    with pytest.raises(SoundError, match="length is 30000 samples, the sounds have 20000; give up to 20000"):
        Wave.suited(16000, 20000, 64, 64, length=30000)


def test_no_network_of_pictures_learns_it() -> None:
    assert not trainable(*Wave(length=16384).shape[1:])


def test_preview_draws_curves_between_full_scales() -> None:
    form = Wave(length=2048)
    time = torch.arange(2048) / 2048
    sound = torch.stack([torch.sin(2 * torch.pi * time), torch.zeros(2048)])
    shown = form.preview(form.encode(sound)[None])
    assert (shown.dtype, shown.shape) == (torch.uint8, (1, 256, 512, 3))
    left, right = shown[0, :128, :, 0], shown[0, 128:, :, 0]
    assert left[0, 128] == 255  # the crest is at the top
    assert left[127, 384] == 255
    assert bool((left.float().amax(0) == 255).all())  # a curve without gaps
    assert bool((left[53:75, 240:272].amax(1) == 255).all())
    assert bool((right.sum(0) == 255).all())  # silence is one line
    assert Wave(length=3, channels=1).preview(torch.full((2, 1, 1, 3), torch.nan)).shape == (2, 128, 512, 3)


def test_parameters_survive_json_and_wrong_ones_are_refused() -> None:
    form = Wave(22050, 4096, 1)
    assert from_dict(json.loads(json.dumps(form.to_dict()))) == form
    assert REPRESENTATIONS["wave"] is Wave
    with pytest.raises(SoundError, match="channels is 1 or 2, got 3"):
        Wave(channels=3)  # type: ignore[arg-type]
    with pytest.raises(SoundError, match="length is a whole number"):
        Wave(length=0)
    with pytest.raises(SoundError, match=r"\[\.\.\., 2, 8\]"):
        Wave(length=8).encode(torch.zeros(1, 8))
    with pytest.raises(SoundError, match=r"\[\.\.\., 2, 1, 8\]"):
        Wave(length=8).decode(torch.zeros(2, 8))
