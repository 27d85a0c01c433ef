"""Ground truth files: COCO (pictures), COCO-video (clips) and MOTChallenge text. Boxes are x, y, width, height in pixels."""
import json
import os


class Coco:
    """Collects pictures and their boxes; save() writes one instances.json."""

    def __init__(self, classes):
        self.classes = list(classes)
        self.images, self.annotations, self.videos = [], [], []

    def video(self, name, width, height, fps):
        self.videos.append({"id": len(self.videos) + 1, "name": name, "width": width, "height": height, "fps": fps})
        return self.videos[-1]["id"]

    def picture(self, file_name, width, height, objects, video=None, frame=None):
        """objects: {"label", "box", perhaps "track", "score", and "ignore": a region that neither counts nor is held against anybody}."""
        image = {"id": len(self.images) + 1, "file_name": file_name, "width": width, "height": height}
        if video is not None:
            image.update(video_id=video, frame_index=frame)
        self.images.append(image)
        for thing in objects:
            x, y, w, h = (round(float(v), 2) for v in thing["box"])
            entry = {"id": len(self.annotations) + 1, "image_id": image["id"], "category_id": self.classes.index(thing["label"]) + 1,
                     "bbox": [x, y, w, h], "area": round(w * h, 2), "iscrowd": int(thing.get("ignore", False))}
            if "track" in thing:
                entry["instance_id"] = thing["track"]
            if "score" in thing:
                entry["score"] = round(float(thing["score"]), 4)
            self.annotations.append(entry)

    def save(self, path):
        document = {"images": self.images, "annotations": self.annotations,
                    "categories": [{"id": n + 1, "name": name} for n, name in enumerate(self.classes)]}
        if self.videos:
            document["videos"] = self.videos
        with open(path + ".part", "w") as file:
            json.dump(document, file)
        os.replace(path + ".part", path)


def save_pool(pool, classes, path):
    """The pictures of a pool as one file for `fovea eval`; returns the folder that its names count from."""
    folders = [os.path.realpath(sample.path.parent) for samples in pool.lists for sample in samples]
    root, truth = os.path.commonpath(folders), Coco(classes)
    for samples in pool.lists:
        for sample in samples:
            sample.load(pool.long_side)
            objects = [{"label": classes[c], "box": (b[0], b[1], b[2] - b[0], b[3] - b[1]), "ignore": w < 0} for c, b, w in zip(sample.classes, sample.boxes, sample.weights)]
            truth.picture(os.path.relpath(os.path.realpath(sample.path), root), *sample.size, objects)
    truth.save(str(path))
    return root


def mot_lines(frame, objects, classes):
    """Lines of a MOTChallenge gt.txt: frame from 1, track, x, y, w, h, 1, class from 1, visible share."""
    for thing in objects:
        x, y, w, h = thing["box"]
        yield f"{frame + 1},{thing['track'] + 1},{x},{y},{w},{h},1,{classes.index(thing['label']) + 1},{thing.get('visible', 1)}\n"
