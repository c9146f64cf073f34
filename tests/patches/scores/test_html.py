# SPDX-License-Identifier: Apache-2.0
"""Pages of their own: what goes in comes out, and nothing can break out of its place."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from patches.errors import UserError
from patches.scores.html import common_gain, document, escape, flac_uri, png_uri, script_json, wav_uri
from tests.browser import opened


def decoded(uri: str, kind: str) -> io.BytesIO:
    head, _, data = uri.partition(",")
    assert head == f"data:{kind};base64"
    return io.BytesIO(base64.b64decode(data))


@pytest.mark.parametrize(("uri_of", "kind", "bits"), [(wav_uri, "audio/wav", 16), (flac_uri, "audio/flac", 24)])
def test_sounds_come_back_to_the_last_bit_of_their_codes(uri_of, kind: str, bits: int):
    codes = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (2, 1000))
    sound = (codes / 2 ** (bits - 1)).astype(np.float64)
    back, rate = soundfile.read(decoded(uri_of(sound, 22050), kind), dtype="float64")
    assert rate == 22050
    np.testing.assert_array_equal(back.T, sound)


def test_full_scale_takes_the_largest_code_and_tensors_go_in():
    back, _ = soundfile.read(decoded(wav_uri(torch.tensor([[1.0, -1.0]]), 8000), "audio/wav"), dtype="int16")
    assert back.tolist() == [32767, -32768]


@pytest.mark.parametrize(
    ("sound", "message"),
    [(np.full((2, 4), 1.5), "above full scale"), (np.full((2, 4), np.nan), "NaN"), (np.zeros(4), "channels")],
)
def test_sounds_that_cant_be_played_are_refused(sound: np.ndarray, message: str):
    with pytest.raises(UserError, match=message):
        wav_uri(sound, 8000)


def test_one_gain_brings_all_sounds_below_full_scale_and_leaves_quiet_ones_alone():
    loud, quiet = np.array([[2.0, -4.0]]), np.array([[0.5, 0.1]])
    assert common_gain([quiet, loud]) == 0.25
    assert common_gain([quiet]) == 1
    flac_uri(loud * common_gain([quiet, loud]), 8000)


def test_pictures_come_back_whole():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(decoded(png_uri(picture), "image/png"))), picture)
    with pytest.raises(UserError, match="uint8"):
        png_uri(picture.astype(np.float32))


def test_json_comes_back_and_holds_nothing_that_ends_its_element():
    value = {"name": "</script><script>alert(1)</script><!--", "line": "\u2028", "ä": [1, 2.5, None]}
    element = script_json(value)
    inside = re.fullmatch(r'<script type="application/json" id="data">(.*)</script>', element)
    assert inside
    assert "<" not in inside[1]
    assert json.loads(inside[1]) == value
    with pytest.raises(ValueError, match="JSON"):
        script_json(float("nan"))


def test_a_browser_plays_both_kinds_reads_the_json_and_shows_text_as_text(tmp_path: Path):
    sound = np.sin(np.arange(4000) / 5)[None].repeat(2, 0) * 0.5
    title = 'a <b> & "c"'
    body = f"<p id=said>{escape(title)}</p><img src='{png_uri(np.zeros((2, 3, 3), np.uint8))}' alt=''>" + script_json(
        {"wav": wav_uri(sound, 8000), "flac": flac_uri(sound, 8000), "text": "</script>"}
    )
    script = "window.data = JSON.parse(document.getElementById('data').textContent)"
    path = tmp_path / "page.html"
    path.write_text(document(title, style="p { margin: 1em }", body=body, script=script), encoding="utf-8")
    seconds = """async name => {
        const player = new Audio(data[name])
        await player.play()
        return player.duration
    }"""
    with opened(path) as page:
        assert page.title() == title
        assert page.inner_text("#said") == title
        assert page.evaluate("data.text") == "</script>"
        assert page.evaluate("document.images[0].naturalWidth") == 3
        for name in ("wav", "flac"):
            assert page.evaluate(seconds, name) == pytest.approx(0.5)
