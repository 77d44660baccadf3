"""Pictures of TensorBoard's pages for a run, taken in a real browser.

Needs Chromium or Chrome (on Debian ``chromium``) and the extra ``dev``.

Example:
    python -m tools.screenshots --logdir runs --out docs/images
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.request import urlopen

import tyro
from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as NotShownError

from experiment.command_line import exit_code
from experiment.errors import UserError
from settings import Checked, Within

PAGES = {
    "custom_scalars": "vz-line-chart2",
    "images": "img",
    "histograms": "vz-histogram-timeseries",
    "hparams": "vaadin-grid-cell-content",
    "text": "tf-markdown-view",
    "projector": "canvas",
}
"""TensorBoard's pages. Each has a selector of what can be seen once the page is drawn."""
PATIENCE = 60.0
"""Seconds to wait for a page, and for TensorBoard to read a run."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class ScreenshotsConfig(Checked):
    """Take a picture of every page."""

    logdir: Path
    """Directory of runs, as TensorBoard takes it."""
    out: Path
    """Directory of the pictures, ``tensorboard_PAGE.png`` each."""
    pages: tuple[str, ...] = tuple(PAGES)
    """Pages to take."""
    size: Annotated[tuple[int, int], Within(200, 8000)] = (1600, 1900)
    """Width and height of the window, in pixels."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        if unknown := set(self.pages) - set(PAGES):
            raise ValueError(f"pages must be of {', '.join(PAGES)}, got {', '.join(unknown)}")


def main() -> None:
    """Take the pictures."""
    config = tyro.cli(ScreenshotsConfig)
    config.out.mkdir(parents=True, exist_ok=True)
    with server(config.logdir) as address, browser(config.size) as page:
        for name in config.pages:
            path = config.out / f"tensorboard_{name}.png"
            open_page(page, address, name)
            page.screenshot(path=path)
            print(path)


@contextmanager
def server(logdir: Path) -> Generator[str]:
    """TensorBoard on a free port while the context lasts; yields its address.

    Raises:
        UserError: If it does not start; says what it printed.
    """
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if found := re.search(r"http://\S+:\d+", line):
                address = found[0].replace("localhost", "127.0.0.1")
                wait_for_runs(address)
                yield address
                return
        raise UserError(f"TensorBoard did not start: {printed.strip()}")
    finally:
        process.kill()
        process.communicate()


def wait_for_runs(address: str) -> None:
    """Wait until TensorBoard has read a run and its plugins are there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with urlopen(f"{address}/data/plugin/scalars/tags") as answer:
            if b"policy" in answer.read():
                return
        time.sleep(0.5)
    raise UserError(f"TensorBoard read no run within {PATIENCE:.0f} seconds")


def find_browser() -> str | None:
    """Path of a browser that can be driven, if this machine has one."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextmanager
def browser(size: tuple[int, int]) -> Generator[Page]:
    """An empty page of ``size`` (width and height in pixels) in a browser without a window.

    Raises:
        UserError: If there is no browser.
    """
    binary = find_browser()
    if not binary:
        raise UserError("a browser is needed: Chromium or Chrome (Debian: chromium)")
    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        driven = playwright.chromium.launch(executable_path=binary, args=arguments)
        yield driven.new_page(viewport={"width": size[0], "height": size[1]})


def open_page(page: Page, address: str, name: str) -> None:
    """Open one of TensorBoard's pages and wait until it is drawn.

    Raises:
        UserError: If it is not drawn within ``PATIENCE``.
    """
    page.goto("about:blank")  # otherwise only what follows the # would change
    page.goto(f"{address}/#{name}")
    # The projector is the only page that is drawn in a frame, and in one within that.
    inside = page.frame_locator("iframe").frame_locator("iframe") if name == "projector" else page
    try:
        inside.locator(f"{PAGES[name]} >> visible=true").first.wait_for(timeout=1000 * PATIENCE)
        page.wait_for_timeout(3000)  # animations, and pictures that are still on their way
        # While the projector loads, it dims the page behind a message.
        dimmed = inside.locator("iron-overlay-backdrop").first
        dimmed.wait_for(state="detached", timeout=1000 * PATIENCE)
    except NotShownError as error:
        raise UserError(f"{page.url} was not drawn within {PATIENCE:.0f} seconds") from error


if __name__ == "__main__":
    sys.exit(exit_code(main))
