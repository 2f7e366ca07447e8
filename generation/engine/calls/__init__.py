"""How networks are called: eagerly, compiled, or by replaying CUDA graphs."""
