{{- /* steerway's configuration file: .Values.settings, and what follows from other values. */ -}}
{{- define "steerway.settings" -}}
{{- include "steerway.check" . -}}
{{- $host := ternary .Values.bindAddress "127.0.0.1" .Values.admin.exposed -}}
{{- $plaintext := list (printf "%s:18000" .Values.bindAddress) -}}
{{- $derived := dict "listen" $plaintext "admin" (printf "%s:%d" $host (int .Values.admin.port)) -}}
{{- $_ := set $derived "kubernetes" (dict "enabled" true "lease_name" (include "steerway.leaseName" .)) -}}
{{- if .Values.admin.exposed -}}
{{- $_ := set $derived "admin_token_file" (printf "/etc/steerway/admin/%s" .Values.admin.tokenSecretKey) -}}
{{- end -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $derived "listen" (list (printf "%s:18443" .Values.bindAddress)) -}}
{{- if .Values.tls.plaintext -}}
{{- $_ := set $derived "plaintext_listen" $plaintext -}}
{{- end -}}
{{- $tls := dict "certificate" "/etc/steerway/tls/tls.crt" "key" "/etc/steerway/tls/tls.key" -}}
{{- if .Values.tls.clientCertificates -}}
{{- $_ := set $tls "client_ca" "/etc/steerway/tls/ca.crt" -}}
{{- $_ := set $derived "authentication" (dict "certificate" true) -}}
{{- end -}}
{{- $_ := set $derived "tls" $tls -}}
{{- end -}}
{{- if .Values.injection.enabled -}}
{{- /* The servers are a default, which settings.injection replaces. */ -}}
{{- $given := .Values.settings.injection | default dict -}}
{{- $_ := set $derived "injection" (merge (deepCopy $given) (include "steerway.injectionSettings" . | fromYaml)) -}}
{{- end -}}
{{- mergeOverwrite (omit (deepCopy .Values.settings) "signer") $derived | toYaml -}}
{{- end -}}

{{- /* "true" when steerway serves every namespace: only then it has permissions in the whole cluster. */ -}}
{{- define "steerway.clusterWide" -}}
{{- if has "all" .Values.settings.kubernetes.namespaces -}}true{{- end -}}
{{- end -}}

{{- /* "true" when some method authenticates clients. */ -}}
{{- define "steerway.authenticates" -}}
{{- $authentication := .Values.settings.authentication -}}
{{- $tokens := or $authentication.token_file (ne $authentication.service_account "off") -}}
{{- if or .Values.tls.clientCertificates $tokens (ne $authentication.pod_address "off") -}}true{{- end -}}
{{- end -}}

{{- /* "true" when a replica writes to the API server, which needs a Lease. */ -}}
{{- define "steerway.writes" -}}
{{- $kubernetes := .Values.settings.kubernetes -}}
{{- if or $kubernetes.events (and $kubernetes.policies $kubernetes.status) .Values.injection.enabled -}}true{{- end -}}
{{- end -}}

{{- define "steerway.leaseName" -}}
{{- default (include "steerway.fullname" .) .Values.settings.kubernetes.lease_name -}}
{{- end -}}

{{- define "steerway.leaseNamespace" -}}
{{- default .Release.Namespace .Values.settings.kubernetes.lease_namespace -}}
{{- end -}}

{{- /* "true" when the port without TLS is open. */ -}}
{{- define "steerway.plaintext" -}}
{{- if or (not .Values.tls.secretName) .Values.tls.plaintext -}}true{{- end -}}
{{- end -}}
