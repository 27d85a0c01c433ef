#!/usr/bin/env python3
"""Times Fovea's engine beside ONNX Runtime, OpenVINO and ncnn, interleaved in one run.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install numpy onnxruntime openvino ncnn
    /tmp/peers/bin/python bench/peers.py --fovea build/tools/fovea [--threads 1,2] [--rounds 7] [--ncnn-dir DIR] MODEL.onnx…

Every engine runs in a process of its own, the same number of frames per round, in turn: A B C A B C … Machines are shared
and drift; the median over rounds of each round's median is quoted, and ratios are taken round by round. The peers are
never a dependency: an engine that cannot be imported is left out and said so. Vulkan beside Vulkan:

    … bench/peers.py --engines fovea:vulkan,ncnn-vulkan --threads 2 --rounds 3 --frames 3 --ncnn-dir DIR MODEL.onnx…

Integers beside integers, from a folder with MODEL.fovea (fovea compress --calibrate) and MODEL.qdq.onnx (bench/quantise_onnxruntime.py):

    … bench/peers.py --engines fovea-int8,fovea,onnxruntime-int8 --int8-dir DIR MODEL.onnx…
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time


def child_onnxruntime(model, threads, frames):
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {i.name: np.random.default_rng(1).random([d if isinstance(d, int) and d > 0 else 1 for d in i.shape], dtype=np.float32)
            for i in session.get_inputs()}
    return lambda: session.run(None, feed), frames


def child_openvino(model, threads, frames):
    import numpy as np
    import openvino as ov
    core = ov.Core()
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    feed = [np.random.default_rng(1).random([int(d) for d in i.shape], dtype=np.float32) for i in compiled.inputs]
    return lambda: request.infer(feed), frames


def child_ncnn(model, threads, frames, vulkan=False):
    import ncnn
    import numpy as np
    if vulkan and ncnn.get_gpu_count() == 0:
        sys.exit("this ncnn finds no Vulkan device")
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = vulkan
    net.load_param(model)
    net.load_model(model[: -len(".param")] + ".bin")
    shape = json.loads(os.environ["PEER_SHAPE"])
    picture = ncnn.Mat(np.random.default_rng(1).random(shape[1:], dtype=np.float32))

    def run():
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], picture)
        for name in net.output_names():
            extractor.extract(name)

    return run, frames


def child_ncnn_vulkan(model, threads, frames):
    return child_ncnn(model, threads, frames, vulkan=True)


CHILDREN = {"onnxruntime": child_onnxruntime, "openvino": child_openvino, "ncnn": child_ncnn, "ncnn-vulkan": child_ncnn_vulkan}


def child(engine, model, threads, frames):
    run, frames = CHILDREN[engine](model, threads, frames)
    for _ in range(2 if "vulkan" in engine else 5):  # a slow device's warm-up takes longer than what is measured
        run()
    times = []
    for _ in range(frames):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"p50_ms": statistics.median(times), "min_ms": min(times)}))


def measure(engine, args, model, threads, shape):
    """One round of one engine: (median ms, min ms), or a reason why not."""
    if engine.startswith("fovea"):
        command = [args.fovea, "bench", model, "--threads", str(threads), "--runs", str(args.frames), "--warmup", "5", "--json"]
        environment = dict(os.environ)
        setting = engine.partition(":")[2]
        command += ["--device", "vulkan", "--precision", setting.partition("-")[2] or "fp32"] if setting.startswith("vulkan") else ["--device", "cpu"]
        if engine.startswith("fovea-int8"):
            command += ["--signature", "off"]
        if setting and not setting.startswith("vulkan"):
            environment["FOVEA_CPU"] = setting
    else:
        command = [sys.executable, __file__, "--child", engine.removesuffix("-int8"), model, str(threads), str(args.frames)]
        environment = dict(os.environ, PEER_SHAPE=json.dumps(shape), OMP_NUM_THREADS=str(threads))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1][:100]
    result = json.loads(done.stdout)
    return result["p50_ms"], result["min_ms"]


def input_shape(args, model):
    out = subprocess.run([args.fovea, "inspect", model, "--json"], capture_output=True, text=True, check=True).stdout
    first = json.loads(out)["inputs"][0]
    return first.get("shape") or first.get("dims")


def ncnn_file(directory, model):
    stem = pathlib.Path(model).stem
    for name in (stem, stem + "-opt", stem.replace("version-", "")):
        path = pathlib.Path(directory or "", name + ".param")
        if directory and path.exists():
            return str(path)
    return None


def file_for(args, engine, model):
    """What an engine reads for a model; None: there is nothing for it."""
    if engine.startswith("ncnn"):
        return ncnn_file(args.ncnn_dir, model)
    if "-int8" in engine:
        path = pathlib.Path(args.int8_dir or "", pathlib.Path(model).stem + (".fovea" if engine.startswith("fovea") else ".qdq.onnx"))
        return str(path) if args.int8_dir and path.exists() else None
    return model


def compare(args, model, threads):
    engines = [e for e in args.engines.split(",") if file_for(args, e, model)]
    shape = input_shape(args, model)
    rounds, reasons = {e: [] for e in engines}, {}
    for _ in range(args.rounds):
        for engine in engines:
            if engine in reasons:
                continue
            got = measure(engine, args, file_for(args, engine, model), threads, shape)
            if isinstance(got, str):
                reasons[engine] = got
            else:
                rounds[engine].append(got)
    ours = rounds[engines[0]]
    row = {"model": pathlib.Path(model).stem, "threads": threads, "engines": {}}
    for engine in engines:
        if engine in reasons:
            row["engines"][engine] = {"failed": reasons[engine]}
            continue
        row["engines"][engine] = {
            "median_ms": round(statistics.median(m for m, _ in rounds[engine]), 3),
            "best_ms": round(min(b for _, b in rounds[engine]), 3),
            "fovea_over_it": round(statistics.median(a[0] / b[0] for a, b in zip(ours, rounds[engine])), 3),
        }
    return row


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--child":
        return child(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--fovea", default="build/tools/fovea")
    parser.add_argument("--engines", default="fovea,onnxruntime,openvino,ncnn", help="the first is compared with the others; fovea:avx2 masks instruction sets; fovea:vulkan, fovea:vulkan-fp16 "
                        "and ncnn-vulkan run on the first Vulkan device")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--ncnn-dir", help="folder of .param and .bin files named like the models")
    parser.add_argument("--int8-dir", help="folder of .fovea and .qdq.onnx files named like the models, for fovea-int8 and onnxruntime-int8")
    parser.add_argument("--json", help="write all figures here")
    args = parser.parse_args()
    table = []
    print("| model | threads | engine | median ms | best ms | fovea / it |\n|---|---|---|---|---|---|", flush=True)
    for model in args.models:
        for threads in (int(t) for t in args.threads.split(",")):
            row = compare(args, model, threads)
            table.append(row)
            for engine, figures in row["engines"].items():
                cells = [figures["failed"], "", ""] if "failed" in figures else [f"{figures['median_ms']:.2f}", f"{figures['best_ms']:.2f}", f"{figures['fovea_over_it']:.2f}"]
                print(f"| {row['model']} | {threads} | {engine} | {' | '.join(cells)} |", flush=True)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
