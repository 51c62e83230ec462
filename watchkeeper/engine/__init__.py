"""What runs: the schedule, the runs, evaluation, recording, delivery. Each can be moved by hand, step by step."""
