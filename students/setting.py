"""All that shapes a training, resolved from its options: recipe, data, blend, hardware."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from curricula.blending import Blend
from curricula.schedules import Schedule, schedule
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
    """Two trainings of the same Setting end with the same student; `notes` tell what was decided on the way to it."""

    options: TrainOptions
    recipe: Recipe
    material: Material
    blend: Blend
    hardware: Hardware
    notes: tuple[str, ...] = ()

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
    vetting = bool(options.distilled and options.gold) and all(any(shares) for shares in zip(*curve, strict=True))
    if options.vet and not vetting:
        raise CallError(f"--vet serves trainings on distilled and gold data, and the {rule.name} schedule shows one")
    recipe = replace(recipe, vet=recipe.vet and vetting)
    hardware = found_hardware(options.precision, options.threads, options.device)
    material = read_material(options) if material is None else material
    sizes = len(material.distilled) + len(material.unlabelled), len(material.gold)
    if options.epochs is None:
        recipe = replace(recipe, epochs=_epochs(recipe, rule, sizes))
    blend = Blend(rule, recipe.epochs, *sizes, options.seed, options.blend)
    return Setting(options, recipe, material, blend, hardware)


def _epochs(recipe: Recipe, rule: Schedule, sizes: tuple[int, int]) -> int:
    """The recipe's epochs, or more, so that little data has the steps it takes to learn."""
    rows = sum(share * size for shares in rule.curve(recipe.epochs) for share, size in zip(shares, sizes, strict=True))
    wanted = recipe.least_steps * recipe.batch_size / max(rows, 1)
    return max(recipe.epochs, min(2 * recipe.epochs, math.ceil(recipe.epochs * wanted)))
