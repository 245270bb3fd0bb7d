import torch

from farfield.machine import devices, jobs, store
from farfield.study import starting

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    sets = {name: store.open_dataset(snakemake.input[name], section) for name, section in params.sections.items()}
    training = sets["train"].isel(sample=slice(params.start["samples"]))

    def make(oversampling: int, seed: int, start: torch.Tensor | None) -> starting.Method:
        return starting.method(params.settings, oversampling, seed, start, device)

    known, made = starting.find(params.start["method"], training, params.seed), snakemake.input.get("start", [])
    found = starting.reconstruct_sets(
        snakemake.wildcards.recipe, make, sets, params.sections, params.counts, known, made
    )
    for split, reconstructions in found:
        store.write_dataset(reconstructions, snakemake.output[split], params.sections[split])
