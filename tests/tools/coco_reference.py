#!/usr/bin/env python3
"""COCO average precision, written from the published rules for clearness alone; tools/coco.c must agree with it.

  coco_reference.py INSTANCES DETECTIONS             prints {"map", "ap50", "per_class"}
  coco_reference.py INSTANCES DETECTIONS EXPECTED    compares instead; exit status 1 when they differ
  coco_reference.py --make FOLDER                    writes the fixtures instances.json, detections.json, expected.json
"""
import json
import random
import sys

OVERLAPS = [0.5 + i * ((0.95 - 0.5) / 9) for i in range(9)] + [0.95]
RECALLS = [i * 0.01 for i in range(100)] + [1.0]
MAX_AREA, MAX_DETECTIONS = 1e10, 100


def overlap(det, truth):
    (ax, ay, aw, ah), (bx, by, bw, bh) = det["bbox"], truth["bbox"]
    w, h = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (aw * ah if truth.get("iscrowd") else aw * ah + bw * bh - w * h)


def ignored(truth):
    return bool(truth.get("iscrowd")) or not 0 <= truth["area"] <= MAX_AREA


def judge(dets, truths, threshold):
    """[(score, True hit | False miss | None ignored)] of one picture and class."""
    truths = sorted(truths, key=ignored)
    taken, results = set(), []
    for det in sorted(dets, key=lambda d: -d["score"])[:MAX_DETECTIONS]:
        best, match = min(threshold, 1 - 1e-10), None
        for i, truth in enumerate(truths):
            if i in taken and not truth.get("iscrowd"):
                continue
            if match is not None and not ignored(truths[match]) and ignored(truth):
                break
            if overlap(det, truth) >= best:
                best, match = overlap(det, truth), i
        if match is not None:
            taken.add(match)
            results.append((det["score"], None if ignored(truths[match]) else True))
        else:
            area = det["bbox"][2] * det["bbox"][3]
            results.append((det["score"], False if 0 <= area <= MAX_AREA else None))
    return results


def average_precision(results, truth_count):
    hits = misses = 0
    curve = []
    for _, outcome in sorted(results, key=lambda r: -r[0]):
        hits, misses = hits + (outcome is True), misses + (outcome is False)
        curve.append((hits / truth_count, hits / (hits + misses + sys.float_info.epsilon)))
    return sum(max((p for r, p in curve if r >= recall), default=0.0) for recall in RECALLS) / len(RECALLS)


def evaluate(instances, detections):
    images = sorted(i["id"] for i in instances["images"])
    per_class, ap50 = {}, []
    for category in instances["categories"]:
        def of(boxes, image):
            return [b for b in boxes if b["image_id"] == image and b["category_id"] == category["id"]]
        truths = {i: of(instances["annotations"], i) for i in images}
        dets = {i: of(detections, i) for i in images}
        count = sum(not ignored(t) for ts in truths.values() for t in ts)
        if count == 0:
            per_class[category["name"]] = None
            continue
        aps = [average_precision([r for i in images for r in judge(dets[i], truths[i], threshold)], count) for threshold in OVERLAPS]
        per_class[category["name"]] = sum(aps) / len(aps)
        ap50.append(aps[0])
    known = [ap for ap in per_class.values() if ap is not None]
    return {"map": sum(known) / len(known) if known else None, "ap50": sum(ap50) / len(ap50) if ap50 else None, "per_class": per_class}


def make(folder):
    """Ids out of order and with holes, crowds, an outsized area, equal scores, a class without objects, one without detections, one with more
    detections in a picture than count, exact overlaps of 0.5."""
    rng = random.Random(7)
    categories = [{"id": i, "name": n} for i, n in ((7, "person"), (3, "car"), (90, "dog"), (1, "kite"), (12, "crumb"))]
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 480} for i in (42, 7, 1000, 13, 9, 77)]
    annotations, detections = [], []

    def box(size):
        return [rng.randrange(0, 500), rng.randrange(0, 400), rng.randrange(4, size), rng.randrange(4, size)]

    def annotate(image, category, bbox, **more):
        annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": category, "bbox": bbox, "area": bbox[2] * bbox[3], "iscrowd": 0, **more})

    def detect(image, category, bbox, score):
        detections.append({"image_id": image, "category_id": category, "bbox": bbox, "score": score})

    for image in (i["id"] for i in images):
        for category, count in ((7, 5), (3, 3), (90, 1)):
            for _ in range(rng.randrange(count + 1)):
                bbox = box(120)
                annotate(image, category, bbox)
                for _ in range(rng.choice((0, 1, 1, 2))):
                    detect(image, category, [v + rng.randrange(-8, 9) / 2 for v in bbox[:2]] + [max(1, v + rng.randrange(-6, 7)) for v in bbox[2:]],
                           rng.randrange(1, 20) / 20)
        for category in (7, 3, 12):
            detect(image, category, box(90), rng.randrange(1, 20) / 20)
    annotate(42, 7, [0, 0, 300, 300], iscrowd=1)
    annotate(7, 3, [100, 100, 200, 200], area=2e10)
    annotate(9, 1, [5, 5, 50, 50])
    for i in range(6):
        detect(42, 7, [20 * i, 10, 30, 60], 0.5)
    detect(7, 3, [100, 100, 200, 200], 0.9)
    annotate(77, 7, [200, 200, 40, 20])
    detect(77, 7, [200, 200, 40, 10], 0.97)
    for i in range(110):
        detect(1000, 90, [i, i, 20, 20], 0.6 + (i % 10) / 100)
    annotate(1000, 90, [3, 3, 20, 20])
    annotate(1000, 90, [100, 100, 20, 20])
    write(folder + "/instances.json", {"images": images, "categories": categories, "annotations": annotations})
    write(folder + "/detections.json", detections)
    write(folder + "/expected.json", evaluate({"images": images, "categories": categories, "annotations": annotations}, detections))


def write(path, value):
    """One line for each entry of a list."""
    def lines(items):
        return "[\n" + ",\n".join(json.dumps(i) for i in items) + "\n]"
    with open(path, "w") as f:
        if isinstance(value, list):
            f.write(lines(value) + "\n")
        else:
            f.write("{\n" + ",\n".join(json.dumps(k) + ": " + (lines(v) if isinstance(v, list) else json.dumps(v)) for k, v in value.items()) + "\n}\n")


def close(a, b):
    return a is b if a is None or b is None else abs(a - b) < 1e-9


def main(args):
    if len(args) == 2 and args[0] == "--make":
        return make(args[1])
    if len(args) not in (2, 3):
        sys.exit(__doc__)
    with open(args[0]) as i, open(args[1]) as d:
        result = evaluate(json.load(i), json.load(d))
    if len(args) == 2:
        return print(json.dumps(result))
    with open(args[2]) as e:
        expected = json.load(e)
    same = close(result["map"], expected["map"]) and close(result["ap50"], expected["ap50"]) and \
        result["per_class"].keys() == expected["per_class"].keys() and all(close(v, expected["per_class"][k]) for k, v in result["per_class"].items())
    sys.exit(0 if same else f"computed {result}\nexpected {expected}")


if __name__ == "__main__":
    main(sys.argv[1:])
