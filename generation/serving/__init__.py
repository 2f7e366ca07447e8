"""Waiting and serving: the fair queue, the slots, and what happens when the executor is lost."""
