"""Accuracy of the public COCO detectors with their authors' own pre- and post-processing, run by ONNX Runtime: what `fovea eval` has to reach.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install numpy pillow onnxruntime
    /tmp/reference/bin/python tests/reference/evaluate_coco.py ../shared > tests/reference/coco-expected.json

The post-processing is written from the models' repositories and shares nothing with the library:
  nanodet_m_320   RangiLyu/nanodet v0: GFL head, sigmoid scores, every class over the threshold, NMS 0.6 per class, boxes cut to the input
  FastestDet      dog-qiuqiu/FastestDet: score = objectness^0.6 * class^0.4, best class per cell, NMS 0.45 per class
  yolo-fastestv2  dog-qiuqiu/Yolo-FastestV2: score = objectness * class, best class per anchor, NMS 0.4 per class
Pictures are resized bilinearly with half-pixel centres and without antialiasing, as cv2.resize does, and rounded to bytes.
"""
import json
import os
import sys

import numpy as np
import onnxruntime
from PIL import Image

from coco_ap import evaluate, iou

THRESHOLD = 0.01
onnxruntime.set_default_logger_severity(3)


def axis(target, source):
    at = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    low = np.minimum(at.astype(int), max(source - 2, 0))
    return low, np.minimum(low + 1, source - 1), at - low


def resize(picture, width, height):
    x0, x1, wx = axis(width, picture.shape[1])
    y0, y1, wy = axis(height, picture.shape[0])
    wx, wy = wx[None, :, None], wy[:, None, None]
    top = picture[y0][:, x0] * (1 - wx) + picture[y0][:, x1] * wx
    bottom = picture[y1][:, x0] * (1 - wx) + picture[y1][:, x1] * wx
    return np.floor(top * (1 - wy) + bottom * wy + 0.5)


def stretch(picture, side):
    height, width = picture.shape[:2]
    return resize(picture, side, side), (side / width, side / height, 0, 0)


def letterbox(picture, side):
    height, width = picture.shape[:2]
    scale = min(side / width, side / height)
    new_width, new_height = round(width * scale), round(height * scale)
    left, top = (side - new_width) // 2, (side - new_height) // 2
    canvas = np.zeros((side, side, 3))
    canvas[top:top + new_height, left:left + new_width] = resize(picture, new_width, new_height)
    return canvas, (new_width / width, new_height / height, left, top)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def nms_per_class(boxes, scores, labels, threshold):
    kept = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = rows[np.argsort(-scores[rows], kind="mergesort")]
        while len(rows):
            kept.append(rows[0])
            rows = rows[1:][iou(boxes[rows[:1]], boxes[rows[1:]])[0] <= threshold]
    return np.array(kept, int)


def cell_grid(side, stride):
    n = -(-side // stride)
    y, x = np.mgrid[:n, :n]
    return x.ravel(), y.ravel()


class NanoDet:
    file, side, nms, place = "nanodet_m_320.onnx", 320, 0.6, staticmethod(letterbox)
    mean, std = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)

    def decode(self, outputs):
        boxes, scores = [], []
        for level, stride in enumerate((8, 16, 32)):
            x, y = cell_grid(self.side, stride)
            centre = np.stack([x, y], 1) * stride + 0.5 * (stride - 1)
            sides = (softmax(outputs[3 + level][0].reshape(-1, 4, 8)) * np.arange(8)).sum(-1) * stride
            boxes.append(np.clip(np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], 1), 0, self.side))
            scores.append(outputs[level][0])
        boxes, scores = np.concatenate(boxes), np.concatenate(scores)
        row, label = np.nonzero(scores >= THRESHOLD)
        return boxes[row], scores[row, label], label


class FastestDet:
    file, side, nms, place = "FastestDet.onnx", 352, 0.45, staticmethod(stretch)
    mean, std = (0, 0, 0), (255, 255, 255)

    def decode(self, outputs):
        values = outputs[0][0].reshape(85, -1).T
        x, y = cell_grid(self.side, 16)
        centre = (np.stack([x, y], 1) + np.tanh(values[:, 1:3])) / 22 * self.side
        half = sigmoid(values[:, 3:5]) * self.side / 2
        label = values[:, 5:].argmax(1)
        score = values[:, 0] ** 0.6 * values[:, 5:].max(1) ** 0.4
        keep = score >= THRESHOLD
        return np.concatenate([centre - half, centre + half], 1)[keep], score[keep], label[keep]


