rule table:
    input:
        scores=scores_of_table,
    output:
        csv=report(
            study_path("tables/table{number}.csv"),
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{number}", "format": "csv"},
        ),
        md=study_path("tables/table{number}.md"),
        tex=study_path("tables/table{number}.tex"),
    log:
        study_path("logs/table/{number}.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table"),
        published=published("published"),
        order=order_of_methods(),
    script:
        "../scripts/table.py"


rule table_noise:
    input:
        clean=scores_of_methods("test"),
        noisy=scores_of_methods("noisy"),
    output:
        csv=report(
            study_path("tables/noise.csv"),
            caption="../report/noise.rst",
            category="Tables",
            labels={"table": "with photon noise", "format": "csv"},
        ),
        md=study_path("tables/noise.md"),
        tex=study_path("tables/noise.tex"),
    log:
        study_path("logs/table/noise.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_noise"),
        order=order_of_methods(),
        photons=config["noise"]["photons"],
    script:
        "../scripts/table_noise.py"


rule table_paired:
    input:
        before=scores_of_symmetry("before"),
        after=scores_of_symmetry("after"),
    output:
        csv=report(
            study_path("tables/paired.csv"),
            caption="../report/paired.rst",
            category="Tables",
            labels={"table": "after against before, paired", "format": "csv"},
        ),
        md=study_path("tables/paired.md"),
        tex=study_path("tables/paired.tex"),
    log:
        study_path("logs/table/paired.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("table_paired"),
        order=order_of_methods(),
    script:
        "../scripts/table_paired.py"


rule figure_symmetries:
    input:
        truth=study_path("data/test.zarr"),
    output:
        pdf=study_path("figures/symmetries.pdf"),
        png=report(
            study_path("figures/symmetries.png"),
            caption="../report/symmetries.rst",
            category="Figures",
            labels={"figure": "1: the symmetries", "format": "png"},
        ),
    log:
        study_path("logs/figure/symmetries.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_symmetries"),
    script:
        "../scripts/figure_symmetries.py"


rule figure_reconstructions:
    input:
        truth=study_path("data/test.zarr"),
        reconstructions=reconstructions_of_test(),
    output:
        pdf=study_path("figures/reconstructions.pdf"),
        png=report(
            study_path("figures/reconstructions.png"),
            caption="../report/reconstructions.rst",
            category="Figures",
            labels={"figure": "3: test samples", "format": "png"},
        ),
    log:
        study_path("logs/figure/reconstructions.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_reconstructions"),
        order=order_of_methods(),
        samples=config["figure_samples"],
    script:
        "../scripts/figure_reconstructions.py"


rule figure_error_against_size:
    input:
        table=study_path("tables/table5.csv"),
    output:
        pdf=study_path("figures/error-against-size.pdf"),
        png=report(
            study_path("figures/error-against-size.png"),
            caption="../report/error-against-size.rst",
            category="Figures",
            labels={"figure": "error against training size", "format": "png"},
        ),
    log:
        study_path("logs/figure/error-against-size.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_error_against_size"),
        published=published("published"),
    script:
        "../scripts/figure_error_against_size.py"


rule figure_learning_curves:
    input:
        histories=histories(),
    output:
        pdf=study_path("figures/learning-curves.pdf"),
        png=report(
            study_path("figures/learning-curves.png"),
            caption="../report/learning-curves.rst",
            category="Figures",
            labels={"figure": "learning curves", "format": "png"},
        ),
    log:
        study_path("logs/figure/learning-curves.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_learning_curves"),
        order=order_of_methods(),
    script:
        "../scripts/figure_learning_curves.py"


rule figure_error_against_time:
    input:
        scores=scores("test") + scores_of_methods("noisy"),
    output:
        pdf=study_path("figures/error-against-time.pdf"),
        png=report(
            study_path("figures/error-against-time.png"),
            caption="../report/error-against-time.rst",
            category="Figures",
            labels={"figure": "error against time", "format": "png"},
        ),
    log:
        study_path("logs/figure/error-against-time.log"),
    conda:
        ENVIRONMENT
    threads: 1
    params:
        code=code("figure_error_against_time"),
        order=order_of_methods(),
    script:
        "../scripts/figure_error_against_time.py"
