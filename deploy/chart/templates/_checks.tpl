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
  "signer.listen" "bindAddress and signer.port"
  "signer.secret_namespace" "nothing: it is that of the release"
  "signer.secret" "nothing: it is that of the chart"
  "signer.lease_name" "nothing: it is that of the chart"
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
{{- end -}}

{{- define "steerway.checkTls" -}}
{{- if and .Values.tls.clientCertificates (not .Values.tls.secretName) -}}
{{- fail "tls.clientCertificates needs TLS: set tls.secretName to a Secret with tls.crt, tls.key and ca.crt" -}}
{{- end -}}
{{- if not (or .Values.tls.plaintext .Values.tls.secretName) -}}
{{- fail "tls.plaintext: false leaves no port, since there is no TLS: set tls.secretName to a Secret with tls.crt and tls.key" -}}
{{- end -}}
{{- if not (include "steerway.plaintext" .) -}}
{{- if not .Values.admin.exposed -}}
{{- fail "tls.plaintext: false needs an admin server that the kubelet can probe, since it has no TLS for gRPC: set admin.exposed" -}}
{{- end -}}
{{- if eq .Values.settings.authentication.pod_address "plaintext" -}}
{{- fail "tls.plaintext: false leaves settings.authentication.pod_address: plaintext without a port: set it to all or \"off\"" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Settings of the injection that steerway would refuse at its start. */ -}}
{{- define "steerway.checkInjection" -}}
{{- $given := .Values.settings.injection | default dict -}}
{{- if and $given (not .Values.injection.enabled) -}}
{{- fail "settings.injection has no effect without the webhook: set injection.enabled" -}}
{{- end -}}
{{- if and .Values.injection.enabled (not (include "steerway.clusterWide" .)) -}}
{{- fail "injection.enabled needs all namespaces, since a webhook is cluster-wide: set settings.kubernetes.namespaces to [all]" -}}
{{- end -}}
{{- $tls := or .Values.tls.secretName $given.tls_servers -}}
{{- if and (eq ($given.credentials | default "") "tls") (not $tls) -}}
{{- fail "settings.injection.credentials: tls needs servers with TLS: set tls.secretName, or settings.injection.tls_servers" -}}
{{- end -}}
{{- $plaintext := or (include "steerway.plaintext" .) $given.servers -}}
{{- if and (eq ($given.credentials | default "") "insecure") (not $plaintext) -}}
{{- fail "settings.injection.credentials: insecure needs servers without TLS: set tls.plaintext, or settings.injection.servers" -}}
{{- end -}}
{{- range $name := list "ca" "token_audience" -}}
{{- if and (index $given $name) (not $tls) -}}
{{- fail (printf "settings.injection.%s has no effect without TLS: set tls.secretName, or settings.injection.tls_servers" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.injection.caBundle (not (include "steerway.ownCertificate" .)) -}}
{{- fail "injection.caBundle is written by steerway for the certificate that it issues: set settings.injection.certificate, too" -}}
{{- end -}}
{{- range $name, $other := dict "certificate" "key" "key" "certificate" -}}
{{- if and (index $given $name) (not (index $given $other)) -}}
{{- fail (printf "settings.injection.%s has no effect alone: set settings.injection.%s" $name $other) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "steerway.checkSigner" -}}
{{- if and .Values.settings.signer (not .Values.signer.enabled) -}}
{{- fail "settings.signer has no effect without the signer: set signer.enabled" -}}
{{- end -}}
{{- end -}}

{{- /* Ports that several servers of the pod, or two ports of the Service, would have. */ -}}
{{- define "steerway.checkPorts" -}}
{{- $xds := dict -}}
{{- $published := dict -}}
{{- if include "steerway.plaintext" . -}}
{{- $xds = set $xds "the xDS server without TLS" 18000 -}}
{{- $published = set $published "service.port" .Values.service.port -}}
{{- end -}}
{{- if .Values.tls.secretName -}}
{{- $xds = set $xds "the xDS server with TLS" 18443 -}}
{{- $published = set $published "service.tlsPort" .Values.service.tlsPort -}}
{{- end -}}
{{- $servers := merge (dict "admin.port" .Values.admin.port) $xds -}}
{{- if .Values.injection.enabled -}}
{{- $servers = set $servers "injection.port" .Values.injection.port -}}
{{- end -}}
{{- with .Values.settings.rest_listen -}}
{{- $servers = set $servers "settings.rest_listen" (splitList ":" . | last) -}}
{{- end -}}
{{- range $ports := list $servers $published -}}
{{- range $name, $port := $ports -}}
{{- range $other, $same := $ports -}}
{{- if and (lt $name $other) (eq (int $port) (int $same)) -}}
{{- fail (printf "%s: %d is the port of %s, too: choose another one" $name (int $port) $other) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Names and paths that the chart uses itself: given again, they would be there twice. */ -}}
{{- define "steerway.checkAdditions" -}}
{{- $pod := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "pod-template-hash" -}}
{{- $reserved := dict
  "podLabels" $pod
  "commonLabels" (concat $pod (list "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart"))
  "podAnnotations" (list "checksum/settings")
-}}
{{- range $value, $names := $reserved -}}
{{- range $name, $_ := index $.Values $value | default dict -}}
{{- if has $name $names -}}
{{- fail (printf "%s has %s, which the chart sets: remove it" $value $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $own := dict
  "extraEnv" (dict "name" (list "POD_NAMESPACE" "STEERWAY_IDENTIFIER"))
  "extraVolumes" (dict "name" (list "config" "tmp" "tls" "admin-token"))
  "extraVolumeMounts" (dict "mountPath" (list "/tmp" "/etc/steerway/config" "/etc/steerway/tls" "/etc/steerway/admin"))
-}}
{{- range $value, $field := $own -}}
{{- range $key, $used := $field -}}
{{- range index $.Values $value -}}
{{- if has (index . $key | trimSuffix "/") $used -}}
{{- fail (printf "%s has the %s %s, which the chart uses: choose another one" $value $key (index . $key)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Fails for values that contradict each other, with the value to use instead. */ -}}
{{- define "steerway.check" -}}
{{- include "steerway.checkSettings" . -}}
{{- include "steerway.checkTls" . -}}
{{- include "steerway.checkInjection" . -}}
{{- include "steerway.checkSigner" . -}}
{{- include "steerway.checkPorts" . -}}
{{- include "steerway.checkAdditions" . -}}
{{- $all := has "all" .Values.settings.kubernetes.namespaces -}}
{{- if and $all (gt (len .Values.settings.kubernetes.namespaces) 1) -}}
{{- fail "settings.kubernetes.namespaces must be namespaces, or all alone, not both: remove one" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas: change one of them" -}}
{{- end -}}
{{- if and .Values.admin.tokenSecretName (not .Values.admin.exposed) -}}
{{- fail "admin.tokenSecretName has no effect while the admin server listens on loopback: set admin.exposed" -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled (not .Values.admin.exposed) -}}
{{- fail "monitoring.serviceMonitor.enabled needs an admin server that Prometheus can reach: set admin.exposed" -}}
{{- end -}}
{{- end -}}
