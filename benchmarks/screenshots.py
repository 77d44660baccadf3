"""Pictures of TensorBoard's pages for a run, taken in a real browser.

Needs Chromium or Chrome with its driver (on Debian ``chromium-driver``) and the extra ``dev``.

Example:
    python -m benchmarks.screenshots --logdir runs --out docs/images
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
from typing import Any
from urllib.request import urlopen

import tyro

from agent.errors import UserError
from benchmarks.command import run

PAGES = {
    "custom_scalars": "vz-line-chart2",
    "images": "img",
    "histograms": "vz-histogram-timeseries",
    "hparams": "vaadin-grid-cell-content",
    "text": "tf-markdown-view",
    "projector": "canvas",
}
"""TensorBoard's pages, and a selector of what is on one that has been drawn."""
PATIENCE = 60.0
"""Seconds to wait for a page."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class ScreenshotsConfig:
    """Take a picture of every page."""

    logdir: Path
    """As for TensorBoard."""
    out: Path
    """Directory of the pictures, ``tensorboard_PAGE.png`` each."""
    pages: tuple[str, ...] = tuple(PAGES)
    """Pages to take."""
    size: tuple[int, int] = (1600, 1900)
    """Width and height of the window, in pixels."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        if unknown := set(self.pages) - set(PAGES):
            raise ValueError(f"pages must be of {', '.join(PAGES)}, got {', '.join(unknown)}")
        if not all(200 <= length <= 8000 for length in self.size):
            raise ValueError(f"size must be from 200 to 8000 each, got {self.size}")


def main() -> None:
    """Take the pictures."""
    config = tyro.cli(ScreenshotsConfig)
    config.out.mkdir(parents=True, exist_ok=True)
    with server(config.logdir) as address, browser() as driver:
        driver.set_window_size(*config.size)
        for page in config.pages:
            path = config.out / f"tensorboard_{page}.png"
            open_page(driver, address, page)
            driver.save_screenshot(str(path))
            print(path)


@contextmanager
def server(logdir: Path) -> Generator[str]:
    """TensorBoard on a free port while the context lasts; yields its address.

    Raises:
        UserError: If it does not start, with what it printed.
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
    """Until TensorBoard has read a run and its plugins are there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with urlopen(f"{address}/data/plugin/scalars/tags") as answer:
            if b"policy" in answer.read():
                return
        time.sleep(0.5)
    raise UserError(f"TensorBoard read no run within {PATIENCE:.0f} seconds")


def find_browser() -> str | None:
    """Path of a browser that can be driven, if this machine has one."""
    if not shutil.which("chromedriver"):
        return None
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextmanager
def browser() -> Generator[Any]:
    """A headless browser while the context lasts; yields Selenium's driver.

    Raises:
        UserError: If there is none.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    binary = find_browser()
    if not binary:
        raise UserError("a browser is needed: Chromium and chromedriver (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new", "--no-sandbox", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", "--hide-scrollbars",
    ):  # fmt: skip
        options.add_argument(argument)
    options.binary_location = binary
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def open_page(driver: Any, address: str, page: str) -> None:
    """Open a page and wait until it is drawn.

    Raises:
        UserError: If it is not after ``PATIENCE``.
    """
    driver.switch_to.default_content()
    driver.get("about:blank")  # else only the part behind the # would change
    driver.get(f"{address}/#{page}")
    deadline = time.monotonic() + PATIENCE
    if page == "projector":  # the only page that is drawn in a frame, and in one within that
        for _ in range(2):
            driver.switch_to.frame(wait_for(driver, "iframe", deadline))
    wait_for(driver, PAGES[page], deadline)
    time.sleep(3)  # animations, and pictures that are still on their way


def wait_for(driver: Any, selector: str, deadline: float) -> Any:
    """The first element that matches and can be seen; raises UserError after ``deadline``."""
    while not (found := driver.execute_script(FIND, selector)):
        if time.monotonic() > deadline:
            raise UserError(f"{driver.current_url} shows no {selector}")
        time.sleep(0.5)
    return found


FIND = """
const search = (root) => {
  for (const element of root.querySelectorAll('*')) {
    if (element.matches(arguments[0]) && element.getBoundingClientRect().width > 0) return element;
    const found = element.shadowRoot && search(element.shadowRoot);
    if (found) return found;
  }
  return null;
};
return search(document);
"""
"""The first element that matches a selector and can be seen, in shadow roots too."""


if __name__ == "__main__":
    run(main)
