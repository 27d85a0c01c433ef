"""Learning from a teacher's maps: what its pyramid says of every cell, not only what its heads make of it (Romero et al., FitNets, 2015).

A 1x1 convolution per stride carries our width to the teacher's; it is trained with the network and not exported. Maps are compared by direction, cell by cell: their length is the teacher's own affair. Cells
where the teacher sees something count ten times as much as background, of which there is so much more.
"""
import torch
from torch import nn
from torch.nn import functional as F

from .network import STRIDES


class FeatureLoss(nn.Module):
    def __init__(self, ours, theirs):
        super().__init__()
        self.adapters = nn.ModuleList(nn.Conv2d(ours, theirs, 1) for _ in STRIDES)

    def forward(self, maps, theirs, sure):
        """maps: per stride [B, ours, h, w]; theirs [B, N, width]; sure [B, N]: the teacher's best score of every cell."""
        mine = torch.cat([adapter(part).flatten(2).transpose(1, 2) for adapter, part in zip(self.adapters, maps)], 1)
        weight = 0.1 + (sure > 0.15).float()
        return ((1 - F.cosine_similarity(mine, theirs, -1)) * weight).sum() / weight.sum()
