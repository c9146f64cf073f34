# SPDX-License-Identifier: Apache-2.0
"""The filtered leaky relu with channels innermost: results, codes and gradients are the definition's."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stylegan3.networks import GeneratorSpec
from stylegan3.networks.plan import LayerNumbers, layer_numbers
from stylegan3.ops.filtered_lrelu import _FilteredLrelu, filtered_lrelu
from stylegan3.ops.layout import channels_last
from stylegan3.ops.native import lrelu_inner
from stylegan3.ops.native.lrelu import Cpu
from stylegan3.ops.plans import Plan, plan_for, unpack
from stylegan3.ops.resampling import axis_band
from stylegan3.ops.tiles import Tiles
from tests.stylegan3.native.blocks import GAIN, HAS_COMPILER, SLOPE, Layer, some_taps

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="needs g++")

ENGINE, RIGHT = Cpu(), Tiles()
SINGLE = 2e-6  # float32 arithmetic: of the largest value
HALF = {torch.float32: 0.0, torch.bfloat16: 2.0**-8}  # rounding of a result: of itself
INNERMOST = torch.channels_last

LAYERS = {
    "T layer": Layer(2, 2, (12, 12), (9, 8, 9, 8), (40, 27)),
    "small": Layer(2, 2, (12, 12), (9, 8, 9, 8), (5, 4)),
    "smallest": Layer(2, 2, (12, 12), (6, 7, 6, 5), (6, 6)),  # one row, and two columns
    "unclamped": Layer(2, 2, (12, 12), (9, 8, 9, 8), (18, 23), None),
    "clamp out of reach": Layer(2, 2, (12, 12), (9, 8, 9, 8), (18, 23), 1e3),
    "last layer": Layer(2, 2, (12, 12), (-7, -8, -7, -8), (40, 29)),
    "larger": Layer(4, 2, (24, 12), (2, -1, 2, -1), (34, 17)),
    "larger, uncropped": Layer(4, 2, (24, 12), (-6, -9, -6, -9), (21, 26), 1e3),
    "larger, rows of all phases": Layer(4, 2, (24, 12), (2, -1, 3, -2), (37, 11)),
    "larger, columns of all phases": Layer(4, 2, (24, 12), (3, -2, 1, 0), (21, 14)),
    "smaller": Layer(2, 4, (12, 24), (11, 17, 10, 17), (40, 22)),
    "smaller, other phase": Layer(2, 4, (12, 24), (10, 17, 11, 16), (34, 13), None),
    "columns left over": Layer(2, 2, (12, 12), (9, 9, 9, 8), (12, 19)),
    "cropped as far as can be": Layer(2, 2, (12, 12), (-21, -22, -21, -22), (40, 37)),
    "padded as far as can be": Layer(2, 2, (12, 12), (11, 64, 11, 64), (7, 9)),
}
LAYERS = {name: replace(layer, mirrored=True) for name, layer in LAYERS.items()}
WIDTHS = [16, 20, 40]  # channels: whole vectors, and others
layers = pytest.mark.parametrize("name", LAYERS)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tell the modes of the calls of the C++ function, so that a test knows what it tests."""
    calls: list[int] = []
    kept = lrelu_inner.run

    def run(x: Tensor, b: Tensor | None, codes: Tensor | None, plan: Plan, mode: int) -> Tensor:
        calls.append(mode)
        return kept(x, b, codes, plan, mode)

    monkeypatch.setattr(lrelu_inner, "run", run)
    return calls


