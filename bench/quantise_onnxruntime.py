#!/usr/bin/env python3
"""Makes MODEL.qdq.onnx with ONNX Runtime's static quantiser (u8 activations, s8 weights per channel, min-max), for bench/peers.py.

    /tmp/peers/bin/pip install numpy onnx onnxruntime pillow
    /tmp/peers/bin/python bench/quantise_onnxruntime.py --fovea build/tools/fovea --pictures DIR --output DIR MODEL.onnx…

Only speed is compared with the result, so a dozen pictures are enough.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image


class Pictures(CalibrationDataReader):
    def __init__(self, name, shape, preprocess, paths):
        self.name, self.shape, self.preprocess, self.paths = name, shape, preprocess, iter(paths)

    def get_next(self):
        path = next(self.paths, None)
        if path is None:
            return None
        height, width = self.shape[2:]
        pixels = np.asarray(Image.open(path).convert("RGB").resize((width, height)), np.float32)
        if self.preprocess["channels"] == "bgr":
            pixels = pixels[:, :, ::-1]
        pixels = (pixels - np.array(self.preprocess["mean"], np.float32)) * np.array(self.preprocess["scale"], np.float32)
        return {self.name: np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)}


def modern(path):
    """Opset 13, which per-channel weights need, and weights that are no inputs."""
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return version_converter.convert_version(model, 13)


def quantise(args, path):
    facts = json.loads(subprocess.run([args.fovea, "inspect", str(path), "--json"], capture_output=True, text=True, check=True).stdout)
    pictures = sorted(pathlib.Path(args.pictures).iterdir())[: args.count]
    first = facts["inputs"][0]
    with tempfile.TemporaryDirectory() as folder:
        plain, ready = folder + "/plain.onnx", folder + "/ready.onnx"
        onnx.save(modern(path), plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        reader = Pictures(first["name"], first.get("shape") or first["dims"], facts["preprocess"], pictures)
        quantize_static(ready, str(pathlib.Path(args.output, path.stem + ".qdq.onnx")), reader, quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--fovea", default="build/tools/fovea")
    parser.add_argument("--pictures", required=True, help="folder of pictures")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--output", required=True, help="folder to write to")
    args = parser.parse_args()
    for path in args.models:
        quantise(args, path)


if __name__ == "__main__":
    main()
