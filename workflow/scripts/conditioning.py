from pathlib import Path

import pandas as pd

from farfield.learning import batches
from farfield.machine import jobs, store
from farfield.study import breaking

with jobs.job(snakemake.log[0]):
    sections, rows = snakemake.params.sections, []
    for path in snakemake.input.sets:
        name = Path(path).stem
        objects = batches.read_samples(store.open_dataset(path, sections[name]).object)
        for count in snakemake.params.samples if name == "train" else [len(objects)]:
            rows.append(breaking.conditioning_row(name, objects[:count], sections[name]["oversampling"]))
    with store.atomic(snakemake.output[0]) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
