{{- /* The name of the MutatingWebhookConfiguration, which is cluster-wide. */ -}}
{{- define "steerway.injectionName" -}}
{{- printf "%s.%s.steerway.io" (include "steerway.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- /* "true" when the user gives the certificate of the webhook in files. */ -}}
{{- define "steerway.ownCertificate" -}}
{{- if (.Values.settings.injection | default dict).certificate -}}true{{- end -}}
{{- end -}}

{{- /* settings.injection: what follows from other values. */ -}}
{{- define "steerway.injectionSettings" -}}
{{- $host := printf "%s.%s.svc" (include "steerway.fullname" .) .Release.Namespace -}}
listen: {{ printf "%s:%d" .Values.bindAddress (int .Values.injection.port) | quote }}
webhook: {{ include "steerway.injectionName" . }}
service: {{ include "steerway.internalName" . }}
secret: {{ include "steerway.fullname" . }}-injection
{{- if include "steerway.plaintext" . }}
servers: [{{ printf "%s:%d" $host (int .Values.service.port) | quote }}]
{{- else if not (.Values.settings.injection | default dict).servers }}
credentials: tls
{{- end }}
{{- if .Values.tls.secretName }}
tls_servers: [{{ printf "%s:%d" $host (int .Values.service.tlsPort) | quote }}]
{{- end }}
{{- end -}}

{{- /* What both webhooks have in common. */ -}}
{{- define "steerway.webhook" -}}
clientConfig:
  {{- with .Values.injection.caBundle }}
  caBundle: {{ b64enc . }}
  {{- end }}
  service:
    namespace: {{ .Release.Namespace }}
    name: {{ include "steerway.internalName" . }}
    port: {{ .Values.injection.port }}
    path: /inject
rules:
- apiGroups: [""]
  apiVersions: [v1]
  resources: [pods]
  operations: [CREATE]
  scope: Namespaced
admissionReviewVersions: [v1]
matchPolicy: Equivalent
sideEffects: None
# A pod without a bootstrap is better than no pod.
failurePolicy: Ignore
reinvocationPolicy: IfNeeded
timeoutSeconds: 2
{{- end -}}

{{- define "steerway.injectedNamespaces" -}}
- key: kubernetes.io/metadata.name
  operator: NotIn
  values:
  {{- append (default list .Values.injection.excludedNamespaces) .Release.Namespace | uniq | toYaml | nindent 2 }}
{{- end -}}
