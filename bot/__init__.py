"""Everything that knows Discord.

``commands``, ``messages`` and ``components`` hear what somebody wants, ``orders`` makes a job of it, and ``jobs`` takes
that to its end, with ``screening`` to look at it and ``display`` to show it. ``moderation`` is for moderators,
``privacy`` for members, ``monitoring`` and ``checks`` are for the operator. All of it stands on ``storage`` and
``discord_api``; ``client`` puts it together, and ``main`` runs it.
"""
