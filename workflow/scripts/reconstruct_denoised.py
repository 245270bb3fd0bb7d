import torch

from farfield.learning import batches, denoiser
from farfield.machine import devices, jobs, store
from farfield.study import datasets, denoised, starting

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    sets = {name: store.open_dataset(snakemake.input[name], section) for name, section in params.sections.items()}
    seen = batches.first(sets["train"], params.samples)
    # The denoiser knows the images that it was trained on.
    datasets.check_apart({"train": seen, "test": sets["test"]})
    model = denoiser.load(snakemake.input.denoiser, str(device))

    def make(oversampling: int, seed: int, start: torch.Tensor) -> starting.Method:
        return denoised.method(params.settings, oversampling, model, start, device)

    known, made = starting.find(params.start, seen, params.seed), snakemake.input.get("start", [])
    found = starting.reconstruct_sets(
        snakemake.wildcards.recipe, make, sets, params.sections, params.counts, known, made
    )
    for split, reconstructions in found:
        store.write_dataset(reconstructions, snakemake.output[split], params.sections[split])
