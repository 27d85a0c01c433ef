#!/usr/bin/env python3
"""Includes go downward only, and the core knows neither GLib nor GStreamer.

Usage: check-includes.py SOURCE_ROOT
"""
import pathlib
import re
import sys

# A file may include headers of its own layer and of those named here.
CORE = {
    "base": [],
    "entropy": ["base"],
    "spool": ["base"],
    "ir": ["base"],
    "ops": ["ir", "base"],
    "cpu": ["ops", "ir", "base"],
    "vulkan": ["entropy", "ops", "ir", "base"],
    "graph": ["ops", "ir", "base"],
    "vision": ["ir", "base"],
    "import": ["ir", "base"],
    "container": ["entropy", "ir", "base"],
    "model": ["container", "entropy", "import", "vision", "graph", "ir", "base"],
    "session": ["model", "vision", "graph", "cpu", "vulkan", "ops", "ir", "base"],
    "compress": ["session", "container", "entropy", "model", "vision", "graph", "ops", "ir", "base"],
}
# Above the core: who may include whose headers (public core headers are open to all).
UPPER = {"plugins": [], "runner": ["plugins"], "tools": ["runner", "plugins"], "examples": []}
# Among the elements: each folder stands for itself, on what all share. Of plugins/, others see what is shared only.
PLUGINS = {
    "common": [],
    "detect": ["common"],
    "overlay": ["common"],
    "publish": ["common"],
    "source": ["common"],
    "decode": ["common"],
    "encoded": ["common"],
}
FOREIGN_IN_CORE = re.compile(r"^(glib|gst/|gio/|json-glib|cairo|gdk)")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def problems_in_core(root):
    core = root / "core"
    for path in sorted(core.rglob("*.[ch]")):
        layer = path.relative_to(core).parts[0]
        for kind, name in INCLUDE.findall(path.read_text()):
            if FOREIGN_IN_CORE.match(name):
                yield f"{path.relative_to(root)} includes <{name}>: the core knows no GLib and no GStreamer"
            if kind == "<" or layer == "include" or "/" not in name:
                continue
            target = name.split("/")[0]
            if target in CORE and target != layer and target not in CORE[layer]:
                yield f"{path.relative_to(root)} includes \"{name}\": {layer} stands below {target}"


def problems_above(root):
    for part, allowed in UPPER.items():
        for path in sorted((root / part).rglob("*.[ch]")):
            for kind, name in INCLUDE.findall(path.read_text()):
                target = name.split("/")[0]
                if kind == '"' and (target in CORE or (target in UPPER and target != part and target not in allowed)):
                    yield f"{path.relative_to(root)} includes \"{name}\": {part} may use public headers and {allowed or 'nothing else'}"
                folder = path.relative_to(root / part).parts[0]
                reach = [folder, *PLUGINS.get(folder, [])] if part == "plugins" and folder in PLUGINS else PLUGINS if part == "plugins" else ["common"]
                if kind == '"' and "/" in name and target in PLUGINS and target not in reach:
                    yield f"{path.relative_to(root)} includes \"{name}\": {part}/{folder} may use of plugins {', '.join(reach)}"


def main():
    root = pathlib.Path(sys.argv[1])
    found = [*problems_in_core(root), *problems_above(root)]
    for line in found:
        print(line)
    seen = sum(1 for _ in (root / "core").rglob("*.[ch]"))
    if seen < 50:
        found.append("sources not found")
        print(f"only {seen} sources found below {root}/core")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
