from pathlib import Path

from farfield import jobs, store, sweep

with jobs.job(snakemake.log[0]):
    validation = store.open_dataset(snakemake.input.validation, snakemake.params.section)
    found = sweep.summarise(snakemake.input.histories, validation)
    sweep.write(found, snakemake.params.variants, snakemake.output.csv, snakemake.output.md, snakemake.output.tex)
    for history in snakemake.input.histories:  # no next attempt of a cluster's job needs what trainings kept for it
        store.let_go(Path(history).parent)
