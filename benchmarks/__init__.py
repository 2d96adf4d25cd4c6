"""Side-by-side timings: every contender in its own process, in random order, one thread, results checked equal."""
