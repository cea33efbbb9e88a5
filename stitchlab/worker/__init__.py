"""Does what a worker process is asked to do."""
