# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from patches.augment import SoundAugment
from patches.augment.luma import LUMA_ROTATIONS
from patches.augment.phase import Phase
from patches.errors import UserError
from patches.scaling import Compand, Linear
from patches.views import KINDS, View
from spect.cmyk import Cmyk
from tests.patches.views.sounds import check_unread

CMYK = Cmyk(sample_rate=8000, rows=16, frames=16)
COMPAND = View(CMYK, Compand(tuple(0.5 + k for k in range(16)), dc=20.0))
LINEAR = View(CMYK, Linear(20.0))
VIEWS = pytest.mark.parametrize("view", [COMPAND, LINEAR], ids=["compand", "linear"])
HEARD_DB = 100.0


NAMES = tuple(transform.name for transform in LUMA_ROTATIONS)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(view: View, n: int) -> torch.Tensor:
    return view.to_model(CMYK.encode(torch.rand(n, 2, CMYK.samples, generator=seeded(0)) - 0.4))


@VIEWS
def test_p_0_gives_the_same_bits(view):
    augment, x = SoundAugment(view), pictures(view, 5)
    assert augment(x, augment.draw(5, 0.0, seeded(1))).equal(x)


@VIEWS
def test_items_for_which_nothing_was_drawn_keep_their_bits(view):
    augment, x = SoundAugment(view), pictures(view, 64)
    draws = augment.draw(64, 0.1, seeded(2))
    untouched = torch.ones(64, dtype=torch.bool)
    for transform in augment.transforms:
        untouched &= draws[transform.parameter] == transform.identity
    y = augment(x, draws)
    assert 10 < untouched.sum() < 60
    assert y[untouched].equal(x[untouched])
    assert (y != x).flatten(1).any(1)[~untouched].all()


def test_each_transform_is_drawn_with_probability_p_and_independently():
    augment, n, p = SoundAugment(COMPAND), 20000, 0.3
    draws = augment.draw(n, p, seeded(3))
    hits = {}
    for transform in augment.transforms:
        values = draws[transform.parameter]
        assert values.shape == (n,)
        hits[transform.name] = values != transform.identity
    # half of the drawn signs are +1, and of the 5 shifts (T = 16) one is 0
    expected = {"polarity": p / 2, "swap": p / 2, "shift": p * 4 / 5, "gain": p, "width": p, "pan": p}
    for name, share in expected.items():
        assert abs(hits[name].float().mean() - share) < 0.015
    both = (hits["gain"] & hits["pan"]).float().mean()
    assert abs(both - p * p) < 0.01


def test_draws_depend_on_the_generator_alone_and_move_it_alike_for_every_p():
    augment = SoundAugment(COMPAND)
    first, second = seeded(4), seeded(4)
    a, b = augment.draw(6, 0.9, first), augment.draw(6, 0.9, second)
    assert all(a[key].equal(b[key]) for key in a)
    augment.draw(6, 0.0, second)
    augment.draw(6, 1.0, first)
    assert first.get_state().equal(second.get_state())


def test_a_batch_in_parts_is_the_batch():
    augment, x = SoundAugment(COMPAND), pictures(COMPAND, 8)
    draws = augment.draw(8, 0.7, seeded(5))
    parts = [augment(x[i : i + 4], {k: v[i : i + 4] for k, v in draws.items()}) for i in (0, 4)]
    assert torch.cat(parts).equal(augment(x, draws))


@VIEWS
@pytest.mark.parametrize("name", ["polarity", "gain", "swap", "shift"])
def test_in_model_space_too_each_commutes_with_decoding(view, name):
    augment, x = SoundAugment(view, [name]), pictures(view, 2)
    value = {"polarity": -1.0, "gain": -6.0, "swap": -1.0, "shift": 3.0}[name]
    heard = view.sound(augment(x, {augment.transforms[0].parameter: torch.full((2,), value)}))
    before = view.sound(x)
    samples = 3 * CMYK.window
    wanted = {
        "polarity": -before,
        "gain": before * 10 ** (-6 / 20),
        "swap": before.flip(1),
        "shift": torch.cat([torch.zeros_like(before[..., :samples]), before[..., :-samples]], -1),
    }[name]
    error = (heard - wanted).square().sum()
    assert 10 * torch.log10(wanted.square().sum() / error) >= HEARD_DB


