#!/usr/bin/env python3
"""Trains a detector by a recipe, measures it and exports it.

    python3 training/train.py --config training/recipes/smoke.yaml
    python3 training/train.py --config training/recipes/street.yaml --output build/street   # again: goes on where it stopped
    python3 training/train.py --config … --set steps=2000 --set 'start-from=build/street/best.pt'

Into the output folder go log.csv, curves.png, last.pt (to resume), best.pt, and NAME.onnx with its description inside, which `fovea detect --model` and foveadetect take as it is."""
import argparse
import csv
import math
import os
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kit import checkpoint, curves, distil, export, prune, quantise, recipe as recipes
from kit.boxes import flatten
from kit.cache import Cache, CachedFeed, window
from kit.data import Pool
from kit.evaluate import evaluate
from kit.features import FeatureLoss
from kit.feed import Feed, batches, to_input
from kit.loss import DetectionLoss
from kit.network import BINS, PLANS, Detector, count, multiplications
from kit.progress import Progress
from kit.truth import save_pool


def learning_rate(step, recipe):
    """Rises for a while, then falls as a cosine to a hundredth."""
    if step < recipe["warm-up"]:
        return recipe["rate"] * (step + 1) / recipe["warm-up"]
    done = (step - recipe["warm-up"]) / max(recipe["steps"] - recipe["warm-up"], 1)
    return recipe["rate"] * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def make_optimiser(network, features, recipe):
    """Decay is for weights, not for biases and normalisation."""
    trained = [p for part in (network, features) if part is not None for p in part.parameters() if p.requires_grad]
    groups = [{"params": [p for p in trained if (p.ndim > 1) == heavy], "weight_decay": recipe["decay"] if heavy else 0.0} for heavy in (True, False)]
    return torch.optim.AdamW(groups, lr=recipe["rate"])


def freeze(network, prefixes):
    """Parts whose names begin with a prefix (stem, stages.0, …) keep what they know."""
    names = [name for name, _ in network.named_parameters()]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            raise SystemExit(f"freeze: there is no part '{prefix}': there are stem, stages.0 to stages.{len(network.stages) - 1}, lateral, heads")
    for name, p in network.named_parameters():
        p.requires_grad = not any(name.startswith(prefix) for prefix in prefixes)


def rest(network, prefixes):
    """Frozen normalisations keep their means too."""
    for name, part in network.named_modules():
        if isinstance(part, torch.nn.BatchNorm2d) and any(name.startswith(prefix) for prefix in prefixes):
            part.eval()


