{{- /* steerway's configuration file: .Values.settings, and what follows from other values. */ -}}
{{- define "steerway.settings" -}}
{{- include "steerway.checkSettings" . -}}
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
{{- mergeOverwrite (deepCopy .Values.settings) $derived | toYaml -}}
{{- end -}}

{{- /* Fails for settings that the chart writes, with the value to use instead. */ -}}
{{- define "steerway.checkSettings" -}}
{{- $settings := .Values.settings -}}
{{- $instead := dict
  "listen" "bindAddress and tls.secretName"
  "plaintext_listen" "bindAddress and tls.plaintext"
  "admin" "admin.port and admin.exposed"
  "admin_token_file" "admin.tokenSecretName"
  "tls.certificate" "tls.secretName"
  "tls.key" "tls.secretName"
  "tls.client_ca" "tls.clientCertificates"
  "authentication.certificate" "tls.clientCertificates"
  "injection.listen" "injection.enabled and injection.port"
  "injection.webhook" "nothing: it is that of the chart"
  "injection.service" "nothing: it is that of the chart"
  "injection.secret" "nothing: it is that of the chart"
  "kubernetes.enabled" "nothing: the chart always enables it"
-}}
{{- range $name, $value := $instead -}}
{{- $parts := splitList "." $name -}}
{{- $section := $settings -}}
{{- if eq (len $parts) 2 -}}
{{- $section = index $settings (first $parts) | default dict -}}
{{- end -}}
{{- if hasKey $section (last $parts) -}}
{{- fail (printf "settings.%s is written by the chart: use %s" $name $value) -}}
{{- end -}}
{{- end -}}
{{- $all := has "all" $settings.kubernetes.namespaces -}}
{{- if and $all (gt (len $settings.kubernetes.namespaces) 1) -}}
{{- fail "settings.kubernetes.namespaces must be namespaces, or all alone, not both: remove one" -}}
{{- end -}}
{{- if and .Values.tls.clientCertificates (not .Values.tls.secretName) -}}
{{- fail "tls.clientCertificates needs TLS: set tls.secretName to a Secret with tls.crt, tls.key and ca.crt" -}}
{{- end -}}
{{- if not (include "steerway.plaintext" .) -}}
{{- if not .Values.admin.exposed -}}
{{- fail "tls.plaintext: false needs an admin server that the kubelet can probe, since it has no TLS for gRPC: set admin.exposed" -}}
{{- end -}}
{{- if eq $settings.authentication.pod_address "plaintext" -}}
{{- fail "tls.plaintext: false leaves settings.authentication.pod_address: plaintext without a port: set it to all or \"off\"" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.injection.enabled (not (include "steerway.clusterWide" .)) -}}
{{- fail "injection.enabled needs all namespaces, since a webhook is cluster-wide: set settings.kubernetes.namespaces to [all]" -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled (not .Values.admin.exposed) -}}
{{- fail "monitoring.serviceMonitor.enabled needs an admin server that Prometheus can reach: set admin.exposed" -}}
{{- end -}}
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
