from farfield.machine import jobs, store
from farfield.study import breaking

with jobs.job(snakemake.log[0]):
    section = snakemake.params.section
    dataset = store.open_dataset(snakemake.input.train, section)
    broken = breaking.break_set(dataset, section["oversampling"], snakemake.params.level)
    store.write_dataset(broken, snakemake.output[0], section)
