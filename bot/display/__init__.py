"""What people see of a job: its card, its status message, its place in the queue, its previews."""
