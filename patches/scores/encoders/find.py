# SPDX-License-Identifier: Apache-2.0
"""Encoders by the texts that people type: log-mel, modulation, stereo, waveform, musicnn, speech, or a file."""

import importlib.util
from collections.abc import Sequence

from patches.errors import UserError
from patches.scores.encoders import musicnn, speech
from patches.scores.encoders.builtin import builtin
from patches.scores.encoders.encoder import Encoder
from patches.scores.encoders.file import from_file, is_file_name
from spect.measures import FEATURES

LEARNED = {"musicnn": musicnn.musicnn, "speech": speech.speech}
WEIGHTS = {"musicnn": musicnn.weights, "speech": speech.graphs}


def find_encoders(names: Sequence[str]) -> list[Encoder]:
    """Open encoders by name, each once, in the order given.

    Raises:
        UserError: an unknown name, or an encoder that isn't installed, with what to install; two of one name.
    """
    found = [_find(name) for name in dict.fromkeys(names)]
    titles = [encoder.name for encoder in found]
    if twice := {title for title in titles if titles.count(title) > 1}:
        raise UserError(f"--encoder: two are called {sorted(twice)[0]!r}; rename one of the files")
    return found


def available() -> list[str]:
    """Name the encoders that can be had here, files aside."""
    return [*FEATURES, *(name for name in LEARNED if _installed(name))]


def _find(name: str) -> Encoder:
    if name in FEATURES:
        return builtin(name)
    if name in LEARNED:
        return _learned(name)
    if is_file_name(name):
        return from_file(name)
    known = ", ".join((*FEATURES, *LEARNED))
    raise UserError(f"--encoder={name}: unknown; allowed: {known}, or a file: .pt, .ts, .jit (TorchScript) or .onnx")


def _learned(name: str) -> Encoder:
    try:
        return LEARNED[name]()
    except UserError as error:
        raise UserError(f"--encoder={name}: {error}") from error


def _installed(name: str) -> bool:
    """Whether what an encoder needs is there; nothing is opened."""
    try:
        WEIGHTS[name]()
    except UserError:
        return False
    return name != "speech" or importlib.util.find_spec("onnxruntime") is not None
