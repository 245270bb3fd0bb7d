rule score_baseline:
    input:
        reconstructions=[
            study_path("reconstructions/{recipe}/train.zarr"),
            study_path("reconstructions/{recipe}/test.zarr"),
            study_path("reconstructions/{recipe}/noisy.zarr"),
        ],
        truths=[study_path("data/train.zarr"), study_path("data/test.zarr"), study_path("data/noisy.zarr")],
    output:
        directory(study_path("scores/{recipe}/train.zarr")),
        directory(study_path("scores/{recipe}/test.zarr")),
        directory(study_path("scores/{recipe}/noisy.zarr")),
    log:
        study_path("logs/score/{recipe}.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.scoring),
    params:
        code=code("score"),
        sections=sections("train", "test", "noisy"),
    script:
        "../scripts/score.py"


rule score_constants:
    input:
        before=study_path("data/train.zarr"),
        after=study_path("data/train-broken.zarr"),
        test=study_path("data/test.zarr"),
    output:
        [directory(path) for path in constants("train") + constants("test") + floors()],
    log:
        study_path("logs/score/constants.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.whole_set),
    params:
        code=code("score_constants"),
        sections=sections("train", "test"),
        samples=sorted(config["samples"]),
    script:
        "../scripts/score_constants.py"
