"""`steerway bug-report`: one archive with what others need to find a defect, without secrets.

`collect` gathers it from the replicas and the cluster, `redaction` removes secrets from every file, and `archive`
writes the files with a manifest of what was collected and what was not.
"""
