#!/usr/bin/env python3
"""The training kit, in little: a recipe runs, resumes and exports; the engine computes what was trained; pruning removes what it says; errors name their place.

Usage: test_kit.py SOURCE_ROOT FOVEA WORK_FOLDER, with a Python that has PyTorch; exit status 77 without.
"""
import copy
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT, FOVEA, WORK = pathlib.Path(sys.argv[1]), os.path.abspath(sys.argv[2]), pathlib.Path(sys.argv[3])
sys.path.insert(0, str(ROOT / "training"))
try:
    import numpy as np
    import torch
    from PIL import Image
    import cairo  # noqa: F401
    import yaml  # noqa: F401
except ImportError as error:
    print(f"skipped: {error}: install python3-torch python3-pil python3-cairo python3-yaml")
    sys.exit(77)

from kit import augment, boxes, checkpoint, distil, export, prune, recipe as recipes  # noqa: E402
from kit.cache import Cache, CachedFeed  # noqa: E402
from kit.data import Pool, read_folder  # noqa: E402
from kit.engine import Engine  # noqa: E402
from kit.evaluate import Tally  # noqa: E402
from kit.features import FeatureLoss  # noqa: E402
from kit.feed import Feed, batches, collate, to_input  # noqa: E402
from kit.network import PLANS, STRIDES, Detector, count  # noqa: E402
from kit.paste import Paste, clutter, covered  # noqa: E402
from kit.render.actors import Car, Person  # noqa: E402
from kit.render.street import Street  # noqa: E402
from kit.truth import save_pool  # noqa: E402

shutil.rmtree(WORK, ignore_errors=True)  # of an earlier run
WORK.mkdir(parents=True)
ENVIRONMENT = {**os.environ, "FOVEA": FOVEA, "PYTHONWARNINGS": "ignore", "FOVEA_DEVICE": "cpu"}


def kit(*words, expect=0):
    done = subprocess.run([sys.executable, *map(str, words)], cwd=WORK, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode == 0) == (expect == 0), done.stdout + done.stderr
    return done.stdout + done.stderr


def train(output, *settings, expect=0, stop=0):
    words = [word for setting in settings for word in ("--set", setting)] + (["--stop-after", stop] if stop else [])
    return kit(ROOT / "training/train.py", "--config", ROOT / "training/recipes/smoke.yaml", "--output", output, "--threads", 1, *words, expect=expect)


