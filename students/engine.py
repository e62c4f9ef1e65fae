"""onnxruntime, kept from writing home.

Its official Linux builds (seen with 1.31) gather events for their maker: merely imported, the library leaves a device's
id and a database in the home folder, and it knows a collector's address. Being native code, it is seen by no audit hook
of Python's. It reads this variable as it is loaded; `disable_telemetry_events` alone comes too late. So this module,
unlike all others, does something when it is imported, and onnxruntime is imported from here.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # reads the variable above as it is loaded

onnxruntime.disable_telemetry_events()  # what Windows listens to

__all__ = ["onnxruntime"]
