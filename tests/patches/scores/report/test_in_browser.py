# SPDX-License-Identifier: Apache-2.0
import re
import time

import pytest

from patches.scores.report import write_report
from tests.browser import SECONDS, opened
from tests.patches.scores.report.support import report

LENGTHS = [0.4, 0.5, 0.6, 0.7]  # of the seeds' sounds, in seconds


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, report())
    return path


def cell(page, row: int, column: int):
    return page.locator(f'[data-row="{row}"][data-column="{column}"]')


def sounding(page) -> list[str]:
    """Name what plays, by its buttons."""
    return page.locator('.player[aria-pressed="true"]').evaluate_all("all => all.map(one => one.dataset.called)")


def until(page, expression: str) -> None:
    """Wait until JavaScript is true; playwright's own waiting needs eval, which the page's policy forbids."""
    end = time.monotonic() + SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(10)


def started(page, seconds: float) -> None:
    """Wait until a sound of so many seconds is heard: it was decoded, and time goes on."""
    until(page, f"document.getElementById('time').value.endsWith('/ {seconds:.2f} s')")


def moving(page) -> None:
    """Wait until the playhead of what plays moves."""
    head = "document.querySelector('.player[aria-pressed=true] .head').style.left"
    until(page, f"parseFloat({head}) > 0")
    before = page.evaluate(head)
    until(page, f"{head} !== '{before}'")


def test_every_sound_decodes_to_its_length_and_only_one_plays(path):
    with opened(path) as page:
        for column, seconds in enumerate(LENGTHS):
            cell(page, 1, column).click()
            started(page, seconds)
            assert sounding(page) == [f"10 kimg, seed {column}, {seconds:g} s"]
        for player in page.locator(".player:not([data-row])").all():
            player.click()
            until(page, "document.getElementById('time').value !== ''")
            assert len(sounding(page)) == 1
        assert "can't play" not in page.locator("#now").inner_text()


def test_a_playing_sound_has_a_moving_playhead_and_a_second_click_stops_it(path):
    with opened(path) as page:
        cell(page, 0, 0).click()
        moving(page)
        assert cell(page, 0, 0).get_attribute("aria-label").startswith("Stop 0 kimg, seed 0")
        assert page.locator(".head:visible").count() == 1
        cell(page, 0, 0).click()
        assert sounding(page) == []
        assert page.locator(".head:visible").count() == 0


def test_sounds_loop_until_the_switch_is_off(path):
    with opened(path) as page:
        assert page.locator("#loop").is_checked()
        cell(page, 0, 0).click()
        started(page, LENGTHS[0])
        page.wait_for_timeout(1000 * 3 * LENGTHS[0])
        assert sounding(page) != []
        page.locator("#loop").uncheck()
        until(page, "!document.querySelector('.player[aria-pressed=true]')")


def test_a_sound_that_is_no_loop_ends(path):
    with opened(path) as page:
        page.locator('.player[data-loop="false"]').click()
        started(page, 0.5)
        until(page, "!document.querySelector('.player[aria-pressed=true]')")


def test_arrows_move_in_the_table_and_play_on_while_a_sound_plays(path):
    with opened(path) as page:
        focused = "(({row, column}) => [row, column])(document.activeElement.dataset)"
        cell(page, 0, 0).focus()
        for key, place in (("Right", "01"), ("Down", "11"), ("Left", "10"), ("Left", "10"), ("Up", "00"), ("Up", "00")):
            page.keyboard.press(f"Arrow{key}")
            assert page.evaluate(focused) == list(place)
        assert sounding(page) == []
        page.keyboard.press("Space")
        assert sounding(page) == ["0 kimg, seed 0, 0.4 s"]
        page.keyboard.press("ArrowRight")
        assert sounding(page) == ["0 kimg, seed 1, 0.5 s"]
        page.keyboard.press("Space")
        assert sounding(page) == []


def test_the_table_is_one_stop_of_the_tab_key(path):
    with opened(path) as page:
        cell(page, 2, 3).focus()
        assert page.locator('.grid .player[tabindex="0"]').count() == 1
        assert cell(page, 2, 3).get_attribute("tabindex") == "0"


def test_space_plays_the_last_sound_again_and_escape_stops(path):
    with opened(path) as page:
        cell(page, 1, 2).click()
        page.evaluate("document.activeElement.blur()")
        before = page.evaluate("scrollY")
        page.keyboard.press("Space")
        assert sounding(page) == []
        page.keyboard.press("Space")
        assert sounding(page) == ["10 kimg, seed 2, 0.6 s"]
        assert page.evaluate("scrollY") == before  # space does not scroll
        page.keyboard.press("Escape")
        assert sounding(page) == []
        page.keyboard.press("l")
        assert not page.locator("#loop").is_checked()


def test_a_quick_second_choice_wins(path):
    with opened(path) as page:
        page.evaluate("for (const c of [0, 3]) document.querySelector(`[data-row='0'][data-column='${c}']`).click()")
        started(page, LENGTHS[3])
        assert sounding(page) == ["0 kimg, seed 3, 0.7 s"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1360, 390])
def test_a_page_fits_its_window_and_can_be_looked_at(path, tmp_path, width, dark):
    with opened(path, width=width, height=844, dark=dark) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        broken = "[...document.images].filter(one => !one.complete || !one.naturalWidth).length"
        assert page.evaluate(broken) == 0
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert (tmp_path / "page.png").stat().st_size > 20_000
        red, green, blue = map(
            int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
        )
        assert (red + green + blue < 3 * 64) == dark


LISTENED = """() => {
    const make = AudioContext.prototype.createGain;
    AudioContext.prototype.createGain = function () {
        const gain = make.call(this);
        window.ear = this.createAnalyser();
        window.ear.fftSize = 4096;
        gain.connect(window.ear);
        return gain;
    };
}"""
LOUDEST_HZ = """(() => {
    const levels = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(levels);
    const bin = levels.indexOf(Math.max(...levels));
    return levels[bin] < -60 ? 0 : (bin * ear.context.sampleRate) / ear.fftSize;
})()"""


def test_what_is_heard_is_the_sound_that_was_chosen_as_loud_as_the_volume_says(path):
    with opened(path) as page:
        page.evaluate(LISTENED)
        for row, column, hz in ((0, 0, 220), (2, 3, 1060)):
            cell(page, row, column).click()
            until(page, f"Math.abs({LOUDEST_HZ} - {hz}) < 2 * ear.context.sampleRate / ear.fftSize")
        page.locator("#volume").fill("0")
        until(page, f"{LOUDEST_HZ} === 0")
