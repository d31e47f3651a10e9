"""What stands beside a wav2vec 2.0 encoder while it is pretrained."""

from __future__ import annotations

from torch import Tensor, nn

from ser.nn.gumbel_quantizer import GumbelQuantizer


class PretrainingHead(nn.Module):
    """Codebooks, and the projections of codes and contexts into one space (Baevski et al. 2020, Sec. 2 and 3).

    Args:
        quantizer: of the outputs of the convolutions.
        project_codes: of joined entries.
        project_context: of hidden states.
    """

    def __init__(self, quantizer: GumbelQuantizer, project_codes: nn.Linear, project_context: nn.Linear):
        super().__init__()
        self.quantizer, self.project_codes, self.project_context = quantizer, project_codes, project_context

    def codes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Turn outputs of the convolutions (N, D') into q (N, D''); give entries' probabilities, (N, G, V)."""
        codes, probabilities = self.quantizer(features)
        return self.project_codes(codes), probabilities

    def context(self, hidden: Tensor) -> Tensor:
        """Turn hidden states (N, D) into c, (N, D'')."""
        return self.project_context(hidden)
