"""Recipes: YAML files that say what is trained, on what, and how. `extends: other.yaml` takes what the other says for every key that is not given."""
import difflib
import pathlib

import yaml

from .network import PLANS, STRIDES
from .render.actors import CLASSES
from .render.pictures import render_pictures

DEFAULTS = {
    "name": None, "network": "fovea-s", "input": [320, 192], "classes": list(CLASSES), "data": None, "held-out": [], "long-side": 640,
    "steps": 10000, "batch": 16, "workers": 1, "seed": 1, "rate": 2e-3, "decay": 0.02, "warm-up": 300, "average": 0.9995, "evaluate-every": 1000,
    "start-from": None, "freeze": [], "threshold": 0.35, "augment": {}, "paste": None, "cache": None, "distil": None, "prune": None, "quantise": None,
}


def fail(path, text):
    raise SystemExit(f"{path}: {text}")


def read(path, depth=0):
    """What a file says, over what the file says that it extends."""
    try:
        given = yaml.safe_load(pathlib.Path(path).read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SystemExit(f"{path}: {error}") from None
    given = {} if given is None else given
    if not isinstance(given, dict):
        fail(path, "a recipe is a list of 'key: value' lines")
    base = given.pop("extends", None)
    if base is None:
        return given
    if not isinstance(base, str) or depth > 4:
        fail(path, "extends must name a recipe, relative to this one, and not come back to itself")
    return {**read(pathlib.Path(path).parent / base, depth + 1), "name": None, **given}


def load(path, overrides=()):
    """overrides: key=value, the value in YAML."""
    given = read(path)
    for pair in overrides:
        key, equals, value = pair.partition("=")
        if not equals:
            fail(path, f"--set takes key=value, not '{pair}'")
        try:
            given[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            fail(path, f"--set {key}: '{value}' is no YAML value")
    for key in given:
        if key not in DEFAULTS:
            near = difflib.get_close_matches(str(key), DEFAULTS, 1, 0.5)
            fail(path, f"unknown key '{key}'{': did you mean ' + near[0] + '?' if near else ''}")
    recipe = {**DEFAULTS, **given}
    recipe["name"] = recipe["name"] or pathlib.Path(path).stem
    check(path, recipe)
    return recipe


def render_sources(recipe):
    """Makes the folders that a recipe wants rendered, {path, render: count, seed}, where they are not there."""
    for source in [*recipe["data"], *recipe["held-out"]]:
        if "render" in source and not (pathlib.Path(source["path"]) / "instances.json").exists():
            render_pictures(source["path"], source["render"], source.get("seed", 1))


SOURCE_KEYS = {"data": {"path": str, "share": (int, float), "distil": bool, "render": int, "seed": int, "with": list}, "held-out": {"path": str, "every": int, "render": int, "seed": int}}
KINDS = {dict: "a map {key: value}", list: "a list [a, b]", str: "a text"}


def check_sources(path, recipe, key):
    for source in recipe[key]:
        if not isinstance(source, dict) or "path" not in source:
            fail(path, f"{key} must be a list of {{path: FOLDER}}, not {source!r}")
        for name, value in source.items():
            kinds = SOURCE_KEYS[key].get(name)
            if kinds is None:
                fail(path, f"{key}: unknown key '{name}', there are {', '.join(SOURCE_KEYS[key])}")
            if not isinstance(value, kinds) or (isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0 and name != "seed"):
                fail(path, f"{key}: {source['path']}: {name} cannot be {value!r}")
        if source.get("every", 2) < 2:
            fail(path, f"{key}: {source['path']}: every must be 2 or more, so that pictures to learn from are left")


NUMBER = (int, float)
MAPS = {
    "distil": {"model": str, "weight": NUMBER, "features": NUMBER, "maps": list},
    "prune": {"kind": str, "amount": NUMBER, "begin": NUMBER, "end": NUMBER, "every": int, "norm": str, "strength": NUMBER, "pattern": list},
    "quantise": {"observe": NUMBER},
    "augment": {"mosaic": NUMBER, "scale": list, "colour": NUMBER, "blur": NUMBER, "jpeg": NUMBER},
    "cache": {"path": str, "samples": int, "canvas": list, "window": list, "plain": NUMBER},
    "paste": {"cutouts": str, "share": NUMBER, "most": int, "height": list, "clutter": NUMBER},
}


def number_hint(value):
    return " (YAML reads 1e-3 as a text: write 0.001 or 1.0e-3)" if isinstance(value, str) and value[:1].isdigit() else ""


def check_map(path, key, given):
    if given is None and key != "augment":
        return
    if not isinstance(given, dict):
        fail(path, f"{key} must be {KINDS[dict]}, not {given!r}")
    for name, value in given.items():
        kind = MAPS[key].get(name)
        if kind is None:
            fail(path, f"{key}: unknown key '{name}', there are {', '.join(MAPS[key])}")
        if not isinstance(value, kind):
            fail(path, f"{key}: {name} must be {KINDS.get(kind, 'a number')}, not {value!r}{number_hint(value)}")


def check_cache(path, recipe):
    missing = {"path", "samples", "canvas"} - recipe["cache"].keys()
    canvas, window = recipe["cache"].get("canvas", []), recipe["cache"].get("window", recipe["input"])
    if missing or recipe["cache"]["samples"] < 1:
        fail(path, "cache needs path: FOLDER, samples: N and canvas: [width, height]")
    if len(window) != 2 or any(not isinstance(w, int) or w % STRIDES[-1] or w < 64 for w in window):
        fail(path, f"cache: window must be [width, height], multiples of {STRIDES[-1]} from 64, not {window!r}")
    if len(canvas) != 2 or any(not isinstance(c, int) or c % STRIDES[-1] or not w <= c <= 2048 for c, w in zip(canvas, window)):
        fail(path, f"cache: canvas must be [width, height], multiples of {STRIDES[-1]}, no smaller than the window, which is the input unless given, not {canvas!r}")


def check_range(path, name, pair, low, high):
    if len(pair) != 2 or not all(isinstance(v, NUMBER) for v in pair) or not low <= pair[0] <= pair[1] <= high:
        fail(path, f"{name} must be [least, most], {low} to {high}, not {pair!r}")


def check(path, recipe):
    if not isinstance(recipe["data"], list) or not recipe["data"]:
        fail(path, "data must be a list of {path: FOLDER}")
    for key, kind in (("held-out", list), ("classes", list), ("freeze", list), ("input", list)):
        if not isinstance(recipe[key], kind):
            fail(path, f"{key} must be {KINDS[kind]}, not {recipe[key]!r}")
    for key in ("distil", "prune", "quantise", "augment", "paste", "cache"):
        check_map(path, key, recipe[key])
    check_sources(path, recipe, "data"), check_sources(path, recipe, "held-out")
    check_range(path, "augment: scale", recipe["augment"].get("scale", [1, 1]), 0.05, 20)
    if recipe["paste"]:
        check_range(path, "paste: height", recipe["paste"].get("height", [1, 1]), 0.02, 2)
        if "cutouts" not in recipe["paste"] or recipe["paste"].get("most", 1) < 1:
            fail(path, "paste needs cutouts: FOLDER, and a most of 1 or more")
    classes = recipe["classes"]
    if not classes or len(set(map(str, classes))) < len(classes) or not all(isinstance(name, str) and name.strip() for name in classes):
        fail(path, f"classes must be a list of different names, not {classes!r}")
    if recipe["network"] not in PLANS:
        fail(path, f"network must be one of {', '.join(PLANS)}, not '{recipe['network']}'")
    if len(recipe["input"]) != 2 or any(not isinstance(s, int) or s % STRIDES[-1] or not 64 <= s <= 1024 for s in recipe["input"]):
        fail(path, "input must be [width, height], multiples of 32 from 64 to 1024")
    for key, least in (("steps", 1), ("batch", 1), ("evaluate-every", 1), ("workers", 0), ("warm-up", 0), ("seed", 0), ("long-side", 32)):
        if not isinstance(recipe[key], int) or recipe[key] < least:
            fail(path, f"{key} must be a whole number from {least}, not {recipe[key]!r}")
    for key in ("rate", "decay", "average", "threshold"):
        if not isinstance(recipe[key], (int, float)):
            fail(path, f"{key} must be a number, not {recipe[key]!r}{number_hint(recipe[key])}")
    if recipe["cache"]:
        check_cache(path, recipe)
    shares = ["share" in s for s in recipe["data"]]
    if any(shares) and not all(shares):
        fail(path, "either every entry of data has a share, or none")
    if recipe["distil"] and not any(s.get("distil") for s in recipe["data"]):
        fail(path, "there is a teacher under distil, but no entry of data has 'distil: true' to ask it for")
