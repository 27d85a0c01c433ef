#!/usr/bin/env python3
"""Gives an ONNX detector that is made of convolutions another input size, for a teacher that sees pictures as large as they are drawn.

    python3 training/resize_input.py nanodet_m_320.onnx --input 384x224 --output build/data/nanodet_m_384x224.onnx
    cp configs/models/nanodet_m_320.yaml build/data/nanodet_m_384x224.yaml                                           # its description

Besides the input's dimensions it changes the constants of Reshape that hold heights and widths of maps (as channel shuffles do). What else depends on the size, such as anchors in the graph, it does not know: compare
what the model finds. Needs python3-onnx."""
import argparse
import re
import sys


def size(text):
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or int(match[1]) % 32 or int(match[2]) % 32 or not int(match[1]) * int(match[2]):
        raise argparse.ArgumentTypeError(f"takes WIDTHxHEIGHT, multiples of 32, not '{text}'")
    return int(match[1]), int(match[2])


def resize(model, wide, high):
    """In place."""
    from onnx import numpy_helper
    graph = model.graph
    weights = {w.name: w for w in graph.initializer}
    dims = next(i for i in graph.input if i.name not in weights).type.tensor_type.shape.dim
    old_high, old_wide = dims[2].dim_value, dims[3].dim_value
    if len(dims) != 4 or old_high % 32 or old_wide % 32 or not old_high * old_wide:
        sys.exit("resize_input.py: the first input is no picture [1, 3, height, width] of multiples of 32")
    dims[2].dim_value, dims[3].dim_value = high, wide
    strides = {(old_high // s, old_wide // s): s for s in (1, 2, 4, 8, 16, 32)}
    for name in {node.input[1] for node in graph.node if node.op_type == "Reshape" and node.input[1] in weights}:
        shape = numpy_helper.to_array(weights[name]).copy()
        stride = strides.get(tuple(shape[-2:])) if len(shape) > 2 else None
        if stride:
            shape[-2:] = high // stride, wide // stride
            weights[name].CopyFrom(numpy_helper.from_array(shape, name))
    del graph.value_info[:]
    for output in graph.output:
        for d in output.type.tensor_type.shape.dim:
            d.Clear()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--input", type=size, required=True, metavar="WIDTHxHEIGHT")
    parser.add_argument("--output", required=True, metavar="FILE.onnx")
    options = parser.parse_args()
    try:
        import onnx
    except ImportError:
        sys.exit("resize_input.py: needs python3-onnx")
    try:
        model = onnx.load(options.model)
    except Exception as error:  # protobuf has its own kinds
        sys.exit(f"resize_input.py: {options.model} cannot be read as ONNX ({error})")
    resize(model, *options.input)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model)
    onnx.save(model, options.output)


if __name__ == "__main__":
    main()
