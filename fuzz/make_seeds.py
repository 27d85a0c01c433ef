#!/usr/bin/env python3
"""Writes the seeds of the ONNX fuzz target: fuzz/make_seeds.py [DIRECTORY].

Needs nothing but Python. Protocol buffers are written field by field; the numbers are those of core/import/onnx.proto.
"""
import struct
import sys
from pathlib import Path

FLOAT, UINT8, INT8, INT32, INT64, STRING = 1, 2, 3, 6, 7, 8


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, kind, dims, raw=None, extra=b""):
    body = b"".join(number(1, d) for d in dims) + number(2, kind) + block(8, name)
    return body + (block(9, raw) if raw is not None else b"") + extra


def value(name, kind, dims):
    shape = b"".join(block(1, number(1, d) if isinstance(d, int) else block(2, d)) for d in dims)
    return block(1, name) + block(2, block(1, number(1, kind) + block(2, shape)))


def attribute(name, data):
    if isinstance(data, int):
        return block(1, name) + number(3, data) + number(20, 2)
    if isinstance(data, float):
        return block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", data) + number(20, 1)
    if isinstance(data, str):
        return block(1, name) + block(4, data) + number(20, 3)
    if isinstance(data, bytes):
        return block(1, name) + data
    return block(1, name) + b"".join(number(8, v) for v in data) + number(20, 7)


def node(kind, inputs, outputs, name="", **attributes):
    body = b"".join(block(1, i) for i in inputs) + b"".join(block(2, o) for o in outputs) + block(3, name) + block(4, kind)
    return body + b"".join(block(5, attribute(k, v)) for k, v in attributes.items())


def model(nodes, inputs, outputs, tensors=(), opset=13, metadata=()):
    graph = b"".join(block(1, n) for n in nodes) + block(2, "g") + b"".join(block(5, t) for t in tensors)
    graph += b"".join(block(11, i) for i in inputs) + b"".join(block(12, value(o, FLOAT, [])) for o in outputs)
    head = number(1, 8) + block(2, "seed") + block(7, graph) + block(8, block(1, "") + number(2, opset))
    return head + b"".join(block(14, block(1, k) + block(2, v)) for k, v in metadata)


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def longs(*values):
    return struct.pack(f"<{len(values)}q", *values)


IMAGE = value("x", FLOAT, ["N", 3, 8, 8])
WEIGHTS = tensor("w", FLOAT, [2, 3, 1, 1], floats(*range(6)))
RELU = node("Relu", ["x"], ["y"], "r")


def nested(depth):
    body = b""
    for level in range(depth):
        body = block((6, 5, 1)[level % 3], body)
    return model([RELU + block(5, attribute("body", body + number(20, 5)))], [IMAGE], ["y"])


def outside(location):
    entry = block(13, block(1, "location") + block(2, location)) + number(14, 1)
    return model([node("Conv", ["x", "w"], ["y"])], [IMAGE], ["y"], [tensor("w", FLOAT, [2, 3, 1, 1], None, entry)])


def levels():
    """Integers with scales on the logarithmic grid, biases in binary16, weights from a short list: what a .fovea file stores in forms of its own."""
    first = [(i * 7919 >> 3) % 9 * ((i * 104729 >> 5) % 3) - 6 for i in range(24 * 27)]
    second = [(-0.3, -0.1, 0.0, 0.11, 0.23)[(i * 7919 >> 4) % 5] for i in range(4 * 24)]
    return model(
        [node("QuantizeLinear", ["x", "s", "z"], ["xq"]), node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
         node("DequantizeLinear", ["w1", "s1", "z1"], ["w1d"], axis=0), node("Conv", ["xd", "w1d", "b1"], ["c"], "first", pads=[1, 1, 1, 1]), node("Relu", ["c"], ["r"]),
         node("QuantizeLinear", ["r", "s", "z"], ["rq"]), node("DequantizeLinear", ["rq", "s", "z"], ["rd"]),
         node("Conv", ["rd", "w2", "b2"], ["d"], "second"), node("Reshape", ["d", "t"], ["y"])],
        [value("x", FLOAT, [1, 3, 8, 8])], ["y"],
        [tensor("s", FLOAT, [], floats(1 / 128)), tensor("z", UINT8, [], b"\x80"), tensor("w1", INT8, [24, 3, 3, 3], struct.pack("648b", *first)),
         tensor("s1", FLOAT, [24], floats(*[2.0 ** -(7 + i % 5) for i in range(24)])), tensor("z1", INT8, [24], bytes(24)),
         tensor("b1", FLOAT, [24], floats(*[i / 64 - 0.2001953125 for i in range(24)])), tensor("w2", FLOAT, [4, 24, 1, 1], floats(*second)),
         tensor("b2", FLOAT, [4], floats(0.5, -0.25, 3.0, 1e-3)), tensor("t", INT64, [3], longs(1, 4, -1))])


