# SPDX-License-Identifier: Apache-2.0
"""What the figures of scores are: which way is better, and in what unit they are told."""

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Figure:
    """A figure by its name in a row.

    Args:
        better: None: neither; to be compared with the anchors'.
        share: a number from 0 to 1, told in percent.
    """

    what: str
    better: Better | None = None
    share: bool = False


FIGURES: dict[str, Figure] = {
    "kad": Figure("kernel distance x 100", "lower"),
    "frechet": Figure("Fréchet distance", "lower"),
    "frechet_infinity": Figure("Fréchet distance at infinitely many sounds", "lower"),
    "fid": Figure("Fréchet inception distance of pictures", "lower"),
    "fid_infinity": Figure("the same at infinitely many pictures", "lower"),
    "rmse": Figure("root mean square difference of pictures", "lower"),
    "precision": Figure("outputs within the reference", "higher", True),
    "recall": Figure("reference within the outputs", "higher", True),
    "density": Figure("how often an output lies near references", "higher"),
    "coverage": Figure("references with an output near", "higher", True),
    "ndb_share": Figure("bins whose counts differ", "lower", True),
    "ndb": Figure("the same, counted", "lower"),
    "js_bits": Figure("Jensen-Shannon divergence of the bins", "lower"),
    "near_train": Figure("outputs nearer to a training sound than all but the nearest new real ones", None, True),
    "near_train_real": Figure("what that is for new real sounds", None, True),
    "nearer_than_real": Figure("chance to be nearer to training than a new real sound; 50 % is as new", None, True),
    "near_duplicates": Figure("outputs that nearly repeat another; about 1 % for real ones", "lower", True),
    "inception_score": Figure("inception score", "higher"),
    "modified_inception_score": Figure("modified inception score", "higher"),
    "am_score": Figure("AM score", "lower"),
    "accuracy": Figure("sounds of the class that was asked for", "higher", True),
    "classifier_accuracy": Figure("the classifier's own, on held-out sounds", None, True),
    "pitched": Figure("sounds with a pitch", None, True),
    "spread_cents": Figure("unsteadiness of the pitch", "lower"),
    "error_cents": Figure("error against the wanted pitch", "lower"),
    "error_cents_but_octaves": Figure("the same, octaves forgiven", "lower"),
    "in_tune": Figure("within 50 cents", "higher", True),
    "defective": Figure("sounds with any defect", "lower", True),
    "not_finite": Figure("NaN or Inf", "lower", True),
    "silent": Figure("peak below -80 dB", "lower", True),
    "clipped": Figure("samples at full scale", "lower", True),
    "dc": Figure("mean beyond 1 % of the peak", "lower", True),
    "frame_clicks": Figure("clicks at the frame rate", "lower", True),
    "clicks": Figure("isolated clicks", "lower", True),
    "cancels": Figure("loses 10 dB in mono", "lower", True),
    "frame_click_ratio": Figure("clicks at the frame rate, peak over median; 1 is none", "lower"),
}
"""Known figures; one that isn't here is told as it is."""


def figure(name: str) -> Figure:
    """Find what a figure is."""
    return FIGURES.get(name, Figure(name.replace("_", " ")))
