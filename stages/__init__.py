"""What is done with one video, stage by stage; ``stages.route`` puts them in order.

This file imports nothing: programs that children run lie in this package, and none of them needs all of it.
"""
