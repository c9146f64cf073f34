# SPDX-License-Identifier: Apache-2.0
"""Constants come in the type asked for, and are copied once."""

import torch

from spect.resident import Resident


def test_a_constant_is_brought_over_once_for_each_type():
    constant = Resident(torch.tensor([1.0, 2.0], dtype=torch.float64))
    single = constant.like(torch.zeros(3))
    assert single.dtype == torch.float32
    assert single.tolist() == [1, 2]
    assert constant.like(torch.zeros(1)) is single
    assert constant.like(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
    assert constant.like(torch.zeros(1, device="meta")).device.type == "meta"
