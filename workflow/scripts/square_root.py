import torch

from farfield.machine import jobs, store
from farfield.principle import learning, perceptron

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    settings, seeds = dict(snakemake.params.settings), snakemake.params.seeds
    ultra_dense, dense, widths = (settings.pop(key) for key in ("ultra_dense", "dense", "widths"))
    sets = {"ultra-dense": (ultra_dense, "before"), "dense": (dense, "before"), "after": (dense, "after")}
    tables = {
        "learned": learning.learn_square_root(
            sets, perceptron.Settings(widths=tuple(widths), **settings), seed=seeds[0]
        ),
        "choices": learning.choices(seeds[0]),
        "variation": learning.variation_against_size(seeds),
    }
    for name, table in tables.items():
        with store.atomic(snakemake.output[name]) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
