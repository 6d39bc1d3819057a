"""What others would do with the same fleet, limits and time.

A peer is asked for an end state only: its moves need no order in which every step is lawful, no plan and no account of who stays
waiting. That is an advantage, as is a clock that starts after diagnosis. Every answer is checked by ``judged`` in plain arithmetic.
"""
