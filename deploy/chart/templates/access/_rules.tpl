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
{{- $byAddress := ne .Values.settings.authentication.pod_address "off" -}}
{{- if or $byAddress (ne $kubernetes.client_locality "off") }}
# settings.authentication.pod_address, settings.kubernetes.client_locality: the Pods of clients, by their addresses.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- if $clusterWide }}
# The same: zone and region of clients by their Nodes, and addresses of Nodes, which are refused.
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
# settings.kubernetes.events: Events about objects that cannot be served, and about changes that clients refused.
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
# settings.kubernetes.policies: routes of the Gateway API, and policies of traffic, of servers and of authorization.
- apiGroups: [gateway.networking.k8s.io]
  resources: [grpcroutes, httproutes, referencegrants, backendtlspolicies]
  verbs: [list, watch]
- apiGroups: [steerway.io]
  resources: [trafficpolicies, serverpolicies, authorizationpolicies]
  verbs: [list, watch]
{{- if or $kubernetes.status $kubernetes.events }}
# settings.kubernetes.status, settings.kubernetes.events: their status, and Events about changes that clients refused.
- apiGroups: [gateway.networking.k8s.io]
  resources: [grpcroutes, httproutes, backendtlspolicies]
  verbs: [get]
- apiGroups: [steerway.io]
  resources: [trafficpolicies, serverpolicies, authorizationpolicies]
  verbs: [get]
{{- end }}
{{- if $kubernetes.status }}
# settings.kubernetes.status: the status of routes and policies.
- apiGroups: [gateway.networking.k8s.io]
  resources: [grpcroutes/status, httproutes/status, backendtlspolicies/status]
  verbs: [patch]
- apiGroups: [steerway.io]
  resources: [trafficpolicies/status, serverpolicies/status, authorizationpolicies/status]
  verbs: [patch]
{{- end }}
{{- end }}
{{- end -}}
