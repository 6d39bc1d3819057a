"""Priority Matters (Christensen, Giallorenzo, Mauro, arXiv 2511.08373): ReplicaSets with priorities on identical nodes.

The rules differ from ours in one thing: all pods are placeable and running ones may lose their place. So the adapter tells the tool's
model of a cluster in which every pod waits, one class per ReplicaSet, and adds its own level for pods that keep their place.
"""
