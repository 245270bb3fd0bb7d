rule square_root:
    output:
        learned=study_path("principle/square-root.csv"),
        choices=study_path("principle/choices.csv"),
        variation=study_path("principle/variation.csv"),
    log:
        study_path("logs/principle/square-root.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("square_root"),
        settings=config["square_root"],
        seeds=config["seeds"],
    script:
        "../scripts/square_root.py"


rule gaussian:
    output:
        study_path("principle/{kind}/d{dimension}/{symmetry}/n{samples}.csv"),
    log:
        study_path("logs/principle/{kind}/d{dimension}/{symmetry}/n{samples}.log"),
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        **asks(costs.gaussian),
        gpu=gpus,
    params:
        code=code_with_problem("gaussian"),
        settings={key: value for key, value in config["gaussian"].items() if key not in ("dimensions", "samples")},
        seeds=config["seeds"],
    script:
        "../scripts/gaussian.py"


rule table_gaussian:
    input:
        cells=gaussian_cells(),
    output:
        csv=report(
            study_path("tables/gaussian.csv"),
            caption="../report/gaussian.rst",
            category="Tables",
            labels={"table": "Gaussian phase retrieval", "format": "csv"},
        ),
        md=study_path("tables/gaussian.md"),
        tex=study_path("tables/gaussian.tex"),
    log:
        study_path("logs/table/gaussian.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_gaussian"),
        published=published("gaussian"),
    script:
        "../scripts/table_gaussian.py"


rule figure2:
    input:
        learned=study_path("principle/square-root.csv"),
        choices=study_path("principle/choices.csv"),
    output:
        pdf=study_path("figures/figure2.pdf"),
        png=report(
            study_path("figures/figure2.png"),
            caption="../report/figure2.rst",
            category="Figures",
            labels={"figure": "2: the square root", "format": "png"},
        ),
    log:
        study_path("logs/figure/figure2.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure2"),
    script:
        "../scripts/figure2.py"


rule figure_more_samples:
    input:
        variation=study_path("principle/variation.csv"),
        gaussian=study_path("tables/gaussian.csv"),
    output:
        pdf=study_path("figures/more-samples.pdf"),
        png=report(
            study_path("figures/more-samples.png"),
            caption="../report/more-samples.rst",
            category="Figures",
            labels={"figure": "what more samples do", "format": "png"},
        ),
    log:
        study_path("logs/figure/more-samples.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_more_samples"),
    script:
        "../scripts/figure_more_samples.py"


rule table_partial_breaking:
    input:
        scores=partly_broken_scores(),
        cells=partly_broken_cells(),
    output:
        csv=study_path("tables/partial-breaking.csv"),
        md=study_path("tables/partial-breaking.md"),
        tex=study_path("tables/partial-breaking.tex"),
    log:
        study_path("logs/table/partial-breaking.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_partial_breaking"),
        order=order_of_methods(),
    script:
        "../scripts/table_partial_breaking.py"


# Not part of `all`: it trains on two more training sets.
rule partial_breaking:
    input:
        rules.table_partial_breaking.output,
