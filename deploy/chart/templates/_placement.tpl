{{- /* What the pods of all Deployments have in common: (dict "root" $ "selector" LABELS). */ -}}
{{- define "steerway.placement" -}}
{{- $selector := .selector -}}
{{- with .root.Values -}}
{{- with .imagePullSecrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{ end -}}
{{- with .priorityClassName -}}
priorityClassName: {{ . }}
{{ end -}}
securityContext:
  {{- toYaml .podSecurityContext | nindent 2 }}
{{- if .topologySpreadConstraints }}
topologySpreadConstraints:
{{- $ours := dict "labelSelector" (dict "matchLabels" $selector) "matchLabelKeys" (list "pod-template-hash") }}
{{- range .topologySpreadConstraints }}
- {{ merge (deepCopy .) $ours | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
