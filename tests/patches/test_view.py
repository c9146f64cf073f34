# SPDX-License-Identifier: Apache-2.0
import json
from types import SimpleNamespace

import pytest
import torch

from patches.errors import UserError
from patches.scaling import Compand, Linear
from patches.views import View
from spect.cmyk import Cmyk

ROUND_TRIP_DB = 120.0  # transform and scaling together, float32


def archive(dc: str = "packed") -> SimpleNamespace:
    rows = [0.0, *(float(k) for k in range(1, 16))]
    return SimpleNamespace(
        representation=Cmyk(sample_rate=8000, rows=16, frames=8, dc=dc),
        statistics={"row_maximum_p99": rows, "dc_maximum_p99": 30.0},
    )


def sounds(n: int = 3) -> torch.Tensor:
    return torch.rand(n, 2, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("scaling", ["compand", "linear"])
def test_a_sound_comes_back_from_model_space(scaling):
    view = View.fit(archive(), "cmyk", scaling)
    x = sounds() + 0.3  # DC and all
    y = view.sound(view.to_model(view.representation.encode(x)))
    assert 10 * torch.log10(x.square().sum() / (x - y).square().sum()) >= ROUND_TRIP_DB


def test_it_is_fitted_with_one_scale_a_row_and_one_for_packed_dc():
    packed, dropped = View.fit(archive()), View.fit(archive("dropped"))
    assert packed.scaling == Compand((0.003, *(float(k) for k in range(1, 16))), dc=30.0)  # row 0 floored
    assert dropped.scaling == Compand((0.0015, *(float(k) for k in range(1, 16))), dc=None)
    assert View.fit(archive(), scaling="linear").scaling == Linear(30.0)


def test_the_loudest_values_become_one_in_model_space():
    view = View.fit(archive())
    canvas = torch.zeros(1, *view.shape)
    canvas[0, 1, 0, 0], canvas[0, 2, 15, 0] = 30.0, 15.0
    torch.testing.assert_close(view.to_model(canvas)[0, [1, 2], [0, 15], 0], torch.ones(2))


def test_it_says_what_it_is():
    view = View.fit(archive())
    assert (view.name, view.shape, view.sample_rate, view.samples) == ("cmyk", (4, 16, 8), 8000, 256)


@pytest.mark.parametrize("scaling", ["compand", "linear"])
def test_json_keeps_it_exactly(scaling):
    view = View.fit(archive(), "cmyk", scaling)
    again = View.from_dict(json.loads(json.dumps(view.to_dict(), sort_keys=True)))
    assert again == view
    y = torch.randn(2, *view.shape, generator=torch.Generator().manual_seed(1))
    assert again.sound(y).equal(view.sound(y))


def test_a_preview_is_of_the_canvas_not_of_model_space():
    view = View.fit(archive())
    canvas = view.representation.encode(sounds())
    shown = view.preview(view.to_model(canvas))
    assert shown.dtype == torch.uint8
    assert shown.shape[0] == 3
    assert shown.shape[-1] == 3
    assert (shown.int() - view.representation.preview(canvas).int()).abs().max() <= 1


def test_cmyk_bears_no_phase_rotation():
    assert View.fit(archive()).augmentations == ("shift", "polarity", "gain", "width", "swap", "pan")


def test_gradients_reach_a_generator_through_the_sound():
    view = View.fit(archive())
    y = torch.zeros(1, *view.shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(view.sound(y)[..., 3].sum(), y)
    assert torch.isfinite(gradient).all()
    assert gradient.any()


def test_unknown_names_are_refused_with_those_allowed():
    with pytest.raises(UserError, match=r"view: got 'lapse'; allowed: .*cmyk"):
        View.fit(archive(), "lapse")
    with pytest.raises(UserError, match="--scaling: got 'cube'; allowed with the view cmyk: compand, linear"):
        View.fit(archive(), "cmyk", "cube")
    values = View.fit(archive()).to_dict()
    with pytest.raises(UserError, match="view: got 'other'"):
        View.from_dict(values | {"representation": {"name": "other"}})


def test_silent_archives_are_refused():
    silent = archive()
    silent.statistics = {"row_maximum_p99": [0.0] * 16, "dc_maximum_p99": 0.0}
    with pytest.raises(UserError, match="silent"):
        View.fit(silent)
