"""X.509: certificates with their keys, issued here or read as PEM, and bundles of CA certificates.

It knows neither Kubernetes nor the purpose of a certificate: `injection.certificate` has those of the webhook, `signer`
those of workloads.
"""
