from pathlib import Path

import pandas as pd
import torch

from farfield import datasets, jobs, store

with jobs.job(snakemake.log[0]):
    sections, rows = snakemake.params.sections, []
    for path in snakemake.input.sets:
        name = Path(path).stem
        section = sections[name]
        objects = torch.from_numpy(store.open_dataset(path, section).object.values)
        for count in snakemake.params.samples if name == "train" else [len(objects)]:
            rows.append(datasets.conditioning_row(name, objects[:count], section["oversampling"]))
    with store.atomic(snakemake.output[0]) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
