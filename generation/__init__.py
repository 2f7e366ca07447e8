"""Image-to-image generation behind a queue, an executor process and a few value types; knows nothing of Discord.

A request passes through ``serving``, where it waits for a slot, ``executors``, which own the process that computes it,
and ``engine``, which generates the picture. ``images`` decodes and encodes pictures, ``models`` knows which models
there are and where their files are, ``safety`` checks words and pictures, ``child`` is what all child processes share,
and ``cli`` offers the same from a shell. The modules next to these folders are shared by all of them.
"""
