"""Networks on disk: plan, weights and recipe together, written whole or not at all.

A checkpoint may come from anywhere: nothing but tensors, whole numbers, texts and dictionaries is read from it, so that no file can run code. All that is no tensor is one JSON text, `about`, since
PyTorch 1.13's careful reader knows no fractions."""
import copy
import json
import os
import pickle
import sys

import torch

from . import quantise
from .network import Detector, Plan


def save(path, plan, recipe, tensors, **about):
    """tensors: dictionaries of them, by name; about: numbers."""
    torch.save({"about": json.dumps({"plan": vars(plan), "recipe": recipe, **about}), **tensors}, str(path) + ".part")
    os.replace(str(path) + ".part", path)


def copy_of(network):
    twin = copy.deepcopy(network)
    for p in twin.parameters():
        p.requires_grad = False
    return twin


def read(path):
    if not os.path.exists(path):
        raise SystemExit(f"{path}: there is no such checkpoint")
    if str(path).endswith((".onnx", ".fovea")):
        raise SystemExit(f"{path}: is a model to run; to go on training, name the checkpoint it was exported from (best.pt, or the .pt beside a model that ships)")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state.update(json.loads(state.pop("about")))
    except pickle.UnpicklingError:
        raise SystemExit(f"{path}: not a checkpoint of this kit (it holds more than weights and texts, or something else entirely)") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"{path}: not a checkpoint of this kit ({str(error).splitlines()[0][:160]})") from None
    if not {"plan", "recipe", "average"} <= state.keys():
        raise SystemExit(f"{path}: not a checkpoint of this kit (it has no plan, recipe and weights)")
    return state


def fill(network, state, path):
    """Puts the averaged weights into a network of the same plan."""
    try:
        network.load_state_dict({name: value.float() if value.dtype.is_floating_point else value for name, value in state["average"].items()})
    except (RuntimeError, AttributeError) as error:
        raise SystemExit(f"{path}: its weights do not fit its plan ({str(error).splitlines()[0][:160]})") from None
    return network


def planned(state, path):
    try:
        return Detector(Plan(**state["plan"]))
    except (TypeError, ValueError, RuntimeError, IndexError, KeyError) as error:
        raise SystemExit(f"{path}: its plan cannot be built ({error})") from None


def load_network(path):
    """What was measured: the average of the weights."""
    state = read(path)
    return fill(quantise.make(planned(state, path), state["recipe"]), state, path).eval()


def slim(path, output):
    """What is needed to go on from a checkpoint, and no more: convolutions in binary16, normalisations as they are."""
    state = read(path)
    weights = {name: value.half() if value.dtype.is_floating_point and value.ndim > 1 else value for name, value in state["average"].items()}
    kept = {key: state["recipe"][key] for key in ("name", "network", "input", "classes", "quantise")}
    save(output, Plan(**state["plan"]), kept, {"average": weights})


def transfer(path, classes):
    """A network to go on with, for a class list of its own: classes that were known keep their scores' weights, new ones begin as background does."""
    state = read(path)
    if state["recipe"]["quantise"] is not None:
        raise SystemExit(f"{path}: is on the integer grid already: start from the checkpoint before")
    network = fill(planned(state, path), state, path)
    known = state["recipe"]["classes"]
    if known == list(classes):
        return network
    fresh, gone = [name for name in classes if name not in known], [name for name in known if name not in classes]
    print(f"{path} knows {', '.join(known)}" + (f"; new: {', '.join(fresh)}" if fresh else "") + (f"; left out: {', '.join(gone)}" if gone else ""), file=sys.stderr)
    network.plan.classes = len(classes)
    for head in network.heads:
        old, new = head.scores, torch.nn.Conv2d(head.scores.in_channels, len(classes), 1)
        torch.nn.init.normal_(new.weight, std=0.01)
        torch.nn.init.constant_(new.bias, -4.6)
        with torch.no_grad():
            for n, name in enumerate(classes):
                if name in known:
                    new.weight[n], new.bias[n] = old.weight[known.index(name)], old.bias[known.index(name)]
        head.scores = new
    return network
