from pathlib import Path

import pandas as pd

from farfield import batches, datasets, jobs, store

with jobs.job(snakemake.log[0]):
    sections, rows = snakemake.params.sections, []
    sets = {Path(path).stem: store.open_dataset(path, sections[Path(path).stem]) for path in snakemake.input.sets}
    datasets.check_apart(sets)
    for name, dataset in sets.items():
        objects = batches.read_samples(dataset.object)
        for count in snakemake.params.samples if name == "train" else [len(objects)]:
            rows.append(datasets.conditioning_row(name, objects[:count], sections[name]["oversampling"]))
    with store.atomic(snakemake.output[0]) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
