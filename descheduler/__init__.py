"""A multi-cluster descheduler for Kubernetes: few, proven moves that make room for pending pods."""

__version__ = "0.1.0"
