"""Networks on disk: plan, weights and recipe together, written whole or not at all."""
import copy
import os

import torch

from . import quantise
from .network import Detector, Plan


def save(path, plan, recipe, **parts):
    torch.save({"plan": vars(plan), "recipe": recipe, **parts}, str(path) + ".part")
    os.replace(str(path) + ".part", path)


def copy_of(network):
    twin = copy.deepcopy(network)
    for p in twin.parameters():
        p.requires_grad = False
    return twin


def read(path):
    try:
        return torch.load(path, map_location="cpu")
    except (OSError, RuntimeError, EOFError) as error:
        raise SystemExit(f"{path}: not a checkpoint of this kit ({error})") from None


def load_network(path):
    """What was measured: the average of the weights."""
    state = read(path)
    network = quantise.make(Detector(Plan(**state["plan"])), state["recipe"])
    network.load_state_dict(state["average"])
    return network.eval()


def transfer(path, classes):
    """A network to go on with, for a class list of its own: classes that were known keep their scores' weights, new ones begin as background does."""
    state = read(path)
    network = Detector(Plan(**state["plan"]))
    if state["recipe"]["quantise"] is not None:
        raise SystemExit(f"{path}: is on the integer grid already: start from the checkpoint before")
    network.load_state_dict(state["average"])
    known = state["recipe"]["classes"]
    if known == list(classes):
        return network
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
