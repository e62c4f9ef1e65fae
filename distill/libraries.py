"""Heavy libraries on demand: a name, resolved late, with the extra to install where it is missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from distill.errors import MissingLibraryError


def resolve(target: str, extra: str) -> Any:
    """The object that `"module:name"` names.

    Raises MissingLibraryError with the command that installs `extra` where a third-party module is absent; a
    missing module of our own is a fault and passes through.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name) if name else import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"distill", "students", "curricula", "teachers"}:
            raise
        raise MissingLibraryError(f"{error.name} is not installed; pip install 'ner-distill[{extra}]'") from None
