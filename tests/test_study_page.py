"""A study's page in a real browser: its first table stands in its card, in a wide window and a narrow one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from browser import browser, why_no_browser
from fake_options import FakeOptions
from invented_study import TOML, write

from distill.studies.options import StudyOptions
from distill.study import study

no_browser = why_no_browser()
pytestmark = pytest.mark.skipif(bool(no_browser), reason=no_browser)

FAKE = (sys.executable, str(Path(__file__).with_name("fake_arm.py")))
WIDE = "const card = document.querySelector('.scroll'); return card.scrollWidth - card.clientWidth"


def test_figures_stay_in_view_beside_a_long_name_without_spaces(tmp_path: Path) -> None:
    file = write(tmp_path, TOML.replace("k=2", "distilled_by_a_model_of_our_own_" * 3))
    study(StudyOptions(study=file, out=tmp_path / "S", samples=100), {"train": FakeOptions}, FAKE)
    with browser(tmp_path) as opened:
        for width in (1200, 500):
            opened.driver.set_window_size(width, 900)
            opened.driver.get((tmp_path / "S" / "report.html").as_uri())
            assert opened.run(WIDE) == 0
