"""Commands beside the daemon itself: one small file each, with ``add_to(parser)`` and ``run(arguments, settings)``."""
