# SPDX-License-Identifier: Apache-2.0
"""Opens pages in a real headless Chromium and fails where they complain or ask for anything beyond themselves.

    from tests.browser import opened

    def test_a_page(tmp_path):
        with opened(tmp_path / "index.html") as page:
            page.get_by_role("button", name="Play").click()

Leaving the block fails the test where the page threw, wrote an error to the console (a request that its policy
forbids is one), or asked for anything but itself, data: and blob:. Skips where there is no browser to run.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
SECONDS = 60.0  # for any one step, on a busy machine


def executable() -> str:
    """Find the browser on PATH, or skip the test."""
    pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH (Debian: apt-get install chromium)")
    return found


@contextmanager
def opened(path: Path, *, width: int = 1100, height: int = 800, dark: bool = False) -> Iterator[Any]:
    """Open a file and give playwright's page; what it stores lives until the block ends."""
    browser_path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        scheme: Any = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(1000 * SECONDS)
        page, address = context.new_page(), path.resolve().as_uri()
        complaints: list[str] = []
        _listen(page, address, complaints)
        try:
            page.goto(address)
            yield page
            page.wait_for_timeout(50)  # what the last step set off
        finally:
            browser.close()
    assert not complaints, "the page complained:\n" + "\n".join(complaints)


def _listen(page: Any, address: str, complaints: list[str]) -> None:
    def asked(request: Any) -> None:
        url = request.url
        if url.split("#")[0].split("?")[0] != address and not url.startswith(("data:", "blob:")):
            complaints.append(f"asked for {url[:200]}")

    page.on("pageerror", lambda error: complaints.append(f"threw {error}"))
    page.on("console", lambda said: complaints.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("request", asked)
