"""All that shapes a training, resolved from its options: recipe, data, blend, hardware."""

from __future__ import annotations

from dataclasses import dataclass

from curricula.blending import Blend
from curricula.schedules import schedule
from students.hardware import Hardware, found_hardware
from students.material import Material, read_material
from students.options import Recipe, TrainOptions


@dataclass(frozen=True)
class Setting:
    """Two trainings of the same Setting end with the same student."""

    options: TrainOptions
    recipe: Recipe
    material: Material
    blend: Blend
    hardware: Hardware


def setting_of(options: TrainOptions) -> Setting:
    """Options with their recipe, data, blend and hardware.

    Raises CallError where the schedule lacks its data or cannot be, and for options that do not go together.
    """
    recipe, rule = options.resolved(), schedule(options.schedule, options.k, options.n)
    rule.curve(recipe.epochs)  # a function of the user's own may be wrong at any epoch: better now than after reading
    hardware = found_hardware(options.precision, options.threads, options.device)
    material = read_material(options)
    sizes = len(material.distilled), len(material.gold)
    return Setting(
        options, recipe, material, Blend(rule, recipe.epochs, *sizes, options.seed, options.blend), hardware
    )
