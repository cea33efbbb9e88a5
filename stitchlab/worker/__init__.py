"""Do, in a worker's process, what the queue asks for: tasks of jobs, and answers to pages' questions."""
