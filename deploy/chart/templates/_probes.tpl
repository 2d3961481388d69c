{{- /* The admin server answers probes, if the kubelet reaches it; else the gRPC health service of the xDS port. */ -}}
{{- define "steerway.probes" -}}
{{- $alive := dict "tcpSocket" (dict "port" "xds") -}}
{{- $ready := $alive -}}
{{- if .Values.admin.exposed -}}
{{- $alive = dict "httpGet" (dict "path" "/healthz" "port" "admin") -}}
{{- $ready = dict "httpGet" (dict "path" "/readyz" "port" "admin") -}}
{{- else -}}
{{- $ready = dict "grpc" (dict "port" 18000) -}}
{{- end -}}
startupProbe:
  {{- toYaml (merge (deepCopy .Values.probes.startup) $alive) | nindent 2 }}
readinessProbe:
  {{- toYaml (merge (deepCopy .Values.probes.readiness) $ready) | nindent 2 }}
livenessProbe:
  {{- toYaml (merge (deepCopy .Values.probes.liveness) $alive) | nindent 2 }}
{{- end -}}
