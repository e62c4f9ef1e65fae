"""A real browser for tests: Debian's chromium, without a window and without a network."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def why_no_browser() -> str:
    """Why browser tests cannot run here; empty where they can."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (extra dev)"
    missing = [path for path in (CHROMIUM, DRIVER) if not Path(path).exists()]
    said = f"no browser: {' and '.join(missing)} not found (Debian packages chromium, chromium-driver)"
    return said if missing else ""


class Browser:
    """A page under test; `wait` gives up after half a minute, as the machine may be busy."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, page: Path, *, kept: bool = False) -> None:
        """Load the page; with `kept` edits of an earlier visit stay."""
        self.driver.get(page.resolve().as_uri())
        if not kept:
            self.run("localStorage.clear(); delete document.documentElement.dataset.ready;")
            self.driver.refresh()
        self.wait(lambda: self.run("return document.documentElement.dataset.ready") == "yes")

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()

    def texts(self, selector: str) -> list[str]:
        """The text of every such node; as JSON on the way, since a lone surrogate cannot pass otherwise."""
        script = "return JSON.stringify([...document.querySelectorAll(arguments[0])].map(n => n.textContent))"
        found: list[str] = json.loads(self.run(script, selector))
        return found

    def wait(self, holds: Callable[[], Any], seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, "the page did not get there"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """Errors on the console, and every request that would leave the machine."""
        log = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return log + [url for url in asked if url.startswith(("http", "ws", "ftp"))]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Chromium with a profile and a download folder of its own."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    downloads = folder / "downloads"
    downloads.mkdir()
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
    try:
        yield Browser(driver, downloads)
    finally:
        driver.quit()