SEEDS = {
    "conv": model([node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1], strides=[2, 2], kernel_shape=[1, 1], group=1),
                   node("LeakyRelu", ["c"], ["l"], alpha=0.1), node("MaxPool", ["l"], ["y"], kernel_shape=[2, 2], ceil_mode=1)],
                  [IMAGE], ["y"], [WEIGHTS]),
    "shape": model([node("Shape", ["x"], ["s"]), node("Gather", ["s", "i"], ["n"], axis=0), node("Concat", ["n", "m"], ["t"], axis=0),
                    node("Reshape", ["x", "t"], ["f"]), node("Transpose", ["f"], ["y"], perm=[1, 0])],
                   [IMAGE], ["y"], [tensor("i", INT64, [1], longs(0)), tensor("m", INT64, [1], longs(-1))]),
    "views": model([node("Split", ["x"], ["a", "b", "c"], axis=1), node("Concat", ["c", "a"], ["d"], axis=1),
                    node("Slice", ["d", "st", "en", "ax", "sp"], ["y"])], [IMAGE], ["y", "b"],
                   [tensor("st", INT64, [1], longs(-1)), tensor("en", INT64, [1], longs(-(1 << 63))), tensor("ax", INT64, [1], longs(3)),
                    tensor("sp", INT64, [1], longs(-2))]),
    "resize": model([node("Resize", ["x", "", "k"], ["y"], mode="linear", coordinate_transformation_mode="half_pixel")],
                    [IMAGE], ["y"], [tensor("k", FLOAT, [4], floats(1, 1, 2, 2))]),
    "quantised": model([node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])], [IMAGE], ["y"],
                       [tensor("s", FLOAT, [], floats(0.5)), tensor("z", UINT8, [], b"\x80")]),
    "levels": levels(),
    "fill": model([node("ConstantOfShape", ["s"], ["f"]), node("Expand", ["f", "s"], ["e"]), node("Add", ["x", "e"], ["y"])], [IMAGE], ["y"],
                  [tensor("s", INT64, [4], longs(1, 3, 8, 8))]),
    "metadata": model([RELU], [IMAGE], ["y"], metadata=[("fovea.description", "family: yolox\npreprocess: {width: 8, height: 8}\n"), ("names", "{0: 'a'}")]),
    "huge-dims": model([node("Conv", ["x", "w"], ["y"])], [IMAGE], ["y"], [tensor("w", FLOAT, [1 << 31, 1 << 31, 4], b"")]),
    "huge-shape": model([node("ConstantOfShape", ["s"], ["y"])], [IMAGE], ["y"], [tensor("s", INT64, [4], longs(*[1 << 20] * 4))]),
    "cycle": model([node("Add", ["x", "b"], ["a"], "one"), node("Relu", ["a"], ["b"], "two")], [IMAGE], ["b"]),
    "duplicate": model([RELU, node("Exp", ["x"], ["y"])], [IMAGE], ["y"]),
    "outside": outside("../../etc/passwd"),
    "beside": outside("weights.bin"),
    "nested": nested(300),
    "truncated": model([RELU], [IMAGE], ["y"])[:-20],
}


def main():
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "seeds" / "onnx"
    target.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (target / f"{name}.onnx").write_bytes(data)


if __name__ == "__main__":
    main()
