"""The CA of workload certificates: a root and an intermediate, in one Secret, and the roots that workloads trust.

`state` is the content of the Secret, `rotation` decides what changes when: both pure. `bundle` is the
ClusterTrustBundle. `keeper` reads and writes both objects in the replica that holds the Lease.
"""
