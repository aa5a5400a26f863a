"""The transformer of letters beside the same model in PyTorch: equal first values and batches, both losses.

Where PyTorch is installed: python examples/language/beside_pytorch.py [steps] [picture.png]
It is done in double precision, where nothing but the order of sums differs.
"""

import sys
from pathlib import Path

import numpy as np
import torch

import symgrad as sg

HERE = Path(__file__).parent
HEADS, BATCH, RATE = 4, 32, 0.003


class Transformer(torch.nn.Module):
    """The spec's equations by the names that PyTorch has for them."""

    def __init__(self, p):
        super().__init__()
        features = p["E_W"].shape[1]
        self.table, self.places = (torch.nn.Parameter(p[name]) for name in ("E_W", "h0_P"))
        options = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.blocks = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(features, HEADS, 4 * features, **options) for _ in range(2)
        )
        self.norm = torch.nn.LayerNorm(features)
        self.norm.load_state_dict({"weight": p["scores_gamma"], "bias": p["scores_beta"]})
        for number, block in enumerate(self.blocks, start=1):
            block.load_state_dict(
                of_block({n.removeprefix(f"h{number}_"): v for n, v in p.items()}, features)
            )

    def forward(self, letters):
        h = self.table[letters] + self.places
        behind = torch.nn.Transformer.generate_square_subsequent_mask(letters.shape[1], dtype=h.dtype)
        for block in self.blocks:
            h = block(h, src_mask=behind, is_causal=True)
        return self.norm(h) @ self.table.T


def of_block(p, features):
    """The parameters of a block as PyTorch lays them."""
    inward = [p[name].reshape(features, features).T for name in ("Wq", "Wk", "Wv")]
    return {
        "self_attn.in_proj_weight": torch.cat(inward),
        "self_attn.in_proj_bias": torch.cat([p[name].reshape(-1) for name in ("bq", "bk", "bv")]),
        "self_attn.out_proj.weight": p["Wo"].reshape(features, features).T,
        "self_attn.out_proj.bias": p["bo"],
        "norm1.weight": p["gamma"],
        "norm1.bias": p["beta"],
        "norm2.weight": p["gamma_2"],
        "norm2.bias": p["beta_2"],
        "linear1.weight": p["W"].T,
        "linear1.bias": p["b"],
        "linear2.weight": p["W_2"].T,
        "linear2.bias": p["b_2"],
    }


def batches(steps):
    """Windows of the text, drawn anew for each step."""
    text = np.frombuffer((HERE / "two_plays.txt").read_bytes(), np.uint8).astype(np.int64)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        rows = rng.integers(0, len(text) - 33, BATCH)[:, None] + np.arange(33)
        yield text[rows[:, :-1]], text[rows[:, 1:]]


def losses(steps):
    """The loss before each step, of symgrad's module and of PyTorch."""
    text = (HERE / "gpt_characters.yaml").read_text(encoding="utf-8")
    text = text.replace("dtype: float32", "dtype: float64").replace("  schedule: cosine()\n", "")
    module = sg.build(text, identity=False)
    torch.set_default_dtype(torch.float64)
    params = module.init_params(seed=0)
    state = module.init_state(params)
    model = Transformer({name: torch.tensor(np.array(v)) for name, v in params._asdict().items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for letters, following in batches(steps):
        own = module.train_step(params, state, letters, following)
        scores = model(torch.tensor(letters))
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), torch.tensor(following).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield float(own), loss.item()


def drawn(own, other, path):
    """Both curves, and how far they are from each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(other, color="tab:orange", linewidth=4, label="PyTorch")
    left.plot(own, color="tab:blue", linewidth=1, label="symgrad")
    left.set(xlabel="step", ylabel="loss of the batch")
    left.legend()
    right.semilogy(np.maximum(np.abs(own - other) / other, 1e-17), color="tab:gray", linewidth=1)
    right.set(xlabel="step", ylabel="relative difference")
    figure.savefig(path, dpi=110)


def main():
    """Print some of the losses, and the largest difference; draw them where a picture is named."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    found = []
    for step, pair in enumerate(losses(steps)):
        found.append(pair)
        if step % max(steps // 10, 1) == 0 or step == steps - 1:
            print(f"step {step:5}  symgrad {pair[0]:.12f}  PyTorch {pair[1]:.12f}", flush=True)
    own, other = np.array(found).T
    print(f"largest relative difference of {steps} losses: {np.max(np.abs(own - other) / other):.1e}")
    if len(sys.argv) > 2:
        drawn(own, other, sys.argv[2])


if __name__ == "__main__":
    main()