class Run:
    def __init__(self, recipe, output):
        self.recipe, self.output = recipe, pathlib.Path(output)
        self.output.mkdir(parents=True, exist_ok=True)
        self.width, self.height = recipe["input"]
        torch.manual_seed(recipe["seed"])
        self.network = self._begin()
        self.pruner = prune.make(self.network, recipe)
        self.network = quantise.make(self.pruner.network, recipe)
        self.pruner.network = self.network
        freeze(self.network, recipe["freeze"])
        self.average = checkpoint.copy_of(self.network)
        self.features = self._features()
        self.optimiser = make_optimiser(self.network, self.features, recipe)
        self.loss = DetectionLoss(*window(recipe))
        self.held_out = Pool(recipe["held-out"], recipe["classes"], recipe["long-side"]) if recipe["held-out"] else None
        self.step, self.best = 0, -1.0
        if (self.output / "last.pt").exists():
            self._resume()

    def _teacher(self):
        """It sees pictures as they are drawn: a cache's are larger than what the network sees."""
        width, height = self.recipe["cache"]["canvas"] if self.recipe["cache"] else self.recipe["input"]
        return distil.make(self.recipe["distil"], self.recipe["classes"], width, height)

    def _samples(self, first, last):
        recipe, make_teacher = self.recipe, self._teacher if self.recipe["distil"] else None
        first, last = first * recipe["batch"], last * recipe["batch"]
        if recipe["cache"]:
            return CachedFeed(recipe, first, last, Cache(recipe, make_teacher))
        return Feed(recipe, first, last, make_teacher)

    def _features(self):
        """What learns from the teacher's maps, if anything; also sees early whether there is a teacher. An earlier leg's goes on, where it is of the same shape."""
        width = self._teacher().width if self.recipe["distil"] else 0
        if not width:
            return None
        features = FeatureLoss(self.network.plan.neck, width)
        earlier = checkpoint.read(self.recipe["start-from"]).get("features") if self.recipe["start-from"] else None
        if earlier and all(earlier[name].shape == value.shape for name, value in features.state_dict().items()):
            features.load_state_dict(earlier)
        return features

    def _begin(self):
        recipe = self.recipe
        if recipe["start-from"]:
            return checkpoint.transfer(recipe["start-from"], recipe["classes"])
        plan = PLANS[recipe["network"]]
        plan.classes = len(recipe["classes"])
        return Detector(plan)

    def _resume(self):
        state = checkpoint.read(self.output / "last.pt")
        if state["recipe"] != self.recipe:
            differ = sorted(key for key in {*state["recipe"], *self.recipe} if state["recipe"].get(key) != self.recipe.get(key))
            raise SystemExit(f"{self.output}/last.pt belongs to another recipe ({', '.join(differ)} differ{'s' if len(differ) == 1 else ''}): give --output another folder, or remove it")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state["optimiser"]})
        self.pruner.load_state(state["pruner"])
        if self.features is not None:
            self.features.load_state_dict(state["features"])
        self.step, self.best = state["step"], state["best"]

    def _save(self):
        tensors = {"network": self.network.state_dict(), "average": self.average.state_dict(), "optimiser": self.optimiser.state_dict()["state"], "pruner": self.pruner.state(),
                   "features": self.features.state_dict() if self.features is not None else None}
        checkpoint.save(self.output / "last.pt", self.average.plan, self.recipe, tensors, step=self.step, best=self.best)

    def _learn(self, batch):
        pixels, boxes, classes, weights, teacher = batch
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.recipe)
        maps = self.network.features(to_input(pixels).contiguous(memory_format=torch.channels_last))
        outputs = self.network.read(maps)
        loss, parts = self.loss(outputs, boxes, classes, weights)
        if teacher is not None:
            which, wanted = teacher
            logits, distances = flatten(outputs, BINS)
            taught = self.recipe["distil"].get("weight", 1.0) * distil.distillation_loss(logits[which], distances[which], wanted)
            if self.features is not None:
                kinds = logits.shape[-1]
                apart = self.features([part[which] for part in maps], wanted[..., kinds + 4 * BINS :], wanted[..., :kinds].amax(-1))
                taught = taught + self.recipe["distil"]["features"] * apart
            loss, parts["teacher"] = loss + taught, float(taught.detach())
        loss = loss + self.pruner.penalty()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.pruner.before_step(self.step)
        self.optimiser.step()
        self.pruner.after_step(self.step)
        self._follow()
        return {"loss": float(loss.detach()), **parts}

    @torch.no_grad()
    def _follow(self):
        """The average of the weights over the last steps, which is what is measured and exported."""
        keep = min(self.recipe["average"], (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values()):
            if mean.dtype.is_floating_point:
                mean.mul_(keep).add_(value, alpha=1 - keep)
            else:
                mean.copy_(value)
        self.pruner.apply_to(self.average)

    def _measure(self):
        """AP50 of the average over the held-out pictures, by class."""
        if self.held_out is None:
            return {}
        values = evaluate(self.average, self.held_out, self.recipe["classes"], self.width, self.height)
        return dict(zip(self.recipe["classes"], values))

    def _log(self, row):
        path = self.output / "log.csv"
        columns = ["step", "rate", "loss", "scores", "overlap", "distances", "teacher", "ap50", *self.recipe["classes"]]
        fresh = not path.exists()
        with open(path, "a", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            if fresh:
                writer.writeheader()
            writer.writerow({key: f"{value:.5g}" if isinstance(value, float) else value for key, value in row.items()})

    def _checkpoint(self, sums, count_):
        row = {"step": self.step, "rate": learning_rate(self.step - 1, self.recipe), **{key: value / count_ for key, value in sums.items()}}
        per_class = self._measure()
        known = [v for v in per_class.values() if not math.isnan(v)]
        score = sum(known) / len(known) if known else -row["loss"]
        row.update(per_class, **({"ap50": score} if known else {}))
        self._log(row)
        curves.draw(self.output / "log.csv", self.output / "curves.png")
        if score >= self.best or self.best == -1.0:
            self.best = score
            checkpoint.save(self.output / "best.pt", self.average.plan, self.recipe, {"average": self.average.state_dict()}, score=score, step=self.step)
        self._save()
        return row

    def train(self, stop_after=None):
        """To the end, or until a step; True at the end."""
        recipe = self.recipe
        last = min(recipe["steps"], stop_after or recipe["steps"])
        samples = self._samples(self.step, last)
        progress, sums, seen = Progress(recipe["steps"], recipe["name"], self.step), {}, 0
        self.network.to(memory_format=torch.channels_last)
        for batch in batches(samples, recipe):
            self.network.train()
            rest(self.network, recipe["freeze"])
            quantise.follow(self.network, recipe, self.step)
            parts = self._learn(batch)
            self.step, seen = self.step + 1, seen + 1
            for key, value in parts.items():
                sums[key] = sums.get(key, 0.0) + value
            if not math.isfinite(parts["loss"]):
                raise SystemExit(f"the loss is no number any more at step {self.step}: try a lower rate")
            progress.step(self.step, f"loss {sums['loss'] / seen:.3f}" + (f" best {self.best:.3f}" if self.best >= 0 else ""))
            if self.step % recipe["evaluate-every"] == 0 or self.step == last:
                self._checkpoint(sums, seen)
                sums, seen = {}, 0
        return self.step == recipe["steps"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="recipe, .yaml")
    parser.add_argument("--output", help="folder for what comes out (default: build/training/NAME)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="instead of what the recipe says; may be repeated")
    parser.add_argument("--stop-after", type=int, metavar="STEP", help="end here, to go on another time")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    recipe = recipes.load(options.config, options.set)
    recipes.render_sources(recipe)
    torch.set_num_threads(options.threads)
    output = options.output or f"build/training/{recipe['name']}"
    run = Run(recipe, output)
    print(f"{recipe['network']}: {count(run.network)} parameters, {multiplications(run.average, *recipe['input']) / 1e6:.1f} million multiplications a picture", file=sys.stderr)
    if not run.train(options.stop_after):
        return
    path = f"{output}/{recipe['name']}.onnx"
    export.write(checkpoint.load_network(f"{output}/best.pt"), recipe, path)
    print(f"{path}: {os.path.getsize(path)} bytes, score {run.best:.3f}", file=sys.stderr)
    if run.held_out is not None:
        root = save_pool(run.held_out, recipe["classes"], f"{output}/held-out.json")
        print(f"measure it: fovea eval --images {root} --annotations {output}/held-out.json {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