def inputs(layer: Layer, n: int, c: int, kind: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Return x [n, c, H, W] with channels innermost and a bias."""
    x, b = layer.inputs(n, c, kind)
    return x.contiguous(memory_format=INNERMOST), b.float()


def draw(*shape: int, seed: int = 3, kind: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(kind)


def error(y: Tensor, wanted: Tensor) -> float:
    """Return the largest difference, of the largest value."""
    assert y.shape == wanted.shape
    return float((y.detach().double() - wanted.detach()).abs().max() / wanted.detach().abs().max())


def rounded_once(y: Tensor, wanted: Tensor) -> bool:
    """Return whether results are the exact ones but for float32 arithmetic and a rounding to their own type."""
    assert y.shape == wanted.shape
    off, wanted = (y.detach().double() - wanted.detach()).abs(), wanted.detach().abs()
    return bool((off <= wanted * HALF[y.dtype] + SINGLE * wanted.max()).all())


def of_planes(codes: Tensor, channels: int) -> Tensor:
    """Return the codes as those of planes lie. Shape: [N groups, R / 4, R', 16] -> [N C, R / 4, R']."""
    groups = -(-channels // lrelu_inner.LANES)
    planes = codes.unflatten(0, (-1, groups)).permute(0, 1, 4, 2, 3).flatten(1, 2)
    return planes[:, :channels].flatten(0, 1).contiguous()


@layers
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", WIDTHS)
def test_results_are_the_definitions_and_lie_as_the_pictures(
    name: str, channels: int, kind: torch.dtype, counted: list[int]
) -> None:
    layer = LAYERS[name]
    x, b = inputs(layer, 2, channels, kind)
    wanted = layer.by_definition(x.double(), b.double())
    for keep in (False, True):
        y = ENGINE.forward(x, b, layer.plan, keep)[0]
        assert y.dtype == kind
        assert y.is_contiguous(memory_format=INNERMOST)
        assert rounded_once(y, wanted)
    assert len(counted) == 2
    assert rounded_once(ENGINE.forward(x, None, layer.plan, False)[0], layer.by_definition(x.double(), None))


@layers
@pytest.mark.parametrize("channels", WIDTHS)
def test_codes_are_those_of_planes_in_float64(name: str, channels: int) -> None:
    layer = LAYERS[name]
    x, b = inputs(layer, 2, channels)
    (codes,) = ENGINE.forward(x, b, layer.plan, True)[1]
    (double,) = ENGINE.forward(x.double().contiguous(), b.double(), layer.plan, True)[1]
    assert codes is not None
    assert double is not None
    rows = layer.plan.raised[0]
    read = (layer.plan.size[1] - 1) * layer.down + layer.taps[1]
    found, wanted = (unpack(c, rows)[..., :read] for c in (of_planes(codes, channels), double))
    assert (found != wanted).float().mean() < 1e-5  # ties
    assert set(wanted.unique().tolist()) == ({0, 1, 2} if layer.clamp == 0.6 else {0, 1})


@layers
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("channels", WIDTHS)
def test_linear_passes_are_those_of_planes_in_float64(
    name: str, channels: int, backward: bool, kind: torch.dtype, counted: list[int]
) -> None:
    layer = LAYERS[name]
    x, b = inputs(layer, 2, channels, kind)
    (codes,) = ENGINE.forward(x, b, layer.plan, True)[1]
    assert codes is not None
    size = layer.plan.size if backward else layer.size
    g = draw(2, channels, *size, kind=kind)
    wanted = ENGINE.linear(g.double(), (of_planes(codes, channels),), layer.plan, backward)
    for given in (g, g.contiguous(memory_format=INNERMOST)):
        found = ENGINE.linear(given, (codes,), layer.plan, backward)
        assert found.dtype == kind
        assert found.is_contiguous(memory_format=INNERMOST)
        assert rounded_once(found, wanted)
    assert len(counted) == 3


@layers
def test_gradients_and_those_of_gradients_are_the_definitions(name: str, counted: list[int]) -> None:
    layer, found = LAYERS[name], []
    for single in (True, False):
        x, b = inputs(layer, 2, 20)
        x, b = (t.requires_grad_() if single else t.double().requires_grad_() for t in (x, b))
        y = _FilteredLrelu.apply(x, b, layer.plan, ENGINE, True) if single else layer.by_definition(x, b)
        g = draw(*y.shape).to(y.dtype).requires_grad_()
        first = torch.autograd.grad(y, (x, b), g, create_graph=True)
        seconds = torch.autograd.grad(first, g, [draw(*f.shape, seed=4).to(f.dtype) for f in first])
        found.append((y, *first, *seconds))
    assert len(counted) == 3
    for ours, theirs in zip(*found, strict=True):
        assert error(ours, theirs) < SINGLE


def test_it_equals_plain_pytorch_in_float64_and_the_planes_way() -> None:
    """Three ways of one layer: gradients in float64 have no other kinks than those in float32 but for ties."""
    layer = LAYERS["larger"]
    x, b = inputs(layer, 2, 40)
    g = draw(2, 40, *layer.plan.size)
    exact = RIGHT.forward(x.double(), b.double(), layer.plan, True)
    wanted = exact[0], RIGHT.linear(g.double(), exact[1], layer.plan, True)
    for way in (x, x.contiguous()):
        y, kept = ENGINE.forward(way, b, layer.plan, True)
        for ours, theirs in zip((y, ENGINE.linear(g, kept, layer.plan, True)), wanted, strict=True):
            assert error(ours, theirs) < SINGLE


@pytest.mark.parametrize("name", ["T layer", "larger", "smaller"])
@pytest.mark.parametrize("backward", [True, False])
def test_what_is_clamped_everywhere_has_no_slope(name: str, backward: bool) -> None:
    layer = replace(LAYERS[name], clamp=1e-6)
    x, _ = inputs(layer, 1, 20)
    b = torch.where(torch.arange(20) % 2 == 0, 1e6, -1e6)
    (codes,) = ENGINE.forward(x, b, layer.plan, True)[1]
    assert codes is not None
    assert lrelu_inner.are_codes(codes)
    inside = unpack(of_planes(codes, 20), layer.plan.raised[0]) == 2
    assert inside[:, 30:-30, 30:-30].all()  # all but what lies near the picture's ends
    codes.fill_(0xAA)
    size = layer.plan.size if backward else layer.size
    assert not ENGINE.linear(draw(1, 20, *size), (codes,), layer.plan, backward).any()


@layers
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_clamp_that_one_channel_reaches_is_that_channels(name: str, kind: torch.dtype) -> None:
    """Groups of channels that don't reach it take a shorter way."""
    layer = replace(LAYERS[name], clamp=50.0)
    x, b = inputs(layer, 2, 40, kind)
    x[1, 3] *= 1000
    b[36] = 300
    wanted = layer.by_definition(x.double(), b.double())
    double = ENGINE.forward(x.double().contiguous(), b.double(), layer.plan, True)[1][0]
    assert double is not None
    read = (layer.plan.size[1] - 1) * layer.down + layer.taps[1]
    right = unpack(double, layer.plan.raised[0])[..., :read]
    reached = (right == 2).flatten(1).any(1).nonzero().flatten().tolist()
    assert reached == [36, 43, 76]
    for keep in (False, True):
        y, (codes,) = ENGINE.forward(x, b, layer.plan, keep)
        assert rounded_once(y, wanted)
        if codes is not None:
            assert (unpack(of_planes(codes, 40), layer.plan.raised[0])[..., :read] != right).float().mean() < 1e-5


@pytest.mark.parametrize("name", ["T layer", "larger", "smaller"])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_clamp_that_raised_samples_alone_reach_is_kept(name: str, kind: torch.dtype) -> None:
    """What a row of pictures can become at most decides whether the shorter way is taken."""
    found = []
    for clamp in torch.linspace(0.9, 2.7, 10).tolist():
        layer = replace(LAYERS[name], clamp=clamp)
        x = torch.ones(1, 16, *layer.size, dtype=kind).contiguous(memory_format=INNERMOST)
        wanted = layer.by_definition(x.double(), None)
        found.append(bool((wanted < 0.999 * replace(layer, clamp=None).by_definition(x.double(), None)).any()))
        for keep in (False, True):
            assert rounded_once(ENGINE.forward(x, None, layer.plan, keep)[0], wanted)
    assert found[1]  # reached, though all that is read lies below
    assert not found[-1]


@layers
def test_zero_is_on_the_side_of_the_slope(name: str) -> None:
    x, b = (torch.zeros_like(t) for t in inputs(LAYERS[name], 1, 20))
    (codes,) = ENGINE.forward(x, b, LAYERS[name].plan, True)[1]
    assert codes is not None
    assert (unpack(of_planes(codes, 20), LAYERS[name].plan.raised[0]) == 1).all()


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_biases_of_several_pictures_are_theirs_in_turn(channels: int, turn: int, counted: list[int]) -> None:
    layer = LAYERS["T layer"]
    x, _ = inputs(layer, 6, channels)
    b = 3 * draw(turn * channels)
    found = []
    for given, bias, engine in ((x, b, ENGINE), (x.contiguous(), b, ENGINE), (x.double(), b.double(), RIGHT)):
        leaves = given.detach().requires_grad_(), bias.detach().requires_grad_()
        y = _FilteredLrelu.apply(*leaves, layer.plan, engine, True)
        found.append((y, *torch.autograd.grad(y, leaves, draw(*y.shape).to(y.dtype))))
    assert len(counted) == 2
    y, g_x, g_b = found[2]
    for picture in range(6):
        own = b[picture % turn * channels :][:channels].double()
        assert error(y[picture], layer.by_definition(x[picture : picture + 1].double(), own)[0]) < 1e-12
    assert error(g_b, g_x.sum(dim=(2, 3)).view(6 // turn, turn * channels).sum(dim=0)) < 1e-12
    for way in found[:2]:
        for ours, theirs in zip(way, found[2], strict=True):
            assert error(ours, theirs) < SINGLE


@pytest.mark.parametrize("height", range(8, 21))
def test_every_height_serves(height: int) -> None:
    """Rows are made four at a time, and end anywhere among those and among the rows of a byte of codes."""
    for layer in (
        Layer(2, 2, (12, 12), (9, 8, 9, 8), (height, 6), mirrored=True),
        Layer(4, 2, (24, 12), (2, -1, 3, 2), (height, 9), mirrored=True),
        Layer(2, 4, (12, 24), (10, 17, 11, 16 + height % 2 * 2), (height, 8), mirrored=True),
    ):
        for kind in HALF:
            x, b = inputs(layer, 1, 20, kind)
            y, (codes,) = ENGINE.forward(x, b, layer.plan, True)
            assert codes is not None
            assert lrelu_inner.are_codes(codes)
            assert rounded_once(y, layer.by_definition(x.double(), b.double()))
            for backward, g in ((True, y), (False, x)):
                wanted = ENGINE.linear(g.double().contiguous(), (of_planes(codes, 20),), layer.plan, backward)
                assert rounded_once(ENGINE.linear(g, (codes,), layer.plan, backward), wanted)


@pytest.mark.parametrize("width", range(3, 20))
def test_every_width_serves(width: int) -> None:
    layer = Layer(2, 2, (12, 12), (9, 8, 9, 8), (6, width), mirrored=True)
    x, b = inputs(layer, 1, 20)
    y, (codes,) = ENGINE.forward(x, b, layer.plan, True)
    assert codes is not None
    assert rounded_once(y, layer.by_definition(x.double(), b.double()))
    for backward, g in ((True, y), (False, x)):
        wanted = ENGINE.linear(g.double().contiguous(), (of_planes(codes, 20),), layer.plan, backward)
        assert rounded_once(ENGINE.linear(g, (codes,), layer.plan, backward), wanted)


@pytest.mark.parametrize("padding", [(6, 5, 6, 5), (8, 3, 5, 6)])
def test_a_single_result_has_its_gradient(padding: tuple[int, int, int, int]) -> None:
    """Pictures of one place lie both ways."""
    layer = Layer(2, 2, (12, 12), padding, (6, 6), mirrored=True)
    assert layer.plan.size == (1, 1)
    x, b = inputs(layer, 2, 20)
    y, (codes,) = ENGINE.forward(x, b, layer.plan, True)
    assert codes is not None
    assert rounded_once(y, layer.by_definition(x.double(), b.double()))
    for backward, g in ((True, y), (False, x)):
        wanted = ENGINE.linear(g.double().contiguous(), (of_planes(codes, 20),), layer.plan, backward)
        assert rounded_once(ENGINE.linear(g, (codes,), layer.plan, backward), wanted)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["T layer", "larger", "smaller"])
@pytest.mark.parametrize("clamp", [0.6, 1e3])
def test_any_number_of_threads_gives_the_same(name: str, clamp: float, kind: torch.dtype) -> None:
    """Few planes are cut into parts along rows."""
    layer = replace(LAYERS[name], size=(150, 15), clamp=clamp)
    x, b = inputs(layer, 1, 20, kind)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 8):
            torch.set_num_threads(count)
            y, (codes,) = ENGINE.forward(x, b, layer.plan, True)
            assert codes is not None
            gradient = ENGINE.linear(y, (codes,), layer.plan, True)
            found.append(
                (
                    ENGINE.forward(x, b, layer.plan, False)[0],
                    y,
                    unpack(of_planes(codes, 20), layer.plan.raised[0]),
                    gradient,
                    ENGINE.linear(gradient, (codes,), layer.plan, False),
                )
            )
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))
    assert layer.plan.size[0] > 64  # three parts or more


