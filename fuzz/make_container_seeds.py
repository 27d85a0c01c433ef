#!/usr/bin/env python3
"""Writes the seeds of the container fuzz target from those of ONNX: fuzz/make_container_seeds.py FOVEA_COMMAND (an absolute path).

Each small model becomes a .fovea file, and its graph and weights become a seed for the decoder alone.
"""
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
MODELS = {name: [("none", ""), ("auto", "-coded")] for name in ["conv", "shape", "views", "resize", "quantised", "metadata"]}
MODELS["levels"] = [(coder, "-" + coder) for coder in ["none", "huffman", "range", "rans", "lz77", "lz78", "zstd"]]


def sections(data):
    count = struct.unpack_from("<I", data, 24)[0]
    for i in range(count):
        kind, offset, stored = struct.unpack_from("<I12xQQ", data, 256 + 96 * i)
        yield kind, data[offset:offset + stored]


def main():
    target = SEEDS / "container"
    for folder in (target, SEEDS / "graph"):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, kinds in MODELS.items():
            out = Path(folder) / "seed.fovea"
            for entropy, ending in kinds:
                (Path(folder) / f"{name}.onnx").write_bytes((SEEDS / "onnx" / f"{name}.onnx").read_bytes())
                subprocess.run([sys.argv[1], "compress", f"{name}.onnx", "-o", out.name, "--entropy", entropy], check=True, cwd=folder)
                (target / f"{name}{ending}.fovea").write_bytes(out.read_bytes())
                if entropy == "none":
                    parts = dict(sections(out.read_bytes()))
                    (SEEDS / "graph" / f"{name}.graph").write_bytes(struct.pack("<H", len(parts[1])) + parts[1] + parts[2])


if __name__ == "__main__":
    main()
