# SPDX-License-Identifier: Apache-2.0
"""Encoders from a file of the user's, TorchScript (.pt, .ts, .jit) or ONNX (.onnx): nothing else, and no pickle.

An encoder of sounds takes float32 [N, L], mono in [-1, 1], at 16 kHz or the rate that stands behind a colon
(`vggish.onnx:16000`, `clap.pt:48000`), of whatever length the sounds have; it gives [N, d], or [N, T, d] (frames, of
which the mean over T is taken). It is named after its file; its version is the start of the file's sha256, with the
rate. TorchScript runs on the sounds' device, ONNX on the CPU.
"""

import re
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from patches.errors import UserError
from patches.runs.tensorfile import digest
from patches.scores.encoders.encoder import Encoder, mono
from patches.scores.encoders.onnx_file import open_onnx
from patches.scores.encoders.torchscript import SUFFIXES, open_torchscript

RATE = 16000
ONNX = ".onnx"
RATES = (1000, 384000)
DIGITS = 12  # of the sha256


def is_file_name(text: str) -> bool:
    """Whether a text names a file rather than an encoder that comes along."""
    return Path(split_rate(text)[0]).suffix.lower() in (*SUFFIXES, ONNX) or "/" in text or "\\" in text


def split_rate(text: str) -> tuple[str, int]:
    """Take the rate off a file's name: "a.pt:48000" -> ("a.pt", 48000); 16000 where there is none."""
    found = re.fullmatch(r"(.+\.\w+):(\d+)", text)
    return (found[1], int(found[2])) if found else (text, RATE)


def from_file(text: str) -> Encoder:
    """Open an encoder of sounds.

    Raises:
        UserError: no such file, one of another kind, or a rate that no sound has.
    """
    name, rate = split_rate(text)
    if not RATES[0] <= rate <= RATES[1]:
        raise UserError(f"--encoder={text}: got {rate} Hz; allowed: {RATES[0]} to {RATES[1]}, as in {name}:{RATE}")
    path = Path(name)
    run = open_graph(path)
    what = (
        f"a file's own network; mono at {rate} Hz, the sound's whole length, nothing padded; "
        "mean over frames where it gives frames"
    )
    version = f"{path.name} {digest(path)[:DIGITS]} at {rate} Hz"
    return Encoder(path.stem, version, what, lambda sounds, own: pooled(run(mono(sounds, own, rate)), path))


def open_graph(path: Path) -> Callable[[Tensor], Tensor]:
    """Open TorchScript or ONNX by the file's suffix.

    Raises:
        UserError: no such file, or one of another kind.
    """
    if not path.is_file():
        raise UserError(f"--encoder={path}: no such file")
    if path.suffix.lower() == ONNX:
        return open_onnx(path)
    if path.suffix.lower() in SUFFIXES:
        return open_torchscript(path)
    raise UserError(f"--encoder={path}: got {path.suffix or 'no suffix'}; allowed: {', '.join((*SUFFIXES, ONNX))}")


def pooled(out: Tensor, path: Path) -> Tensor:
    """Take the mean over frames. Shape: [N, d] or [N, T, d] -> [N, d]."""
    if out.ndim not in (2, 3) or 0 in out.shape:
        raise UserError(f"{path}: gave {list(out.shape)}; an encoder gives [N, d] or [N, T, d]")
    return out.mean(1) if out.ndim == 3 else out
