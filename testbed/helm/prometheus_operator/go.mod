module steerway.test/helm/prometheus_operator

go 1.26.0

// The CustomResourceDefinitions of ServiceMonitor and PrometheusRule come inside of this module (prometheus_crds.py).
require github.com/prometheus-operator/prometheus-operator v0.85.0
