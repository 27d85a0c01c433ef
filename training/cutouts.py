#!/usr/bin/env python3
"""Cuts objects out of labelled pictures, as PNG files with transparency for a recipe's `paste:`.

    python3 training/cutouts.py build/data/train/* --classes person --teacher nanodet_m_320.onnx --output build/cutouts
    python3 training/cutouts.py … --segmenter deeplabv3.tflite --segmenter-labels pascal_voc.txt       # better outlines

What stands in a box is told from its surroundings by GrabCut (Rother et al., 2004; python3-opencv), which begins with the middle of the box, or with what a segmenter makes of it: a TensorFlow Lite model whose
output is a class per pixel (PyPI's ai-edge-litert runs it). An outline that does not fill its box is left out, and so is what a teacher does not recognise any more on a plain ground."""
import argparse
import collections
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit.data import labelled_names, read_folder
from kit.progress import Progress
from kit.teacher import detect, overlap

MARGINS = (0.15, 0.6)      # around the box, as shares of its longer side, that a segmenter is shown; the second where the first shows it nothing
LEAST_SEEN = 0.12          # of the box that a segmenter must have seen
LEAST_FIT = 0.5            # overlap of the outline's bounds and the box
LEAST_FILL, MOST_FILL = 0.2, 0.93  # of its bounds, by the outline
SEGMENTER_NAMES = {"motorcycle": "motorbike"}  # as Pascal VOC has them
GROUNDS = ((120, 120, 120), (60, 70, 60), (200, 195, 190))


def opencv():
    try:
        import cv2
    except ImportError:
        sys.exit("cutouts.py: needs python3-opencv (PyPI: opencv-python-headless)")
    return cv2


class Segmenter:
    """A class per pixel, for square pictures."""

    def __init__(self, model, labels):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            sys.exit("cutouts.py: --segmenter needs ai-edge-litert of PyPI")
        self.names = pathlib.Path(labels).read_text().split("\n")
        self.interpreter = Interpreter(str(model), num_threads=1)
        self.interpreter.allocate_tensors()
        self.input, self.output = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]
        if self.input["dtype"] != np.uint8:
            sys.exit(f"cutouts.py: {model} takes {np.dtype(self.input['dtype']).name}, but bytes are given to it")

    def __call__(self, square, label):
        """[S, S, 3] uint8 -> [S, S] of 0 and 1."""
        name = SEGMENTER_NAMES.get(label, label)
        if name not in self.names:
            sys.exit(f"cutouts.py: the segmenter knows no '{label}'; leave it out of --classes, or leave out --segmenter")
        size = self.input["shape"][1]
        self.interpreter.set_tensor(self.input["index"], np.asarray(Image.fromarray(square).resize((size, size), Image.BILINEAR))[None])
        self.interpreter.invoke()
        kinds = self.interpreter.get_tensor(self.output["index"])[0]
        kinds = kinds.argmax(-1) if kinds.ndim == 3 and kinds.shape[-1] > 1 else kinds.reshape(size, size)
        mask = Image.fromarray((kinds == self.names.index(name)).astype(np.uint8))
        return np.asarray(mask.resize(square.shape[1::-1], Image.NEAREST))


def ellipse(box, shape):
    """Where an object stands in its box, when nothing else is known."""
    ys, xs = np.mgrid[: shape[0], : shape[1]] + 0.5
    x0, y0, x1, y1 = box
    return ((((2 * xs - x0 - x1) / (x1 - x0)) ** 2 + ((2 * ys - y0 - y1) / (y1 - y0)) ** 2) < 0.8).astype(np.uint8)


