"""A folder of rendered pictures with their boxes."""
import multiprocessing
import os
import pathlib

from PIL import Image

from ..progress import Progress
from ..truth import Coco
from .actors import CLASSES
from .street import Street


def one_picture(job):
    seed, width, height, path, street = job
    picture, objects = Street(seed, width, height, **street).frame(float(seed % 7))
    Image.fromarray(picture).save(path, quality=70 + seed % 25)
    return os.path.basename(path), objects


def render_pictures(folder, count, seed, width=640, height=360, jobs=None, **street):
    """images/*.jpg and instances.json; the folder is made. street: what else a Street takes."""
    folder = pathlib.Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    work = [(seed * 1000003 + n, width, height, str(folder / "images" / f"street-{seed}-{n:05d}.jpg"), street) for n in range(count)]
    truth, progress = Coco(CLASSES), Progress(count, "rendering")
    with multiprocessing.Pool(jobs or os.cpu_count()) as pool:
        for done, (name, objects) in enumerate(pool.imap(one_picture, work, 4), 1):
            truth.picture(name, width, height, objects)
            progress.step(done)
    truth.save(str(folder / "instances.json"))
