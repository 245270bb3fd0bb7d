import math

import torch

from farfield.machine import devices, jobs, store
from farfield.principle import learning, perceptron
from farfield.problems import PROBLEMS

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    cell, settings = snakemake.wildcards, dict(snakemake.params.settings)
    measurements, widths, layers = (settings.pop(key) for key in ("measurements", "widths", "layers"))
    neighbours, tests = settings.pop("neighbours"), settings.pop("tests")
    dimension, samples = int(cell.dimension), int(cell.samples)
    settings["updates"] = settings.pop("epochs") * math.ceil(samples / settings["batch_size"])
    found = learning.learn_inverse(
        PROBLEMS[cell.kind](dimension=dimension, measurements=measurements * dimension),
        cell.symmetry,
        samples,
        settings=[perceptron.Settings(widths=layers * (width,), **settings) for width in widths],
        neighbours=neighbours,
        tests=tests,
        seeds=snakemake.params.seeds,
        device=str(devices.claim_device(snakemake.config["device"])),
    )
    with store.atomic(snakemake.output[0]) as temporary:
        found.to_csv(temporary, index=False, float_format="%.6g")
