"""The connections between stages: which event of one stage calls which method of another.

`steerway.app` constructs these parts and runs them. They contain no rules of Kubernetes and none of xDS: those are in
`catalog` and `translate`.
"""
