{{- /* The configuration file of the signer: what it has in common with the xDS server, and its own settings. */ -}}
{{- define "steerway.signerSettings" -}}
{{- $given := .Values.settings -}}
{{- $settings := dict -}}
{{- range $key := list "identity" "log_format" "log_level" -}}
{{- if hasKey $given $key -}}
{{- $_ := set $settings $key (index $given $key) -}}
{{- end -}}
{{- end -}}
{{- $name := include "steerway.signerName" . -}}
{{- $listen := printf "%s:%d" .Values.bindAddress (int .Values.signer.port) -}}
{{- $derived := dict "listen" $listen "secret" $name "lease_name" $name -}}
{{- set $settings "signer" (merge (deepCopy ($given.signer | default dict)) $derived) | toYaml -}}
{{- end -}}

{{- /* The signer that the certificates of workloads are requested from. */ -}}
{{- define "steerway.certificateSigner" -}}
{{- ($.Values.settings.identity | default dict).signer_name | default "steerway.io/spiffe" -}}
{{- end -}}

{{- define "steerway.signerClusterRules" -}}
{{- $signer := include "steerway.certificateSigner" . -}}
# Requests of kubelets, which it issues certificates for.
- apiGroups: [certificates.k8s.io]
  resources: [podcertificaterequests]
  verbs: [list, watch]
- apiGroups: [certificates.k8s.io]
  resources: [podcertificaterequests/status]
  verbs: [patch]
- apiGroups: [certificates.k8s.io]
  resources: [signers]
  resourceNames: [{{ $signer }}]
  verbs: [sign, attest]
# The roots. RBAC cannot limit create to a name; attest limits it to the bundles of this signer.
- apiGroups: [certificates.k8s.io]
  resources: [clustertrustbundles]
  verbs: [create]
- apiGroups: [certificates.k8s.io]
  resources: [clustertrustbundles]
  resourceNames: ["{{ replace "/" ":" $signer }}:roots"]
  verbs: [get, update]
# What a request names must exist.
- apiGroups: [""]
  resources: [pods, serviceaccounts, nodes]
  verbs: [get]
# Events about requests that are not issued.
- apiGroups: [""]
  resources: [events]
  verbs: [create, get, patch]
{{- end -}}

{{- define "steerway.signerRules" -}}
{{- $name := include "steerway.signerName" . -}}
# The CA. RBAC cannot limit create to a name.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ $name }}]
  verbs: [get, update]
{{- with (.Values.settings.signer | default dict).ca_secret }}
# settings.signer.ca_secret: the CA of another issuer.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ . }}]
  verbs: [get]
{{- end }}
# The Lease of the replica that issues.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ $name }}]
  verbs: [get, update]
{{- end -}}
