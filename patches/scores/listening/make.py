# SPDX-License-Identifier: Apache-2.0
"""From systems to a test: index.html, which holds every clip under an opaque name, and key.json, which stays at home.

A clip's name comes from a hash of all clips together and the seed: whoever has the page can't compute it, and equal
input gives equal files. The page holds the clips sorted by name.
"""

import json
import math
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from patches.scores.html import document, flac_uri, script_json
from patches.scores.listening.systems import System, alike
from spect.files import write_text

KEY, PAGE = "key.json", "index.html"
KIND, VERSION = "sg3-spect listening key", 1
SCRIPTS = ("listener.js", "player.js", "page.js")  # one program, in one scope
QUESTION = "How good does this sound?"
CHECK_SECONDS = 4.0
CHECK_DB = (-40.0, -14.0)  # what the check's level is held to, dBFS rms


def make_test(systems: Sequence[System], *, seed: int, repeats: int, question: str) -> tuple[str, dict[str, Any]]:
    """Build the page and the key.

    Args:
        repeats: how many clips each listener hears a second time.

    Raises:
        UserError: sample rates that differ.
    """
    systems, gain = alike(systems)
    rate = systems[0].sample_rate
    uris = [[flac_uri(sound, rate) for sound in system.sounds] for system in systems]
    digest = sha256(json.dumps([seed, repeats, question, [s.name for s in systems], uris]).encode()).digest()
    names = _names(digest, sum(map(len, uris)))
    clips, played = {}, {}
    for system, own in zip(systems, uris, strict=True):
        for origin, uri in zip(system.origins, own, strict=True):
            name = next(names)
            played[name], clips[name] = uri, {"system": system.name, **origin}
    level = _check_level(systems)
    page = {
        "id": digest.hex()[:12],
        "question": question,
        "repeats": repeats,
        "seconds": systems[0].sounds.shape[-1] / rate,
        "check": flac_uri(pink_noise(level, rate), rate),
        "clips": dict(sorted(played.items())),
    }
    key = {
        "kind": KIND, "version": VERSION, "test": page["id"], "seed": seed, "repeats": repeats, "question": question,
        "sample_rate": rate, "seconds": page["seconds"], "gain_db": 20 * math.log10(gain), "check_dbfs": level,
        "systems": [{"name": s.name, "kind": s.kind, "clips": len(s.sounds), **s.about} for s in systems],
        "clips": dict(sorted(clips.items())),
    }  # fmt: skip
    return _page(page), key


def write_test(out: Path, page: str, key: dict[str, Any]) -> None:
    """Write both files, the key first: no page is ever without one.

    Raises:
        UserError: the folder holds a test already, whose answers need its key, or can't be made.
    """
    if (out / KEY).exists():
        raise UserError(f"--out={out}: holds a listening test, whose answers need its {KEY}; give another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"--out={out}: is a file; give a folder") from None
    write_text(out / KEY, json.dumps(key, indent=1) + "\n")
    write_text(out / PAGE, page)


def pink_noise(level_db: float, sample_rate: int) -> Tensor:
    """Make noise of equal power in each octave from 40 Hz up, alike in both channels, faded in and out over 50 ms.

    Args:
        level_db: its rms before fading, dBFS.

    Shape: -> float32 [2, CHECK_SECONDS * sample_rate].
    """
    count = round(CHECK_SECONDS * sample_rate)
    white = torch.randn(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hertz = torch.fft.rfftfreq(count, 1 / sample_rate, dtype=torch.float64)
    shape = torch.where(hertz < 40, 0.0, hertz.clamp_min(40).rsqrt())
    noise = torch.fft.irfft(torch.fft.rfft(white) * shape, n=count)
    noise *= 10 ** (level_db / 20) / noise.square().mean().sqrt()
    t = torch.arange(count) / sample_rate
    return (noise * (torch.minimum(t, t.flip(0)) / 0.05).clamp(0, 1)).float().clamp(-1, 1).expand(2, -1)


def _check_level(systems: Sequence[System]) -> float:
    """The median rms of the real sounds, dBFS, held to what is neither inaudible nor alarming."""
    real = next(system for system in systems if system.kind == "anchor")
    rms = real.sounds.double().square().mean((1, 2)).sqrt().median()
    return min(max(20 * math.log10(max(float(rms), 1e-9)), CHECK_DB[0]), CHECK_DB[1])


def _names(digest: bytes, count: int) -> Any:
    rng = np.random.default_rng(np.frombuffer(digest, np.uint32))
    names: dict[str, None] = {}
    while len(names) < count:
        names[rng.bytes(5).hex()] = None
    return iter(names)


def _page(data: dict[str, Any]) -> str:
    folder = files("patches.scores.listening")
    style, body, *parts = ((folder / name).read_text("utf-8") for name in ("page.css", "page.html", *SCRIPTS))
    script = "".join(('"use strict";\n(() => {\n', *parts, "})();\n"))
    return document("Listening test", style=style, body=body + script_json(data, "test"), script=script)
