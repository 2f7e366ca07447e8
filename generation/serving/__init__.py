"""What waits and who serves it: the fair queue, the slots, and what happens when the executor is lost."""
