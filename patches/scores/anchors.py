# SPDX-License-Identifier: Apache-2.0
"""The anchors of every table: real sounds as they are, through the view, and with damages that everybody knows.

All are made of train items that aren't in the reference, so that no set is compared with itself; "held-out real" is one
half of those held out against the other. What an anchor scores is what a figure is worth: a network that scores as real
sounds with white noise at 30 dB is that far from real, whatever the number.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from patches.scores.data import Data, drawn
from patches.scores.sounds import Heard, Subject
from patches.views import View
from spect.damage import griffin_lim, low_pass, white_noise

SECONDS = 300.0  # of sound that an anchor lasts at most
MOST, LEAST = 256, 32
NOISE_DB, CUTOFF_HZ, ITERATIONS = 30.0, 4000.0, 32


def anchor_sets(data: Data) -> Iterator[Subject]:
    """Give the sets that anchors are measured on, but for the held-out ones."""
    view = data.view
    seconds = view.samples / view.sample_rate
    items = drawn(data.others, max(LEAST, min(MOST, int(SECONDS / seconds))))
    for name, change in _changes(view).items():
        yield data.real.subject(name, items, change)


def _changes(view: View) -> dict[str, Callable[[Heard], Tensor] | None]:
    rate = view.sample_rate
    changes: dict[str, Callable[[Heard], Tensor] | None] = {
        "train real": None,
        f"train through {view.name}": partial(_through, view),
        f"train + white noise at {NOISE_DB:g} dB": _noisy,
    }
    if rate > 2.2 * CUTOFF_HZ:
        changes[f"train below {CUTOFF_HZ / 1000:g} kHz"] = lambda heard: low_pass(heard.sounds, rate, CUTOFF_HZ)
    changes["train through Griffin-Lim"] = lambda heard: griffin_lim(heard.sounds, rate, ITERATIONS, _rng(heard))
    return changes


def _through(view: View, heard: Heard) -> Tensor:
    return view.sound(heard.pictures(), [int(item) for item in heard.items]).float()


def _noisy(heard: Heard) -> Tensor:
    return white_noise(heard.sounds, NOISE_DB, _rng(heard))


def _rng(heard: Heard) -> torch.Generator:
    return torch.Generator(heard.sounds.device).manual_seed(heard.first)
