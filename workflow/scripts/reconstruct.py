import torch

from farfield import jobs, methods, store

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    section, seed = snakemake.params.section, snakemake.params.seed
    dataset = store.open_dataset(snakemake.input.patterns, section)
    method = methods.recipe(snakemake.params.settings, seed, section["oversampling"], snakemake.config["device"])
    found = methods.reconstruct_all(
        {(seed, "final"): method},
        torch.from_numpy(dataset.intensity[: snakemake.params.patterns].values),
        {"method": snakemake.wildcards.recipe, "kind": "iterative", "split": snakemake.wildcards.split},
    )
    store.write_dataset(found, snakemake.output[0], section)
