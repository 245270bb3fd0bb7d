from dataclasses import replace

import torch

from farfield.learning.networks import retriever
from farfield.learning.untrained import Fitting
from farfield.machine import devices, jobs, store
from farfield.study import fitted, hologram_scores, methods

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    fitting, sections = Fitting(**params.settings), params.sections.items()
    trained = [retriever.load(path, str(device)) for path in snakemake.input.get("start", [])]
    begin = next(iter(trained), None), {name: params[name] for name in ("network", "inputs", "options")}
    output = snakemake.output.reconstructions, snakemake.output.scores
    for (split, section), path, made, scored in zip(sections, snakemake.input.truths, *output, strict=True):
        truth = store.open_dataset(path, section)
        intensity = torch.from_numpy(truth.intensity[: params.patterns].values)
        # What torch loads at the first call is no pattern's time.
        fitted.method(replace(fitting, cycles=1), section, *begin, params.seed, device)(intensity[:1])
        method = fitted.method(fitting, section, *begin, params.seed, device)
        about = {"method": snakemake.wildcards.fitted, "kind": "fitted", "split": split}
        found = methods.reconstruct_all({(params.seed, "final"): method}, intensity, about)
        store.write_dataset(found, made, section)
        store.write_dataset(hologram_scores.scorer(section)(found, truth), scored, section)
