"""BatchTopK training on sparse activations: the same losses and gradients, faster on a CPU.

In a batch of 2,048 tokens and 4,096 latents, less than 1% of the activations are kept. sae-lens
decodes and differentiates the dense array; this module processes kept activations only, which is
several times faster on a CPU. The class is a subclass of sae-lens' own that replaces one method.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["sparse_batchtopk"]

_CHUNK = 8192
"""Kept activations per chunk; their gathered rows then fit in the CPU's caches."""

_CANDIDATE_FACTOR = 0.9
"""Factor of the last batch's cut to preselect candidates; affects the speed, not the result."""


@lru_cache(maxsize=1)
def sparse_batchtopk() -> type[Any]:
    """Return the class; importing torch and sae-lens is deferred to this call."""
    import torch
    from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE
    from sae_lens.saes.sae import TrainStepInput, TrainStepOutput

    decode = _decoder()

    class SparseBatchTopKTrainingSAE(BatchTopKTrainingSAE):  # type: ignore[misc]
        """`BatchTopKTrainingSAE` whose training step processes kept activations only."""

        last_cut: float | None = None

        def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
            """Return the losses; their gradients equal those of the dense computation."""
            rows_in = self.process_sae_in(step_input.sae_in)
            with torch.no_grad():
                hidden_pre = torch.addmm(self.b_enc, rows_in, self.W_enc)
                n_kept = int(self.cfg.k * len(rows_in))
                indices = _top_indices(hidden_pre.view(-1), n_kept, self.last_cut)
                values = hidden_pre.view(-1)[indices]
                if len(values):
                    self.last_cut = float(values.min())
            row, latent = indices // self.cfg.d_sae, indices % self.cfg.d_sae
            sae_out = decode(
                rows_in, self.W_enc, self.b_enc, self.W_dec, self.b_dec, row, latent, values
            )
            mse_loss = (sae_out - step_input.sae_in).pow(2).sum(-1).mean()
            aux_loss = self.dead_latents_loss(rows_in, step_input, sae_out)
            feature_acts = torch.sparse_coo_tensor(
                torch.stack([row, latent]),
                values,
                (len(rows_in), self.cfg.d_sae),
                is_coalesced=True,
                check_invariants=False,
            )
            self.update_topk_threshold(values)
            return TrainStepOutput(
                sae_in=step_input.sae_in,
                sae_out=sae_out,
                feature_acts=feature_acts,
                hidden_pre=hidden_pre,
                loss=mse_loss + aux_loss,
                losses={"mse_loss": mse_loss, "auxiliary_reconstruction_loss": aux_loss},
                metrics={"topk_threshold": self.topk_threshold},
            )

        def dead_latents_loss(
            self, rows_in: torch.Tensor, step_input: TrainStepInput, sae_out: torch.Tensor
        ) -> torch.Tensor:
            """Compute `calculate_topk_aux_loss` with the columns of dead latents only."""
            mask = step_input.dead_neuron_mask
            dead = None if mask is None else mask.nonzero()[:, 0]
            if dead is None or not len(dead):
                return sae_out.new_tensor(0.0)
            residual = (step_input.sae_in - sae_out).detach()
            max_latents = step_input.sae_in.shape[-1] // 2
            pre = rows_in @ self.W_enc[:, dead] + self.b_enc[dead]
            top = pre.topk(min(max_latents, len(dead)), sorted=False)
            acts = torch.zeros_like(pre).scatter(-1, top.indices, top.values)
            loss: torch.Tensor = (acts @ self.W_dec[dead] - residual).pow(2).sum(-1).mean()
            scale: float = self.cfg.aux_loss_coefficient * min(len(dead) / max_latents, 1.0)
            return scale * loss

    return SparseBatchTopKTrainingSAE


def _top_indices(values: torch.Tensor, n: int, last_cut: float | None) -> torch.Tensor:
    """Return the indices of the n largest values above zero, ascending."""
    floor = max(0.0, last_cut * _CANDIDATE_FACTOR) if last_cut is not None else 0.0
    candidates = (values > floor).nonzero()[:, 0]
    if len(candidates) < n and floor > 0:
        candidates = (values > 0).nonzero()[:, 0]
    if len(candidates) > n:
        top = values[candidates].topk(n, sorted=False).indices
        candidates = candidates[top].sort().values
    return candidates


@lru_cache(maxsize=1)
def _decoder() -> Any:
    """Return a differentiable function that encodes and decodes kept activations."""
    import torch
    from torch.nn.functional import embedding_bag

    def offsets(sorted_ids: torch.Tensor, n: int) -> torch.Tensor:
        counts = torch.bincount(sorted_ids, minlength=n)
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)[:-1]])

    class Decode(torch.autograd.Function):
        """Decodes the kept activations of an encoder, with gradients for encoder and decoder."""

        @staticmethod
        def forward(
            ctx: Any,
            rows_in: torch.Tensor,
            encoder: torch.Tensor,
            encoder_bias: torch.Tensor,
            decoder: torch.Tensor,
            decoder_bias: torch.Tensor,
            row: torch.Tensor,
            latent: torch.Tensor,
            values: torch.Tensor,
        ) -> torch.Tensor:
            """Return kept values @ decoder + bias."""
            ctx.save_for_backward(rows_in, decoder, row, latent, values)
            starts = offsets(row, len(rows_in))
            decoded = embedding_bag(latent, decoder, starts, mode="sum", per_sample_weights=values)
            return decoded + decoder_bias

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
            """Return the gradients; they are zero at activations that were not kept."""
            (out,) = gradients
            rows_in, decoder, row, latent, values = ctx.saved_tensors
            out = out.contiguous()
            value_gradient = torch.empty_like(values)
            for low in range(0, len(values), _CHUNK):
                part = slice(low, low + _CHUNK)
                value_gradient[part] = (out[row[part]] * decoder[latent[part]]).sum(-1)
            order = torch.argsort(latent, stable=True)
            starts = offsets(latent[order], len(decoder))
            rows = row[order]
            decoder_gradient = embedding_bag(
                rows, out, starts, mode="sum", per_sample_weights=values[order]
            )
            encoder_gradient = embedding_bag(
                rows, rows_in, starts, mode="sum", per_sample_weights=value_gradient[order]
            )
            bias_gradient = torch.zeros(len(decoder), dtype=out.dtype, device=out.device)
            bias_gradient.index_add_(0, latent, value_gradient)
            return (
                None,
                encoder_gradient.T,
                bias_gradient,
                decoder_gradient,
                out.sum(0),
                None,
                None,
                None,
            )

    return Decode.apply
