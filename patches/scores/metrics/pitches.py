# SPDX-License-Identifier: Apache-2.0
"""Pitch against the wanted pitch, in cents, and how steady it is: pYIN (Mauch and Dixon 2014)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from patches.conditions import class_numbers
from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.metrics.sound import mean
from patches.scores.probes import Measured, Probe
from patches.scores.sounds import Heard
from spect.measures import cents_off, pitch_track
from stylegan3.metrics import wilson
from stylegan3.metrics.estimate import Estimate

VERSION = 1  # of what is measured
VOICED = 0.5  # share of frames from which on a sound has a pitch
IN_TUNE_CENTS = 50.0
SET_NAMES = ("pitch", "note", "midi", "midi_pitch")


def pitch_probe(sample_rate: int) -> Probe:
    """Make the probe that finds pitches."""
    return Probe("pitch", f"pitch {VERSION}", partial(_look, sample_rate))


def _look(sample_rate: int, heard: Heard) -> Mapping[str, Tensor]:
    found = pitch_track(heard.sounds, sample_rate)
    return {"hz": found.hz, "spread": found.cents_spread, "voiced": found.voiced}


@dataclass(frozen=True)
class Pitch:
    """How many sounds have a pitch, how steady it is, and how far from what was asked for."""

    probe: Probe
    name: str = "pitch"

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The one."""
        return (self.probe,)

    def judge(self, against: Against) -> Judge:
        """Find the label set that holds pitches."""
        found_set = wanted_notes(against.archive)

        def judge(measured: Measured) -> list[Part]:
            found = measured.of("pitch")
            voiced = (found["voiced"] >= VOICED) & torch.isfinite(found["hz"])
            values = {"pitched": wilson(int(voiced.sum()), len(voiced)), "spread_cents": mean(found["spread"][voiced])}
            if found_set is None:
                return [Part("", values, notes=("no label set holds pitches: errors in cents are left out",))]
            name, wanted = found_set
            if not measured.subject.asked_for(name):
                note = f"{measured.subject.name} isn't told {name}: it has no errors in cents"
                return [Part("", values, notes=(note,))]
            return [Part("", values | errors(found["hz"], torch.from_numpy(wanted[measured.items]), voiced))]

        return judge


def errors(hz: Tensor, notes: Tensor, voiced: Tensor) -> dict[str, Estimate]:
    """Compare pitches with wanted MIDI notes; NaN notes are passed over. Shape: [n] each."""
    known = voiced & torch.isfinite(notes)
    off = cents_off(hz[known], notes[known])
    in_tune = off.cents.abs() <= IN_TUNE_CENTS
    return {
        "error_cents": mean(off.cents.abs()),
        "error_cents_but_octaves": mean(off.folded.abs()),
        "in_tune": wilson(int(in_tune.sum()), len(in_tune)),
    }


def wanted_notes(archive: Any) -> tuple[str, np.ndarray] | None:
    """Give the label set that holds pitches, and the MIDI note of every item, NaN for none; None without such a set.

    Shape: [items].
    """
    for one in archive.label_sets:
        if one.name not in SET_NAMES:
            continue
        labels = archive.label_values(one.name)
        if labels.ndim == 2:
            return (one.name, np.asarray(labels[:, 0], np.float64)) if labels.shape[1] == 1 else None
        return one.name, np.append(class_numbers(one.classes), np.nan)[labels]
    return None
