from farfield.machine import jobs, store
from farfield.study import rendering, sweep

with jobs.job(snakemake.log[0]):
    validation = store.open_dataset(snakemake.input.validation, snakemake.params.section)
    found = sweep.summarise(snakemake.input.histories, validation)
    rendering.write(sweep.table(found, snakemake.params.variants), snakemake.output)
