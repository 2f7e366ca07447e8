"""Image-to-image generation behind a queue, an executor process and a handful of values; knows no Discord.

A request goes through ``serving``, where it waits for a slot, ``executors``, which own the process that it is computed
in, and ``engine``, which paints. ``images`` decodes and encodes pictures, ``models`` knows which models there are and
where their files lie, ``safety`` looks at words and pictures, ``child`` is what all child processes share, and ``cli``
is the same from a shell. The modules beside these folders are what everybody shares.
"""
