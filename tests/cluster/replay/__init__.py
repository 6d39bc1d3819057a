"""Plans replayed on a real kube-scheduler: random fleets brought to life, planned from a live read, carried out wave by wave.

The cluster runs without controllers, so that nothing happens that the replay does not do: ReplicaSets, Deployments, budgets and
claims are there to be read, and the replay plays whoever owns the pods.
"""