@pytest.mark.parametrize("name", ["T layer", "unclamped", "larger", "smaller"])
def test_not_a_number_stays_where_it_reaches(name: str) -> None:
    """In its own channel, and no other picture or channel has another result for it."""
    layer = LAYERS[name]
    x, b = inputs(layer, 2, 20)
    without = ENGINE.forward(x, b, layer.plan, True)[0]
    x[0, 3, 10, 8] = float("nan")
    wanted = layer.by_definition(x.double(), b.double())
    for keep in (False, True):
        y = ENGINE.forward(x, b, layer.plan, keep)[0]
        assert torch.equal(y.isnan(), wanted.isnan())
        assert y[0, 3].isnan().any()
        assert not y[0, 3].isnan().all()
        y[0, 3] = without[0, 3]
        assert torch.equal(y, without)


@pytest.mark.parametrize("name", ["T layer", "larger", "smaller"])
def test_not_a_number_hides_no_clamp_of_its_neighbours(name: str) -> None:
    """Whether the clamp is reached is asked of sixteen channels at once."""
    layer = replace(LAYERS[name], clamp=50.0)
    x, b = inputs(layer, 1, 16)
    x[0, 5] *= 1000
    without = ENGINE.forward(x, b, layer.plan, True)
    x[0, 3] = float("nan")
    for keep in (False, True):
        y, kept = ENGINE.forward(x, b, layer.plan, keep)
        assert y[0, 3].isnan().all()
        y[0, 3] = without[0][0, 3]
        assert torch.equal(y, without[0])
        if keep:
            codes, right = (of_planes(k[0], 16) for k in (kept, without[1]))
            assert torch.equal(codes[5], right[5])


