"""The Discord side: everything that talks to Discord.

``commands``, ``messages`` and ``components`` receive requests, ``orders`` turns them into jobs, and ``jobs`` takes
those to their end, with ``screening`` to check pictures and prompts and ``display`` to show progress. ``moderation``
serves moderators, ``privacy`` members, ``monitoring`` and ``checks`` the operator. All of it builds on ``storage`` and
``discord_api``; ``client`` wires it together, and ``main`` runs it.
"""
