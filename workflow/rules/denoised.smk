rule train_denoiser:
    input:
        train=study_path("data/train.zarr"),
        validation=study_path("data/validation.zarr"),
    output:
        model=study_path("denoiser/denoiser.safetensors"),
        history=study_path("denoiser/history.csv"),
    log:
        study_path("logs/train_denoiser.log"),
    benchmark:
        study_path("benchmarks/train_denoiser.tsv")
    priority: 10
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.denoiser),
        gpu=gpus,
    params:
        code=code("train_denoiser"),
        sections=sections("train", "validation"),
        settings=config["denoiser"],
        samples=max(config["samples"]),
    script:
        "../scripts/train_denoiser.py"


rule table_denoiser:
    input:
        denoiser=study_path("denoiser/denoiser.safetensors"),
        test=study_path("data/test.zarr"),
    output:
        csv=report(
            study_path("tables/denoiser.csv"),
            caption="../report/denoiser.rst",
            category="Tables",
            labels={"table": "the denoiser", "format": "csv"},
        ),
        md=study_path("tables/denoiser.md"),
        tex=study_path("tables/denoiser.tex"),
    log:
        study_path("logs/table/denoiser.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_denoiser"),
        section=section("test"),
        images=200,
    script:
        "../scripts/table_denoiser.py"


rule reconstruct_denoised:
    input:
        train=study_path("data/train.zarr"),
        test=study_path("data/test.zarr"),
        noisy=study_path("data/noisy.zarr"),
        denoiser=study_path("denoiser/denoiser.safetensors"),
        start=starts_of_recipe,
    output:
        train=directory(study_path("reconstructions/{recipe}/train.zarr")),
        test=directory(study_path("reconstructions/{recipe}/test.zarr")),
        noisy=directory(study_path("reconstructions/{recipe}/noisy.zarr")),
    log:
        study_path("logs/reconstruct/{recipe}.log"),
    benchmark:
        study_path("benchmarks/reconstruct/{recipe}.tsv")
    wildcard_constraints:
        recipe="|".join(config["denoised"]) or "none",
    priority: 5
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.denoised),
        gpu=gpus,
    params:
        code=code("reconstruct_denoised"),
        sections=sections("train", "test", "noisy"),
        settings=denoised_settings,
        start=name_of_start,
        samples=max(config["samples"]),
        counts=counts_of_denoised,
        seed=config["seeds"][0],
    script:
        "../scripts/reconstruct_denoised.py"
