"""The rules: filters (pod × node), protections (pod), movers (pod), constraints (pods jointly), objectives (placements).

Each kind is a literal table at the end of its module; the tables are the only registration there is.
"""
