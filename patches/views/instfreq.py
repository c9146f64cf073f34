# SPDX-License-Identifier: Apache-2.0
"""Log magnitude and instantaneous frequency as a view: dB scaled, turns as they are.

Mid and side are scaled each by itself, and silence is always within reach: where three deviations below a row's mean
don't come down to the floor, its deviation is widened until they do.
The picture holds the whole sound, so that it carries what is linear in it: shift by whole columns, polarity, gain, and
with mid and side width, swap and pan; done on the complex values behind the picture (patches/augment/through.py).
Polarity and swap show only where a row's sound begins, all later turns being differences: little to see, but true.
With mel, pan isn't carried: the averaged phases of mid and side don't add. No "phase": the last row may hold two real
numbers.
"""

from collections.abc import Callable

from patches.augment.level import Gain, Polarity
from patches.augment.shift import Shift
from patches.augment.stereo import Pan, Swap, Width
from patches.augment.through import Through
from patches.augment.transform import Transform
from patches.fitting import Sample, standard
from patches.scaling import Standard
from patches.views.levels import tables, widened, with_tables
from patches.views.view import Kind, register
from spect.instfreq import Instfreq


def transforms(form: Instfreq) -> tuple[Transform, ...]:
    """Return what a picture bears."""
    every: tuple[Transform, ...] = (Shift(), Polarity(), Gain())
    if form.channels == 4:
        every += (Width(), Swap()) if form.mel else (Width(), Swap(), Pan())
    return tuple(Through(form, transform) for transform in every)


def fit(*, per_row: bool) -> Callable[[Sample], Standard]:
    """Give the fit of `Standard`: levels to their mean and deviation, turns left alone."""

    def fitted(sample: Sample) -> Standard:
        form = sample.representation
        scaling = standard(per_row=per_row, unit=tuple(range(1, form.shape[0], 2)))(sample)
        mean, deviation, highest = tables(scaling)
        floor_db: float = form.floor_db  # type: ignore[attr-defined]
        deviation[0::2] = widened(mean[0::2], deviation[0::2], highest[0::2], floor_db, scaling.sigmas)
        return with_tables(scaling, mean, deviation, highest)

    return fitted


register(
    Kind(
        cls=Instfreq,
        scalings={"standard": fit(per_row=True), "standard-one": fit(per_row=False)},
        transforms=transforms,
    )
)
