"""What people see of a job: its card, its status message, the queue."""
