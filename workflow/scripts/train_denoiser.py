import torch

from farfield.learning import batches, denoising
from farfield.machine import jobs, provenance, store
from farfield.study import datasets

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    sections = snakemake.params.sections
    sets = {name: store.open_dataset(snakemake.input[name], sections[name]) for name in ("train", "validation")}
    sets["train"] = batches.first(sets["train"], snakemake.params.samples)
    datasets.check_apart(sets)
    training, validation = (torch.from_numpy(sets[name].object.values) for name in ("train", "validation"))
    denoising.fit(
        training,
        validation,
        denoising.DenoiserSettings(**snakemake.params.settings),
        path=snakemake.output.model,
        history=snakemake.output.history,
        device=snakemake.config["device"],
        origin={"git_commit": provenance.git_commit()},
    )
