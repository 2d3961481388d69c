{{- /* The name of most objects. As that of a Service, it starts with a letter and has no dot (RFC 1035). */ -}}
{{- define "steerway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := default .Release.Name .Values.fullnameOverride | replace "." "-" -}}
{{- if not (or .Values.fullnameOverride (contains $name .Release.Name)) -}}
{{- $full = printf "%s-%s" $full $name -}}
{{- end -}}
{{- if regexMatch "^[0-9]" $full -}}
{{- $full = printf "%s-%s" .Chart.Name $full -}}
{{- end -}}
{{- $full | trunc 52 | trimAll "-" -}}
{{- end -}}

{{- /* The name of the Service of admin server and webhook. */ -}}
{{- define "steerway.internalName" -}}
{{- printf "%s-internal" (include "steerway.fullname" .) -}}
{{- end -}}

{{- /* The name of cluster-wide objects: releases of the same name in several namespaces have their own. */ -}}
{{- define "steerway.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "steerway.fullname" .) -}}
{{- end -}}

{{- /* The name of the objects of the signer. */ -}}
{{- define "steerway.signerName" -}}
{{- printf "%s-signer" (include "steerway.fullname" .) -}}
{{- end -}}

{{- define "steerway.serviceAccountName" -}}
{{- default (ternary (include "steerway.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "steerway.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Of the pods of the signer, which are no xDS servers. */ -}}
{{- define "steerway.signerSelectorLabels" -}}
app.kubernetes.io/name: {{ printf "%s-signer" (default .Chart.Name .Values.nameOverride | trunc 56 | trimSuffix "-") }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "steerway.labels" -}}
{{ include "steerway.selectorLabels" . }}
{{ include "steerway.releaseLabels" . }}
{{- end -}}

{{- define "steerway.signerLabels" -}}
{{ include "steerway.signerSelectorLabels" . }}
{{ include "steerway.releaseLabels" . }}
{{- end -}}

{{- define "steerway.releaseLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "steerway.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "steerway.adminTokenSecret" -}}
{{- default (printf "%s-admin" (include "steerway.fullname" .)) .Values.admin.tokenSecretName -}}
{{- end -}}
