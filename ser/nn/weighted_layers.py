"""The head of SUPERB's emotion task (Yang et al. 2021) on the means of an encoder's layers.

logits = W (V sum_l softmax(w)_l mean_t h_l(t) + b_V) + b_W over hidden states h_l. SUPERB averages over time after V;
all steps are linear, so the result is the same, and the means of the layers can be stored.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.randomness import drawing


class WeightedLayers(nn.Module):
    """Weigh layers by a softmax, project their sum, classify it; parameters have the names of SUPERB's.

    Args:
        n_layers: L.
        dim: of a layer, D.
        hidden: of the projection.
        n_classes: C.
        seed: of the initial weights; no global random state is touched. All layers begin with the same weight.
    """

    def __init__(self, n_layers: int, dim: int, hidden: int, n_classes: int, seed: int):
        super().__init__()
        self.layer_weights = nn.Parameter(torch.zeros(n_layers))
        with drawing(seed):
            self.projector = nn.Linear(dim, hidden)
            self.classifier = nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map means of layers that stand side by side, (B, L D), to class scores (B, C)."""
        weights = self.layer_weights.softmax(0)
        mixed = torch.einsum("l,bld->bd", weights, x.unflatten(1, (len(weights), -1)))
        return self.classifier(self.projector(mixed))
