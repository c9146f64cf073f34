# SPDX-License-Identifier: Apache-2.0
"""Pages that need nothing but themselves: sounds and pictures as data: URIs, data as JSON, one style and one script.

A page's Content-Security-Policy forbids every request, so that opening one tells nobody and needs no network.

Sounds go in as WAV of 16 bits, which every browser plays, or as FLAC of 24 bits, which those of today play: smaller,
and lossless to the sounds of 24-bit files. Codes are round(x * 2^(bits - 1)), as in spect/wavfile.py. Nothing is
clipped or lowered in silence: `common_gain` says what brings sounds below full scale.
"""

import base64
import html
import io
import json
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import soundfile
import torch
from PIL import Image

from patches.errors import UserError

Sound = np.ndarray | torch.Tensor

# data: and blob: only: no address of any network, no form that leaves, no base that turns relative names elsewhere.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "media-src data: blob:; form-action 'none'; base-uri 'none'"
)

# What pages share: quiet colours for light and dark, the system's font, a focus that can be seen.
STYLE = """
:root { color-scheme: light dark; --back: #fbfbf9; --card: #ffffff; --fore: #1d1f21; --soft: #5c6166; --line: #d9d9d4;
  --accent: #0b62a8; --on-accent: #ffffff; --good: #1c7a3f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #16181a; --card: #1f2225; --fore: #e7e8e9; --soft: #a3a9af;
  --line: #383d42; --accent: #7ab8ee; --on-accent: #0d1b27; --good: #6fcf97; --bad: #ff8a80; } }
*, *::before, *::after { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
body { margin: 0; background: var(--back); color: var(--fore); font-variant-numeric: tabular-nums; }
a { color: var(--accent); }
button, select, input { font: inherit; color: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
[hidden] { display: none !important; }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
"""


def common_gain(sounds: Iterable[Sound]) -> float:
    """Return the largest factor, at most 1, with which none of the sounds is above full scale.

    One factor for all keeps their levels beside each other. Shape: [channels, L] each, L at least 1.
    """
    peak = max((float(np.abs(_array(sound)).max()) for sound in sounds), default=0.0)
    return 1 / peak if peak > 1 else 1.0


def wav_uri(sound: Sound, sample_rate: int) -> str:
    """Put a sound into a data: URI as WAV of 16 bits.

    Args:
        sound: float32 [channels, L] in [-1, 1].
        sample_rate: in Hz.

    Raises:
        UserError: another shape, NaN or Inf, a sample above full scale.
    """
    return data_uri("audio/wav", _encoded(sound, sample_rate, "WAV", 16))


def flac_uri(sound: Sound, sample_rate: int) -> str:
    """Put a sound into a data: URI as FLAC of 24 bits; see `wav_uri`."""
    return data_uri("audio/flac", _encoded(sound, sample_rate, "FLAC", 24))


def png_uri(picture: np.ndarray) -> str:
    """Put a picture uint8 [H, W, 3] into a data: URI as PNG.

    Raises:
        UserError: another shape or type.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise UserError(f"a picture is uint8 [H, W, 3], got {picture.dtype} {list(picture.shape)}")
    out = io.BytesIO()
    Image.fromarray(picture).save(out, format="PNG", optimize=True)
    return data_uri("image/png", out.getvalue())


def data_uri(kind: str, data: bytes) -> str:
    """Put bytes into a data: URI of a MIME type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def escape(text: object) -> str:
    """Write text so that it is text, in an element and in a quoted attribute."""
    return html.escape(str(text), quote=True)


def script_json(value: Any, name: str = "data") -> str:
    """Embed JSON as an element that scripts read with `JSON.parse(document.getElementById(name).textContent)`.

    Nothing in it can end the element: < is \\u003c. NaN and Inf are no JSON: give null.

    Raises:
        ValueError: NaN or Inf.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{escape(name)}">{safe}</script>'


def document(title: str, *, style: str, body: str, script: str = "") -> str:
    """Write a whole page: HTML5, UTF-8, English, without any request; `STYLE` comes before the page's own style.

    Args:
        title: plain text.
        style, body, script: CSS, HTML (with `escape`d texts and `script_json` data) and JavaScript, as they are; the
            script runs when the body is there.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
{body}
<script>{script}</script>
</body>
</html>
"""


def _array(sound: Sound) -> np.ndarray:
    return sound.detach().cpu().numpy() if isinstance(sound, torch.Tensor) else np.asarray(sound)


def _encoded(sound: Sound, sample_rate: int, container: Literal["WAV", "FLAC"], bits: int) -> bytes:
    """Write a sound into bytes; integers reach libsndfile in the upper bits of int32, so that nothing is scaled."""
    samples = _array(sound)
    if samples.ndim != 2 or not samples.size:
        raise UserError(f"a sound is [channels, L], got {list(samples.shape)}")
    if not np.isfinite(samples).all():
        raise UserError("a sound holds NaN or Inf and can't be played")
    peak = float(np.abs(samples).max())
    if peak > 1:
        raise UserError(f"a sound's peak {peak:.4g} is above full scale; multiply all by their common_gain")
    codes = np.rint(samples.T.astype(np.float64) * 2 ** (bits - 1)).clip(max=2 ** (bits - 1) - 1)
    out = io.BytesIO()
    whole = np.ascontiguousarray(codes.astype(np.int32) * 2 ** (32 - bits))
    soundfile.write(out, whole, sample_rate, format=container, subtype=f"PCM_{bits}")
    return out.getvalue()
