"""Where jobs are computed: the interface (`base`), and the child process that owns the pipeline."""
