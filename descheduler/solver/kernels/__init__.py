"""Ruin and recreate over sequences of lawful steps, with ejection chains: the hot loops of the stages for large fleets.

Run as they are where little is to be done and compiled where much is (``solver/compiled.py``), with the same results: all
numbers are integers. A solution is a sequence of steps, each lawful after the ones before it, so that it can always be
ordered into waves. A round takes some steps back, replays the rest, and lets waiting pods come by chains (reference/solver.md
3d); worse solutions are accepted less and less often (threshold accepting, Dueck and Scheuer 1990).

Everything is in one vector ``m``, which compiles in seconds where dozens of arrays take minutes. Its first places are the
slots named in ``slots``: numbers, or the place where an array begins. ``memory.Memory`` lays it out.
"""
