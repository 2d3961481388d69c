"""The signer of workload certificates: X.509-SVIDs for PodCertificateRequests of one signer name.

`authority` has the CA: its state, rotation, Secret and ClusterTrustBundle. `decision` and `svid` decide what a request
gets, both pure; `backlog` orders the requests, `issuer` processes them in the replica that holds the Lease.

Sources: Kubernetes API reference, PodCertificateRequest and ClusterTrustBundle v1 (certificates.k8s.io); SPIFFE,
X509-SVID.md.
"""
