# SPDX-License-Identifier: Apache-2.0
"""On log magnitudes, augment then decode is decode then augment, above -60 dB of the loudest."""

import dataclasses
import math

import pytest
import torch

from patches.augment.magnitude import (
    LevelGain,
    LevelPan,
    LevelShift,
    LevelSwap,
    LevelWidth,
    level_transforms,
    mix_pair,
)
from patches.augment.transform import Transform
from spect.logmag import Logmag
from spect.stereo import Stereo
from tests.patches.views.sounds import augmented

STEREO = Stereo.suited(22050, 8192, 64, 64, iterations=16)
MID = Logmag.suited(22050, 8192, 64, 64, iterations=16)
PAIR = dataclasses.replace(MID, channels=2)
VALUES = {"shift": 9.0, "gain": -4.5, "width": 0.6, "swap": -1.0, "pan": 25.0}
ABOVE_DB = 60.0


def sounds() -> torch.Tensor:
    """A pluck wide in the room with a hit in its middle, silence around; and a hit far left. Shape: [2, 2, 8192]."""
    rng = torch.Generator().manual_seed(0)
    time = torch.arange(5000) / 22050
    pluck = torch.stack([torch.sin(2 * torch.pi * 700 * time + turn) for turn in (0.0, 1.1)]) * torch.exp(-9 * time)
    hit = 0.5 * torch.randn(1, 5000, generator=rng) * torch.exp(-30 * time)
    far = torch.cat([hit, 0.1 * torch.randn(1, 5000, generator=rng) * torch.exp(-30 * time)])
    return torch.nn.functional.pad(torch.stack([0.4 * pluck + hit, far]), (1500, 8192 - 6500))


