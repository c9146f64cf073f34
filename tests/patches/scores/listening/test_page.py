# SPDX-License-Identifier: Apache-2.0
"""A listener takes a whole test in a real browser: mouse and keyboard, a reload in the middle, a file at the end."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from patches.scores.listening.make import make_test
from patches.scores.listening.results import main
from patches.scores.listening.systems import System
from tests.browser import opened
from tests.patches.scores.listening.support import CLIPS, REPEATS, WANTED, key_of

TRIALS = len(WANTED) * CLIPS + REPEATS


def begin(page: Any, device: str | None = "Headphones") -> None:
    if device:
        page.get_by_label(device).check()
    page.click("#to-check")
    page.click("#play-check")
    page.click("#begin")


def heard(page: Any) -> None:
    page.wait_for_selector("#rating:not(:disabled)", state="attached")


def rate(page: Any, clips: dict[str, Any], by_mouse: bool) -> None:
    """Rate the clip that plays as its system deserves, and go on."""
    heard(page)
    clip = page.get_attribute("#trial", "data-clip")
    rating = WANTED[clips[clip]["system"]]
    if by_mouse:
        page.locator("#choices label").nth(rating - 1).click()
        page.click("#next")
    else:
        page.keyboard.press(str(rating))
        page.keyboard.press("Enter")


def number(page: Any) -> str:
    return page.inner_text("#number")


def test_a_whole_test_comes_back_as_the_scores_that_were_entered(made: Path, tmp_path: Path, capsys):
    clips = key_of(made)["clips"]
    with opened(made / "index.html") as page:
        begin(page)
        for trial in range(4):
            assert number(page) == f"Sound {trial + 1} of {TRIALS}"
            rate(page, clips, by_mouse=trial % 2 == 0)
        page.reload()
        assert page.inner_text("#to-check") == "Go on with sound 5: sound check first"
        assert page.get_by_label("Headphones").is_checked(), page.evaluate("JSON.stringify({...localStorage})")
        begin(page, device=None)
        for trial in range(4, TRIALS):
            assert number(page) == f"Sound {trial + 1} of {TRIALS}"
            rate(page, clips, by_mouse=trial % 2 == 0)
        assert page.inner_text("#end-title") == "Thank you"
        with page.expect_download() as download:
            page.click("#save")
        saved = tmp_path / download.value.suggested_filename
        download.value.save_as(saved)
        assert page.input_value("#text") == saved.read_text()
    answers = json.loads(saved.read_text())
    assert saved.name == f"answers-{answers['test']}-{answers['listener']}.json"
    assert [one["clip"] for one in answers["trials"]] == answers["order"]
    assert answers["started"] <= answers["trials"][0]["at"] <= answers["finished"]
    assert main([str(made), str(saved), "--out", str(tmp_path / "mos.json")]) == 0
    result = json.loads((tmp_path / "mos.json").read_text())
    assert {one["system"]: one["mos"][0] for one in result["systems"]} == WANTED
    assert (result["consistency"]["pairs"], result["consistency"]["equal"]) == (REPEATS, 1)
    assert list(result["devices"]) == ["headphones"]
    assert f"{REPEATS} clips heard twice: 100 % rated alike" in capsys.readouterr().out


def test_orders_differ_by_listener_hold_every_clip_and_never_one_twice_in_a_row(made: Path):
    orders = []
    for _ in range(2):
        with opened(made / "index.html") as page:
            begin(page, "A phone's or tablet's")
            page.click("#stop-early")
            orders.append(json.loads(page.input_value("#text"))["order"])
            assert page.is_disabled("#save")
            page.click("#resume")
            assert number(page) == f"Sound 1 of {TRIALS}"
    assert orders[0] != orders[1]
    for order in orders:
        assert len(order) == TRIALS
        assert set(order) == set(key_of(made)["clips"])
        assert all(one != following for one, following in pairwise(order))


def test_no_rating_before_the_end_and_keys_play_stop_and_loop(tmp_path: Path):
    long = torch.rand(2, 2, 60 * 8000, generator=torch.Generator().manual_seed(0)) / 100  # a minute
    systems = [System(name, "anchor", long, 8000, ({}, {})) for name in ("one", "other")]
    page_of_long, _ = make_test(systems, seed=0, repeats=0, question="Is it <b>long</b>?")
    (tmp_path / "index.html").write_text(page_of_long)
    with opened(tmp_path / "index.html") as page:
        assert page.is_disabled("#to-check")
        begin(page, "Loudspeakers")
        assert page.inner_text("#rating legend") == "Is it <b>long</b>?"
        page.locator("#play", has_text="Stop").wait_for()
        page.keyboard.press("3")
        page.keyboard.press("Enter")
        assert page.is_disabled("#next")
        assert page.inner_text("#hint") == "Listen to the end, then rate."
        assert number(page) == "Sound 1 of 4"
        page.keyboard.press("Space")
        assert page.inner_text("#play") == "Play again"
        page.keyboard.press("l")
        assert page.is_checked("#loop")
        page.keyboard.press("Space")
        page.locator("#play", has_text="Stop").wait_for()
        assert page.is_disabled("[name=rating] >> nth=2")


def test_a_looping_sound_goes_on_until_it_is_stopped(made: Path):
    with opened(made / "index.html") as page:
        begin(page)
        page.check("#loop")
        page.keyboard.press("r")
        heard(page)
        page.wait_for_timeout(500)  # a clip lasts 0.128 s
        assert page.inner_text("#play") == "Stop"
        page.keyboard.press("5")
        assert page.is_checked("[name=rating][value='5']")
        # what was open to this clip's rating is closed to the next one's in the same instant
        closed = "(at => { at('next').click(); return at('rating').disabled && at('next').disabled })"
        assert page.evaluate(f"{closed}(id => document.getElementById(id))")
        assert number(page) == f"Sound 2 of {TRIALS}"


def test_another_person_starts_anew_once_the_answers_are_saved(made: Path):
    clips = key_of(made)["clips"]
    with opened(made / "index.html") as page:
        begin(page)
        rate(page, clips, by_mouse=False)
        page.click("#stop-early")
        first = json.loads(page.input_value("#text"))
        assert page.is_hidden("#anew")
        with page.expect_download():
            page.click("#save")
        page.click("#anew")
        begin(page, "laptop")
        page.click("#stop-early")
        second = json.loads(page.input_value("#text"))
    assert (len(first["trials"]), len(second["trials"])) == (1, 0)
    assert first["listener"] != second["listener"]
    assert second["device"] == "laptop"


def test_a_browser_that_keeps_nothing_is_told_of_and_serves_all_the_same(made: Path, tmp_path: Path):
    page_without = tmp_path / "index.html"
    refuse = "<script>Object.defineProperty(window, 'localStorage', {get() { throw new Error('no') }})</script>"
    page_without.write_text((made / "index.html").read_text().replace("<body>", f"<body>{refuse}"))
    with opened(page_without) as page:
        assert page.is_visible("#kept")
        begin(page)
        rate(page, key_of(made)["clips"], by_mouse=False)
        assert number(page) == f"Sound 2 of {TRIALS}"
