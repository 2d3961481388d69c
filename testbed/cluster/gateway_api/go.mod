module steerway.test/cluster/gateway_api

go 1.26.0

// Its CustomResourceDefinitions come inside of this module. Nothing else says which version tests take (gateway_crds.py).
require sigs.k8s.io/gateway-api v1.6.3
