from farfield import datasets, jobs, store

with jobs.job(snakemake.log[0]):
    section = snakemake.params.section
    dataset = store.open_dataset(snakemake.input.train, section)
    store.write_dataset(datasets.break_set(dataset, section["oversampling"]), snakemake.output[0], section)