class YoloFastestV2:
    file, side, nms, place = "yolo-fastestv2.onnx", 352, 0.4, staticmethod(stretch)
    mean, std = (0, 0, 0), (255, 255, 255)
    anchors = {16: [(12.64, 19.39), (37.88, 51.48), (55.71, 138.31)], 32: [(126.91, 78.23), (131.57, 214.55), (279.92, 258.87)]}

    def decode(self, outputs):
        boxes, scores, labels, first = [], [], [], 0
        for stride, anchors in self.anchors.items():
            x, y = cell_grid(self.side, stride)
            rows = outputs[0][first:first + len(x)]
            first += len(x)
            for a, anchor in enumerate(anchors):
                v = rows[:, 4 * a:4 * a + 4]
                centre = (v[:, :2] * 2 - 0.5 + np.stack([x, y], 1)) * stride
                half = (v[:, 2:] * 2) ** 2 * np.array(anchor) / 2
                boxes.append(np.concatenate([centre - half, centre + half], 1))
                scores.append(rows[:, 12 + a] * rows[:, 15:].max(1))
                labels.append(rows[:, 15:].argmax(1))
        boxes, scores, labels = np.concatenate(boxes), np.concatenate(scores), np.concatenate(labels)
        keep = scores >= THRESHOLD
        return boxes[keep], scores[keep], labels[keep]


def detect(model, session, picture):
    height, width = picture.shape[:2]
    placed, (sx, sy, left, top) = model.place(picture[:, :, ::-1].astype(np.float64), model.side)
    tensor = ((placed - model.mean) / model.std).astype(np.float32).transpose(2, 0, 1)[None]
    boxes, scores, labels = model.decode(session.run(None, {session.get_inputs()[0].name: tensor}))
    kept = nms_per_class(boxes.astype(np.float64), scores, labels, model.nms)
    boxes = np.clip((boxes[kept] - [left, top, left, top]) / [sx, sy, sx, sy], 0, [width, height, width, height])
    return [(int(labels[k]), float(scores[k]), *box) for k, box in zip(kept, boxes)]


def read_truths(path):
    with open(path) as file:
        coco = json.load(file)
    truths = {image["file_name"]: [] for image in coco["images"]}
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    for a in coco["annotations"]:
        x, y, w, h = a["bbox"]
        truths[names[a["image_id"]]].append((a["category_id"], x, y, x + w, y + h))
    return truths, names, {c["id"]: c["name"] for c in coco["categories"]}


def read_detections(path, names):
    found = {}
    with open(path) as file:
        for d in json.load(file):
            x, y, w, h = d["bbox"]
            found.setdefault(names[d["image_id"]], []).append((d["category_id"], d["score"], x, y, x + w, y + h))
    return found


def main(shared):
    truths, names, categories = read_truths(f"{shared}/media/coco/instances.json")
    pictures = {name: np.array(Image.open(f"{shared}/media/coco/images/{name}").convert("RGB")) for name in truths}
    result = {}
    for model in (NanoDet(), FastestDet(), YoloFastestV2()):
        name = model.file[:-5]
        session = onnxruntime.InferenceSession(f"{shared}/models/onnx/{model.file}", providers=["CPUExecutionProvider"])
        figures = evaluate({image: detect(model, session, picture) for image, picture in pictures.items()}, truths)
        result[name] = {"map": round(figures["map"], 4), "ap50": round(figures["ap50"], 4), "threshold": THRESHOLD, "iou_threshold": model.nms,
                        "max_detections": 100, "pictures": len(pictures), "classes": len(figures["per_class"]),
                        "per_class": {categories[k]: round(v, 4) for k, v in figures["per_class"].items()}}
        given = f"{shared}/models/reference/coco/{name}.detections.json"
        if os.path.exists(given):
            theirs = evaluate(read_detections(given, names), truths)
            print(f"{name}: map {figures['map']:.4f}, ap50 {figures['ap50']:.4f}; recorded detections (score >= 0.1) by this evaluator: "
                  f"map {theirs['map']:.4f}, ap50 {theirs['ap50']:.4f}", file=sys.stderr)
    json.dump({"runtime": f"onnxruntime {onnxruntime.__version__}", "models": result}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "../shared")
