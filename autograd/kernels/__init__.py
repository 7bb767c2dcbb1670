"""The arithmetic on arrays behind the operations that have a joint rule: no tensors here, and nothing is recorded."""