class Renderer(unittest.TestCase):
    def test_same_seed_same_picture(self):
        (a, what), (b, again) = Street(5, 320, 192).frame(0.5), Street(5, 320, 192).frame(0.5)
        self.assertTrue(np.array_equal(a, b))
        self.assertEqual(what, again)
        self.assertFalse(np.array_equal(a, Street(6, 320, 192).frame(0.5)[0]))

    def test_boxes_lie_in_the_picture_and_tracks_go_on(self):
        seen = []
        for seed in range(4):
            for _, objects in Street(seed, 320, 192).frames(2, 10):
                for thing in objects:
                    x, y, w, h = thing["box"]
                    self.assertTrue(x >= 0 and y >= 0 and x + w <= 320 and y + h <= 192 and w > 0 and h > 0)
                    self.assertTrue(0 < thing["visible"] <= 1)
                seen.append({thing["track"]: thing["label"] for thing in objects})
        for before, after in zip(seen[::2], seen[1::2]):
            common = before.keys() & after.keys()
            self.assertTrue(all(before[track] == after[track] for track in common))
            self.assertGreaterEqual(len(common), len(before) // 2)


    def test_who_stands_beyond_a_vehicles_flank_is_farther(self):
        random, street = np.random.default_rng(1), Street(5)
        car = Car(random, ((2, 8), (0, 1e-3)))  # along the view, its left flank towards the lens
        behind, before = (Person(random, ((x, y), (1e-3, 0))) for x, y in ((4, 6), (0.5, 9.5)))
        street.actors = [behind, car, before]
        depths = street._depths(0)
        self.assertTrue(depths[0] > depths[1] > depths[2], depths)  # by the distance of their middles it is the other way round

    def test_traffic_is_as_asked_for(self):
        driving = {actor.label for seed in range(4) for actor in Street(seed, traffic={"bicycle": 2, "bus": 1}).actors if actor.speed() > 2.5}
        self.assertEqual(driving, {"bicycle", "bus"})
        for text, said in (("tram=3", "takes KIND=N"), ("car=0,truck=0,bus=0,motorcycle=0,bicycle=0", "somebody must drive")):
            self.assertIn(said, kit(ROOT / "training/render.py", "clip", "--output", "x.mp4", "--traffic", text, expect=2))

    def test_nobody_is_beyond_the_reach(self):
        far, near = (Street(5, 320, 192, reach=reach) for reach in (140, 15))
        tracks = [{o["track"] for o in street.frame(0.0)[1]} for street in (far, near)]
        self.assertTrue(tracks[1] < tracks[0] and tracks[1])
        for track in tracks[1]:
            self.assertLess(np.hypot(*near.actors[track // 2].place(0.0)), 15)


class Pieces(unittest.TestCase):
    def test_overlap_and_decoding(self):
        a, b = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[5.0, 0, 15, 10]])
        self.assertAlmostEqual(float(boxes.iou(a, b)), 1 / 3, places=5)
        centres, strides = boxes.points(64, 32, STRIDES)
        self.assertEqual(len(centres), 8 * 4 + 4 * 2 + 2 * 1)
        sure = torch.full((1, len(centres), 4, 8), -50.0)
        sure[..., 2] = 50.0  # two strides to every side
        corners = boxes.decode(sure, centres, strides)[0]
        self.assertTrue(torch.allclose(corners[0], torch.tensor([3.5 - 16, 3.5 - 16, 3.5 + 16, 3.5 + 16])))

    def test_mirrored_boxes_follow_the_picture(self):
        pixels = np.zeros((20, 40, 3), np.uint8)
        pixels[5:10, 4:8] = 255
        canvas, found = augment.place(pixels, np.array([[4.0, 5, 8, 10]]), 40, 20, 1.0, 1.0, 0.0, 0.0, True)
        rows, columns = np.nonzero(canvas[:, :, 0] > 128)
        self.assertEqual((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), tuple(found[0]))

    def test_average_precision(self):
        tally = Tally(1)
        truth = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], float)
        found = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [20, 0, 30, 10]], float)
        tally.add((found, np.array([0.9, 0.8, 0.7]), np.zeros(3, int)), truth, np.zeros(2, int), np.ones(2))
        self.assertAlmostEqual(tally.precision()[0], (51 * 1 + 50 * 2 / 3) / 101, places=6)

    def test_channels_are_really_gone(self):
        wide = Detector(PLANS["fovea-n"]).eval()
        narrow = prune.without_channels(wide, 0.5).eval()
        self.assertLessEqual(count(narrow), 0.5 * count(wide))
        self.assertGreater(count(narrow), 0.2 * count(wide))
        self.assertEqual([o[0].shape for o in narrow(torch.zeros(1, 3, 64, 64))], [o[0].shape for o in wide(torch.zeros(1, 3, 64, 64))])

    def test_channels_that_nobody_reads_cost_nothing(self):
        torch.manual_seed(1)
        wide = Detector(PLANS["fovea-n"]).eval()
        kept = {name: torch.arange(0, makers[0].weight.numel(), 2) for name, (makers, _) in prune.streams(wide).items()}
        with torch.no_grad():
            for name, (_, readers) in prune.streams(wide).items():
                for reader in readers:
                    reader.weight[:, 1::2] = 0.0
            narrow = Detector(prune.narrowed(wide.plan, kept)).eval()
            prune.copy_channels(wide, narrow, kept)
            x = torch.rand(1, 3, 64, 64)
            for a, b in zip(wide(x), narrow(x)):
                self.assertTrue(torch.allclose(a[0], b[0], atol=1e-4) and torch.allclose(a[1], b[1], atol=1e-4))

    def test_patterns_and_shares(self):
        settings = {"amount": 0.5, "begin": 0.0, "end": 0.5, "every": 1}
        for kind in ("gradual", "regularised", "dynamic", "n:m"):
            network = Detector(PLANS["fovea-n"])
            pruner = prune.make(network, {"prune": {**settings, "kind": kind}, "steps": 8})
            for step in range(8):
                loss = sum((s ** 2).mean() + (d ** 2).mean() for s, d in network(torch.rand(2, 3, 64, 64))) + pruner.penalty()
                network.zero_grad()
                loss.backward()
                pruner.before_step(step)
                with torch.no_grad():
                    for p in network.parameters():
                        p -= 0.01 * p.grad
                pruner.after_step(step)
            weights = [m.weight.detach() for m in prune.prunable(network).values()]
            zero = sum(float((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
            self.assertAlmostEqual(zero, 0.5, delta=0.02, msg=kind)
            if kind == "n:m":
                for w in weights:
                    if w.shape[1] % 4 == 0:
                        self.assertLessEqual(int((w.reshape(w.shape[0], -1, 4) != 0).sum(-1).max()), 2)


class Teachers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.manual_seed(3)
        cls.path, cls.recipe = WORK / "teacher.pt", {"name": "teacher", "network": "fovea-n", "input": [128, 64], "classes": ["person", "car"], "quantise": None, "threshold": 0.3}
        cls.plan = copy.deepcopy(PLANS["fovea-n"])
        cls.plan.classes = 2
        cls.network = Detector(cls.plan)
        for _ in range(30):  # the normalisations see what they normalise, else all outputs are nearly nothing
            cls.network(torch.rand(4, 3, 64, 128))
        cls.network.eval()
        checkpoint.save(cls.path, cls.plan, cls.recipe, {"average": cls.network.state_dict()}, score=0.5)

    def test_what_a_teacher_does_not_know_is_not_learned(self):
        rows = distil.make({"model": str(self.path)}, ["dog", "car"], 128, 64)(np.full((64, 128, 3), 90, np.uint8))
        self.assertEqual(rows.shape, (16 * 8 + 8 * 4 + 4 * 2, 2 + 32))
        self.assertTrue((rows[:, 0] == distil.UNKNOWN).all() and (rows[:, 1] > 0).all())
        teacher = torch.from_numpy(rows)[None].float()
        teacher[..., 1] = 0.9
        logits = torch.zeros(1, len(rows), 2, requires_grad=True)
        distil.distillation_loss(logits, torch.zeros(1, len(rows), 4, 8), teacher).backward()
        self.assertEqual(float(logits.grad[..., 0].abs().max()), 0.0)
        self.assertLess(float(logits.grad[..., 1].max()), 0.0)  # towards the teacher
        with self.assertRaises(SystemExit) as caught:
            distil.make({"model": str(self.path)}, ["dog"], 128, 64)
        self.assertIn("knows none of dog", str(caught.exception))

    def test_an_export_teaches_as_its_checkpoint(self):
        export.write(self.network, self.recipe, WORK / "teacher.onnx")
        pixels = np.random.default_rng(1).integers(0, 256, (64, 128, 3), np.uint8)
        a, b = (distil.make({"model": str(WORK / name)}, ["car", "person"], 128, 64)(pixels).astype(float) for name in ("teacher.pt", "teacher.onnx"))
        self.assertLess(np.abs(a - b).max(), 0.01)
        inner = distil.make({"model": str(WORK / "teacher.onnx")}, ["car"], 64, 64)  # in the middle of the teacher's input
        self.assertEqual(inner(pixels[:, :64]).shape, (8 * 8 + 4 * 4 + 2 * 2, 1 + 32))

    def test_maps_of_an_onnx_teacher(self):
        model = pathlib.Path(os.environ["FOVEA_SHARED_DIR"]) / "models/onnx/nanodet_m_320.onnx"
        if not model.exists():
            self.skipTest("no nanodet_m_320 in FOVEA_SHARED_DIR")
        pixels = np.random.default_rng(3).integers(0, 256, (192, 320, 3), np.uint8)
        plain = distil.make({"model": str(model)}, ["person", "unicorn"], 320, 192)
        mapped = distil.make({"model": str(model), "features": 1.0, "maps": ["861", "867", "873"]}, ["person", "unicorn"], 320, 192)
        self.assertEqual((plain.width, mapped.width), (0, 96))
        a, b = plain(pixels), mapped(pixels)
        self.assertEqual(b.shape, (40 * 24 + 20 * 12 + 10 * 6, 2 + 32 + 96))
        self.assertTrue((a == b[:, :34]).all() and (a[:, 1] == distil.UNKNOWN).all() and b[:, 34:].std() > 0.1)
        for maps, said in ((["861"], "name 3 values"), (["861", "867", "nowhere"], "nowhere")):
            with self.assertRaises(SystemExit) as caught:
                distil.make({"model": str(model), "features": 1.0, "maps": maps}, ["person"], 320, 192)
            self.assertIn(said, str(caught.exception))

    def test_maps_are_learned(self):
        torch.manual_seed(4)
        student, loss = Detector(PLANS["fovea-n"]), FeatureLoss(PLANS["fovea-n"].neck, self.plan.neck)
        pixels = np.random.default_rng(2).integers(0, 256, (64, 128, 3), np.uint8)
        rows = torch.from_numpy(distil.make({"model": str(self.path), "features": 1.0}, ["person", "car"], 128, 64)(pixels))[None].float()
        self.assertEqual(rows.shape[-1], 2 + 32 + self.plan.neck)
        optimiser, values = torch.optim.Adam([*student.parameters(), *loss.parameters()], 0.01), []
        for _ in range(12):
            value = loss(student.features(to_input(torch.from_numpy(pixels)[None])), rows[..., 34:], rows[..., :2].amax(-1))
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            values.append(float(value))
        self.assertLess(values[-1], 0.6 * values[0])

    def test_slim_checkpoints_are_close_and_harmless(self):
        checkpoint.slim(self.path, WORK / "slim.pt")
        self.assertLess((WORK / "slim.pt").stat().st_size, 0.75 * self.path.stat().st_size)
        x = torch.rand(1, 3, 64, 128)
        for (a, b), (c, d) in zip(self.network(x), checkpoint.load_network(WORK / "slim.pt")(x)):
            self.assertLess(float((b - d).abs().max() / b.abs().max()), 0.01)
            self.assertLess(float((a - c).abs().max() / a.abs().max()), 0.01)
        torch.save({"about": "{}", "average": os.getcwd}, WORK / "evil.pt")  # a function where weights should be
        (WORK / "text.pt").write_text("no checkpoint")
        torch.save({"about": '{"plan": {"stem": 8}, "recipe": {"classes": [], "quantise": null}}', "average": {}}, WORK / "plan.pt")
        for name, said in (("evil.pt", "not a checkpoint"), ("text.pt", "not a checkpoint"), ("plan.pt", "plan cannot be built"), ("none.pt", "no such checkpoint"), ("a.onnx", "no such")):
            with self.assertRaises(SystemExit) as caught:
                checkpoint.load_network(WORK / name)
            self.assertIn(said, str(caught.exception))


def cutout_folder(name):
    """One red disc, cut out."""
    folder = WORK / name
    folder.mkdir()
    ys, xs = np.mgrid[:60, :60]
    disc = np.zeros((60, 60, 4), np.uint8)
    disc[..., 0], disc[..., 3] = 255, 255 * (((ys - 29.5) ** 2 + (xs - 29.5) ** 2) < 29**2)
    Image.fromarray(disc, "RGBA").save(folder / "cat-1.png")
    return folder


class Pasted(unittest.TestCase):
    def test_a_pasted_object_stands_in_its_box_and_hides(self):
        paste = Paste({"cutouts": str(cutout_folder("discs")), "share": 1.0, "most": 1, "height": [0.4, 0.5], "clutter": 0.0}, ["dog", "cat"])
        random, hidden = np.random.default_rng(5), 0
        ground = np.zeros((96, 128, 3), np.uint8)
        for _ in range(40):
            small = np.float32([[60, 44, 68, 52]])
            pixels, boxes, classes, weights = paste(ground, small, np.array([0]), np.float32([1]), lambda: None, random)
            self.assertEqual((len(boxes), classes.tolist(), float(weights[1])), (2, [0, 1], 1.0))
            x0, y0, x1, y1 = boxes[1].astype(int)
            painted = pixels.astype(int).sum(-1) > 40
            self.assertTrue(painted[y0:y1, x0:x1].mean() > 0.5 and painted.sum() - painted[y0:y1, x0:x1].sum() < 60)
            hidden += weights[0] < 0
            share = painted[44:52, 60:68].mean()
            if abs(share - 0.55) > 0.1:
                self.assertEqual(weights[0] < 0, share > 0.55)
        self.assertTrue(3 < hidden < 37)
        self.assertEqual(covered(np.float32([[0, 0, 4, 4], [2, 0, 6, 4]]), np.pad(np.ones((4, 4)), ((0, 2), (0, 4)))).tolist(), [1.0, 0.5])

    def test_a_shelf_covers_a_part(self):
        random = np.random.default_rng(6)
        picture = random.integers(0, 256, (90, 120, 3), np.uint8)
        for _ in range(8):
            pixels, where = clutter(np.full((96, 128, 3), 7, np.uint8), picture, random)
            self.assertEqual((pixels.shape, where.shape), ((96, 128, 3), (96, 128)))
            self.assertTrue((pixels[where == 0] == 7).all() and 0 <= where.min() <= where.max() <= 1)

    def test_a_folder_without_cutouts_is_refused(self):
        with self.assertRaises(SystemExit) as caught:
            Paste({"cutouts": str(WORK)}, ["cat"])
        self.assertIn("no cut-outs", str(caught.exception))

    def test_cutting_out(self):
        try:
            import cv2  # noqa: F401
        except ImportError:
            self.skipTest("python3-opencv is not installed")
        folder, random = yolo_folder("blobs", 0), np.random.default_rng(8)
        (folder / "classes.txt").write_text("cat\n")
        ys, xs = np.mgrid[:120, :160]
        blob = ((ys - 60) / 40) ** 2 + ((xs - 80) / 25) ** 2 < 1
        pixels = np.where(blob[..., None], (200, 60, 40), (60, 130, 70)) + random.normal(0, 6, (120, 160, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images/a.png")
        (folder / "labels/a.txt").write_text(f"0 0.5 0.5 {50 / 160} {80 / 120}\n")
        kit(ROOT / "training/cutouts.py", folder, "--classes", "cat", "--output", WORK / "cuts")
        cut = np.asarray(Image.open(WORK / "cuts/cat-00000.png"))
        self.assertTrue(abs(cut.shape[0] - 80) < 6 and abs(cut.shape[1] - 50) < 6)
        self.assertTrue(cut[len(cut) // 2, cut.shape[1] // 2, 3] > 250 and cut[1, 1, 3] < 60)


class Cached(unittest.TestCase):
    def setUp(self):
        self.folder = WORK / ("cached-" + self._testMethodName)
        pictures = yolo_folder("of-" + self._testMethodName, 3)
        self.recipe = {**recipes.DEFAULTS, "classes": ["cat"], "data": [{"path": str(pictures), "distil": True}], "batch": 4, "input": [64, 64], "workers": 0,
                       "cache": {"path": str(self.folder), "samples": 5, "canvas": [128, 96]}, "distil": {"model": "none"}}

    def test_a_window_shows_its_part_and_what_the_teacher_said_of_it(self):
        def teacher(pixels):
            """Of every cell the mean of its pixels."""
            rows = [pixels.reshape(96 // s, s, 128 // s, s, 3).mean((1, 3, 4)).reshape(-1, 1) for s in STRIDES]
            return np.concatenate(rows).astype(np.float16)

        cache = Cache(self.recipe, lambda: teacher)
        for n, left, top in ((0, 0, 0), (3, 64, 32), (4, 32, 0)):
            pixels, boxes, classes, weights, words = cache.look(n, left, top, 64, 64)
            whole, all_boxes, *_ = cache.look(n, 0, 0, 128, 96)
            self.assertTrue((pixels == whole[top : top + 64, left : left + 64]).all())
            wanted = np.concatenate([pixels.reshape(64 // s, s, 64 // s, s, 3).mean((1, 3, 4)).reshape(-1, 1) for s in STRIDES])
            self.assertLess(np.abs(words.astype(float) - wanted).max(), 0.2)
            self.assertTrue((boxes >= 0).all() and (boxes <= 64).all() and len(boxes) <= len(all_boxes))
        seen = CachedFeed(self.recipe, 0, 12, cache)
        self.assertEqual((len(seen), collate([seen[n] for n in range(4)])[4][1].shape), (12, (4, 64 + 16 + 4, 1)))
        self.assertTrue((seen[5][0] == CachedFeed(self.recipe, 4, 12, Cache(self.recipe))[1][0]).all())  # a run that is resumed, from the files

    def test_pictures_without_a_teacher_are_looked_at_as_often_as_asked(self):
        recipe = {**self.recipe, "data": [*self.recipe["data"], {"path": self.recipe["data"][0]["path"]}], "cache": {**self.recipe["cache"], "samples": 12}}
        cache = Cache(recipe, lambda: lambda pixels: np.zeros((12 * 16 + 6 * 8 + 3 * 4, 1), np.float16))
        self.assertTrue(0 < cache.taught.sum() < 12)
        for plain in (0.0, 1.0):
            feed = CachedFeed({**recipe, "cache": {**recipe["cache"], "plain": plain}}, 0, 20, cache)
            self.assertEqual({feed[n][4] is None for n in range(20)}, {plain == 1.0})

    def test_a_cache_of_another_recipe_is_refused(self):
        recipe = {**self.recipe, "distil": None, "data": [{key: value for key, value in self.recipe["data"][0].items() if key != "distil"}]}
        Cache(recipe)
        with self.assertRaises(SystemExit) as caught:
            Cache({**recipe, "seed": 9})
        self.assertIn("another recipe (seed)", str(caught.exception))


class Resized(unittest.TestCase):
    def test_a_detector_of_another_input_finds_the_same(self):
        model = pathlib.Path(os.environ["FOVEA_SHARED_DIR"]) / "models/onnx/nanodet_m_320.onnx"
        try:
            import onnx  # noqa: F401
        except ImportError:
            self.skipTest("python3-onnx is not installed")
        if not model.exists():
            self.skipTest("no nanodet_m_320 in FOVEA_SHARED_DIR")
        kit(ROOT / "training/resize_input.py", model, "--input", "384x352", "--output", WORK / "wide.onnx")
        plain, wide = Engine(model), Engine(WORK / "wide.onnx")
        self.assertEqual(wide.input.shape, (1, 3, 352, 384))
        picture = np.zeros((1, 3, 352, 384), np.float32)
        picture[0, :, 96:256, 96:256] = np.random.default_rng(2).normal(0, 1, (3, 10, 10)).repeat(16, 1).repeat(16, 2)
        a = plain(np.ascontiguousarray(picture[..., :320, 32:352]))[0].reshape(40, 40, -1)
        b = wide(picture)[0].reshape(44, 48, -1)[:40, 4:44]
        self.assertLess(np.abs(a - b)[12:32, 8:28].max(), 0.02)  # stride 8, away from the borders


class WholeRun(unittest.TestCase):
    def test_train_export_detect_quantise(self):
        shutil.rmtree(WORK / "run", ignore_errors=True)
        train("run", "steps=20", "evaluate-every=10")
        model = WORK / "run/smoke.onnx"
        rows = (WORK / "run/log.csv").read_text().strip().split("\n")
        self.assertEqual(len(rows), 3)
        self.assertTrue((WORK / "run/curves.png").exists())
        picture = sorted((WORK / "build/training/smoke-data/images").iterdir())[0]
        seen = subprocess.run([FOVEA, "detect", "--model", model, "--threshold", "0.001", "--json", "-", "--quiet", picture], env=ENVIRONMENT, capture_output=True, text=True)
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertIn('"label":"person"', seen.stdout)
        self.assertIn("scores_8", kit(ROOT / "training/compare.py", WORK / "run/best.pt", model, picture))
        train("grid", "steps=6", "evaluate-every=6", f"start-from={WORK}/run/best.pt", "quantise={}", "rate=0.0001")
        said = kit(ROOT / "training/compare.py", WORK / "grid/best.pt", WORK / "grid/smoke.onnx", picture)
        self.assertIn("of what is allowed", said)
        inside = subprocess.run([FOVEA, "inspect", WORK / "grid/smoke.onnx"], env=ENVIRONMENT, capture_output=True, text=True).stdout
        self.assertIn("QLinearConv", inside)
        self.assertNotIn("conv_f32", inside)

    def test_resumed_run_equals_a_whole_one(self):
        for name in ("whole", "parts"):
            shutil.rmtree(WORK / name, ignore_errors=True)
        train("whole", "steps=6", "evaluate-every=3", "workers=0")
        state = checkpoint.read(WORK / "whole/last.pt")
        train("parts", "steps=6", "evaluate-every=3", "workers=0", stop=3)
        self.assertEqual(checkpoint.read(WORK / "parts/last.pt")["step"], 3)
        train("parts", "steps=6", "evaluate-every=3", "workers=0")
        again = checkpoint.read(WORK / "parts/last.pt")
        for key, value in state["average"].items():
            self.assertTrue(torch.equal(value, again["average"][key]), key)
        self.assertIn("another recipe", train("parts", "steps=7", "evaluate-every=3", "workers=0", expect=1))

    def test_new_classes_keep_the_old(self):
        shutil.rmtree(WORK / "base", ignore_errors=True)
        train("base", "steps=3", "evaluate-every=3")
        old = checkpoint.load_network(WORK / "base/best.pt")
        new = checkpoint.transfer(WORK / "base/best.pt", ["dog", "car", "person"])
        self.assertTrue(torch.equal(new.heads[0].scores.weight[1], old.heads[0].scores.weight[1]))
        self.assertTrue(torch.equal(new.heads[0].scores.weight[2], old.heads[0].scores.weight[0]))


def yolo_folder(name, count):
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("cat\n")
    random = np.random.default_rng(1)
    for n in range(count):
        Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(folder / f"images/{n}.png")
        (folder / f"labels/{n}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    return folder


class OwnPictures(unittest.TestCase):
    def test_every_nth_is_held_out_and_not_learned_from(self):
        folder = yolo_folder("mine", 10)
        held = Pool([{"path": folder, "every": 5}], ["cat"], 640)
        rest = Pool([{"path": folder}], ["cat"], 640, [{"path": f"{folder}/../mine", "every": 5}])
        names = [[sample.path.name for sample in pool.lists[0]] for pool in (held, rest)]
        self.assertEqual(names[0], ["0.png", "5.png"])
        self.assertEqual(sorted(names[0] + names[1]), sorted(f"{n}.png" for n in range(10)))
        root = save_pool(held, ["cat"], WORK / "held.json")
        self.assertEqual(pathlib.Path(root), (folder / "images").resolve())
        self.assertEqual([len(json.loads((WORK / "held.json").read_text())[key]) for key in ("images", "annotations")], [2, 2])
        with self.assertRaises(SystemExit) as caught:
            Pool([{"path": folder}], ["cat"], 640, [{"path": folder}])
        self.assertIn("held out", str(caught.exception))

    def test_own_boxes_are_kept_beside_the_teachers(self):
        folder = yolo_folder("own", 3)
        shutil.rmtree(WORK / "own-labelled", ignore_errors=True)
        path = WORK / "untrained.onnx"
        export.write(Detector(PLANS["fovea-n"]), {**recipes.DEFAULTS, "name": "untrained", "input": [64, 64]}, path)
        said = kit(ROOT / "training/label.py", "--teacher", path, "--rename", "cat=tiger", "--output", "own-labelled", folder)
        self.assertIn("boxes: tiger 3", said)
        (sample, *_) = read_folder(WORK / "own-labelled", ["person", "tiger"])
        self.assertEqual((sample.boxes.tolist(), sample.classes.tolist()), ([[16, 12, 48, 36]], [1]))
        self.assertIn("no such folder", kit(ROOT / "training/label.py", "--teacher", path, "--output", "own-labelled", "nowhere", expect=1))


class Errors(unittest.TestCase):
    def test_recipes_extend_others(self):
        (WORK / "base.yaml").write_text("data: [{path: x}]\nsteps: 7\nprune: {kind: gradual, amount: 0.3}\nname: base\n")
        (WORK / "other.yaml").write_text("extends: base.yaml\nprune: {kind: dynamic}\n")
        recipe = recipes.load(WORK / "other.yaml", ["batch=3"])
        self.assertEqual((recipe["steps"], recipe["prune"], recipe["batch"], recipe["name"]), (7, {"kind": "dynamic"}, 3, "other"))
        (WORK / "loop.yaml").write_text("extends: loop.yaml\n")
        with self.assertRaises(SystemExit) as caught:
            recipes.load(WORK / "loop.yaml")
        self.assertIn("come back to itself", str(caught.exception))

    def test_shipped_recipes_can_be_read(self):
        for path in sorted((ROOT / "training/recipes").rglob("*.yaml")):
            if path.name != "new-class.yaml":  # waits for its pictures
                recipes.load(path)

    def test_recipe(self):
        path = WORK / "bad.yaml"
        for text, said in (("bach: 3\n", "unknown key 'bach'"), ("data: [{path: x}]\nnetwork: fovea-xl\n", "network must be one of"),
                           ("data: [{path: x}]\ninput: [300, 192]\n", "multiples of 32"), ("data: nothing\n", "data must be a list"), ("data: [", "bad.yaml"),
                           ("- a\n", "'key: value' lines"), ("data: [{path: x, shape: 2}]\n", "unknown key 'shape'"), ("data: [{path: x}]\nheld_out: []\n", "did you mean held-out?"),
                           ("data: [{path: x}]\nheld-out: [{path: x, every: 1}]\n", "every must be 2"), ("data: [{path: x}]\nrate: 1e-3\n", "0.001"),
                           ("data: [{path: x}]\nclasses: [a, a]\n", "different names"), ("data: [{path: x}]\ndistil: {model: m.pt}\n", "distil: true"),
                           ("data: [{path: x}]\nprune: {kind: gradual, amount: lots}\n", "amount must be a number"), ("data: [{path: x}]\naugment: {scale: [2, 1]}\n", "scale must be"),
                           ("data: [{path: x}]\npaste: {share: 1}\n", "paste needs cutouts"), ("data: [{path: x}]\npaste: {cutouts: c, height: [0, 1]}\n", "paste: height must be"),
                           ("data: [{path: x}]\ncache: {path: c}\n", "cache needs path"), ("data: [{path: x}]\ncache: {path: c, samples: 2, canvas: [256, 192]}\n", "no smaller than the window")):
            path.write_text(text)
            with self.assertRaises(SystemExit) as caught:
                recipes.load(path)
            self.assertIn(said, str(caught.exception))

    def test_labels(self):
        folder = WORK / "yolo"
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("images", "labels"):
            (folder / part).mkdir(parents=True)
        Image.new("RGB", (40, 20)).save(folder / "images/a.png")
        (folder / "classes.txt").write_text("dog\ncat\n")
        (folder / "labels/a.txt").write_text("1 0.5 0.5 0.5 0.5\n")
        (sample,) = read_folder(folder, ["cat"])
        self.assertEqual(sample.boxes.tolist(), [[10, 5, 30, 15]])
        for line, said in (("7 0.5 0.5 0.5 0.5", "has 2 names"), ("1 0.5 0.5", "five numbers"), ("cat 1 2 3 4", "no class number"), ("1 20 10 5 5", "not pixels"), ("1 .5 .5 nan .5", "not pixels")):
            (folder / "labels/a.txt").write_text(line + "\n")
            with self.assertRaises(SystemExit) as caught:
                read_folder(folder, ["cat"])
            self.assertIn("a.txt:1", str(caught.exception))
            self.assertIn(said, str(caught.exception))
        for spoil, said in ((lambda: (folder / "images/a.png").unlink(), "no pictures"), (lambda: (folder / "classes.txt").unlink(), "no classes.txt"),
                            (lambda: (folder / "instances.json").write_text("{}"), "not a COCO file"), (lambda: shutil.rmtree(folder / "images"), "no folder images/")):
            spoil()
            with self.assertRaises(SystemExit) as caught:
                read_folder(folder, ["cat"])
            self.assertIn(said, str(caught.exception))

    def test_a_spoiled_picture_ends_the_run_with_a_sentence(self):
        folder = yolo_folder("spoiled", 4)
        spoiled = folder / "images/2.png"
        spoiled.write_bytes(spoiled.read_bytes()[:100])
        recipe = {**recipes.DEFAULTS, "classes": ["cat"], "data": [{"path": str(folder)}], "batch": 8, "input": [64, 64], "workers": 1}
        with self.assertRaises(SystemExit) as caught:
            list(batches(Feed(recipe, 0, 16), recipe))
        self.assertIn("2.png", str(caught.exception))


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(7)
    unittest.main(argv=sys.argv[:1], verbosity=2)
