"""The injection webhook: a mutating admission webhook that adds the bootstrap to pods.

A request flows through `application` (HTTP) → `review` (AdmissionReview) → `mutation` (what is added) → `patch`. All of
it is pure except for HTTP. `certificate` has the certificate of the webhook and its rotation. A pod is never refused.
"""
