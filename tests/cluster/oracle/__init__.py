"""kube-scheduler as the oracle: random fleets on a real cluster, its verdict on each pod beside ours."""