@VIEWS
def test_gradients_flow_to_every_item(view):
    augment, x = SoundAugment(view), pictures(view, 4).requires_grad_()
    draws = augment.draw(4, 0.5, seeded(6))
    (gradient,) = torch.autograd.grad(augment(x, draws).square().sum(), x)
    assert torch.isfinite(gradient).all()
    assert gradient.flatten(1).any(1).all()


def test_gradients_are_right_through_companded_space():
    view = View(Cmyk(sample_rate=8000, rows=2, frames=8), Compand((0.5, 2.0), dc=3.0))
    augment = SoundAugment(view)
    x = torch.randn(3, *view.shape, generator=seeded(7), dtype=torch.float64).requires_grad_()
    draws = augment.draw(3, 0.8, seeded(8))
    assert torch.autograd.gradcheck(lambda y: augment(y, draws), x)


def test_silence_has_finite_gradients():
    augment, x = SoundAugment(COMPAND), torch.zeros(3, *COMPAND.shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(augment(x, augment.draw(3, 1.0, seeded(9))).sum(), x)
    assert torch.isfinite(gradient).all()


def test_cmyk_refuses_phase_rotation_by_name():
    with pytest.raises(UserError, match="the view cmyk does not bear 'phase'; allowed: shift, polarity"):
        SoundAugment(COMPAND, ["gain", "phase"])


def test_unknown_names_are_refused_with_those_allowed():
    with pytest.raises(UserError, match="does not bear 'xflip'; allowed: shift, polarity, gain, width, swap, pan"):
        SoundAugment(COMPAND, ["xflip"])


def test_a_view_that_bears_phase_rotation_gets_it_by_default(monkeypatch):
    kind = KINDS["cmyk"]
    overlapping = replace(kind, transforms=lambda made: (*kind.transforms(made), Phase()))
    monkeypatch.setitem(KINDS, "cmyk", overlapping)
    augment, x = SoundAugment(LINEAR), pictures(LINEAR, 2)
    assert "phase" in augment.names
    draws = {t.parameter: torch.full((2,), t.identity) for t in augment.transforms} | {
        "phase_rad": torch.full((2,), 0.5)
    }
    y = augment(x, draws)
    torch.testing.assert_close(y.square().sum((1, 2, 3)), x.square().sum((1, 2, 3)))
    assert not torch.allclose(y, x)


def test_luma_rotations_are_off_by_default_and_there_on_request():
    assert not set(NAMES) & set(SoundAugment(COMPAND).names)
    augment, x = SoundAugment(LINEAR, ["luma-paper", "luma-kept"]), pictures(LINEAR, 3)
    y = augment(x, augment.draw(3, 1.0, seeded(10)))
    assert not torch.allclose(y, x)
    torch.testing.assert_close(y.square().sum(), x.square().sum())


@VIEWS
def test_draws_that_may_not_be_looked_at_do_the_same(view):
    check_unread(SoundAugment(view, [*view.augmentations, *NAMES]), pictures(view, 2))


@VIEWS
def test_it_works_where_its_pictures_lie(view):
    """The meta device computes nothing but refuses any mixture with the CPU, as a GPU does; draws stay on the CPU."""
    augment = SoundAugment(view, [*view.augmentations, *NAMES])
    y = augment(torch.empty(4, *view.shape, device="meta"), augment.draw(4, 1.0, seeded(11)))
    assert y.device.type == "meta"
    assert y.shape == (4, *view.shape)