def grab(crop, box, seed):
    """The outline [h, w] of 0 and 1 that GrabCut draws in a box, beginning with a seed."""
    cv2 = opencv()
    x0, y0, x1, y1 = (int(round(v)) for v in box)
    inside = np.zeros(seed.shape, np.uint8)
    inside[max(y0 - 2, 0) : y1 + 2, max(x0 - 2, 0) : x1 + 2] = 1
    seed = seed * inside
    state = np.where(inside, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    state[seed > 0] = cv2.GC_PR_FGD
    core = cv2.erode(seed, np.ones((max(3, int(0.12 * min(x1 - x0, y1 - y0)) | 1),) * 2, np.uint8))
    state[core > 0] = cv2.GC_FGD
    if not (state == cv2.GC_PR_FGD).any() and not core.any():
        return None
    try:
        cv2.grabCut(np.ascontiguousarray(crop[:, :, ::-1]), state, None, np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # all of one colour
        return None
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    return (parts == 1 + sizes[1:, 4].argmax()).astype(np.uint8) if count > 1 else None


def cut_out(pixels, box, label, segmenter, margin):
    """[h, w, 4] uint8, or None."""
    cv2, (height, width) = opencv(), pixels.shape[:2]
    x, y, x1, y1 = box
    half, cx, cy = max(x1 - x, y1 - y) * (0.5 + margin), (x + x1) / 2, (y + y1) / 2
    left, top, right, bottom = (int(v) for v in (max(0, cx - half), max(0, cy - half), min(width, cx + half), min(height, cy + half)))
    crop, inner = pixels[top:bottom, left:right], (x - left, y - top, x1 - left, y1 - top)
    if segmenter:
        square = np.full((max(crop.shape[:2]),) * 2 + (3,), 127, np.uint8)
        square[: crop.shape[0], : crop.shape[1]] = crop
        seed = segmenter(square, label)[: crop.shape[0], : crop.shape[1]]
        if seed[max(int(inner[1]), 0) : int(inner[3]), max(int(inner[0]), 0) : int(inner[2])].sum() < LEAST_SEEN * (x1 - x) * (y1 - y):
            return None
    else:
        seed = ellipse(inner, crop.shape)
    mask = grab(crop, inner, seed)
    if mask is None:
        return None
    bx, by, bw, bh = cv2.boundingRect(mask)
    if overlap((bx, by, bw, bh), (inner[0], inner[1], x1 - x, y1 - y)) < LEAST_FIT or not LEAST_FILL < mask.sum() / (bw * bh) < MOST_FILL:
        return None
    soft = cv2.GaussianBlur(mask * np.float32(255), (0, 0), max(0.6, 0.008 * min(bw, bh)))
    return np.dstack([crop, soft.astype(np.uint8)])[by : by + bh, bx : bx + bw]


def recognised(image, label, teacher, sure):
    """Whether the teacher still finds it, on most of three plain grounds."""
    scale, found = min(200 / image.height, 160 / image.width), 0
    small = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))), Image.BILINEAR)
    with tempfile.TemporaryDirectory() as folder:
        for colour in GROUNDS:
            ground = Image.new("RGB", (320, 320), colour)
            ground.paste(small, ((320 - small.width) // 2, (320 - small.height) // 2), small)
            ground.save(f"{folder}/one.png", compress_level=1)
            found += any(thing["label"] == label for thing in detect(teacher, f"{folder}/one.png", sure))
    return found > 1


def alone(n, sample):
    """Whether no other object of its class covers much of it."""
    x0, y0, x1, y1 = sample.boxes[n]
    others = sample.boxes[(np.arange(len(sample.boxes)) != n) & (sample.classes == sample.classes[n])]
    w = np.minimum(others[:, 2], x1) - np.maximum(others[:, 0], x0)
    h = np.minimum(others[:, 3], y1) - np.maximum(others[:, 1], y0)
    return not (w.clip(0) * h.clip(0) > 0.45 * (x1 - x0) * (y1 - y0)).any()


def cut_folder(folder, options, segmenter, counts):
    classes = options.classes.split(",")
    if not set(labelled_names(pathlib.Path(folder))) & set(classes):
        return
    samples = read_folder(folder, classes)[:: options.every]
    progress = Progress(len(samples), pathlib.Path(folder).name)
    for done, sample in enumerate(samples, 1):
        good = [n for n, box in enumerate(sample.boxes) if sample.weights[n] > 0.45 and min(box[2] - box[0], box[3] - box[1]) >= options.least and alone(n, sample)]
        pixels = sample.load(1 << 20)[0] if good else None
        for n in good:
            label = classes[sample.classes[n]]
            cuts = (cut_out(pixels, sample.boxes[n], label, segmenter, margin) for margin in MARGINS)
            cut = next((c for c in cuts if c is not None), None)
            if cut is None:
                continue
            image = Image.fromarray(cut, "RGBA")
            image.thumbnail((options.long_side,) * 2, Image.BILINEAR)
            if options.teacher and not recognised(image, label, options.teacher, options.sure):
                continue
            image.save(f"{options.output}/{label}-{counts[label]:05d}.png")
            counts[label] += 1
        sample.pixels = None
        progress.step(done)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="+", help="labelled folder, as training/label.py makes them; those without the classes are passed over")
    parser.add_argument("--output", required=True, help="folder that is made")
    parser.add_argument("--classes", default="person", help="what is cut out (default %(default)s)")
    parser.add_argument("--least", type=float, default=18, help="pixels of a box's shorter side, at least (default %(default)s)")
    parser.add_argument("--long-side", type=int, default=320, help="pixels of a cut-out's longer side, at most (default %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="look at every N-th picture (default %(default)s)")
    parser.add_argument("--segmenter", help="a .tflite model that tells a class per pixel")
    parser.add_argument("--segmenter-labels", help="its class names, one a line")
    parser.add_argument("--teacher", help="detector, .onnx or .fovea, that must recognise what was cut out")
    parser.add_argument("--sure", type=float, default=0.5, help="score from which it does (default %(default)s)")
    options = parser.parse_args()
    if bool(options.segmenter) != bool(options.segmenter_labels):
        parser.error("--segmenter and --segmenter-labels go together")
    pathlib.Path(options.output).mkdir(parents=True, exist_ok=True)
    segmenter, counts = Segmenter(options.segmenter, options.segmenter_labels) if options.segmenter else None, collections.Counter()
    for folder in options.input:
        cut_folder(folder, options, segmenter, counts)
    print(f"{options.output}: {', '.join(f'{name} {count}' for name, count in counts.items()) or 'nothing was cut out'}", file=sys.stderr)


if __name__ == "__main__":
    main()