@pytest.mark.parametrize("clamp", [0.6, 1e3, None])
@pytest.mark.parametrize("name", ["T layer", "larger", "smaller"])
def test_an_infinity_is_infinite_clamped_or_not_a_number_where_it_reaches(name: str, clamp: float | None) -> None:
    """Sums of both signs are no numbers, the few of one sign reach the clamp. Elsewhere it changes nothing."""
    layer = replace(LAYERS[name], clamp=clamp)
    x, b = inputs(layer, 2, 20)
    without = ENGINE.forward(x, b, layer.plan, True)[0]
    x[0, 3, 10, 8] = float("inf")
    reached = layer.by_definition(x.nan_to_num(posinf=float("nan")).double(), b.double()).isnan()
    for keep in (False, True):
        y = ENGINE.forward(x, b, layer.plan, keep)[0]
        assert torch.equal(y[~reached], without[~reached])
        assert y[reached].isfinite().float().mean() < (0.1 if clamp else 1e-9)


def numbers_of_t() -> list[LayerNumbers]:
    spec = GeneratorSpec("stylegan3-t", (2, 64, 64), channel_base=2048, channel_max=24)
    return [n for n in layer_numbers(spec) if not n.output]


def plan_of(n: LayerNumbers) -> Plan:
    """Return the plan of a layer's end."""
    size = (n.size_in[0] + n.kernel - 1 - 2 * n.crop, n.size_in[1] + n.kernel - 1 - 2 * n.crop)
    up, down = n.up_filter(), n.down_filter()
    return plan_for(up, down, n.up, n.down, n.cropped_padding, size, (GAIN, SLOPE, 256.0), False)  # type: ignore[arg-type]


