#!/usr/bin/env python3
"""Is what the engine computes what was trained? Runs a checkpoint here and its export through `fovea infer` on the same pictures, and compares.

    python3 training/compare.py build/training/street/best.pt build/training/street/street.onnx picture.jpg…

A quantised checkpoint must agree within one step of each output's grid, a floating-point one within a thousandth of its largest value; else the exit status is 1. Of a quantised one, one output in a hundred may be up to three
steps apart: where a sum further up lies half-way between two steps, either is right, and what is computed from it follows."""
import argparse
import pathlib
import sys
import tempfile

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit import checkpoint
from kit.augment import letterbox
from kit.export import Exported
from kit.feed import to_input
from kit.network import STRIDES
from kit.teacher import fovea


def engine(model, tensor, folder):
    """Outputs by name."""
    np.save(folder / "input.npy", tensor)
    fovea("infer", "--device", "cpu", "--input", f"images={folder}/input.npy", "--output-dir", folder, model)
    return {path.stem: np.load(path) for path in folder.glob("*.npy") if path.stem != "input"}


def steps(network):
    """Size of one step of every output; 0 for a network that is not on the grid."""
    result = {}
    for head, stride in zip(network.heads, STRIDES):
        for name in ("scores", "distances"):
            layer = getattr(head, name)
            result[f"{name}_{stride}"] = layer[1].grid()[0] if isinstance(layer, torch.nn.Sequential) else 0.0
    return result


def apart_of(found, value, step):
    """Greatest difference, and its share of what is allowed."""
    apart = np.abs(found.reshape(value.shape) - value)
    worst = float(apart.max())
    if not step:
        return worst / (1e-3 * float(np.abs(value).max())), worst
    farther = float((apart > 1.001 * step).mean())
    return (worst / (1.001 * step) if farther == 0 else max(worst / (3.001 * step), farther / 0.01)), worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("model", help="its export: .onnx or .fovea")
    parser.add_argument("pictures", nargs="+")
    options = parser.parse_args()
    network = checkpoint.load_network(options.checkpoint).double()  # sums without rounding, as integers have them
    width, height = checkpoint.read(options.checkpoint)["recipe"]["input"]
    sizes, names, worst = steps(network), [f"{kind}_{s}" for kind in ("scores", "distances") for s in STRIDES], {}
    for picture in options.pictures:
        with Image.open(picture) as image:
            pixels, _ = letterbox(np.asarray(image.convert("RGB")), np.zeros((0, 4), np.float32), width, height)
        tensor = to_input(torch.from_numpy(pixels.copy())[None])
        with torch.no_grad():
            wanted = dict(zip(names, Exported(network)(tensor.double())))
        with tempfile.TemporaryDirectory() as folder:
            found = engine(options.model, tensor.numpy(), pathlib.Path(folder))
        for name in names:
            worst[name] = max(worst.get(name, (0.0, 0.0)), apart_of(found[name], wanted[name].numpy(), sizes[name]))
    for name, (share, apart) in worst.items():
        print(f"{name:14} apart at most {apart:.6f}, {share:.2f} of what is allowed")
    return 1 if any(share > 1 for share, _ in worst.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
