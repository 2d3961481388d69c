{{- /* The rules of one scope. Each comment names what needs the rule; the guide has the same rules. */ -}}
{{- define "steerway.rules" -}}
{{- $kubernetes := .Values.settings.kubernetes -}}
{{- $clusterWide := include "steerway.clusterWide" . -}}
# Services and their endpoints. Required.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- if ne $kubernetes.client_locality "off" }}
# settings.kubernetes.client_locality: namespace and node of clients by their Pods.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- if $clusterWide }}
# settings.kubernetes.client_locality: zone and region by the Nodes of their Pods.
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end }}
{{- end }}
{{- if and $clusterWide (or (include "steerway.authenticates" .) .Values.settings.namespace_selector) }}
# Authentication, settings.namespace_selector: labels and annotations of Namespaces.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- if $kubernetes.events }}
# settings.kubernetes.events: Events about objects that cannot be served.
- apiGroups: [""]
  resources: [services]
  verbs: [get]
{{- if $clusterWide }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [get, create, patch]
{{- end }}
{{- if $kubernetes.policies }}
# settings.kubernetes.policies: routes of the Gateway API and TrafficPolicies.
- apiGroups: [gateway.networking.k8s.io]
  resources: [grpcroutes, httproutes, referencegrants, backendtlspolicies]
  verbs: [list, watch]
- apiGroups: [steerway.io]
  resources: [trafficpolicies]
  verbs: [list, watch]
{{- if $kubernetes.status }}
# settings.kubernetes.status: the status of routes and policies.
- apiGroups: [gateway.networking.k8s.io]
  resources: [grpcroutes, httproutes, backendtlspolicies]
  verbs: [get]
- apiGroups: [gateway.networking.k8s.io]
  resources: [grpcroutes/status, httproutes/status, backendtlspolicies/status]
  verbs: [patch]
- apiGroups: [steerway.io]
  resources: [trafficpolicies]
  verbs: [get]
- apiGroups: [steerway.io]
  resources: [trafficpolicies/status]
  verbs: [patch]
{{- end }}
{{- end }}
{{- end -}}
