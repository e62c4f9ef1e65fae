"""Settings of every test: property tests have no deadline, since other work may share the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("shared machine", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=2000)  # pytest --hypothesis-profile=soak
settings.load_profile("shared machine")
