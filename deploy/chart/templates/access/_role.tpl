{{- /* A role and its binding: (dict "root" $ "name" NAME "namespace" NAMESPACE "rules" RULES), with
     "account" ACCOUNT for another account than that of the xDS server; cluster-wide without namespace. */ -}}
{{- define "steerway.role" -}}
{{- $kind := ternary "Role" "ClusterRole" (ne .namespace "") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "steerway.labels" .root | nindent 4 }}
rules:
{{ .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "steerway.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ .account | default (include "steerway.serviceAccountName" .root) }}
  namespace: {{ .root.Release.Namespace }}
{{ end -}}
