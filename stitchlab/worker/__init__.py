"""What a worker process does when it is asked."""
