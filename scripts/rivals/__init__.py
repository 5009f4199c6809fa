"""Our pipeline and a script that others' documentation leads to, for `scripts/bench_rivals`."""
