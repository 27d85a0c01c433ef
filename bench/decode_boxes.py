#!/usr/bin/env python3
"""What the loop filter is worth to a detector: its boxes on exactly decoded pictures are the truth, those on pictures decoded without the filter are measured against them.

    bench/decode_boxes.py --fovea build/tools/fovea [--fps 2] [--score 0.3] MODEL CLIP…

Runs in `meson devenv -C build`, or with GST_PLUGIN_PATH. Every picture of a clip is decoded, so that errors grow as they do, and --fps of a second are looked at. Prints mAP by
COCO's rules and the pictures' distance (PSNR of luma); the first line compares the exact pictures with themselves.
"""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile

WAYS = ["loop-filter=on", "loop-filter=nonref", "loop-filter=off"]


def decode(clip, way, fps, folder):
    folder.mkdir(parents=True)
    elements = [["filesrc", f"location={clip}"], ["parsebin"], ["foveadecode", way], ["videorate", "drop-only=true", f"max-rate={fps}"], ["videoconvert"],
                ["video/x-raw,format=RGB"], ["pngenc", "compression-level=1"], ["multifilesink", f"location={folder}/{clip.stem}-%05d.png"]]
    subprocess.run(["gst-launch-1.0", "-q"] + [word for element in elements for word in [*element, "!"]][:-1], check=True)


def png_size(path):
    head = path.read_bytes()[16:24]
    return int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")


def write_annotations(path, pictures, annotations, categories):
    images = []
    for index, picture in enumerate(pictures):
        width, height = png_size(picture)
        images.append({"id": index, "file_name": picture.name, "width": width, "height": height})
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def evaluate(fovea, model, images, annotations, detections):
    run = subprocess.run([fovea, "eval", model, "--images", images, "--annotations", annotations, "--detections", detections, "--json", "--device", "cpu"],
                         check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def truth(detections, score):
    boxes = [d for d in json.loads(detections.read_text()) if d["score"] >= score]
    return [{"id": i + 1, "image_id": d["image_id"], "category_id": d["category_id"], "bbox": d["bbox"], "area": d["bbox"][2] * d["bbox"][3], "iscrowd": 0}
            for i, d in enumerate(boxes)]


def psnr(a, b):
    """Over all pictures, by gst-launch's own conversion to grey; needs no image library."""
    total = count = 0
    for one, other in zip(a, b):
        x, y = (subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={p}", "!", "pngdec", "!", "videoconvert", "!", "video/x-raw,format=GRAY8", "!", "fdsink"],
                               check=True, stdout=subprocess.PIPE).stdout for p in (one, other))
        total += sum((p - q) * (p - q) for p, q in zip(x, y))
        count += len(x)
    return math.inf if total == 0 else 10 * math.log10(255 * 255 * count / total)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fovea", default="build/tools/fovea")
    parser.add_argument("--fps", type=int, default=2)
    parser.add_argument("--score", type=float, default=0.3, help="least score of a box that is taken for truth")
    parser.add_argument("--classes", type=int, default=80, help="of the model")
    parser.add_argument("model")
    parser.add_argument("clips", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    categories = [{"id": i, "name": str(i)} for i in range(options.classes)]
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        made = {}
        for number, way in enumerate(WAYS):
            folder = top / str(number)
            made[way] = []
            for clip in options.clips:
                decode(clip, way, options.fps, folder / clip.stem)
            for picture in sorted(folder.glob("*/*.png")):
                made[way].append(picture.rename(folder / picture.name))
        exact = made[WAYS[0]]
        # The tool leaves out classes that nothing is annotated with, so that the first run is told of one object of each.
        everything = [{"id": i + 1, "image_id": 0, "category_id": i, "bbox": [0, 0, 8, 8], "area": 64, "iscrowd": 0} for i in range(options.classes)]
        write_annotations(top / "none.json", exact, everything, categories)
        evaluate(options.fovea, options.model, top / "0", top / "none.json", top / "found.json")
        boxes = truth(top / "found.json", options.score)
        write_annotations(top / "truth.json", exact, boxes, categories)
        print(f"{len(exact)} pictures, {len(boxes)} boxes of {len({b['category_id'] for b in boxes})} classes with a score of {options.score} or more")
        for number, way in enumerate(WAYS):
            result = evaluate(options.fovea, options.model, top / str(number), top / "truth.json", top / "found.json")
            distance = psnr(exact[::7], made[way][::7])
            print(f"{way:20} {distance:6.1f} dB  mAP {result['map']:.4f}  AP50 {result['ap50']:.4f}")


if __name__ == "__main__":
    main()