def difference_db(form: Stereo | Logmag, one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean difference of two sounds' levels in both channels, where one of them lies above -60 dB of the loudest."""
    levels = [20 * torch.log10(form.layout.stft(x).abs().clamp_min(1e-9)) for x in (one, other)]
    loud = torch.maximum(*levels) > torch.maximum(*levels).max() - ABOVE_DB
    return float((levels[0] - levels[1]).abs()[loud].mean())


def by_name(form: Stereo | Logmag) -> dict[str, Transform]:
    return {t.name: t for t in level_transforms(form.shape[0], form.floor_db)}


CASES = [(form, name) for form in (STEREO, PAIR, MID) for name in by_name(form)]
IDS = [f"{form.name} {form.shape[0]} {name}" for form, name in CASES]


@pytest.mark.parametrize(("form", "name"), CASES, ids=IDS)
def test_augmented_canvas_is_the_augmented_sounds(form: Stereo | Logmag, name: str) -> None:
    transform = by_name(form)[name]
    x = sounds()
    got = transform(form.encode(x), torch.full((2,), VALUES[name]))
    wanted = form.encode(torch.stack([augmented(one, name, VALUES[name], form.hop) for one in x]))
    level = slice(0, min(form.shape[0], 2))
    loud = wanted[:, level] > wanted[:, level].amax() - ABOVE_DB
    assert float((got - wanted)[:, level][loud].abs().max()) < 0.05
    if form is STEREO:
        heard = loud.all(1)
        for channel in (2, 3):
            assert float((got - wanted)[:, channel][heard].abs().max()) < 0.01


@pytest.mark.parametrize(("form", "name"), CASES, ids=IDS)
def test_augment_then_decode_is_decode_then_augment(form: Stereo | Logmag, name: str) -> None:
    x = sounds()
    canvas = form.encode(x)
    plain = form.decode(canvas)
    first = form.decode(by_name(form)[name](canvas, torch.full((2,), VALUES[name])))
    # what finding a phase costs at all, in the same measure; two searches may differ by both their errors
    cost = difference_db(form, plain, x if form is not MID else x.mean(1, keepdim=True).expand(-1, 2, -1))
    last = torch.stack([augmented(one, name, VALUES[name], form.hop) for one in plain])
    assert difference_db(form, first, last) < max(0.2, 2 * cost), cost


@pytest.mark.parametrize("form", [STEREO, PAIR, MID], ids=["stereo", "logmag 2", "logmag"])
def test_identities_change_next_to_nothing_and_silence_stays_silent(form: Stereo | Logmag) -> None:
    silence = form.encode(torch.zeros(2, 2, 8192))
    canvas = form.encode(sounds())
    for transform in by_name(form).values():
        same = transform(canvas, torch.full((2,), transform.identity))
        torch.testing.assert_close(same, canvas, rtol=0, atol=2e-3)
        value = torch.full((2,), VALUES[transform.name])
        torch.testing.assert_close(transform(silence, value), silence, rtol=0, atol=1e-3)


def test_gain_keeps_the_floor() -> None:
    canvas = torch.tensor([-100.0, -99.0, -60.0, -10.0]).reshape(1, 1, 1, 4)
    louder = LevelGain()(canvas, torch.tensor([6.0])).flatten()
    assert float(louder[0]) == pytest.approx(-100, abs=1e-4)
    assert float(louder[1]) == pytest.approx(-100 + 10 * math.log10(1 + 10**0.6 * (10**0.1 - 1)), abs=1e-3)
    assert louder[2:].tolist() == pytest.approx([-54, -4], abs=2e-3)


def test_what_a_shift_lets_in_is_silence() -> None:
    canvas = STEREO.encode(sounds())
    late = LevelShift()(canvas, torch.tensor([5.0, -7.0]))
    silent = torch.tensor([-100.0, -100.0, 1.0, 0.0])[:, None, None]
    assert torch.equal(late[0, ..., :5], silent.expand(4, 128, 5))
    assert torch.equal(late[0, ..., 5:], canvas[0, ..., :-5])
    assert torch.equal(late[1, ..., -7:], silent.expand(4, 128, 7))


def test_swap_is_exact_and_its_own_inverse() -> None:
    canvas = STEREO.encode(sounds())
    swapped = LevelSwap()(canvas, torch.tensor([-1.0, 1.0]))
    torch.testing.assert_close(swapped[0], STEREO.encode(sounds()[0].flip(0)), rtol=0, atol=1e-4)
    assert torch.equal(swapped[1], canvas[1])
    assert torch.equal(LevelSwap()(swapped, torch.tensor([-1.0, 1.0])), canvas)


def test_mono_stays_mono_under_gain_and_width() -> None:
    mono = STEREO.encode(sounds().mean(1, keepdim=True).expand(-1, 2, -1))
    for transform, value in ((LevelGain(), -3.0), (LevelWidth(), 1.7)):
        changed = transform(mono, torch.full((2,), value))
        torch.testing.assert_close(changed[:, 0], changed[:, 1], rtol=0, atol=1e-4)
        torch.testing.assert_close(changed[:, 2], torch.ones_like(changed[:, 2]), rtol=0, atol=1e-5)


def test_pan_puts_a_centred_sound_on_one_side() -> None:
    mono = STEREO.encode(sounds().mean(1, keepdim=True).expand(-1, 2, -1))
    turned = LevelPan()(mono, torch.full((2,), 45.0))
    loud = mono[:, 0] > mono.amax() - 30
    assert float((turned[:, 0] - mono[:, 0])[loud].mean()) == pytest.approx(3.01, abs=0.01)
    assert float((turned[:, 1] - turned[:, 0])[loud].max()) < -50


def test_gradients_are_finite_on_any_canvas() -> None:
    rng = torch.Generator().manual_seed(1)
    canvas = torch.randn(2, 4, 16, 16, generator=rng) * torch.tensor([40.0, 40, 1, 1])[:, None, None]
    canvas[:, :2] -= 60
    canvas[0, 2:] = 0
    canvas.requires_grad_()
    for transform in level_transforms(4, -100.0):
        changed = transform(canvas, torch.full((2,), VALUES[transform.name]))
        assert torch.isfinite(changed).all()
        (gradient,) = torch.autograd.grad(changed.square().sum(), canvas)
        assert torch.isfinite(gradient).all()


def test_mixing_pairs_agrees_with_the_spectra_and_with_differences() -> None:
    gains = torch.tensor([[[0.7, 0.2], [-0.4, 1.1]]]).double()
    x = sounds()[:1].double()
    mixed = torch.einsum("nij,njl->nil", gains, x)
    wanted, got = STEREO.encode(mixed), mix_pair(STEREO.encode(x), gains, -100.0)
    loud = (wanted[:, :2] > -70).all(1)
    for channel in range(4):
        torch.testing.assert_close(got[:, channel][loud], wanted[:, channel][loud], rtol=1e-4, atol=1e-3)
    rng = torch.Generator().manual_seed(2)
    small = torch.rand(1, 4, 2, 3, generator=rng).double()
    small[:, :2] = -50 * small[:, :2] - 20
    small[:, 2:] *= 0.6
    small.requires_grad_()
    assert torch.autograd.gradcheck(lambda canvas: mix_pair(canvas, gains, -100.0), small)


def test_what_is_borne_depends_on_the_channels() -> None:
    names = [tuple(t.name for t in level_transforms(channels, -100.0)) for channels in (1, 2, 4)]
    assert names == [("shift", "gain"), ("shift", "gain", "swap"), ("shift", "gain", "width", "swap", "pan")]
