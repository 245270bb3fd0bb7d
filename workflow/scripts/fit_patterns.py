from dataclasses import replace
from functools import partial

import torch

from farfield.learning import optics, untrained
from farfield.learning.networks import retriever
from farfield.machine import devices, jobs, store
from farfield.physics.near_field import NearField
from farfield.study import hologram_scores, methods

with jobs.job(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    params, device = snakemake.params, devices.claim_device(snakemake.config["device"])
    fitting = untrained.Fitting(**params.settings)
    trained = [retriever.load(path, str(device)) for path in snakemake.input.get("start", [])]

    def fit(intensity: torch.Tensor, section: dict, fitting: untrained.Fitting) -> torch.Tensor:
        """Fit the network to each pattern, from what was trained or from nothing."""
        near = NearField(**section["near_field"]) if "near_field" in section else None
        seen_by = optics.optics(section["oversampling"], near)

        def begin(number: int) -> retriever.Retriever:
            if trained:
                return trained[0]
            how = {"optics": seen_by, "inputs": params.inputs, "options": params.options}
            return untrained.fresh(params.network, intensity[number], params.seed + number, **how).to(device)

        return untrained.fit_to_patterns(begin, intensity, seen_by, fitting, params.seed)

    stores = zip(
        params.sections.items(),
        snakemake.input.truths,
        snakemake.output.reconstructions,
        snakemake.output.scores,
        strict=True,
    )
    for (split, section), path, reconstructed, scored in stores:
        truth = store.open_dataset(path, section)
        intensity = torch.from_numpy(truth.intensity[: params.patterns].values)
        # What torch loads at the first call is no pattern's time.
        fit(intensity[:1], section, replace(fitting, cycles=1))
        about = {"method": snakemake.wildcards.fitted, "kind": "fitted", "split": split}
        found = methods.reconstruct_all(
            {(params.seed, "final"): partial(fit, section=section, fitting=fitting)}, intensity, about
        )
        found["iterations"] = ("seed", "checkpoint"), [[float(fitting.cycles)]], {"units": "1"}
        store.write_dataset(found, reconstructed, section)
        store.write_dataset(hologram_scores.scorer(section)(found, truth), scored, section)
