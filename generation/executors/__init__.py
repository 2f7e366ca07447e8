"""Where jobs are computed: the seam (`base`), and the child process that owns the pipeline."""
