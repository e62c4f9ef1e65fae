"""Settings of every test: property tests have no deadline, since other work may share the machine."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests import onnxruntime themselves, and it reports to its maker otherwise

import pytest
from hypothesis import settings

from students.waiting import wait_without_spinning

settings.register_profile("shared machine", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=2000)  # pytest --hypothesis-profile=soak
settings.load_profile("shared machine")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with random weights and no head, as `train --student FOLDER` takes it."""
    from tiny_student import make_tiny_encoder

    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights, and documents that it labelled itself to check bundles on."""
    from sealed import make_checked_student

    return make_checked_student(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_bundle(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 bundle of `tiny_run`; not to be changed."""
    from sealed import export_tiny

    return export_tiny(tiny_run, tmp_path_factory.mktemp("bundles") / "int8")


@pytest.fixture(scope="session")
def word_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that finds the words oslo and lima wherever they stand; not to be changed."""
    from bundles import make_word_bundle

    return make_word_bundle(tmp_path_factory.mktemp("words") / "bundle")

wait_without_spinning()  # torch's threads beside other tests: ten times the speed on busy cores
