"""Recipes: YAML files that say what is trained, on what, and how."""
import pathlib

import yaml

from .network import PLANS, STRIDES
from .render.actors import CLASSES
from .render.pictures import render_pictures

DEFAULTS = {
    "name": None, "network": "fovea-s", "input": [320, 192], "classes": list(CLASSES), "data": None, "held-out": [], "long-side": 640,
    "steps": 10000, "batch": 16, "workers": 1, "seed": 1, "rate": 2e-3, "decay": 0.02, "warm-up": 300, "average": 0.9995, "evaluate-every": 1000,
    "start-from": None, "freeze": [], "threshold": 0.35, "augment": {}, "distil": None, "prune": None, "quantise": None,
}


def fail(path, text):
    raise SystemExit(f"{path}: {text}")


def load(path, overrides=()):
    """overrides: key=value, the value in YAML."""
    try:
        given = yaml.safe_load(pathlib.Path(path).read_text()) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SystemExit(f"{path}: {error}") from None
    for pair in overrides:
        key, equals, value = pair.partition("=")
        if not equals:
            fail(path, f"--set takes key=value, not '{pair}'")
        given[key] = yaml.safe_load(value)
    for key in given:
        if key not in DEFAULTS:
            near = [k for k in DEFAULTS if k.startswith(key[:3])]
            fail(path, f"unknown key '{key}'{': did you mean ' + near[0] + '?' if near else ''}")
    recipe = {**DEFAULTS, **given}
    recipe["name"] = recipe["name"] or pathlib.Path(path).stem
    check(path, recipe)
    return recipe


def render_sources(recipe):
    """Makes the folders that a recipe wants rendered, {path, render: count, seed}, where they are not there."""
    for source in [*recipe["data"], *recipe["held-out"]]:
        if "render" in source and not (pathlib.Path(source["path"]) / "instances.json").exists():
            render_pictures(source["path"], int(source["render"]), int(source.get("seed", 1)))


def check(path, recipe):
    if not recipe["data"] or not all(isinstance(s, dict) and "path" in s for s in recipe["data"]):
        fail(path, "data must be a list of {path: FOLDER}")
    if recipe["network"] not in PLANS:
        fail(path, f"network must be one of {', '.join(PLANS)}, not '{recipe['network']}'")
    if len(recipe["input"]) != 2 or any(not isinstance(s, int) or s % STRIDES[-1] or not 64 <= s <= 1024 for s in recipe["input"]):
        fail(path, "input must be [width, height], multiples of 32 from 64 to 1024")
    for key in ("steps", "batch", "evaluate-every"):
        if not isinstance(recipe[key], int) or recipe[key] < 1:
            fail(path, f"{key} must be a whole number above 0, not {recipe[key]!r}")
    shares = ["share" in s for s in recipe["data"]]
    if any(shares) and not all(shares):
        fail(path, "either every entry of data has a share, or none")
