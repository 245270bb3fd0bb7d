from functools import partial

import torch

from farfield.learning.networks import retriever
from farfield.machine import devices, jobs, store
from farfield.study import following, methods, starting

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    name, sections, seeds = snakemake.wildcards.start, params.sections, params.seeds
    truth = store.open_dataset(snakemake.input.validation, sections["validation"])
    truth = truth.isel(sample=slice(params.settings["patterns"])).load()
    if models := snakemake.input.get("models"):
        networks = (partial(retriever.predict, retriever.load(path, str(device))) for path in models)
        made = (methods.timed(network, torch.from_numpy(truth.intensity.values)) for network in networks)
        begins = {seed: (objects, seconds) for seed, (objects, seconds, _) in zip(seeds, made, strict=True)}
    else:
        training = store.open_dataset(snakemake.input.train, sections["train"])
        training = training.isel(sample=slice(params.start["samples"]))
        some = seeds if name == "cold" else seeds[:1]  # the others' are the same for all
        begins = {seed: (starting.find(params.start["method"], training, seed).objects[seed], 0.0) for seed in some}
    found = following.follow(name, begins, params.settings["runs"], truth, sections["train"]["oversampling"], device)
    with store.atomic(snakemake.output[0]) as temporary:
        found.to_csv(temporary, index=False)
