#!/usr/bin/env python3
"""Writes the tiny models that element and tool tests run, by the standard library alone.

  tiny.onnx + tiny.yaml      a detector: [1, 3, 24, 32] RGB in 0..1. Its scores are the picture's mean brightness times 0.9 for a
                             "square" in the middle (0.25..0.75) and times 0.6 for a "stripe" (x 0..0.25, y 0.5..1). White shows both, black none.
  unfit.onnx                 a valid graph whose output is that of no detector
  garbage.onnx, empty.onnx   no models at all
"""
import struct
import sys
from pathlib import Path

FLOAT, INT64 = 1, 7


def varint(number):
    out = bytearray()
    number &= (1 << 64) - 1
    while True:
        out.append((number & 0x7F) | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def field(number, value):
    """One protobuf field: integers as varints, text, bytes and messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name, dims, values, dtype=FLOAT):
    raw = struct.pack(f"<{len(values)}{'f' if dtype == FLOAT else 'q'}", *values)
    return b"".join(field(1, d) for d in dims) + field(2, dtype) + field(8, name) + field(9, raw)


def value_info(name, dims):
    shape = b"".join(field(1, field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def node(op, inputs, outputs, **attributes):
    message = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs)
    message += field(3, outputs[0] + "_node") + field(4, op)
    for name, value in attributes.items():
        if isinstance(value, int):
            message += field(5, field(1, name) + field(3, value) + field(20, 2))
        else:
            message += field(5, field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7))
    return message


def model(nodes, initializers, inputs, outputs):
    graph = b"".join(field(1, n) for n in nodes) + field(2, "tiny") + b"".join(field(5, t) for t in initializers)
    graph += b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs)
    return field(1, 8) + field(2, "fovea tests") + field(7, graph) + field(8, field(1, "") + field(2, 13))


def tiny_detector():
    return model(
        [node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=1),
         node("Reshape", ["mean", "flat_shape"], ["brightness"]),
         node("Mul", ["brightness", "score_weights"], ["scores"]),
         node("Mul", ["brightness", "no_weights"], ["nothing"]),
         node("Add", ["nothing", "corners"], ["boxes"])],
        [tensor("flat_shape", [3], [1, 1, 1], INT64),
         tensor("score_weights", [1, 2, 2], [0.9, 0.0, 0.0, 0.6]),
         tensor("no_weights", [1, 2, 4], [0.0] * 8),
         tensor("corners", [1, 2, 4], [0.25, 0.25, 0.75, 0.75, 0.0, 0.5, 0.25, 1.0])],
        [value_info("image", [1, 3, 24, 32])],
        [value_info("scores", [1, 2, 2]), value_info("boxes", [1, 2, 4])])


def unfit():
    return model([node("Relu", ["image"], ["features"])], [], [value_info("image", [1, 3, 24, 32])], [value_info("features", [1, 3, 24, 32])])


TINY_YAML = """\
name: tiny
family: ssd
preprocess: {width: 32, height: 24, resize: stretch, channels: rgb, mean: [0, 0, 0], std: [255, 255, 255]}
head: {boxes: xyxy-unit, background: false}
labels: [square, stripe]
threshold: 0.4
iou-threshold: 0.5
"""


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    (out / "tiny.onnx").write_bytes(tiny_detector())
    (out / "tiny.yaml").write_text(TINY_YAML)
    (out / "unfit.onnx").write_bytes(unfit())
    (out / "garbage.onnx").write_bytes(bytes((i * 37 + 11) & 0xFF for i in range(4096)))
    (out / "empty.onnx").write_bytes(b"")
    (out / "made").write_text("")


main()
