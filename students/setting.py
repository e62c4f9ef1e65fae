"""All that shapes a training, resolved from its options: recipe, data, blend, hardware."""

from __future__ import annotations

from dataclasses import dataclass

from curricula.blending import Blend
from curricula.schedules import schedule
from distill.errors import CallError
from students.hardware import Hardware, found_hardware
from students.material import Material, read_material
from students.options import Recipe, TrainOptions

LEAST = 2
"""Windows that are worth a thread of their own."""
TOKENS = 32
"""Tokens that are taken for a window where --batch-tokens does not count windows."""


@dataclass(frozen=True)
class Setting:
    """Two trainings of the same Setting end with the same student."""

    options: TrainOptions
    recipe: Recipe
    material: Material
    blend: Blend
    hardware: Hardware

    @property
    def shares(self) -> int:
        """How many threads take a batch apart: all, as long as each has about LEAST windows or more.

        One on a GPU, and where several processes divide the batches already.
        """
        if self.hardware.device != "cpu" or self.hardware.processes > 1:
            return 1
        tokens = self.options.batch_tokens
        windows = self.recipe.batch_size if tokens is None else tokens // TOKENS
        return max(1, min(self.hardware.threads, windows // LEAST))


def setting_of(options: TrainOptions, material: Material | None = None) -> Setting:
    """Options with their recipe, data, blend and hardware; the data is read where it is not given.

    Raises CallError where the schedule lacks its data or cannot be, and for options that do not go together.
    """
    recipe = options.resolved()
    rule = schedule(recipe.schedule, options.k, options.n)
    curve = rule.curve(recipe.epochs)  # a function of the user's own may be wrong: better now than after reading
    if (options.committee or options.denoise) and not any(distilled for distilled, _ in curve):
        raise CallError(f"--committee and --denoise serve distilled data, which the {rule.name} schedule never shows")
    hardware = found_hardware(options.precision, options.threads, options.device)
    material = read_material(options) if material is None else material
    sizes = len(material.distilled) + len(material.unlabelled), len(material.gold)
    return Setting(
        options, recipe, material, Blend(rule, recipe.epochs, *sizes, options.seed, options.blend), hardware
    )
