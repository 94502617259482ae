{{/* Secrets that the chart creates are hooks and not part of the release: `helm rollback` would overwrite them with old
     manifests, and a token that was changed because it had leaked would be valid again. Only install and upgrade run these hooks,
     and look up the existing Secrets. Only those that are missing or must be renewed are rendered, since Helm deletes the object
     of a hook before it creates it again. `keep` is for upgrades from a release that had them in its manifest: Helm would delete
     them as no longer rendered. */}}
{{- define "lumenmill.secretAnnotations" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation
helm.sh/resource-policy: keep
{{- end -}}

{{/* The data of a Secret in the cluster, as JSON of encoded values: (list root "name"). Empty without a cluster. */}}
{{- define "lumenmill.secretData" -}}
{{- (lookup "v1" "Secret" (index . 0).Release.Namespace (index . 1)).data | default dict | toJson -}}
{{- end -}}

{{/* A Secret that is created once, and not rendered again while it has every key: (list root component "name" new-values).
     Existing values do not change. */}}
{{- define "lumenmill.madeOnce" -}}
{{- $root := index . 0 -}}
{{- $name := index . 2 -}}
{{- $data := include "lumenmill.secretData" (list $root $name) | fromJson -}}
{{- $isWhole := true -}}
{{- range $key, $value := index . 3 -}}
{{- if not (hasKey $data $key) -}}
{{- $isWhole = false -}}
{{- $_ := set $data $key (b64enc $value) -}}
{{- end -}}
{{- end -}}
{{- if not $isWhole -}}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name }}
  labels:
    {{- include "lumenmill.labels" (list $root (index . 1)) | nindent 4 }}
  annotations:
    {{- include "lumenmill.secretAnnotations" . | nindent 4 }}
type: {{ ternary "kubernetes.io/tls" "Opaque" (hasKey $data "tls.crt") }}
data:
  {{- toYaml $data | nindent 2 }}
---
{{- end -}}
{{- end -}}