def test_all_layers_of_stylegan3_t_are_served() -> None:
    found = numbers_of_t()
    assert {(n.up, n.down, n.crop) for n in found} == {(2, 2, 0), (4, 2, 2), (2, 2, 2)}
    assert all(lrelu_inner.takes(plan_of(n)) for n in found)


@pytest.mark.parametrize("which", [0, 4, -1])
def test_layers_of_stylegan3_t_are_the_definition(which: int, counted: list[int]) -> None:
    n = numbers_of_t()[which]
    plan = plan_of(n)
    x = 200 * draw(1, 24, plan.up[0][0].n_in, plan.up[0][1].n_in).contiguous(memory_format=INNERMOST)
    b = draw(24)
    y, kept = ENGINE.forward(x, b, plan, True)
    right, kept_right = RIGHT.forward(x.double(), b.double(), plan, True)
    assert plan.size == n.after.size
    assert error(y, right) < SINGLE
    g = draw(*y.shape)
    found, wanted = ENGINE.linear(g, kept, plan, True), RIGHT.linear(g.double(), kept_right, plan, True)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-3  # a raised sample at a kink falls to either side
    assert len(counted) == 2


T = LAYERS["T layer"]
REFUSED = {
    "float64": (T.plan, 16, torch.float64, INNERMOST),
    "planes": (T.plan, 16, torch.float32, torch.contiguous_format),
    "few channels": (T.plan, 15, torch.float32, INNERMOST),
    "a slope above 1": (replace(T.plan, slope=1.5), 16, torch.float32, INNERMOST),
    "no slope": (replace(T.plan, slope=0.0), 16, torch.float32, INNERMOST),
    "a falling slope": (replace(T.plan, slope=-0.3), 16, torch.float32, INNERMOST),
    "filters that aren't mirrored": (replace(T, mirrored=False).plan, 16, torch.float32, INNERMOST),
    "more taps": (Layer(2, 2, (14, 12), (9, 8, 10, 9), (20, 9), mirrored=True).plan, 16, torch.float32, INNERMOST),
    "fewer taps": (Layer(2, 2, (12, 10), (9, 8, 9, 8), (20, 9), mirrored=True).plan, 16, torch.float32, INNERMOST),
    "one factor": (Layer(1, 1, (0, 0), (0, 0, 0, 0), (20, 9)).plan, 16, torch.float32, INNERMOST),
    "another factor": (Layer(4, 4, (24, 24), (9, 9, 9, 8), (20, 9), mirrored=True).plan, 16, torch.float32, INNERMOST),
    "no factor": (Layer(2, 1, (12, 0), (5, 6, 6, 5), (9, 10), mirrored=True).plan, 16, torch.float32, INNERMOST),
    "a row that isn't read": (
        Layer(2, 2, (12, 12), (9, 8, 9, 9), (20, 9), mirrored=True).plan, 16, torch.float32, INNERMOST,
    ),
    "rows that aren't read": (
        Layer(2, 4, (12, 24), (18, 17, 18, 17), (41, 22), mirrored=True).plan, 16, torch.float32, INNERMOST,
    ),
    "raised columns before all samples": (
        Layer(2, 2, (12, 12), (12, 9, 9, 8), (20, 9), mirrored=True).plan, 16, torch.float32, INNERMOST,
    ),
    "more columns behind than a row has room for": (
        Layer(2, 2, (12, 12), (9, 66, 9, 8), (20, 9), mirrored=True).plan, 16, torch.float32, INNERMOST,
    ),
    "more columns cropped than a row has room for": (
        Layer(2, 2, (12, 12), (-22, -8, 9, 8), (20, 40), mirrored=True).plan, 16, torch.float32, INNERMOST,
    ),
    "more columns cropped at the end": (
        Layer(2, 2, (12, 12), (-8, -23, 9, 8), (20, 40), mirrored=True).plan, 16, torch.float32, INNERMOST,
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_it_doesnt_take_goes_through_planes_and_is_the_same(why: str, counted: list[int]) -> None:
    plan, channels, kind, layout = REFUSED[why]
    x = draw(2, channels, plan.up[0][0].n_in, plan.up[0][1].n_in, kind=kind).contiguous(memory_format=layout)
    b = draw(channels)
    assert not lrelu_inner.serves(x, plan)
    y, kept = ENGINE.forward(x, b, plan, True)
    right, kept_right = RIGHT.forward(x.double(), b.double(), plan, True)
    assert error(y, right) < SINGLE
    found, wanted = (e.linear(t, k, plan, True) for e, t, k in ((ENGINE, y, kept), (RIGHT, right, kept_right)))
    assert float((found - wanted).norm() / wanted.norm()) < 1e-3
    assert not counted


def test_radial_filters_go_through_plain_pytorch(counted: list[int]) -> None:
    x = draw(1, 16, 9, 8).contiguous(memory_format=INNERMOST)
    sheet = torch.rand(12, 12, generator=torch.Generator().manual_seed(1)) / 144
    sheet = sheet + sheet.flip(0) + sheet.flip(1) + sheet.flip(0, 1)
    both = {"up": 2, "down": 2, "padding": (9, 8, 9, 8), "clamp": 0.6}
    auto, right = (
        filtered_lrelu(x, sheet, some_taps(12, 2, True), impl=impl, **both)  # type: ignore[arg-type]
        for impl in ("auto", "reference")
    )
    torch.testing.assert_close(auto, right, rtol=1e-5, atol=1e-5)
    assert not counted


def test_rows_that_are_read_from_the_middle_on_arent_taken() -> None:
    """Codes of the first raised rows would never be written."""
    taps = some_taps(12, 2, True)
    assert taps is not None
    ups = tuple(axis_band(taps, 2, 1, (9, 8), 20, 2.0, False) for _ in range(2))
    for offset, taken in ((0, True), (-2, False), (2, False)):
        downs = tuple(
            axis_band(taps, 1, 2, (p, -p), u.n_out, 1.0, False) for u, p in zip(ups, (offset, 0), strict=True)
        )
        assert lrelu_inner.takes(Plan(((ups[0], ups[1]),), ((downs[0], downs[1]),), SLOPE, 0.5)) == taken


def test_no_pictures_give_none() -> None:
    x, b = (t.requires_grad_() for t in inputs(T, 0, 16))
    y = T.by(ENGINE, x, b)  # type: ignore[arg-type]
    assert y.shape == (0, 16, *T.plan.size)
    g_x, g_b = torch.autograd.grad(y.sum(), (x, b))
    assert g_x.shape == x.shape
    assert not g_b.any()


def test_gradients_lie_as_the_pictures_however_theirs_come() -> None:
    x, b = inputs(T, 2, 20)
    y = T.by(ENGINE, x.requires_grad_(), b)  # type: ignore[arg-type]
    g = draw(*y.shape)
    right = torch.autograd.grad(y, x, g.contiguous(memory_format=INNERMOST), retain_graph=True)[0]
    for given in (g, g.transpose(2, 3).contiguous().transpose(2, 3)):
        (found,) = torch.autograd.grad(y, x, given, retain_graph=True)
        assert channels_last(found)
        assert torch.equal(found, right)
    (spread,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (right,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert torch.equal(spread, right)
