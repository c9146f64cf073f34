# SPDX-License-Identifier: Apache-2.0
"""The transform by itself: any number of blocks, one too, and gradients that are the inverse."""

import numpy as np
import pytest
import torch
from scipy.signal.windows import kaiser_bessel_derived

from spect.mdct import Mdct

FORMS = [Mdct(2, "sine", 4.0), Mdct(6, "sine", 4.0), Mdct(8, "kbd", 4.0), Mdct(16, "kbd", 1.5)]


def by_definition(signal: np.ndarray, form: Mdct) -> np.ndarray:
    """Shape: [B F] -> [B, F], lowest frequency first."""
    f = form.rows
    n, k = np.arange(2 * f), np.arange(f)[:, None]
    window = np.sin(np.pi * (n + 0.5) / (2 * f))
    if form.window == "kbd":
        window = kaiser_bessel_derived(2 * f, np.pi * form.alpha)
    basis = np.sqrt(2 / f) * np.cos(np.pi / f * (n + 0.5 - f / 2) * (k + 0.5))
    blocks, padded, rows = len(signal) // f, np.pad(signal, f // 2), []
    for j in range(blocks):
        shape = window.copy()
        if j == 0:
            shape[:f] = n[:f] >= f // 2
        if j == blocks - 1:
            shape[f:] = n[:f] < f // 2
        rows.append(basis @ (shape * padded[j * f : (j + 2) * f]))
    return np.stack(rows)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_it_is_the_definition_and_back(form: Mdct, blocks: int) -> None:
    signal = torch.randn(3, blocks * form.rows, generator=torch.Generator().manual_seed(0)).double()
    coefficients = form.forth(signal)
    for one, got in zip(signal, coefficients, strict=True):
        np.testing.assert_allclose(got.flip(-1).numpy(), by_definition(one.numpy(), form), atol=1e-12)
    torch.testing.assert_close(form.back(coefficients), signal)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_gradients_to_second_order_agree_with_differences(form: Mdct) -> None:
    signal = torch.randn(2, 3 * form.rows, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    for way, given in ((form.forth, signal), (form.back, form.forth(signal).detach().requires_grad_())):
        assert torch.autograd.gradcheck(way, given)
        assert torch.autograd.gradgradcheck(lambda x, way=way: way(x).pow(3), given)


def test_nothing_given_is_written_to() -> None:
    form = Mdct(8, "sine", 4.0)
    signal = torch.randn(2, 24, requires_grad=True)
    coefficients = form.forth(signal)
    before, gradient = signal.detach().clone(), torch.ones_like(coefficients)
    coefficients.backward(gradient)
    form.back(coefficients.detach())
    assert signal.detach().equal(before)
    assert gradient.equal(torch.ones_like(gradient))
