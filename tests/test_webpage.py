"""The service's page in a real browser: paste, find, filter, copy; by keyboard, on a phone, in the dark."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser, why_no_browser
from bundles import make_bundle, word_graph
from service import Caller, running

no_browser = why_no_browser()
pytestmark = pytest.mark.skipif(bool(no_browser), reason=no_browser)

TEXT = (
    "The mayor of Oslo met the team of Acme in Lima.\n"
    "<b>Globex</b> & Initech opened an office in Oslo 🇳🇴 and left Quito; the bank said nothing.\n"
    "غادر Oslo إلى Lima \x07"
)
MENTIONS = ["Oslo", "Acme", "Lima", "Globex", "Initech", "Oslo", "Oslo", "Lima"]
SHOTS = os.environ.get("SCREENSHOTS")  # a folder to leave pictures of the pages in


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    tags = {"oslo": 1, "lima": 1, "acme": 3, "globex": 3, "initech": 3}
    bundle = make_bundle(tmp_path_factory.mktemp("towns") / "bundle", word_graph(tags, 7), ("LOC", "ORG", "PER"))
    with running(bundle, token="sesame") as caller:
        yield caller


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def page(call: Caller, chromium: Browser) -> Browser:
    chromium.driver.get(call.url)
    chromium.wait(lambda: chromium.run("return document.documentElement.dataset.ready") == "yes")
    return chromium


def typed(page: Browser, text: str, token: str = "sesame") -> None:
    page.run("document.getElementById('text').value = arguments[0]", text)
    page.run("document.getElementById('token').value = arguments[0]", token)
    page.run("document.getElementById('text').focus()")


def found(page: Browser, text: str = TEXT) -> None:
    """Ask by keyboard and wait for the answer."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    typed(page, text)
    keys = ActionChains(page.driver, duration=0)
    keys.key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    page.wait(lambda: " ms." in page.texts("#status")[0])


def mentions(page: Browser) -> list[str]:
    got: list[str] = page.run("return [...document.querySelectorAll('mark')].map(n => n.firstChild.textContent)")
    return got


def shot(page: Browser, name: str) -> None:
    if SHOTS:
        page.driver.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


def test_entities_are_marked_where_they_stand(page: Browser) -> None:
    found(page)
    assert page.texts("#status")[0].startswith("8 entities in ")
    assert mentions(page) == MENTIONS
    pieces = "[...document.querySelector('#marked').childNodes].map(n => (n.firstChild ?? n).textContent)"
    shown = page.run(f"return {pieces}.join('')")
    assert shown == TEXT.replace("\x07", "\u2407")
    assert page.texts("mark b")[:2] == ["LOC", "ORG"] and page.texts("mark small")[0] == "0.96"
    assert [row[:4] for row in page.texts("#rows tr")] == [mention[:4] for mention in MENTIONS]
    assert not [url for url in page.complaints() if not url.startswith(f"http://127.0.0.1:{page_port(page)}/")]


def page_port(page: Browser) -> str:
    port: str = page.run("return location.port")
    return port


def test_labels_and_scores_filter_what_is_shown_and_copied(page: Browser, call: Caller) -> None:
    from selenium.webdriver.common.keys import Keys

    found(page)
    assert page.texts("#labels button") == ["LOC5", "ORG3", "PER0"]
    page.run("document.querySelector('#labels button').focus()")
    page.press(Keys.SPACE)  # by keyboard
    assert mentions(page) == ["Acme", "Globex", "Initech"]
    assert page.run("return document.querySelector('#labels button').getAttribute('aria-pressed')") == "false"
    origin = {"origin": call.url.rstrip("/"), "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.driver.execute_cdp_cmd("Browser.grantPermissions", origin)
    page.run("document.getElementById('copy').click()")
    page.wait(lambda: "3 entities copied" in page.texts("#copied")[0])
    line = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    row = json.loads(line)
    assert row["text"] == TEXT and line.count("\n") == 1
    assert [row["text"][e["start"] : e["end"]] for e in row["entities"]] == ["Acme", "Globex", "Initech"]
    page.run("const n = document.getElementById('least'); n.value = 1; n.dispatchEvent(new Event('input'))")
    assert mentions(page) == []


def test_what_is_wrong_is_said_and_the_text_stays(page: Browser) -> None:
    typed(page, "   ")
    page.run("document.getElementById('go').click()")
    page.wait(lambda: page.texts("#status.bad") == ["There is no text yet."])
    typed(page, "Oslo", token="")
    page.run("document.getElementById('go').click()")
    page.wait(lambda: page.texts("#status.bad") == ["This service asks for a token."])
    assert page.run("return document.activeElement.id") == "token"
    typed(page, "a" * 5001)
    page.run("document.getElementById('go').click()")
    page.wait(lambda: page.texts("#status.bad") == ["\"text\" has 5001 characters; a text may have 5000."])
    assert page.run("return document.getElementById('text').value.length") == 5001
    page.complaints()  # the browser logs the refusals


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width"), [("wide", 1280), ("narrow", 390)])
def test_it_fits_a_screen_and_a_phone_by_day_and_by_night(page: Browser, name: str, width: int, theme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    found(page)
    shot(page, f"service-{name}-{theme}")
    for path in ("", "docs"):
        if path:
            page.driver.get(page.driver.current_url + path)
            shot(page, f"interface-{name}-{theme}")
        assert page.run("return document.documentElement.scrollWidth") <= width
        paper = page.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (sum(paper) < 200) == (theme == "dark")
    small = "return [...document.querySelectorAll('button')].filter(n => n.offsetHeight && n.offsetHeight < 30).length"
    assert width > 600 or page.run(small) == 0  # large enough for a thumb
