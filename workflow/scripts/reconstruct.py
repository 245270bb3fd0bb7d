import torch

from farfield import jobs, methods, store

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    seed, counts = snakemake.params.seed, {"train": snakemake.params.training_patterns}
    for split, section in snakemake.params.sections.items():
        dataset = store.open_dataset(snakemake.input[split], section)
        method = methods.recipe(snakemake.params.settings, seed, section["oversampling"], snakemake.config["device"])
        found = methods.reconstruct_all(
            {(seed, "final"): method},
            torch.from_numpy(dataset.intensity[: counts.get(split)].values),
            {"method": snakemake.wildcards.recipe, "kind": "iterative", "split": split},
        )
        store.write_dataset(found, snakemake.output[split], section)
