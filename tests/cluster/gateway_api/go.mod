module steerway.io/tests/gateway-api

go 1.26

// The Gateway API's CRDs come inside of this module. This is the one place that says which version tests use.
require sigs.k8s.io/gateway-api v1.6.3
